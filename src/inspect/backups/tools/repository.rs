//! What the tools have in common that keep snapshots of folders in a repository: restic, borg, kopia.
//!
//! A snapshot is no word on the database: what counts is read out of it, to its end, as a file of this machine
//! would be.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::super::{
    BackupFile, Claim, FileCopy, Format, Limits, Live, Looked, Whole,
    ask::{Asker, without_secrets},
    check_stream,
    coverage::{Candidate, is_family, look_at},
    remembered, stem,
};
use crate::{
    engines::{
        postgres,
        recognise::{Form, Recogniser, Seen},
    },
    model::{
        backup::Backup,
        container::is_within,
        coverage::{Coverage, Fault},
        evidence::Evidence,
    },
};

/// Snapshots that are looked into; what is older only says the same.
const MOST_SNAPSHOTS: usize = 6;
/// Files of one snapshot that are read.
const MOST_FILES: usize = 200;

/// A tool and its repository.
pub trait Repository {
    /// The tool's name.
    fn tool(&self) -> &'static str;
    /// The repository, for people.
    fn place(&self) -> &str;
    /// Whether it lies on another machine, as far as its name tells.
    fn off_host(&self) -> Option<bool>;
    fn asker(&self) -> &Asker;
    /// Its snapshots.
    ///
    /// # Errors
    /// Where it cannot be asked, in one clause.
    fn snapshots(&self) -> Result<Vec<Snapshot>, String>;
    /// What is in one.
    ///
    /// # Errors
    /// As `snapshots`.
    fn entries(&self, snapshot: &Snapshot) -> Result<Vec<Entry>, String>;
    /// Hands the content of a file, or of a folder as a tar archive, to a reader.
    ///
    /// # Errors
    /// Where it cannot be read to its end.
    fn read(
        &self,
        snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()>;
}

/// One snapshot of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tool's own name of it, for the tool.
    pub id: String,
    /// For people.
    pub name: String,
    /// When it began.
    pub began: Timestamp,
    /// The folders that were backed up.
    pub paths: Vec<String>,
}

/// A file or folder in a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// As the tool wants to hear it.
    pub path: String,
    pub is_folder: bool,
    pub is_file: bool,
    /// Of a data directory: of all that is in it.
    pub size: u64,
    pub modified: Option<Timestamp>,
    /// The tool's own name of the content, where it has one.
    pub object: Option<String>,
    /// Of a data directory: the engine's id; empty for others.
    pub engine: String,
}

/// Something in a repository that was looked into, and what it was found to be.
pub(in super::super) struct LookedInto {
    /// As the row is named that tells of it.
    pub(in super::super) source: String,
    pub(in super::super) snapshot: Snapshot,
    pub(in super::super) entry: Entry,
    pub(in super::super) claim: Claim,
    /// `None` where it could not be read.
    pub(in super::super) file: Option<BackupFile>,
}

/// What a repository has of a body of data. `words` are the names under which a dump is known as of this data, where
/// it does not say so itself.
#[must_use]
pub fn look(repository: &dyn Repository, words: &[String], seen: &Evidence, limits: &Limits) -> Looked {
    look_noting(repository, words, seen, limits, &RefCell::default())
}

