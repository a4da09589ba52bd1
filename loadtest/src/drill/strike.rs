//! Breaks what a drill breaks, and mends it again.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Method;
use serde_json::{Value, json};
use tollgate_core::Clock;

use super::http::Http;
use super::site::{Site, Tuning, everyday};
use super::table::Fault;
use crate::mock::Behaviour;

/// How long a signal may take to have an effect, and how often that is looked for.
const EFFECT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A fault at work.
pub(crate) struct Strike<'a> {
    fault: Fault,
    /// Whom it strikes, where that is a provider.
    provider: Option<String>,
    site: &'a mut dyn Site,
    http: &'a Http,
    /// Whether a provider that flaps is down.
    is_down: bool,
    /// Reloads asked for, or rounds of restarts.
    pub(crate) rounds: u64,
    /// What was done, a sentence each.
    pub(crate) done: Vec<String>,
}

impl<'a> Strike<'a> {
    pub(crate) fn new(
        fault: Fault,
        provider: Option<String>,
        site: &'a mut dyn Site,
        http: &'a Http,
    ) -> Self {
        Self {
            fault,
            provider,
            site,
            http,
            is_down: false,
            rounds: 0,
            done: Vec::new(),
        }
    }

    pub(crate) fn site(&self) -> &dyn Site {
        self.site
    }

    fn struck(&self) -> anyhow::Result<&str> {
        self.provider
            .as_deref()
            .context("nobody had any traffic: there is nobody to strike")
    }

    /// Breaks it. Whether it lasts until [`end`](Self::end).
    ///
    /// # Errors
    /// It cannot be broken.
    pub(crate) fn begin(&mut self) -> anyhow::Result<Lasts> {
        match self.fault {
            Fault::Kill => {
                let provider = self.struck()?.to_owned();
                self.site.kill_provider(&provider)?;
            }
            Fault::Behave(behaviour) | Fault::Flap { behaviour, .. } => {
                self.is_down = true;
                self.behave(&laid_over(&everyday(), behaviour)?)?;
            }
            Fault::Nameless => {
                let nameless = Some(self.struck()?.to_owned());
                self.reload(&Tuning { nameless, edition: 1 })?;
            }
            Fault::KillGateway => {
                self.site.kill_gateway(0)?;
                self.site.start_gateway(0)?;
                return Ok(Lasts::Over);
            }
            Fault::Reload(_) | Fault::Roll => {}
        }
        Ok(Lasts::UntilItEnds)
    }

    /// Goes on with a fault that has lasted so long.
    ///
    /// # Errors
    /// It cannot be gone on with.
    pub(crate) fn go_on(&mut self, lasted: Duration) -> anyhow::Result<()> {
        match self.fault {
            Fault::Flap { behaviour, every } => {
                let should_be_down = (lasted.as_millis() / every.as_millis().max(1)).is_multiple_of(2);
                if should_be_down != self.is_down {
                    self.is_down = should_be_down;
                    let behaviour = if should_be_down {
                        laid_over(&everyday(), behaviour)?
                    } else {
                        everyday()
                    };
                    self.behave(&behaviour)?;
                }
            }
            Fault::Reload(every)
                if lasted >= every.saturating_mul(u32::try_from(self.rounds).unwrap_or(u32::MAX)) =>
            {
                self.rounds += 1;
                let edition = self.rounds;
                self.reload(&Tuning {
                    nameless: None,
                    edition,
                })?;
            }
            Fault::Roll => {
                self.rounds += 1;
                for gateway in 0..2 {
                    let status = self.site.end_gateway(gateway)?;
                    self.site.start_gateway(gateway)?;
                    let ended =
                        status.map_or_else(|| "by a signal".to_owned(), |it| format!("with status {it}"));
                    self.done.push(format!(
                        "gateway {} ended {ended} and was started again",
                        gateway + 1
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Mends it.
    ///
    /// # Errors
    /// It cannot be mended.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        match self.fault {
            Fault::Kill => {
                let provider = self.struck()?.to_owned();
                self.site.revive_provider(&provider)?;
            }
            Fault::Behave(_) | Fault::Flap { .. } => self.behave(&everyday())?,
            Fault::Nameless => self.reload(&Tuning {
                nameless: None,
                edition: 2,
            })?,
            Fault::KillGateway | Fault::Reload(_) | Fault::Roll => {}
        }
        Ok(())
    }

    fn behave(&self, behaviour: &Behaviour) -> anyhow::Result<()> {
        let provider = self.struck()?;
        let addr = self
            .site
            .provider(provider)
            .with_context(|| format!("no provider '{provider}'"))?;
        let behaviour = serde_json::to_value(behaviour)?;
        self.http.send(Method::PUT, addr, "/mock/behaviour", &behaviour)
    }

    /// Every second time by a signal, as operators do it; otherwise by the admin API.
    fn reload(&mut self, tuning: &Tuning) -> anyhow::Result<()> {
        self.site.tune(tuning)?;
        for gateway in 0.. {
            let Some(admin) = self.site.admin(gateway) else {
                break;
            };
            let is_signalled = matches!(self.fault, Fault::Reload(_)) && tuning.edition.is_multiple_of(2);
            if is_signalled {
                self.signal(gateway, admin)?;
            } else {
                self.http
                    .send(Method::POST, admin, "/admin/v1/reload", &json!({}))?;
            }
        }
        Ok(())
    }

    /// Waits until the signal has taken effect: a later one would do for both.
    fn signal(&mut self, gateway: usize, admin: SocketAddr) -> anyhow::Result<()> {
        let epoch = |http: &Http| {
            http.get(admin, "/admin/v1/config")
                .map(|it| it.get("epoch").and_then(Value::as_u64))
        };
        let before = epoch(self.http)?;
        self.site.hang_up(gateway)?;
        let signalled = Clock.now();
        while epoch(self.http)? == before && Clock.now().saturating_duration_since(signalled) < EFFECT {
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Until it is mended.
    UntilItEnds,
    /// It is over already.
    Over,
}

/// A behaviour with members of a JSON object laid over it, those of objects one by one.
pub(crate) fn laid_over(behaviour: &Behaviour, over: &str) -> anyhow::Result<Behaviour> {
    let mut all = serde_json::to_value(behaviour)?;
    merge(&mut all, serde_json::from_str(over)?, 0);
    Ok(serde_json::from_value(all)?)
}

fn merge(below: &mut Value, over: Value, depth: usize) {
    match (below, over) {
        // A latency is one of several kinds: they do not mix.
        (Value::Object(below), Value::Object(over)) if depth == 0 || !below.contains_key("lognormal") => {
            for (name, value) in over {
                merge(below.entry(name).or_insert(Value::Null), value, depth + 1);
            }
        }
        (below, over) => *below = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Latency;

    #[test]
    fn a_fault_is_laid_over_what_a_provider_does_all_day() {
        let dripping = laid_over(&everyday(), r#"{"pacing": {"write_bytes": 1}}"#).unwrap();
        assert_eq!(dripping.pacing.write_bytes, Some(1));
        let pace = dripping.pacing.inter_token_ms - everyday().pacing.inter_token_ms;
        assert!(pace.abs() < 1e-9);
        assert_eq!(dripping.latency, everyday().latency);
        let late = laid_over(&everyday(), r#"{"latency": {"fixed": {"ms": 7}}}"#).unwrap();
        assert_eq!(late.latency, Latency::Fixed { ms: 7.0 });
        assert!(laid_over(&everyday(), r#"{"pace": 1}"#).is_err());
    }
}
