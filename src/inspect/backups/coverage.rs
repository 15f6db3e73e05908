//! Whether backups cover a body of data: recent, whole, and of this data as far as it can be told.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{BackupFile, Dumped, FileCopy, Format, Whole, remembered};
use crate::model::{
    backup::{Backup, Quality},
    coverage::{Coverage, CoverageStatus, Facts, Fault},
    evidence::{Contents, Evidence},
};

/// Said of a dump of a part, where the server did not tell its databases.
const OTHERS_UNKNOWN: &str = "whether the server holds other databases could not be told";
/// Said of copies that are not known to be of a stopped server.
const RUNNING: &str = "a file copy of a running server, as far as is known, is no consistent backup";

/// What counts as recent, and what is known of the data itself.
#[derive(Debug, Clone)]
pub struct Limits {
    pub max_age: SignedDuration,
    pub now: Timestamp,
    /// The zone of wall clocks that do not tell theirs.
    pub zone: TimeZone,
    /// Where what was found out about large files is remembered.
    pub memory: Option<PathBuf>,
    pub live: Live,
}

/// What the engine says of the data that is to be covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Where it lies on the engine's host, as far as that is known.
    pub paths: Vec<String>,
    /// Since when its server does not run; `None` while it does, or where that is not known.
    pub stopped_since: Option<Timestamp>,
}

impl Limits {
    /// Why a time is not that of a recent backup.
    ///
    /// # Errors
    /// The clause, and what it comes to.
    pub fn recent(&self, at: Timestamp) -> Result<(), (Fault, String)> {
        let age = self.now.duration_since(at);
        // Tools take their time to answer: what was made meanwhile is not of the future.
        let asking = Timestamp::now().duration_since(self.now);
        let asking =
            if (SignedDuration::ZERO..LONGEST).contains(&asking) { asking } else { SignedDuration::ZERO };
        if age < -(SKEW + asking) {
            Err((Fault::TooOld, "it is dated in the future".to_owned()))
        } else if age > self.max_age {
            Err((Fault::TooOld, "it is too old".to_owned()))
        } else {
            Ok(())
        }
    }
}

/// Clocks of two machines differ a little; a time stamp further ahead is none.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// Nobody asks for longer; a `now` that is further away is not this moment's.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// Time stamps of files in an archive are of whole seconds, and a server's last words follow its last write.
const BLUR: SignedDuration = SignedDuration::from_secs(2);
/// Backups that do not count and are told of one place; the rest is more of the same.
const MOST_REFUSED: usize = 5;

/// A file that may be a backup, wherever it lies.
pub struct Candidate<'a> {
    /// Its path, of which the name may say whose it is.
    pub path: PathBuf,
    /// Where it is, for people.
    pub shown: String,
    /// What keeps it; `None` for a file by itself, which its format names.
    pub tool: Option<&'static str>,
    /// When it was written, rather too early than too late.
    pub modified: Timestamp,
    /// From when on its content was read, for a copy of files; `None` where that is not known.
    pub began: Option<Timestamp>,
    pub off_host: Option<bool>,
    pub scheduled: Option<bool>,
    /// What its place and name say of whose it is.
    pub claim: Box<dyn Fn(&Path) -> Claim + 'a>,
    pub check: Box<dyn Fn() -> io::Result<BackupFile> + 'a>,
}

/// What a place and a name say of whose a dump is that does not say so itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Exactly this database's; `None` where a name is only searched for a database's.
    pub database: Option<String>,
    /// It is of this server, container or file.
    pub ours: bool,
}

impl Candidate<'static> {
    /// A file on this machine.
    ///
    /// # Errors
    /// Where nothing can be told of it.
    pub fn file(path: PathBuf, limits: &Limits) -> Result<Self, String> {
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|error| error.to_string())?;
        let (zone, memory, own) = (limits.zone.clone(), limits.memory.clone(), path.clone());
        Ok(Self {
            shown: path.display().to_string(),
            tool: None,
            modified: Timestamp::try_from(modified).map_err(|error| error.to_string())?,
            began: None,
            off_host: None,
            scheduled: None,
            // A rule or a label says that what lies there is of this data.
            claim: Box::new(|_| Claim { database: None, ours: true }),
            check: Box::new(move || remembered::check(&own, &zone, memory.as_deref())),
            path,
        })
    }
}

impl Candidate<'_> {
    /// Where it is, with what keeps it.
    fn place(&self) -> String {
        match self.tool {
            Some(tool) => format!("{tool} {}", self.shown),
            None => self.shown.clone(),
        }
    }
}

