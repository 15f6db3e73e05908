//! From a database that was seen to evidence: whose it is, whether anything is in it, how much.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::{hit::Hit, listing, names, server::Reply, subject::Subject};
use crate::{
    docker::{
        archive::{Entry, EntryKind, Place, WalkEnd},
        dial::EngineError,
    },
    engines::{answer::Answer, mysql, postgres, redis, sqlite},
    model::{
        coverage::Coverage,
        evidence::{Contents, DatabaseContents, Evidence, Presence, TargetRef},
    },
};

/// Bytes that tell a cluster's identity.
const CONTROL_BYTES: usize = 512;

/// What a data directory says of itself.
#[derive(Default)]
struct Identity {
    id: Option<String>,
    version: Option<String>,
    last_write: Option<Timestamp>,
    /// The server was shut down in order, so that nothing waits in its logs.
    clean: bool,
    /// The control file says that nothing was ever stored.
    untouched: bool,
}

/// Evidence on one hit in a container.
///
/// # Errors
/// Where the container is gone or the engine does not answer.
pub(super) async fn in_container(
    subject: &Subject<'_>,
    mut hit: Hit,
    only_one: bool,
) -> Result<Evidence, EngineError> {
    let root = subject.root();
    let identity = identify(&root, &hit).await?;
    if identity.untouched {
        hit.user_data.get_or_insert(false);
    }
    let looks_close = hit.spot.is_at_risk() || subject.thorough;
    let worth_asking = looks_close && subject.serves(hit.kind);
    let reply = if worth_asking { subject.ask(hit.kind).await } else { Reply::NotAsked };
    // The server's answer is about this folder if it names this cluster, or if there is no other.
    let is_its = |answer: &&Answer| match (&answer.identity, &identity.id) {
        (Some(asked), Some(read)) => asked == read,
        _ => only_one,
    };
    let answer = reply.answer().filter(is_its);
    let presence = presence(subject, &root, &hit, answer).await?;
    let mut evidence = plain(subject.target(), &hit, presence, subject.runs());
    evidence.identity = identity.id;
    evidence.engine_version = identity.version;
    evidence.last_write = evidence.last_write.max(identity.last_write);
    if let Some(answer) = answer {
        tell(&mut evidence, answer);
        return Ok(evidence);
    }
    if let Reply::Silent(cause) = reply {
        evidence.contents.note = Some(format!("the server did not say what is in it ({cause})"));
    }
    if looks_close {
        name_databases(&mut evidence, &root, &hit, identity.clean).await;
    }
    Ok(evidence)
}

/// Evidence on one hit in a volume that no container under inspection has mounted.
///
/// # Errors
/// Where the volume cannot be looked into.
pub(super) async fn in_volume(
    root: &Place,
    target: TargetRef,
    mut hit: Hit,
) -> Result<Evidence, EngineError> {
    let identity = identify(root, &hit).await?;
    if identity.untouched {
        hit.user_data.get_or_insert(false);
    }
    let presence = by_files(root, &hit).await?;
    let mut evidence = plain(target, &hit, presence, false);
    evidence.identity = identity.id;
    evidence.engine_version = identity.version;
    evidence.last_write = evidence.last_write.max(identity.last_write);
    if evidence.last_write.is_none() {
        evidence.last_write = names::last_write(root, &hit).await.unwrap_or_default();
    }
    name_databases(&mut evidence, root, &hit, identity.clean).await;
    Ok(evidence)
}

/// Where no server told, the files may tell which databases there are. A help, so that a failure is none.
async fn name_databases(evidence: &mut Evidence, root: &Place, hit: &Hit, is_clean: bool) {
    if evidence.contents.databases.is_empty() && evidence.presence == Presence::Found {
        let version = evidence.engine_version.as_deref().filter(|_| is_clean);
        let major = version.and_then(|version| version.split('.').next()?.parse().ok());
        let found = names::databases(root, hit, major).await.unwrap_or_default();
        let note = evidence.contents.note.take();
        evidence.contents = Contents { note, ..found };
    }
}

/// Whether a user's data is in it. Only a complete answer of the server or a whole listing makes it empty.
async fn presence(
    subject: &Subject<'_>,
    root: &Place,
    hit: &Hit,
    answer: Option<&Answer>,
) -> Result<Presence, EngineError> {
    let survives_unseen = !hit.spot.is_at_risk() && !subject.thorough;
    if survives_unseen || answer.is_some_and(|answer| answer.objects > 0) {
        return Ok(Presence::Found);
    }
    // A Redis may hold in RAM what its files do not show; `memory` looks after that.
    if answer.is_some_and(Answer::says_empty) && !hit.kind.in_memory {
        return Ok(Presence::Empty { why: "the server counts no tables".to_owned() });
    }
    by_files(root, hit).await
}

