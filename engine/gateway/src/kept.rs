//! The cache of the process: its memory, its keeper, its files.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use tollgate_actors::{CacheKeeper, Compare, KeptOnDisk};
use tollgate_cache::embed::Space;
use tollgate_cache::learn::{Experience, Verdicts};
use tollgate_cache::persist::{Disk, Log, Settings as Files};
use tollgate_cache::{Cache, EntryId, StoreSettings};
use tollgate_config::{Cache as Settings, Embedder};
use tollgate_core::Clock;
use tollgate_telemetry::{CacheFigures, CacheLessons, Meters};

use crate::embedding::Embeddings;

/// The most that a loss of power takes away.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Files take up to this much of what memory may: a snapshot is written while the one before is still there.
const FILES_FACTOR: u64 = 4;

/// The cache, and the keeper on a thread of its own. What earlier runs have left is read there, later.
pub(crate) fn start(settings: &Settings, meters: &Meters) -> (Arc<Cache>, Addr<CacheKeeper>) {
    let budget_bytes = settings.max_bytes as u64;
    let space = settings.embedder.as_ref().map(space);
    let directory = settings.directory.as_ref().filter(|_| settings.is_used());
    let opened = directory.map(|directory| {
        let files = Files {
            model: Cache::model_id_with(space.as_ref()),
            limit_bytes: budget_bytes.saturating_mul(FILES_FACTOR),
            sync_every: SYNC_EVERY,
        };
        Log::open(Arc::new(Disk::new(directory)), files, Clock.wall())
    });
    let default = StoreSettings::default();
    let first_id = opened.as_ref().map(|(log, _)| EntryId(log.first_id()));
    let cache = Cache::new(StoreSettings {
        budget_bytes,
        first_id: first_id.unwrap_or(default.first_id),
        ..default
    });
    let cache = Arc::new(cache.seeking_in(space));
    let begun = cache.store().begin();
    let disk = opened.map(|(log, loader)| KeptOnDisk::new(log, loader, begun));
    let on_notice = Box::new(|notice: &str| crate::say(format_args!("{notice}")));
    let shown = meters.clone();
    let on_tick = Box::new(move |cache: &Cache| shown.cache_figures(figures(cache)));
    let keeper = CacheKeeper::new(cache.clone(), disk, on_notice, on_tick);
    let keeper = if settings.is_semantic() {
        keeper.comparing()
    } else {
        keeper
    };
    let arbiter = actix_rt::Arbiter::new();
    let keeper = CacheKeeper::start_in_arbiter(&arbiter.handle(), |_| keeper);
    (cache, keeper)
}

/// Where neighbours are sought beside the built-in table's space.
fn space(embedder: &Embedder) -> Space {
    match embedder {
        Embedder::Directory { table, .. } => Space::Local(table.clone()),
        Embedder::Endpoint(endpoint) => Space::Remote(endpoint.id().into()),
    }
}

/// Who makes the vectors that are not made here; `None`: nobody has to.
pub(crate) fn embeddings(settings: &Settings) -> Option<Embeddings> {
    match settings.embedder.as_ref()? {
        Embedder::Directory { .. } => None,
        Embedder::Endpoint(endpoint) => Some(Embeddings::new(endpoint.clone())),
    }
}

/// Another configuration is in force. What cannot follow it without a restart is told by whoever loads it.
pub(crate) fn follow(settings: &Settings, keeper: &Addr<CacheKeeper>) {
    if settings.is_semantic() {
        // A mailbox that is full at this moment is tried again.
        let sent = keeper.try_send(Compare);
        if sent.is_err() {
            let keeper = keeper.clone();
            actix_rt::spawn(async move {
                let _ = keeper.send(Compare).await;
            });
        }
    }
}

fn figures(cache: &Cache) -> CacheFigures {
    let now = cache.store().statistics();
    CacheFigures {
        entries: now.entries as u64,
        bytes: now.bytes.total(),
        evicted: now.evicted,
        filled: now.inserted,
        dropped: now.dropped,
        lessons: cache.experience().map(lessons).unwrap_or_default(),
    }
}

fn lessons(experience: &Experience) -> CacheLessons {
    let now = experience.lessons();
    let of = |it: Verdicts| [it.same, it.unclear, it.other];
    CacheLessons {
        compared: of(now.compared),
        told: of(now.told),
        condemned: now.condemned,
        moved: [now.closed, now.raised, now.lowered],
        classes: now.classes,
    }
}