/// What came of looking into one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub coverage: Coverage,
    /// Each backup that was looked at, newest first.
    pub found: Vec<Backup>,
}

/// What a backup must hold.
struct Want<'a> {
    part: Part<'a>,
    by: Option<Held>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Database {
        name: &'a str,
        tables: Option<u64>,
        large_objects: bool,
        /// Whether the data is of this database alone, so that a file without a name may be of it.
        only: bool,
    },
    /// Whatever databases a server has, where nobody knows them all.
    WholeServer,
    /// The data of an engine whose backups are of everything.
    Everything,
}

impl Part<'_> {
    fn is_named(&self) -> Option<&str> {
        match self {
            Self::Database { name, .. } => Some(name),
            Self::WholeServer | Self::Everything => None,
        }
    }
}

/// What a want was filled by.
#[derive(Clone)]
struct Held {
    shown: String,
    at: Timestamp,
    what: String,
    facts: Facts,
}

/// Judges candidates as backups of a body of data. Reads those that are recent enough, newest first, until
/// everything is covered. `unreadable` are those of which nothing could be told.
#[must_use]
pub fn look_at(
    mut candidates: Vec<Candidate<'_>>,
    unreadable: Vec<Backup>,
    seen: &Evidence,
    limits: &Limits,
) -> Looked {
    candidates.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
    let mut wants = wants(seen);
    let mut found = unreadable;
    for candidate in &candidates {
        let row = weigh(candidate, seen, limits, &mut wants);
        let counts = row.status == CoverageStatus::Covered;
        let refused = found.iter().filter(|row| row.status == CoverageStatus::Stale).count();
        if counts || row.status == CoverageStatus::Undetermined || refused < MOST_REFUSED {
            found.push(row);
        }
        if counts && wants.iter().all(|want| want.by.is_some()) {
            return Looked { coverage: covered(&wants), found };
        }
    }
    Looked { coverage: not_covered(&wants, &found), found }
}

/// Judges files of this machine.
#[must_use]
pub fn look_at_files(files: Vec<PathBuf>, seen: &Evidence, limits: &Limits) -> Looked {
    let mut unreadable = Vec::new();
    let mut candidates = Vec::new();
    for path in files {
        match Candidate::file(path.clone(), limits) {
            Ok(candidate) => candidates.push(candidate),
            Err(why) => unreadable.push(Backup::unknown("file", path.display().to_string(), why)),
        }
    }
    look_at(candidates, unreadable, seen, limits)
}

/// The best that there is, where something is missing.
fn not_covered(wants: &[Want<'_>], found: &[Backup]) -> Coverage {
    let missing = wants.iter().find(|want| want.by.is_none());
    let partly = wants.iter().any(|want| want.by.is_some());
    let first = |status| found.iter().find(|row: &&Backup| row.status == status);
    if let Some(unknown) = first(CoverageStatus::Undetermined) {
        return unknown.coverage();
    }
    let part = || {
        let part = first(CoverageStatus::Covered);
        let what = part.and_then(|row| row.detail.as_deref()).unwrap_or("there is a part");
        (what, part.map_or_else(Coverage::none, Backup::coverage))
    };
    let missing = missing.filter(|_| partly).map(|want| want.part.is_named());
    match (first(CoverageStatus::Stale), missing) {
        (Some(row), Some(Some(database))) => {
            let why = row.detail.as_deref().unwrap_or_default();
            let detail = format!("{why}, and nothing else holds the database {database}");
            Coverage { detail: Some(detail), ..row.coverage() }
        }
        (None, Some(Some(database))) => {
            let (what, part) = part();
            let detail = Some(format!("{what}, and nothing else holds the database {database}"));
            let facts = Facts { fault: Some(Fault::OtherData), ..part.facts };
            Coverage { status: CoverageStatus::Stale, detail, facts, ..part }
        }
        (_, Some(None)) => {
            let (what, part) = part();
            let detail = Some(format!("{what}; {OTHERS_UNKNOWN}"));
            Coverage { status: CoverageStatus::Undetermined, detail, ..part }
        }
        (Some(row), None) => row.coverage(),
        (None, None) => Coverage::none(),
    }
}

fn wants(seen: &Evidence) -> Vec<Want<'_>> {
    let wanted = |part| Want { part, by: None };
    if !matches!(seen.engine.as_deref(), Some("postgres" | "mysql" | "mariadb")) {
        return vec![wanted(Part::Everything)];
    }
    let Contents { databases, complete, .. } = &seen.contents;
    let named: Vec<_> = databases.iter().filter(|database| database.may_hold_something()).collect();
    let only = *complete && named.len() == 1;
    let parts = named.iter().map(|database| Part::Database {
        name: database.name.as_str(),
        tables: database.tables,
        large_objects: database.large_objects.is_some(),
        only,
    });
    let rest = (!complete || named.is_empty()).then_some(Part::WholeServer);
    parts.chain(rest).map(wanted).collect()
}

