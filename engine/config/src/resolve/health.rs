//! How providers are watched: health, breakers, probes. What a provider does not say is as at the top of the file.

use std::time::Duration;

use tollgate_routing::{BreakerSettings, HealthSettings, Probe};

use super::Context;
use crate::place::Place;
use crate::raw::{self, Config};

/// How a provider is watched, or all that do not say otherwise.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    /// How health is measured.
    pub health: HealthSettings,
    /// When breakers trip, were they on.
    breaker: BreakerSettings,
    is_breaker_on: bool,
}

impl Watch {
    /// What the top of the file says.
    pub(super) fn of_all(context: Context<'_>, config: &Config) -> Self {
        let default = Self {
            health: HealthSettings::default(),
            breaker: BreakerSettings::default(),
            is_breaker_on: true,
        };
        default.with(
            context,
            config.health.as_ref(),
            config.breaker.as_ref(),
            Place::ROOT,
        )
    }

    /// What is written in `health` and `breaker` at `place`, over this.
    pub(super) fn with(
        self,
        context: Context<'_>,
        health: Option<&raw::Health>,
        breaker: Option<&raw::Breaker>,
        place: Place<'_>,
    ) -> Self {
        let enabled = breaker.and_then(|it| it.enabled);
        Self {
            health: self::health(context, health, place.key("health"), self.health),
            breaker: self::breaker(context, breaker, place.key("breaker"), self.breaker),
            is_breaker_on: enabled.unwrap_or(self.is_breaker_on),
        }
    }

    /// When breakers trip.
    pub(super) fn breaker(&self) -> BreakerSettings {
        if self.is_breaker_on {
            self.breaker
        } else {
            never(self.breaker)
        }
    }
}

/// How health is measured: what is written, over `base`.
fn health(
    context: Context<'_>,
    written: Option<&raw::Health>,
    place: Place<'_>,
    base: HealthSettings,
) -> HealthSettings {
    let Some(written) = written else { return base };
    HealthSettings {
        decay: context.duration(written.decay.as_ref(), place.key("decay"), base.decay),
        window: context.duration(written.window.as_ref(), place.key("window"), base.window),
        slow_after: context
            .optional_duration(written.slow_after.as_ref(), place.key("slow_after"))
            .or(base.slow_after),
    }
}

/// When breakers trip: what is written, over `base`.
fn breaker(
    context: Context<'_>,
    written: Option<&raw::Breaker>,
    place: Place<'_>,
    base: BreakerSettings,
) -> BreakerSettings {
    let Some(written) = written else { return base };
    let share = |text, key, base| context.share(text, place.key(key), 1.0, base);
    let settings = BreakerSettings {
        consecutive_failures: written.consecutive_failures.unwrap_or(base.consecutive_failures),
        error_ratio: share(written.error_ratio.as_ref(), "error_ratio", base.error_ratio),
        min_requests: written.min_requests.unwrap_or(base.min_requests),
        window: context.duration(written.window.as_ref(), place.key("window"), base.window),
        slow_after: context
            .optional_duration(written.slow_after.as_ref(), place.key("slow_after"))
            .or(base.slow_after),
        slow_ratio: share(written.slow_ratio.as_ref(), "slow_ratio", base.slow_ratio),
        open_for: context.duration(written.open_for.as_ref(), place.key("open_for"), base.open_for),
        max_open_for: context.duration(
            written.max_open_for.as_ref(),
            place.key("max_open_for"),
            base.max_open_for,
        ),
        jitter: share(written.jitter.as_ref(), "jitter", base.jitter),
        half_open_probes: written.half_open_probes.unwrap_or(base.half_open_probes),
        ramp: context.duration_or_zero(written.ramp.as_ref(), place.key("ramp"), base.ramp),
    };
    if settings.max_open_for < settings.open_for && written.max_open_for.is_some() {
        let found = format!("less than open_for ({:?})", settings.open_for);
        context
            .report
            .problem(place.key("max_open_for"), found, "open_for, or longer");
    }
    settings
}

/// A breaker that nothing trips.
fn never(settings: BreakerSettings) -> BreakerSettings {
    BreakerSettings {
        consecutive_failures: 0,
        // No share is above the whole.
        error_ratio: 2.0,
        slow_after: None,
        ..settings
    }
}

/// How a provider is asked for signs of life.
pub(super) fn probe(context: Context<'_>, written: Option<&raw::Probe>, place: Place<'_>) -> Option<Probe> {
    let written = written?;
    let path = written.path.as_deref().unwrap_or("/models");
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_path {
        let place = place.key("path");
        let found = context.report.quoted(place, path);
        context
            .report
            .problem(place, found, "a path below the base URL such as \"/models\"");
    }
    let interval = context.duration(
        written.interval.as_ref(),
        place.key("interval"),
        Duration::from_secs(10),
    );
    Some(Probe {
        interval,
        path: path.into(),
        timeout: context.duration(
            written.timeout.as_ref(),
            place.key("timeout"),
            Duration::from_secs(2),
        ),
    })
}
