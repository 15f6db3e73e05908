//! Restores a backup where nothing can be hurt, and looks at what is there then.

pub mod fetched;

use std::{path::PathBuf, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    fresh::{Fresh, Like},
    progress::Progress,
    recipe,
    snapshot::SnapshotError,
    verify::ENDED,
};
use crate::{
    docker::{
        engine::Engine,
        scratch::{run_token, sweep_run},
    },
    engines::{
        recipe::offline_check,
        reload::{Form, explained},
    },
    inspect::backups::{self, BackupFile, Format, Whole, tools},
    model::{
        container::Container,
        evidence::Evidence,
        manifest::{Fingerprint, VerificationResult},
    },
    store::{Secrets, StoredFile},
};

/// Files that are read in search of the newest dump of each database; more are no set of backups of one server.
const MOST_READ: usize = 60;

/// The newest dump of one database, or of a whole server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub path: PathBuf,
    pub file: BackupFile,
    /// The databases that it is of, as the server has them; `None` stands for one without a name.
    pub of: Vec<Option<String>>,
}

/// What came of one restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub result: VerificationResult,
    /// What was compared, or why it was not. One clause.
    pub detail: String,
}

impl Outcome {
    fn failed(detail: impl Into<String>) -> Self {
        Self { result: VerificationResult::Failed, detail: detail.into() }
    }

    fn unknown(detail: impl Into<String>) -> Self {
        Self { result: VerificationResult::Unverified, detail: detail.into() }
    }
}

/// Of these files the newest of each database, whatever state it is in, newest first. Blocks: it reads them.
#[must_use]
pub fn newest(files: &[PathBuf], seen: &Evidence, zone: &TimeZone) -> Vec<Newest> {
    let Some(kind) = seen.engine.as_deref() else { return Vec::new() };
    let mut dated: Vec<(std::time::SystemTime, &PathBuf)> =
        files.iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).collect();
    dated.sort_by(|a, b| b.cmp(a));
    let mut wanted = tools::wanted(seen);
    let is_only = wanted.len() == 1;
    let mut found = Vec::new();
    for (_, path) in dated.into_iter().take(MOST_READ) {
        if wanted.is_empty() {
            break;
        }
        let Ok(file) = backups::check_file(path, zone) else { continue };
        if file.format.is_some_and(|format| !format.is_of(kind)) {
            continue;
        }
        let fits = |want: &Option<String>| {
            let Some(name) = want else { return true };
            let named = file.databases.iter().any(|dumped| dumped.name.as_ref() == Some(name));
            let is_unnamed = file.databases.iter().all(|dumped| dumped.name.is_none());
            named || is_unnamed && (is_only || backups::names(path, name))
        };
        let (own, rest): (Vec<_>, Vec<_>) = wanted.into_iter().partition(fits);
        wanted = rest;
        // One file may hold several databases; it is restored once.
        if !own.is_empty() {
            found.push(Newest { path: path.clone(), file, of: own });
        }
    }
    found
}

/// Dumps to be restored, and the container whose server they are of.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub container: &'a Container,
    pub seen: &'a Evidence,
    pub progress: Arc<dyn Progress>,
}

/// Restores dumps one after the other, each with what came of it and how long that took.
///
/// # Errors
/// Where the engine does not answer. Nothing is left behind, either way.
pub async fn restore_dumps(
    request: &Request<'_>,
    dumps: &[Newest],
) -> Result<Vec<(Outcome, std::time::Duration)>, SnapshotError> {
    let restored = one_by_one(request, dumps).await;
    request.progress.end();
    sweep_run(request.engine, run_token()).await;
    restored
}

async fn one_by_one(
    request: &Request<'_>,
    dumps: &[Newest],
) -> Result<Vec<(Outcome, std::time::Duration)>, SnapshotError> {
    let (recipe, secret) = recipe::of_container(request.engine, request.container).await?;
    let secrets = Secrets::from([(recipe.id.clone(), secret)]);
    let like = Like {
        engine: request.engine,
        recipe: &recipe,
        secrets: &secrets,
        kind: request.seen.engine.as_deref().unwrap_or_default(),
        data: &request.seen.path,
        progress: &request.progress,
    };
    let mut server = None;
    let mut outcomes = Vec::new();
    for dump in dumps {
        let began = tokio::time::Instant::now();
        let outcome = one(request, &like, dump, &mut server).await?;
        // What a failed restore left in a server must not fail the next one.
        if outcome.result != VerificationResult::Proved
            && let Some(server) = server.take()
        {
            Fresh::remove(server).await;
        }
        outcomes.push((outcome, began.elapsed()));
    }
    if let Some(server) = server {
        server.remove().await;
    }
    Ok(outcomes)
}

