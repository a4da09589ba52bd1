//! Breaks what a drill breaks, and mends it again.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Method;
use serde_json::{Value, json};
use tollgate_core::Clock;

use super::http::Http;
use super::site::{Site, Tuning, edition_key, everyday};
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
    /// How often a balancer has asked the gateways whether they are ready.
    asked: &'a dyn Fn() -> u64,
    /// Whether a provider that flaps is down.
    is_down: bool,
    /// Reloads asked for, or rounds of restarts.
    pub(crate) rounds: u64,
    /// Reloads that came into force.
    pub(crate) applied: Option<u64>,
    /// What was done, a sentence each.
    pub(crate) done: Vec<String>,
}

impl<'a> Strike<'a> {
    pub(crate) fn new(
        fault: Fault,
        provider: Option<String>,
        site: &'a mut dyn Site,
        http: &'a Http,
        asked: &'a dyn Fn() -> u64,
    ) -> Self {
        Self {
            fault,
            provider,
            site,
            http,
            asked,
            is_down: false,
            rounds: 0,
            applied: matches!(fault, Fault::Reload(_)).then_some(0),
            done: Vec::new(),
        }
    }

    pub(crate) fn site(&mut self) -> &mut dyn Site {
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
                    self.is_in_service(gateway)?;
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

    /// Waits until a gateway is ready and the balancer has heard so: only then may the other one go.
    fn is_in_service(&self, gateway: usize) -> anyhow::Result<()> {
        let number = gateway + 1;
        let addr = self
            .site
            .gateway(gateway)
            .with_context(|| format!("no gateway {number}"))?;
        let is_ready = until(|| Ok(self.http.status(addr, "/readyz") == Some(200)))?;
        anyhow::ensure!(is_ready, "gateway {number} was started again and is not ready");
        // The round that is under way may have asked before.
        let enough = (self.asked)() + 2;
        let is_asked = until(|| Ok((self.asked)() >= enough))?;
        anyhow::ensure!(
            is_asked,
            "the balancer does not ask gateway {number} whether it is ready"
        );
        Ok(())
    }

    /// Every second time by a signal, as operators do it; otherwise by the admin API.
    fn reload(&mut self, tuning: &Tuning) -> anyhow::Result<()> {
        self.site.tune(tuning)?;
        let mut is_applied = true;
        for gateway in 0.. {
            let Some(admin) = self.site.admin(gateway) else {
                break;
            };
            let is_signalled = self.applied.is_some() && tuning.edition.is_multiple_of(2);
            if is_signalled {
                is_applied &= self.signal(gateway, admin)?;
            } else {
                self.http
                    .send(Method::POST, admin, "/admin/v1/reload", &json!({}))?;
            }
            is_applied &= has_edition(&self.http.get(admin, "/admin/v1/config")?, tuning.edition);
        }
        if let Some(applied) = &mut self.applied {
            *applied += u64::from(is_applied);
        }
        Ok(())
    }

    /// Whether the signal has the file read. The gateway follows its file by itself as well: it says what made it read.
    fn signal(&mut self, gateway: usize, admin: SocketAddr) -> anyhow::Result<bool> {
        let before = signalled(&self.http.text(admin, "/metrics")?);
        self.site.hang_up(gateway)?;
        until(|| Ok(signalled(&self.http.text(admin, "/metrics")?) > before))
    }
}

/// Looks until it is so, for as long as a signal may take. Whether it has come to it.
fn until(is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let begun = Clock.now();
    loop {
        if is_so()? {
            return Ok(true);
        }
        if Clock.now().saturating_duration_since(begun) >= EFFECT {
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether the configuration in force is that edition.
fn has_edition(config: &Value, edition: u64) -> bool {
    let keys = config.pointer("/settings/keys");
    let name = edition_key(edition);
    keys.is_some_and(|keys| mentions(keys, &name))
}

fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| mentions(item, text)),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name == text || mentions(member, text)),
        _ => false,
    }
}