/// As `look`, and notes what it looks into.
pub(in super::super) fn look_noting(
    repository: &dyn Repository,
    words: &[String],
    seen: &Evidence,
    limits: &Limits,
    noted: &RefCell<Vec<LookedInto>>,
) -> Looked {
    let place = format!("{}{}", repository.asker().at(), without_secrets(repository.place()));
    let unknown = |why: String| {
        let row = Backup::unknown(repository.tool(), place.clone(), why);
        Looked { coverage: row.coverage(), found: vec![row] }
    };
    let mut snapshots = match repository.snapshots() {
        Ok(snapshots) => snapshots,
        Err(why) => return unknown(why),
    };
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.began));
    let Some(newest) = snapshots.first() else {
        let detail = Some(format!("{}: {place} holds no snapshot", repository.tool()));
        return Looked { coverage: Coverage { detail, ..Coverage::none() }, found: Vec::new() };
    };
    let shown =
        |snapshot: &Snapshot, path: &str| format!("{place} {} {path}", snapshot.name).trim_end().to_owned();
    if let Err(why) = limits.recent(newest.began) {
        let row = Backup::refused(repository.tool(), shown(newest, ""), newest.began, why);
        let row = Backup { off_host: repository.off_host(), ..row };
        return Looked { coverage: row.coverage(), found: vec![row] };
    }
    let recent = snapshots.iter().filter(|snapshot| limits.recent(snapshot.began).is_ok());
    let (mut candidates, mut unreadable) = (Vec::new(), Vec::new());
    for snapshot in recent.take(MOST_SNAPSHOTS) {
        let entries = match repository.entries(snapshot) {
            Ok(entries) => entries,
            Err(why) => {
                unreadable.push(Backup::unknown(repository.tool(), shown(snapshot, ""), why));
                continue;
            }
        };
        for (entry, control) in of_databases(entries, seen) {
            let path = PathBuf::from(&entry.path);
            // What was copied of a server is of the time of the copy; a dump is of its own.
            let modified = entry.modified.filter(|_| !entry.is_folder).unwrap_or(snapshot.began);
            let snapshot = snapshot.clone();
            let source = shown(&snapshot, &entry.path);
            candidates.push(Candidate {
                shown: source.clone(),
                path,
                tool: Some(repository.tool()),
                modified: modified.min(snapshot.began),
                // When an archive that was backed up was begun itself, nobody knows.
                began: entry.is_folder.then_some(snapshot.began),
                off_host: repository.off_host(),
                scheduled: None,
                claim: Box::new(|path| claim(path, words, &limits.live)),
                check: Box::new(move || {
                    let found = match hopeless(repository, &snapshot, &entry, control.as_ref(), limits) {
                        Some(found) => Ok(found),
                        None => check(repository, &snapshot, &entry, limits),
                    };
                    noted.borrow_mut().push(LookedInto {
                        source: source.clone(),
                        snapshot: snapshot.clone(),
                        entry: entry.clone(),
                        claim: claim(Path::new(&entry.path), words, &limits.live),
                        file: found.as_ref().ok().cloned(),
                    });
                    found
                }),
            });
        }
    }
    if candidates.is_empty() && unreadable.is_empty() {
        let engine = seen.engine_name.as_deref().unwrap_or("this database");
        let why = format!("it holds neither a dump nor the files of {engine}");
        let fault = (Fault::OtherData, why);
        let row = Backup::refused(repository.tool(), shown(newest, ""), newest.began, fault);
        return Looked { coverage: row.coverage(), found: vec![row] };
    }
    look_at(candidates, unreadable, seen, limits)
}

/// A repository holds this and that: only the exact name of a database, a container, a volume or a file says whose a
/// dump is, or its lying among the data's own files.
fn claim(path: &Path, words: &[String], live: &Live) -> Claim {
    let about = stem(path);
    let folder = path.parent().unwrap_or(Path::new("")).to_string_lossy();
    let ours = words.contains(&about) || live.is_at(&folder);
    Claim { database: Some(about), ours }
}

fn check(
    repository: &dyn Repository,
    snapshot: &Snapshot,
    entry: &Entry,
    limits: &Limits,
) -> io::Result<BackupFile> {
    // What has no snapshots may change under its name.
    let (tool, place) = (repository.tool(), repository.place());
    let key = format!("{tool} {place} {} {} {} {:?}", snapshot.id, entry.path, entry.size, entry.modified);
    let memory = limits.memory.as_deref();
    if let Some(known) = remembered::recall(&key, memory, limits.now) {
        return Ok(known);
    }
    let own = entry.modified.filter(|_| !entry.is_folder);
    let modified = own.map_or(snapshot.began, |own| own.min(snapshot.began));
    let mut found = None;
    repository.read(snapshot, entry, &mut |reader| {
        let mut file = check_stream(Box::new(reader), modified, entry.size, &limits.zone)?;
        // Paths in the archive of a folder begin with its own name, or with all that is above it.
        if entry.is_folder {
            file.copies.iter_mut().for_each(|copy| copy.path.clone_from(&entry.path));
        }
        found = Some(file);
        Ok(())
    })?;
    let found = found.ok_or_else(|| io::Error::other("it was not read"))?;
    remembered::keep(&key, &found, memory, limits.now);
    Ok(found)
}

/// What a copy of a data directory is known to be without reading it: one of a server that ran, as nearly all are. A
/// PostgreSQL's own word on that is one small file.
fn hopeless(
    repository: &dyn Repository,
    snapshot: &Snapshot,
    entry: &Entry,
    control: Option<&Entry>,
    limits: &Limits,
) -> Option<BackupFile> {
    let stays_stopped = limits.live.stopped_since.is_some_and(|since| since <= snapshot.began);
    if !entry.is_folder || stays_stopped {
        return None;
    }
    let mut copy = FileCopy { engine: entry.engine.clone(), path: entry.path.clone(), ..FileCopy::default() };
    if let Some(control) = control {
        let mut head = Vec::new();
        let read = repository.read(snapshot, control, &mut |reader| {
            reader.take(CONTROL_BYTES).read_to_end(&mut head)?;
            Ok(())
        });
        // What cannot be read is told by reading all of it.
        let control = read.ok().and_then(|()| postgres::parse_control(&head))?;
        if control.stopped {
            return None;
        }
        copy.identity = Some(control.system_identifier.to_string());
    }
    Some(BackupFile {
        format: Some(Format::Tar),
        made_at: snapshot.began,
        size: entry.size,
        whole: Whole::Yes,
        databases: Vec::new(),
        keys: None,
        inside: Vec::new(),
        copies: vec![copy],
    })
}

