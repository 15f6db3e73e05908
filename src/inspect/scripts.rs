//! Files of a container that say how it is set up: when the scripts last changed that a database's image runs once, on
//! an empty data directory, and small texts that its command names.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::listing::QUICK;
use crate::{
    docker::{
        archive::{Entry, EntryKind, Place},
        engine::Engine,
    },
    model::setup::Setup,
};

/// Where the images of PostgreSQL, MySQL, MariaDB and MongoDB look for them.
const FOLDER: &str = "/docker-entrypoint-initdb.d";
const PARALLEL: usize = 8;

/// Looks into the containers that have such scripts mounted, and notes it on their set-up. What cannot be read is not
/// known.
pub async fn note_changes(engine: &Engine, setups: &mut [Setup]) {
    let mounted = |setup: &Setup| {
        setup.engine.is_some() && setup.mounts.iter().any(|mount| mount.target.starts_with(FOLDER))
    };
    let with_scripts = setups.iter_mut().filter(|setup| mounted(setup));
    stream::iter(with_scripts)
        .for_each_concurrent(PARALLEL, async |setup| {
            setup.scripts_changed = newest(engine, setup.id.as_deref().unwrap_or_default()).await;
        })
        .await;
}

/// Reads what is wanted of each container: a path each, and its bytes, to at most `limit`. What cannot be read is not
/// known.
pub async fn read(engine: &Engine, wanted: &[(String, String)], limit: usize) -> Vec<Option<Vec<u8>>> {
    stream::iter(wanted)
        .map(|(container, path)| async move {
            Place::new(engine, container, "/").read(path, limit).await.ok().flatten()
        })
        .buffered(PARALLEL)
        .collect()
        .await
}

async fn newest(engine: &Engine, container: &str) -> Option<Timestamp> {
    let newest = Arc::new(AtomicI64::new(i64::MIN));
    let seen = Arc::clone(&newest);
    let visit = move |entry: Entry| {
        if let (EntryKind::File, Some(modified)) = (entry.kind, entry.modified) {
            seen.fetch_max(modified.as_second(), Ordering::Relaxed);
        }
        ControlFlow::Continue(())
    };
    Place::new(engine, container, "/").walk(FOLDER, QUICK, visit).await.ok()?;
    let seconds = newest.load(Ordering::Relaxed);
    (seconds != i64::MIN).then(|| Timestamp::from_second(seconds).ok()).flatten()
}