/// Why something is no backup that counts.
enum Refusal {
    Not(Option<Fault>, String),
    /// It is not of this data.
    Other(String),
    Unreadable(String),
}

/// Looks whether a candidate covers something that is not covered yet.
fn weigh(candidate: &Candidate<'_>, seen: &Evidence, limits: &Limits, wants: &mut [Want<'_>]) -> Backup {
    let tool = candidate.tool;
    let row = |at, status| Backup {
        off_host: candidate.off_host,
        scheduled: candidate.scheduled,
        ..Backup::new(tool.unwrap_or("file"), candidate.shown.clone(), Some(at), status)
    };
    let refused =
        |at, fault, why: String| Backup { fault, detail: Some(why), ..row(at, CoverageStatus::Stale) };
    // A backup is never younger than its file; an old one need not be read.
    if let Err((fault, why)) = limits.recent(candidate.modified) {
        return refused(candidate.modified, Some(fault), why);
    }
    let unknown = |at, why| Backup { detail: Some(why), ..row(at, CoverageStatus::Undetermined) };
    let file = match (candidate.check)() {
        Ok(file) => file,
        Err(error) => return unknown(candidate.modified, error.to_string()),
    };
    let kind = tool.or(file.format.map(Format::name)).unwrap_or("file");
    let mut told = match weigh_file(&file, candidate, seen, limits, wants) {
        Ok(good) => Backup {
            quality: Some(good.quality),
            same_data: Some(true),
            detail: Some(good.what),
            ..row(good.at, CoverageStatus::Covered)
        },
        Err((quality, Refusal::Not(fault, why))) => Backup { quality, ..refused(file.made_at, fault, why) },
        Err((quality, Refusal::Other(why))) => {
            let same_data = Some(false);
            Backup { quality, same_data, ..refused(file.made_at, Some(Fault::OtherData), why) }
        }
        Err((quality, Refusal::Unreadable(why))) => Backup { quality, ..unknown(file.made_at, why) },
    };
    told.tool = kind.to_owned();
    told.whole = match file.whole {
        // It is not read to its end where it does not count anyway.
        Whole::Yes if told.quality == Some(Quality::RunningCopy) => None,
        Whole::Yes => Some(true),
        Whole::Broken(_) => Some(false),
        Whole::Unknown(_) => None,
    };
    told
}

/// What counts of a candidate.
struct Good {
    at: Timestamp,
    quality: Quality,
    what: String,
}