/// Bytes that tell a cluster's identity and state.
const CONTROL_BYTES: u64 = 512;

/// The entries that may be dumps, and the data directories of this engine with their control files.
fn of_databases(entries: Vec<Entry>, seen: &Evidence) -> Vec<(Entry, Option<Entry>)> {
    let mut recogniser = Recogniser::default();
    for entry in &entries {
        let form = match (entry.is_folder, entry.is_file) {
            (true, _) => Form::Folder,
            (_, true) => Form::File,
            _ => Form::Other,
        };
        let path = entry.path.trim_start_matches('/');
        recogniser.see(Seen { path, form, size: entry.size, modified: entry.modified, head: &[] });
    }
    let roots: Vec<(String, &str)> = recogniser
        .finish()
        .into_iter()
        .filter(|found| !found.is_file)
        .map(|found| (found.path, found.kind.id))
        .collect();
    let within = |path: &str| {
        let path = path.trim_start_matches('/');
        roots.iter().any(|(root, _)| is_within(path, root))
    };
    let is_sqlite = seen.engine.as_deref() == Some("sqlite");
    let is_dump = |entry: &Entry| {
        entry.is_file
            && entry.size > 0
            && looks_like_a_dump(&entry.path)
            && (is_sqlite || !within(&entry.path) || entry.path.ends_with(".rdb"))
    };
    let engine_of = |entry: &Entry| {
        let path = entry.path.trim_start_matches('/');
        let root = roots.iter().find(|(root, engine)| root == path && is_family(engine, seen));
        root.filter(|_| entry.is_folder).map(|(_, engine)| (*engine).to_owned())
    };
    let controls: HashMap<String, Entry> = entries
        .iter()
        .filter_map(|entry| Some((entry.path.strip_suffix("/global/pg_control")?.to_owned(), entry.clone())))
        .collect();
    let sizes: HashMap<String, u64> = roots
        .iter()
        .map(|(root, _)| {
            let below = entries.iter().filter(|entry| is_within(entry.path.trim_start_matches('/'), root));
            (root.clone(), below.map(|entry| entry.size).sum())
        })
        .collect();
    let mut chosen: Vec<(Entry, Option<Entry>)> = Vec::new();
    for mut entry in entries {
        if let Some(engine) = engine_of(&entry) {
            entry.engine = engine;
            entry.size = sizes.get(entry.path.trim_start_matches('/')).copied().unwrap_or_default();
            let control = controls.get(&entry.path).cloned();
            chosen.push((entry, control));
        } else if is_dump(&entry) {
            chosen.push((entry, None));
        }
    }
    chosen.sort_by_key(|(entry, _)| std::cmp::Reverse((entry.is_folder, entry.modified)));
    chosen.truncate(MOST_FILES);
    chosen
}

/// Endings of what holds a dump, before a compression's.
const DUMPS: &[&str] = &[
    "dump", "pgdump", "dmp", "sql", "rdb", "db", "sqlite", "sqlite3", "bak", "backup", "pg", "stdin", "tar",
    "tgz",
];

/// Whether a file's name is one that dumps have. What it really is, its content says.
fn looks_like_a_dump(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let name = [".gz", ".zst", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let ending = name.rsplit('.').next().unwrap_or_default();
    DUMPS.contains(&ending)
}

/// Whether a repository's address is another machine's. A folder may be a mounted one; that is not known.
pub(super) fn is_elsewhere(address: &str) -> Option<bool> {
    let remote =
        ["s3:", "b2:", "azure:", "gs:", "swift:", "rest:", "sftp:", "rclone:", "ssh:", "http:", "https:"];
    let is_remote = remote.iter().any(|scheme| address.starts_with(scheme))
        || address.split_once(':').is_some_and(|(host, path)| host.contains('@') && !path.is_empty());
    is_remote.then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumps_name_is_known_and_a_remote_address_too() {
        for name in ["/b/pay.dump", "/x.sql.gz", "/stdin", "/redis_20260101.rdb", "/a.SQL.zst", "/all.tar.gz"]
        {
            assert!(looks_like_a_dump(name), "{name}");
        }
        for name in ["/b/readme.md", "/base/5/16384", "/x.sql.gpg"] {
            assert!(!looks_like_a_dump(name), "{name}");
        }
        assert_eq!(is_elsewhere("s3:s3.amazonaws.com/b"), Some(true));
        assert_eq!(is_elsewhere("me@host:/srv/borg"), Some(true));
        assert_eq!(is_elsewhere("/srv/repo"), None);
    }
}
