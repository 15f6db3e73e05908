//! What the files of a database that nobody serves tell a person: the names of its databases, and when it was
//! written last. A help to recognise it; nothing is judged by it.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::hit::Hit;
use crate::{
    docker::{
        archive::{Entry, Place, WalkLimits},
        dial::EngineError,
    },
    engines::{mysql, postgres, recognise::is_literal},
};

/// The catalogue of databases is a page or two.
const CATALOGUE_BYTES: usize = 1 << 18;
/// MySQL keeps its databases behind its logs, in the archive's order.
const FOLDERS: WalkLimits = WalkLimits { bytes: 1 << 29, time: Duration::from_secs(1) };

/// The names of a data directory's databases, but for those that every server has; empty where its kind does not tell.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn databases(root: &Place, hit: &Hit) -> Result<Vec<String>, EngineError> {
    let path = hit.path.trim_end_matches('/');
    match hit.kind.id {
        "postgres" => {
            let catalogue = root.read(&format!("{path}/{}", postgres::CATALOGUE), CATALOGUE_BYTES).await?;
            Ok(catalogue.map(|bytes| postgres::database_names(&bytes)).unwrap_or_default())
        }
        "mysql" | "mariadb" => {
            let names = Arc::new(Mutex::new(BTreeSet::new()));
            let seen = Arc::clone(&names);
            let visit = move |entry: Entry| {
                let name = entry.path.split('/').next().unwrap_or_default();
                if mysql::is_user_data(&entry.path) {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
                }
                ControlFlow::Continue(())
            };
            root.walk(path, FOLDERS, visit).await?;
            let names = std::mem::take(&mut *names.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(names.into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The newest time among the files that the kind is known by.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn last_write(root: &Place, hit: &Hit) -> Result<Option<Timestamp>, EngineError> {
    let path = hit.path.trim_end_matches('/');
    let known: BTreeSet<&str> =
        hit.kind.signatures.iter().copied().flatten().copied().filter(|name| is_literal(name)).collect();
    let mut newest = None;
    for name in known {
        if let Some(stat) = root.stat(&format!("{path}/{name}")).await? {
            newest = newest.max(stat.modified);
        }
    }
    Ok(newest)
}