fn weigh_file(
    file: &BackupFile,
    candidate: &Candidate<'_>,
    seen: &Evidence,
    limits: &Limits,
    wants: &mut [Want<'_>],
) -> Result<Good, (Option<Quality>, Refusal)> {
    match &file.whole {
        Whole::Yes => {}
        Whole::Broken(why) => return Err((None, Refusal::Not(Some(Fault::Broken), why.clone()))),
        Whole::Unknown(why) => return Err((None, Refusal::Unreadable(why.clone()))),
    }
    if file.format != Some(Format::Tar) {
        let held = hold(file, &candidate.path, candidate, seen, limits, wants);
        return held.map_err(|refusal| (Some(Quality::Dump), refusal));
    }
    // Newest last would do as well: each fills what is not yet filled.
    let mut best = None;
    let mut refused = None;
    for (path, inner) in &file.inside {
        match hold(inner, Path::new(path), candidate, seen, limits, wants) {
            Ok(good) => drop(best.get_or_insert(good)),
            Err(refusal) => drop(refused.get_or_insert((Some(Quality::Dump), refusal))),
        }
    }
    for copy in file.copies.iter().filter(|copy| is_family(&copy.engine, seen)) {
        match weigh_copy(copy, candidate, seen, limits) {
            Ok(()) => {
                let what = "the files of a server that had stopped, whole".to_owned();
                let good = Good { at: file.made_at, quality: Quality::StoppedCopy, what };
                for want in wants.iter_mut().filter(|want| want.by.is_none()) {
                    let (shown, at, what) = (candidate.place(), good.at, good.what.clone());
                    want.by = Some(Held { shown, at, what, facts: facts(candidate) });
                }
                best.get_or_insert(good);
            }
            // The data's own files say more than some other dump beside them.
            Err(refusal) => refused = Some((Some(Quality::RunningCopy), refusal)),
        }
    }
    match (best, refused) {
        (Some(good), _) => Ok(good),
        (None, Some(refused)) => Err(refused),
        (None, None) => {
            let engine = seen.engine_name.as_deref().unwrap_or("this engine");
            Err((None, Refusal::Other(format!("it holds nothing of {engine}"))))
        }
    }
}

/// What is known of one that counts.
fn facts(candidate: &Candidate<'_>) -> Facts {
    let (off_host, scheduled) = (candidate.off_host, candidate.scheduled);
    Facts { off_host, scheduled, file_copy: Some(false), ..Facts::default() }
}

/// Whether an engine's data directory may be of this data: some engines' are alike.
pub(super) fn is_family(engine: &str, seen: &Evidence) -> bool {
    let family = |engine: &str| match engine {
        "mariadb" => "mysql".to_owned(),
        "valkey" => "redis".to_owned(),
        engine => engine.to_owned(),
    };
    seen.engine.as_deref().is_some_and(|own| family(own) == family(engine))
}

/// Whether a copy of a data directory is of this data, and of a server that had stopped.
fn weigh_copy(
    copy: &FileCopy,
    candidate: &Candidate<'_>,
    seen: &Evidence,
    limits: &Limits,
) -> Result<(), Refusal> {
    match (&copy.identity, &seen.identity) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            return Err(Refusal::Other("it is a copy of another server's files".to_owned()));
        }
        (Some(_), Some(_)) => {}
        _ if limits.live.is_at(&copy.path) => {}
        _ => return Err(Refusal::Unreadable("of which server its files are cannot be told".to_owned())),
    }
    let running = || Refusal::Not(None, RUNNING.to_owned());
    let began = candidate.began.ok_or_else(running)?;
    // Either it has not run since, or the files themselves say that it had stopped before and nothing wrote to them.
    let stays_stopped = limits.live.stopped_since.is_some_and(|since| since <= began);
    let was_stopped =
        copy.shut_down.is_some_and(|at| at <= began && copy.newest.is_some_and(|newest| newest <= at + BLUR));
    if stays_stopped || was_stopped { Ok(()) } else { Err(running()) }
}

impl Live {
    /// Whether a path of an archive is where this data lies.
    pub(super) fn is_at(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        !path.is_empty() && self.paths.iter().any(|own| own.trim_matches('/') == path)
    }
}