/// What the files alone say.
///
/// # Errors
/// Where they cannot be read.
pub(super) async fn by_files(root: &Place, hit: &Hit) -> Result<Presence, EngineError> {
    let user_data = match (hit.user_data, hit.kind.user_data) {
        (Some(known), _) => Some(known),
        (None, _) if hit.is_file => None,
        (None, Some(is_user_data)) => holds(root, hit, is_user_data).await?,
        (None, None) => {
            let listing = listing::of(root, &hit.path, listing::SEARCH).await?;
            let whole = listing.is_whole();
            // The hit's own folder is the root of the listing.
            let found = listing.recogniser.finish().into_iter().find(|found| found.path.is_empty());
            found.and_then(|found| found.user_data).filter(|&seen| seen || whole)
        }
    };
    Ok(match user_data {
        Some(false) => Presence::Empty { why: empty_because(hit).to_owned() },
        Some(true) | None => Presence::Found,
    })
}

/// Whether a data directory holds a file of a user's: the walk ends at the first one.
async fn holds(
    root: &Place,
    hit: &Hit,
    is_user_data: fn(&str, u64) -> bool,
) -> Result<Option<bool>, EngineError> {
    let is_user_folder = hit.kind.user_folder.unwrap_or(|_| false);
    let visit = move |entry: Entry| {
        let found = match entry.kind {
            EntryKind::Directory => is_user_folder(&entry.path),
            EntryKind::File | EntryKind::Symlink | EntryKind::Other => is_user_data(&entry.path, entry.size),
        };
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let end = match root.walk(&hit.path, listing::SEARCH, visit).await {
        // A file that changed while it was read breaks the archive off: once is bad luck.
        Err(_broken_off) => root.walk(&hit.path, listing::SEARCH, visit).await?,
        Ok(end) => end,
    };
    Ok(match end {
        WalkEnd::Complete => Some(false),
        WalkEnd::Stopped => Some(true),
        WalkEnd::Limit => None,
    })
}

fn empty_because(hit: &Hit) -> &'static str {
    match hit.kind.id {
        "postgres" | "mysql" | "mariadb" => "initialised, and no table was ever made",
        "redis" | "valkey" => "its files hold no keys",
        "sqlite" => "it has no tables",
        _ => "nothing but the server's own files",
    }
}

/// Evidence with what the hit alone says.
pub(super) fn plain(target: TargetRef, hit: &Hit, presence: Presence, running: bool) -> Evidence {
    let mut contents = Contents::default();
    if hit.kind.id == "sqlite"
        && let Some(tables) = sqlite::tables(&hit.head).filter(|&tables| tables > 0)
    {
        let name = hit.path.rsplit('/').next().unwrap_or_default().to_owned();
        contents.databases.push(DatabaseContents {
            name,
            tables: Some(tables),
            bytes: hit.size,
            ..Default::default()
        });
    }
    let rdb = redis::parse_rdb(&hit.head);
    if let Some(keys) = rdb.as_ref().and_then(|rdb| rdb.keys).filter(|&keys| keys > 0) {
        let name = hit.path.rsplit('/').next().unwrap_or_default().to_owned();
        contents.databases.push(DatabaseContents {
            name,
            rows: Some(keys),
            rows_exact: true,
            ..Default::default()
        });
    }
    Evidence {
        target,
        engine: Some(hit.kind.id.to_owned()),
        engine_name: Some(hit.kind.name.to_owned()),
        engine_version: rdb.and_then(|rdb| rdb.version),
        location: hit.spot.location,
        path: hit.path.clone(),
        volume: hit.spot.volume.clone(),
        presence,
        size_bytes: hit.size,
        contents,
        last_write: hit.newest,
        running,
        fate: hit.spot.fate,
        consequence: hit.spot.consequence(),
        identity: None,
        coverage: Coverage::none(),
    }
}

/// Adds what the server said.
pub(super) fn tell(evidence: &mut Evidence, answer: &Answer) {
    evidence.engine_version = answer.version.clone().or(evidence.engine_version.take());
    evidence.identity = answer.identity.clone().or(evidence.identity.take());
    evidence.last_write = answer.last_write.max(evidence.last_write);
    let told: u64 = answer.contents.databases.iter().filter_map(|database| database.bytes).sum();
    if told > 0 {
        evidence.size_bytes = Some(told);
    }
    evidence.contents = answer.contents.clone();
}

/// What the files of a data directory say of its identity. What cannot be read is not known, and no error.
async fn identify(root: &Place, hit: &Hit) -> Result<Identity, EngineError> {
    let read = async |name: &str| root.read(&format!("{}/{name}", hit.path), CONTROL_BYTES).await;
    Ok(match hit.kind.id {
        "postgres" => {
            let control = read("global/pg_control").await?.and_then(|bytes| postgres::parse_control(&bytes));
            let version = read("PG_VERSION").await?.and_then(|bytes| String::from_utf8(bytes).ok());
            Identity {
                id: control.map(|control| control.system_identifier.to_string()),
                version: version.map(|text| text.trim().to_owned()),
                last_write: control.and_then(|control| control.written),
                clean: control.is_some_and(|control| control.clean),
                untouched: control.is_some_and(|control| control.is_untouched()),
            }
        }
        "mysql" => {
            let id = read("auto.cnf").await?.and_then(|bytes| mysql::parse_auto_cnf(&bytes));
            Identity { id, ..Identity::default() }
        }
        _ => Identity::default(),
    })
}
