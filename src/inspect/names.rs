//! What the files of a database that nobody serves, or whose server does not answer, tell: the names of its
//! databases, and when it was written last.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
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
        mysql, postgres,
        postgres_catalogue::{self as catalogue, DatabaseRow, Relations, Transactions},
        recognise::is_literal,
    },
    model::evidence::{Contents, DatabaseContents},
};

/// The catalogue of databases is a page or two, that of a database with some thousand tables a few hundred.
const CATALOGUE_BYTES: usize = 1 << 23;
/// Most that a commit log is asked for: four million transactions.
const MOST_SEGMENTS: usize = 4;
/// MySQL keeps its databases behind its logs, in the archive's order.
const FOLDERS: WalkLimits = WalkLimits { bytes: 1 << 29, time: Duration::from_secs(3) };
/// Of so many databases of a cluster it is looked up whether they hold anything.
const MOST_DATABASES: usize = 50;

/// The databases of a data directory that hold something, without those that every server has; none where its
/// kind does not tell. They are complete only where the files cannot be behind the server. `version` is the major one
/// of a PostgreSQL that was shut down in order, so that its catalogue is in its files.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn databases(
    root: &Place,
    hit: &Hit,
    version: Option<u32>,
) -> Result<Contents, EngineError> {
    match hit.kind.id {
        "postgres" => {
            let path = hit.path.trim_end_matches('/');
            Cluster { root, path, version, transactions: Transactions::default() }.contents().await
        }
        "mysql" | "mariadb" => in_folders(root, hit).await,
        _ => Ok(Contents::default()),
    }
}

fn named(name: String) -> DatabaseContents {
    DatabaseContents { name, ..DatabaseContents::default() }
}

/// The system tables of a PostgreSQL cluster.
struct Cluster<'a> {
    root: &'a Place,
    path: &'a str,
    /// The major version of a server that was shut down in order, so that its files tell everything.
    version: Option<u32>,
    transactions: Transactions,
}

impl Cluster<'_> {
    async fn contents(mut self) -> Result<Contents, EngineError> {
        let heap = self.heap(catalogue::DATABASES).await?.unwrap_or_default();
        let mut rows = catalogue::database_rows(&heap, &self.transactions);
        let complete = self.version.is_some()
            && catalogue::is_certain(&heap, &self.transactions)
            && catalogue::is_whole_catalogue(&rows)
            && rows.len() <= MOST_DATABASES;
        if complete {
            let mut databases = Vec::new();
            for row in rows {
                let database = self.database(&row).await?;
                // What an extension made is made again by it, and in no dump. Where nobody counted, the files tell.
                let holds = match database.tables {
                    Some(_) => database.may_hold_something(),
                    None => self.has_users_file(&row).await?,
                };
                if holds {
                    databases.push(database);
                }
            }
            return Ok(Contents { databases, complete, note: None });
        }
        rows.retain(|row| !row.is_template());
        // Every cluster has this one; alone, it is the one.
        if rows.len() > 1 {
            rows.retain(|row| row.name != "postgres");
        }
        let databases = rows.into_iter().map(|row| named(row.name)).collect();
        Ok(Contents { databases, complete, note: None })
    }

    /// What a dump of a database would hold, as far as its files tell for certain.
    async fn database(&mut self, row: &DatabaseRow) -> Result<DatabaseContents, EngineError> {
        let unknown = named(row.name.clone());
        let (Some(number), Some(version)) = (row.number, self.version) else { return Ok(unknown) };
        let file = |name: &dyn Display| format!("base/{number}/{name}");
        let map = self.read(&file(&catalogue::RELATION_MAP)).await?;
        let Some(relations) = map.and_then(|map| catalogue::file_of_relations(&map)) else {
            return Ok(unknown);
        };
        let heap = self.heap(&file(&relations)).await?;
        let Some(relations) = heap.and_then(|heap| Relations::read(&heap, version, &self.transactions))
        else {
            return Ok(unknown);
        };
        let dependencies = self.heap(&file(&relations.dependencies)).await?;
        let tables = dependencies.and_then(|heap| relations.count(&heap, &self.transactions));
        let objects = self.heap(&file(&relations.large_objects)).await?;
        let large_objects = objects.and_then(|heap| catalogue::count_rows(&heap, &self.transactions));
        if large_objects.is_none() {
            return Ok(unknown);
        }
        Ok(DatabaseContents { tables, large_objects: large_objects.filter(|&count| count > 0), ..unknown })
    }

    /// Whether a database's folder holds a user's file, or is not where it is looked for (a tablespace).
    async fn has_users_file(&self, row: &DatabaseRow) -> Result<bool, EngineError> {
        let Some(number) = row.number else { return Ok(true) };
        let folder = format!("base/{number}");
        let seen = Arc::new(AtomicBool::new(false));
        let (inner, is_there) = (folder.clone(), Arc::clone(&seen));
        let visit = move |entry: Entry| {
            is_there.store(true, Ordering::Relaxed);
            let is_users = postgres::is_user_data(&format!("{inner}/{}", entry.path), entry.size);
            if is_users { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let end = self.root.walk(&format!("{}/{folder}", self.path), FOLDERS, visit).await?;
        Ok(end != WalkEnd::Complete || !seen.load(Ordering::Relaxed))
    }

    /// A table of the system's, and of the transactions in it what it does not say itself.
    async fn heap(&mut self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        let heap = self.read(name).await?;
        if let Some(heap) = &heap {
            self.learn(heap).await?;
        }
        Ok(heap)
    }

    /// A file that is not longer than a catalogue can be.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        let bytes = self.root.read(&format!("{}/{name}", self.path), CATALOGUE_BYTES).await?;
        Ok(bytes.filter(|bytes| bytes.len() < CATALOGUE_BYTES))
    }

    /// Reads what a heap's rows do not say themselves of the transactions that made and deleted them.
    async fn learn(&mut self, heap: &[u8]) -> Result<(), EngineError> {
        // What is in memory of a server that runs, or was killed, is ahead of its files.
        let needed = if self.version.is_some() { catalogue::segments(heap) } else { BTreeSet::new() };
        for segment in needed.into_iter().take(MOST_SEGMENTS) {
            if self.transactions.has(segment) {
                continue;
            }
            let path = format!("{}/{}", self.path, Transactions::path(segment));
            if let Some(bytes) = self.root.read(&path, Transactions::SEGMENT_BYTES).await? {
                self.transactions.insert(segment, bytes);
            }
        }
        Ok(())
    }
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