/// Whether a dump covers something that is not covered yet.
fn hold(
    file: &BackupFile,
    path: &Path,
    candidate: &Candidate<'_>,
    seen: &Evidence,
    limits: &Limits,
    wants: &mut [Want<'_>],
) -> Result<Good, Refusal> {
    match &file.whole {
        Whole::Yes => {}
        Whole::Broken(why) => return Err(Refusal::Not(Some(Fault::Broken), why.clone())),
        Whole::Unknown(why) => return Err(Refusal::Unreadable(why.clone())),
    }
    // What an archive says of its files' times cannot be later than the archive.
    let at = file.made_at.min(candidate.modified);
    limits.recent(at).map_err(|(fault, why)| Refusal::Not(Some(fault), why))?;
    let Some(format) = file.format.filter(|format| seen.engine.as_deref().is_some_and(|id| format.is_of(id)))
    else {
        let format = file.format.map_or("no format that is known", Format::name);
        return Err(Refusal::Other(format!("it is of another engine: {format}")));
    };
    // A file of SQLite's is its own dump, where nobody wrote to it meanwhile.
    let live = Path::new(&seen.path).file_name();
    if format == Format::Sqlite && candidate.tool.is_some() && seen.running && path.file_name() == live {
        return Err(Refusal::Not(None, RUNNING.to_owned()));
    }
    let claim = (candidate.claim)(path);
    if matches!(format, Format::Rdb | Format::Sqlite) && !claim.ours {
        return Err(Refusal::Other("neither its name nor its place says of which data it is".to_owned()));
    }
    let mut refused = None;
    let mut filled = Vec::new();
    for want in wants.iter_mut().filter(|want| want.by.is_none()) {
        match holds(file, path, &claim, seen, want) {
            Ok(()) => {
                filled.extend(want.part.is_named());
                let (shown, what) = (candidate.place(), format!("{}, whole", format.name()));
                want.by = Some(Held { shown, at, what, facts: facts(candidate) });
            }
            // What it lacks of its own database says more than that it is of no other.
            Err(why) if refused.is_none() || file.names(want.part.is_named()) => refused = Some(why),
            Err(_) => {}
        }
    }
    let what = match filled.as_slice() {
        [] => format!("{}, whole", format.name()),
        names => format!("{}, whole: {}", format.name(), names.join(", ")),
    };
    match refused {
        Some(why) if filled.is_empty() => Err(why),
        Some(_) | None => Ok(Good { at, quality: Quality::Dump, what }),
    }
}

/// Whether a whole file of the right engine is a backup of what is wanted.
fn holds(
    file: &BackupFile,
    path: &Path,
    claim: &Claim,
    seen: &Evidence,
    want: &Want<'_>,
) -> Result<(), Refusal> {
    let refused = |why: String| Err(Refusal::Other(format!("it {why}")));
    if let Some(keys) = file.keys {
        let live: u64 = seen.contents.databases.iter().filter_map(|database| database.rows).sum();
        let first = seen.contents.databases.iter().find(|database| database.name == "db0");
        let live = first.and_then(|database| database.rows).unwrap_or(live.min(1));
        if keys == 0 {
            return refused("holds no keys".to_owned());
        }
        // Keys come and go; but not half of them between two backups.
        let is_other = keys < live / 2;
        return if is_other {
            refused(format!("holds {keys} keys of {live}: it is of other data"))
        } else {
            Ok(())
        };
    }
    let Part::Database { name, tables: live, large_objects, only } = want.part else {
        // What is there is not known: then the file must hold something, and miss nothing that it names.
        let something = file.databases.iter().any(|dumped| dumped.tables != Some(0) || dumped.large_objects);
        let missing: u64 = file.databases.iter().map(|dumped| dumped.without_data).sum();
        return match (something, missing) {
            (false, _) => refused("holds no tables".to_owned()),
            (true, 1..) => refused(format!("holds no rows of {missing} tables")),
            (true, 0) if matches!(want.part, Part::WholeServer) && !file.is_of_whole_server() => {
                Err(Refusal::Unreadable(format!("it {}; {OTHERS_UNKNOWN}", is_of(file))))
            }
            (true, 0) => Ok(()),
        };
    };
    let named = |dumped: &&Dumped| dumped.name.as_deref() == Some(name);
    let fits = || match &claim.database {
        Some(database) => database == name,
        None => only || super::names(path, name),
    };
    let unnamed = || file.databases.iter().find(|dumped| dumped.name.is_none()).filter(|_| fits());
    let Some(dumped) = file.databases.iter().find(named).or_else(unnamed) else {
        let other = file.databases.iter().find_map(|dumped| dumped.name.as_deref());
        return refused(match other {
            Some(other) => format!("is of another database: {other}, not {name}"),
            None => format!("does not say that it is of the database {name}"),
        });
    };
    let tables = dumped.tables.unwrap_or(0);
    match live {
        _ if large_objects && !dumped.large_objects => refused("holds none of the large objects".to_owned()),
        Some(0) => Ok(()),
        _ if tables == 0 => refused("holds no tables".to_owned()),
        _ if dumped.without_data > 0 => refused(format!("holds no rows of {} tables", dumped.without_data)),
        Some(live) if tables < live => refused(format!("holds {tables} of {live} tables")),
        Some(_) | None => Ok(()),
    }
}

/// `is of the database shop`.
fn is_of(file: &BackupFile) -> String {
    let names: Vec<&str> = file.databases.iter().filter_map(|dumped| dumped.name.as_deref()).collect();
    match names.as_slice() {
        [] => "does not say of which database it is".to_owned(),
        [name] => format!("is of the database {name}"),
        names => format!("is of the databases {}", names.join(", ")),
    }
}

fn covered(wants: &[Want<'_>]) -> Coverage {
    let oldest = wants.iter().filter_map(|want| want.by.as_ref()).min_by_key(|held| held.at);
    Coverage {
        status: CoverageStatus::Covered,
        at: oldest.map(|held| held.at),
        source: oldest.map(|held| held.shown.clone()),
        verified: false,
        detail: oldest.map(|held| held.what.clone()),
        facts: oldest.map(|held| held.facts).unwrap_or_default(),
    }
}
