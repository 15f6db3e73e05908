//! What the files of a database that nobody serves, or whose server does not answer, tell: the names of its
//! databases, and when it was written last.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use super::hit::Hit;
use crate::{
    docker::{
        archive::{Entry, EntryKind, Place, WalkEnd, WalkLimits},
        dial::EngineError,
    },
    engines::{
        mysql,
        postgres::{self, DatabaseRow},
        recognise::is_literal,
    },
    model::evidence::{Contents, DatabaseContents},
};

/// The catalogue of databases is a page or two.
const CATALOGUE_BYTES: usize = 1 << 18;
/// MySQL keeps its databases behind its logs, in the archive's order.
const FOLDERS: WalkLimits = WalkLimits { bytes: 1 << 29, time: Duration::from_secs(3) };
/// Of so many databases of a cluster it is looked up whether they hold anything.
const MOST_DATABASES: usize = 50;

/// The databases of a data directory that hold something, without those that every server has; none where its
/// kind does not tell. They are complete only where the files cannot be behind the server. `is_clean` says that
/// a PostgreSQL was shut down in order, so that its catalogue is in its file.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn databases(root: &Place, hit: &Hit, is_clean: bool) -> Result<Contents, EngineError> {
    match hit.kind.id {
        "postgres" => in_cluster(root, hit, is_clean).await,
        "mysql" | "mariadb" => in_folders(root, hit).await,
        _ => Ok(Contents::default()),
    }
}

fn named(name: String) -> DatabaseContents {
    DatabaseContents { name, ..DatabaseContents::default() }
}

async fn in_cluster(root: &Place, hit: &Hit, is_clean: bool) -> Result<Contents, EngineError> {
    let path = hit.path.trim_end_matches('/');
    let catalogue = root.read(&format!("{path}/{}", postgres::CATALOGUE), CATALOGUE_BYTES).await?;
    let mut rows = catalogue.map(|bytes| postgres::database_rows(&bytes)).unwrap_or_default();
    let complete = is_clean && postgres::is_whole_catalogue(&rows) && rows.len() <= MOST_DATABASES;
    if complete {
        let mut kept = Vec::new();
        for row in rows {
            if may_hold_something(root, path, &row).await? {
                kept.push(named(row.name));
            }
        }
        return Ok(Contents { databases: kept, complete, note: None });
    }
    rows.retain(|row| !row.is_template());
    // Every cluster has this one; alone, it is the one.
    if rows.len() > 1 {
        rows.retain(|row| row.name != "postgres");
    }
    let databases = rows.into_iter().map(|row| named(row.name)).collect();
    Ok(Contents { databases, complete, note: None })
}

/// Whether a database's folder holds a user's file, or is not where it is looked for (a tablespace).
async fn may_hold_something(root: &Place, path: &str, row: &DatabaseRow) -> Result<bool, EngineError> {
    let Some(number) = row.number else { return Ok(true) };
    let folder = format!("base/{number}");
    let seen = Arc::new(AtomicBool::new(false));
    let (inner, is_there) = (folder.clone(), Arc::clone(&seen));
    let visit = move |entry: Entry| {
        is_there.store(true, Ordering::Relaxed);
        let is_users = postgres::is_user_data(&format!("{inner}/{}", entry.path));
        if is_users { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let end = root.walk(&format!("{path}/{folder}"), FOLDERS, visit).await?;
    Ok(end != WalkEnd::Complete || !seen.load(Ordering::Relaxed))
}

async fn in_folders(root: &Place, hit: &Hit) -> Result<Contents, EngineError> {
    let schemas: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>> = Arc::default();
    let seen = Arc::clone(&schemas);
    let is_user_folder = hit.kind.user_folder.unwrap_or(|_| false);
    let visit = move |entry: Entry| {
        let folder = entry.path.split('/').next().unwrap_or_default();
        let is_users = match entry.kind {
            EntryKind::Directory => is_user_folder(&entry.path),
            EntryKind::File | EntryKind::Symlink | EntryKind::Other => mysql::is_user_data(&entry.path),
        };
        if is_users {
            let mut schemas = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let tables = schemas.entry(mysql::schema_of_folder(folder)).or_default();
            tables.extend(mysql::table_of(&entry.path, &entry.head).map(|(_, table)| table.to_owned()));
        }
        ControlFlow::Continue(())
    };
    let end = root.walk(hit.path.trim_end_matches('/'), FOLDERS, visit).await?;
    let schemas = std::mem::take(&mut *schemas.lock().unwrap_or_else(PoisonError::into_inner));
    let databases = schemas.into_iter().map(|(schema, tables)| DatabaseContents {
        // None has a file of its own, and yet there may be some.
        tables: Some(tables.len() as u64).filter(|&tables| tables > 0),
        ..named(schema)
    });
    Ok(Contents { databases: databases.collect(), complete: end == WalkEnd::Complete, note: None })
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
