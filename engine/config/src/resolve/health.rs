//! How providers are watched: health, breakers, probes. What a provider does not say is as at the top of the file.

use std::time::Duration;

use tollgate_routing::{BreakerSettings, HealthSettings, Probe};

use super::Context;
use crate::place::Place;
use crate::raw;

/// How health is measured: what is written, over `base`.
pub(super) fn health(
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
pub(super) fn breaker(
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
    match written.enabled {
        Some(false) => never(settings),
        _ => settings,
    }
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