/// Reloads for a signal, as the metrics tell.
fn signalled(metrics: &str) -> f64 {
    let is_it =
        |line: &&str| line.starts_with("tollgate_config_reloads_total{") && line.contains("by=\"signal\"");
    let counts = metrics
        .lines()
        .filter(is_it)
        .filter_map(|line| line.rsplit_once(' '));
    counts.filter_map(|(_, count)| count.parse::<f64>().ok()).sum()
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
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;
    use crate::mock::Latency;

    /// A gateway that has every new file at once, as it follows it, and counts a reload for a signal only if it hears it.
    struct Follower {
        addr: SocketAddr,
        edition: Arc<AtomicU64>,
        signals: Arc<AtomicU64>,
        is_deaf: AtomicBool,
    }

    impl Follower {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let follower = Self {
                addr: listener.local_addr().expect("it is bound"),
                edition: Arc::default(),
                signals: Arc::default(),
                is_deaf: AtomicBool::new(false),
            };
            let (edition, signals) = (Arc::clone(&follower.edition), Arc::clone(&follower.signals));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a client");
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).expect("a request");
                    let body = if request[..read].starts_with(b"GET /metrics") {
                        format!(
                            "tollgate_config_reloads_total{{by=\"file\",result=\"applied\"}} {}\n\
                             tollgate_config_reloads_total{{by=\"signal\",result=\"applied\"}} {}\n",
                            edition.load(Ordering::SeqCst),
                            signals.load(Ordering::SeqCst)
                        )
                    } else {
                        let name = edition_key(edition.load(Ordering::SeqCst));
                        json!({"settings": {"keys": [{"name": {"value": name}}]}}).to_string()
                    };
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).expect("it is read");
                }
            });
            follower
        }
    }

    impl Site for Follower {
        fn gateway(&self, _: usize) -> Option<SocketAddr> {
            None
        }
        fn admin(&self, gateway: usize) -> Option<SocketAddr> {
            (gateway == 0).then_some(self.addr)
        }
        fn key(&self) -> String {
            String::new()
        }
        fn admin_key(&self) -> String {
            String::new()
        }
        fn provider(&self, _: &str) -> Option<SocketAddr> {
            None
        }
        fn keeps_cache(&self) -> bool {
            false
        }
        fn access_logs(&self) -> Vec<PathBuf> {
            Vec::new()
        }
        fn fallen(&mut self) -> Option<String> {
            None
        }
        fn kill_provider(&mut self, _: &str) -> anyhow::Result<()> {
            Ok(())
        }
        fn revive_provider(&mut self, _: &str) -> anyhow::Result<()> {
            Ok(())
        }
        fn tune(&mut self, tuning: &Tuning) -> anyhow::Result<()> {
            self.edition.store(tuning.edition, Ordering::SeqCst);
            Ok(())
        }
        fn hang_up(&mut self, _: usize) -> anyhow::Result<()> {
            if !self.is_deaf.load(Ordering::SeqCst) {
                self.signals.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }
        fn kill_gateway(&mut self, _: usize) -> anyhow::Result<()> {
            Ok(())
        }
        fn end_gateway(&mut self, _: usize) -> anyhow::Result<Option<i32>> {
            Ok(None)
        }
        fn start_gateway(&mut self, _: usize) -> anyhow::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_gateway_that_follows_its_file_and_does_not_hear_signals_misses_reloads() {
        for (is_deaf, applied) in [(false, 2), (true, 1)] {
            let mut follower = Follower::start();
            follower.is_deaf = AtomicBool::new(is_deaf);
            let http = Http::new("").expect("a client");
            let fault = Fault::Reload(Duration::ZERO);
            let mut strike = Strike::new(fault, None, &mut follower, &http, &|| 0);
            for _round in 0..2 {
                strike.go_on(Duration::ZERO).expect("a reload");
            }
            assert_eq!(
                (strike.rounds, strike.applied),
                (2, Some(applied)),
                "deaf: {is_deaf}"
            );
        }
    }

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
