//! Leads a drill through its phases: steady load, the fault, and after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tollgate_core::Clock;

use super::breakers::Looks;
use super::calls::{Calls, provider_of};
use super::course::{Point, time_until_back};
use super::facts::Facts;
use super::few;
use super::figures::Phase;
use super::http::Http;
use super::journal::Lines;
use super::judge::{Course, Evidence, judged};
use super::kept::Kept;
use super::load::Load;
use super::plan::Plan;
use super::report::Report;
use super::site::Site;
use super::strike::{Lasts, Strike};
use super::table::{Drill, Fault};

/// How often breakers are looked at, and a fault gone on with.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What is sent on cold connections is no baseline.
const SETTLING: Duration = Duration::from_secs(1);
/// How long the first answer may take.
const START_UP: Duration = Duration::from_secs(20);
/// Beyond the longest time that a return takes by configuration.
const GRACE: Duration = Duration::from_secs(10);
/// A return is believed when it has held so long.
const HELD: Duration = Duration::from_secs(3);
/// How often it is looked whether the provider is back.
const RETURN_LOOKED_AT: Duration = Duration::from_secs(1);
/// So many of the requests must be answered while all is well.
const SOUND: f64 = 0.99;
/// How long the access log may take to be written.
const WRITING: Duration = Duration::from_secs(3);

/// Where a drill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The phase.
    pub phase: &'static str,
    /// How long it has lasted.
    pub lasted: Duration,
    /// How long it is to last, at least.
    pub planned: Duration,
    /// Requests that have ended so far, in all phases.
    pub requests: usize,
}

/// Hears the facts, the obstacles, and what is to be remarked.
pub type Foresee<'a> = dyn FnMut(&Facts, &[String], &[String]) + 'a;

/// Whoever watches a drill.
pub struct Watcher<'a> {
    /// Told before it begins: why it cannot pass, and what else is to be known.
    pub foresee: &'a mut Foresee<'a>,
    /// Told several times a second.
    pub progress: &'a mut dyn FnMut(Stand),
    /// Ends the drill once it is true.
    pub stop: Arc<AtomicBool>,
}

/// The drill was ended by its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Holds a drill.
///
/// # Errors
/// [`Interrupted`]; or the site is not as it should be: then there is nothing to judge.
pub fn conduct(
    drill: &Drill,
    plan: &Plan,
    site: &mut dyn Site,
    watcher: &mut Watcher<'_>,
) -> anyhow::Result<Report> {
    let http = Http::new(&site.admin_key())?;
    let facts = facts(&http, site, plan)?;
    let obstacles = facts.obstacles(drill, plan.patience, plan.during);
    let mut remarks = facts.remarks(drill);
    let kept = match drill.fault {
        Fault::KillGateway => Kept::fill(site, &facts.model)?,
        _ => None,
    };
    if drill.fault == Fault::KillGateway && kept.is_none() {
        remarks.push(
            "no cache is kept on disk for this model (`cache.directory`): nothing of it can survive".into(),
        );
    }
    remarks.extend(few::remarks(drill, plan, &plan.thresholds(drill)));
    (watcher.foresee)(&facts, &obstacles, &remarks);
    let calls = Calls::default();
    let begun = Clock.now();
    let load = Load::new(plan, &facts.model, site, calls.witness(begun))?;
    let asked = || load.asked();
    let mut drilling = Lead {
        drill,
        plan,
        facts: &facts,
        http: &http,
        asked: &asked,
        calls: &calls,
        begun,
        looks: Looks::default(),
        watcher,
    };
    let (course, summary) = thread::scope(|scope| {
        let balancing = scope.spawn(|| load.balance());
        let sending = scope.spawn(|| load.send());
        let course = drilling.through(site, &|| sending.is_finished());
        if course.is_ok() {
            load.end();
        } else {
            load.give_up();
        }
        let summary = sending.join();
        drop(balancing.join());
        (course, summary)
    });
    let summary = summary.map_err(|_panic| anyhow::anyhow!("the thread that sends has died"))?;
    let (course, summary) = (course?, summary.context("the load")?);
    let not_sent = summary.requests.not_sent;
    anyhow::ensure!(
        not_sent == 0,
        "{not_sent} requests were due while too many were under way, and were not sent: lower --rate or --patience"
    );
    let looks = drilling.looks;
    let cache_lost = kept.map(|kept| kept.lost(site)).transpose()?.flatten();
    let calls = calls.sorted();
    let lines = settled(site, &calls.iter().filter_map(|call| call.id.as_deref()))?;
    Ok(judged(&Evidence {
        drill,
        plan,
        facts: &facts,
        obstacles,
        remarks,
        course,
        calls,
        lines,
        looks,
        cache_lost,
        lag_p99_ms: summary.generator.lag.map(|lag| lag.p99 / 1000.0),
    }))
}