async fn one(
    request: &Request<'_>,
    like: &Like<'_>,
    dump: &Newest,
    server: &mut Option<Fresh>,
) -> Result<Outcome, SnapshotError> {
    match &dump.file.whole {
        Whole::Yes => {}
        Whole::Broken(why) => return Ok(Outcome::failed(why.clone())),
        // What no end mark says may still show itself whole when it is restored.
        Whole::Unknown(why) if dump.file.format.is_none() => return Ok(Outcome::unknown(why.clone())),
        Whole::Unknown(_) => {}
    }
    let Some(format) = dump.file.format else {
        return Ok(Outcome::unknown("its format is not known"));
    };
    let name = dump.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    request.progress.stage(&format!("restoring {name}"), None);
    if format == Format::Sqlite {
        let Some(script) = offline_check(like.kind) else {
            return Ok(Outcome::unknown("there is no way to look into it"));
        };
        return Ok(match like.check_file(&dump.path, script).await?.as_str() {
            "[\"OK\"]" => Outcome {
                result: VerificationResult::Proved,
                detail: format!("integrity_check says ok{}", beside(dump, request.seen)),
            },
            "[\"NONE\"]" => Outcome::unknown("the container's image has nothing to check SQLite with"),
            other => Outcome::failed(other),
        });
    }
    if format == Format::Rdb {
        return Ok(match like.start_on(&StoredFile::plain(&dump.path)).await? {
            Ok(fresh) => {
                let after = fresh.fingerprint().await;
                fresh.remove().await;
                judge(dump, &after?, request.seen)
            }
            // It had nothing to do but to load the file.
            Err(complaint) if complaint.starts_with(ENDED) => Outcome::failed(explained(&complaint)),
            Err(cause) => Outcome::unknown(format!("a fresh server does not come up: {cause}")),
        });
    }
    let Some((form, database)) = form(format, dump) else {
        return Ok(Outcome::unknown(format!("there is no way to restore {}", format.name())));
    };
    let fresh = match server {
        Some(fresh) => fresh,
        None => match like.start().await? {
            Ok(fresh) => server.insert(fresh),
            Err(cause) => return Ok(Outcome::unknown(format!("a fresh server does not come up: {cause}"))),
        },
    };
    request.progress.stage(&format!("restoring {name}"), None);
    if let Err(complaint) = fresh.load(form, &database, &dump.path).await? {
        return Ok(Outcome::failed(complaint));
    }
    request.progress.stage(&format!("looking at {name}"), None);
    let mut after = fresh.fingerprint().await?;
    if !database.is_empty() {
        after.databases.retain(|name, _| *name == database);
    }
    Ok(judge(dump, &after, request.seen))
}

/// How a dump is loaded, and into which database; none where it names its own.
fn form(format: Format, dump: &Newest) -> Option<(Form, String)> {
    let mut named = dump.file.databases.iter().filter_map(|dumped| dumped.name.clone());
    let (first, second) = (named.next(), named.next());
    let wanted = || dump.of.iter().flatten().next().cloned().unwrap_or_else(|| "restored".to_owned());
    match format {
        Format::PgCustom => Some((Form::PgCustom, first.unwrap_or_else(wanted))),
        // One with a name makes its database itself.
        Format::PgPlain if first.is_some() => Some((Form::PgCluster, String::new())),
        Format::PgPlain => Some((Form::PgPlain, wanted())),
        Format::PgCluster => Some((Form::PgCluster, String::new())),
        Format::MySqlDump => {
            Some((Form::MySql, if second.is_some() { String::new() } else { first.unwrap_or_else(wanted) }))
        }
        Format::Rdb | Format::Sqlite | Format::Tar => None,
    }
}

/// What a restored server says of its dump. Every statement was carried out by then.
fn judge(dump: &Newest, after: &Fingerprint, seen: &Evidence) -> Outcome {
    let (tables, rows) = after.totals();
    if let Some(keys) = dump.file.keys {
        // Keys whose time has come are not loaded.
        return match rows {
            0 if keys > 0 => {
                Outcome::unknown(format!("none of its {keys} keys is there: all may have expired"))
            }
            rows => proved(format!("{rows} keys"), dump, seen),
        };
    }
    let without: u64 = dump.file.databases.iter().map(|dumped| dumped.without_data).sum();
    let promised: u64 = dump.file.databases.iter().filter_map(|dumped| dumped.tables).sum();
    if tables == 0 && promised > 0 {
        Outcome::failed(format!("none of its {promised} tables is there after the restore"))
    } else if without > 0 {
        Outcome::failed(format!("it holds no rows of {without} tables"))
    } else if tables == 0 {
        Outcome::unknown("it holds no tables")
    } else {
        proved(format!("{tables} tables, {rows} rows"), dump, seen)
    }
}

fn proved(counted: String, dump: &Newest, seen: &Evidence) -> Outcome {
    Outcome { result: VerificationResult::Proved, detail: format!("{counted}{}", beside(dump, seen)) }
}

/// What the live one holds now, where that can be told: it goes on, so that a difference is no fault.
fn beside(dump: &Newest, seen: &Evidence) -> String {
    let is_in = |name: &String| {
        dump.file.databases.iter().any(|dumped| dumped.name.as_ref().is_none_or(|own| own == name))
    };
    let live: Vec<_> = seen.contents.databases.iter().filter(|database| is_in(&database.name)).collect();
    let sum = |number: fn(&crate::model::evidence::DatabaseContents) -> Option<u64>| {
        live.iter().map(|database| number(database)).sum::<Option<u64>>()
    };
    match (sum(|database| database.tables), sum(|database| database.rows)) {
        _ if live.is_empty() => String::new(),
        (Some(tables), Some(rows)) => format!("; the live one has {tables} tables, {rows} rows"),
        (Some(tables), None) => format!("; the live one has {tables} tables"),
        (None, Some(rows)) => format!("; the live one has {rows} keys"),
        (None, None) => String::new(),
    }
}