fn facts(http: &Http, site: &dyn Site, plan: &Plan) -> anyhow::Result<Facts> {
    let admin = site.admin(0).context("no gateway")?;
    let routes = http.get(admin, "/admin/v1/routes")?;
    let config = http.get(admin, "/admin/v1/config")?;
    Ok(Facts::read(&routes, &config, plan.model.as_deref())?)
}

/// The access logs, once they have a line for each of these requests, or will not have them any more.
fn settled<'a>(site: &dyn Site, ids: &(impl Iterator<Item = &'a str> + Clone)) -> anyhow::Result<Lines> {
    let begun = Clock.now();
    loop {
        let lines = Lines::read(&site.access_logs())?;
        let is_complete = ids.clone().all(|id| lines.get(id).is_some());
        if is_complete || Clock.now().saturating_duration_since(begun) >= WRITING {
            return Ok(lines);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether there is anything to compare with: that requests are answered while all is well.
fn is_sound(before: &Phase) -> anyhow::Result<()> {
    let success = before
        .success
        .context("no request had ended before the fault: raise --rate or --before")?;
    anyhow::ensure!(
        success >= SOUND,
        "before anything was broken, {} of {} requests were not answered: {}",
        before.failed,
        before.requests,
        before.told_errors()
    );
    Ok(())
}

/// A drill under way.
struct Lead<'a, 'w> {
    drill: &'a Drill,
    plan: &'a Plan,
    facts: &'a Facts,
    http: &'a Http,
    asked: &'a dyn Fn() -> u64,
    calls: &'a Calls,
    begun: Instant,
    looks: Looks,
    watcher: &'a mut Watcher<'w>,
}

impl Lead<'_, '_> {
    /// `has_ended`: whether the load has, which it should not.
    fn through(&mut self, site: &mut dyn Site, has_ended: &dyn Fn() -> bool) -> anyhow::Result<Course> {
        self.until(site, "start", START_UP, has_ended, &mut |lead, _| {
            Ok(lead.calls.count() > 0)
        })?;
        let started = self.now();
        let lasts = SETTLING + self.plan.before;
        self.until(site, "before", lasts, has_ended, &mut |_, _| Ok(false))?;
        let settled = started + SETTLING;
        let before = self.served(settled, self.now());
        is_sound(&before)?;
        let primary = before.busiest().map(str::to_owned);
        let provider = primary.as_deref().and_then(provider_of);
        let struck = provider.filter(|_| self.drill.fault.is_upstream());
        let http = self.http;
        let struck_by_name = struck.map(str::to_owned);
        let mut strike = Strike::new(self.drill.fault, struck_by_name, site, http, self.asked);
        let fault = self.now();
        let share = struck.map_or(0.0, |struck| self.served(settled, fault).share_of(struck));
        let lasts = strike.begin()?;
        if lasts == Lasts::UntilItEnds {
            self.during(&mut strike, fault, has_ended)?;
        }
        strike.end()?;
        let healed = self.now();
        let (rounds, applied, done) = (strike.rounds, strike.applied, strike.done);
        self.after(site, healed, struck, share, has_ended)?;
        Ok(Course {
            settled,
            fault,
            healed,
            ended: self.now(),
            primary: primary.filter(|_| self.drill.fault.is_upstream()),
            rounds,
            applied,
            done,
        })
    }

    fn during(
        &mut self,
        strike: &mut Strike<'_>,
        fault: Duration,
        has_ended: &dyn Fn() -> bool,
    ) -> anyhow::Result<()> {
        loop {
            let lasted = self.now().saturating_sub(fault);
            if lasted >= self.plan.during {
                return Ok(());
            }
            strike.go_on(lasted)?;
            self.look(strike.site(), "during", lasted, self.plan.during, has_ended)?;
        }
    }

    /// Until the provider is back with its `share` and stays, or the longest time for that is over.
    fn after(
        &mut self,
        site: &mut dyn Site,
        healed: Duration,
        struck: Option<&str>,
        share: f64,
        has_ended: &dyn Fn() -> bool,
    ) -> anyhow::Result<()> {
        let is_judged = self.drill.fail_if.iter().any(|it| it.starts_with("return"));
        let struck = struck.filter(|_| is_judged);
        let longest = match struck {
            Some(_) => self.plan.after.max(self.facts.longest_return() + GRACE),
            None => self.plan.after,
        };
        let struck = struck.map(str::to_owned);
        let (least, mut looked) = (self.plan.after, Duration::ZERO);
        self.until(site, "after", longest, has_ended, &mut |lead, lasted| {
            let Some(struck) = &struck else { return Ok(false) };
            // All calls are gone through for that: once a second will do.
            if lasted < least.max(looked + RETURN_LOOKED_AT) {
                return Ok(false);
            }
            looked = lasted;
            Ok(lead.has_returned(struck, healed, share))
        })
    }

    fn has_returned(&self, provider: &str, healed: Duration, share: f64) -> bool {
        let calls = self.calls.sorted();
        let since = calls.iter().filter(|call| call.due >= healed);
        let points: Vec<Point> = since
            .map(|call| Point {
                at: call.due,
                counts: call.is_answered() && call.provider() == Some(provider),
            })
            .collect();
        let back = time_until_back(healed, &points, share);
        back.is_some_and(|back| self.now() >= healed + back + HELD)
    }

    /// What was served of all that was due in that time.
    fn served(&self, from: Duration, to: Duration) -> Phase {
        let calls = self.calls.sorted();
        let such = calls.iter().filter(|call| call.due >= from && call.due < to);
        Phase::of(such, &Lines::default(), to.saturating_sub(from))
    }

    fn now(&self) -> Duration {
        Clock.now().saturating_duration_since(self.begun)
    }

    /// Looks on until `is_enough`, at most so long.
    fn until(
        &mut self,
        site: &mut dyn Site,
        phase: &'static str,
        at_most: Duration,
        has_ended: &dyn Fn() -> bool,
        is_enough: &mut dyn FnMut(&Self, Duration) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = self.now();
        loop {
            let lasted = self.now().saturating_sub(begun);
            if lasted >= at_most || is_enough(self, lasted)? {
                return Ok(());
            }
            self.look(site, phase, lasted, at_most, has_ended)?;
        }
    }

    /// A look at the breakers, and a pause.
    fn look(
        &mut self,
        site: &mut dyn Site,
        phase: &'static str,
        lasted: Duration,
        planned: Duration,
        has_ended: &dyn Fn() -> bool,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(!self.watcher.stop.load(Ordering::Relaxed), Interrupted);
        if let Some(fallen) = site.fallen() {
            anyhow::bail!("{fallen}");
        }
        anyhow::ensure!(!has_ended(), "the load has ended before its time");
        if let Some(admin) = site.admin(0)
            && self.drill.fault.is_upstream()
            && let Ok(answer) = self.http.get(admin, "/admin/v1/breakers")
        {
            self.looks.take(self.now(), &answer);
        }
        (self.watcher.progress)(Stand {
            phase,
            lasted,
            planned,
            requests: self.calls.count(),
        });
        thread::sleep(LOOK_EVERY);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(answered: u64, failed: u64) -> Phase {
        Phase {
            requests: answered + failed,
            answered,
            failed,
            success: (answered + failed > 0).then(|| crate::load::number::share(answered, answered + failed)),
            errors: [("status 401".to_owned(), failed)].into(),
            ..Phase::default()
        }
    }

    #[test]
    fn a_baseline_that_is_broken_is_told_with_its_errors() {
        assert!(is_sound(&phase(99, 1)).is_ok());
        let broken = is_sound(&phase(97, 3)).expect_err("too few").to_string();
        let told = "before anything was broken, 3 of 100 requests were not answered: 3 × status 401";
        assert_eq!(broken, told);
        let idle = is_sound(&phase(0, 0)).expect_err("none").to_string();
        assert!(idle.contains("raise --rate or --before"), "{idle}");
    }
}
