//! Containers of backup tools, found by their images and asked with no settings at all. Their labels and schedules
//! are intent; what counts is what they have made.

use std::{ops::ControlFlow, path::Path, time::Duration};

use jiff::{Timestamp, civil, tz::TimeZone};
use tokio::runtime::Handle;

use super::{
    Limits, Live, Looked,
    ask::{Asker, Question, Where, without_secrets},
    check_stream,
    coverage::{Candidate, Claim, look_at},
    tools::{Restic, look},
};
use crate::{
    docker::{
        archive::{Entry, EntryKind, Place, WalkEnd, WalkLimits},
        engine::Engine,
    },
    model::{
        backup::Backup,
        container::{Container, ContainerSummary, is_within},
        coverage::Coverage,
        evidence::Evidence,
    },
};

/// Files of a folder that are looked at.
const MOST_FILES: usize = 20_000;
/// A folder of archives is listed by reading it, where no program in the container can list it.
const LISTING: WalkLimits = WalkLimits { bytes: 256 << 20, time: Duration::from_secs(5) };

/// A kind of container that keeps backups.
#[derive(Debug)]
struct Tool {
    name: &'static str,
    /// Ends of its images' names, without a tag.
    images: &'static [&'static str],
    way: Way,
}

/// How it keeps them.
#[derive(Debug)]
enum Way {
    /// Archives of the volumes that it has mounted.
    Archives,
    /// Dumps in a folder.
    Dumps(&'static Dumps),
    /// A restic repository that its environment names.
    Restic,
}

/// Where a tool puts dumps, and whose they are.
#[derive(Debug)]
struct Dumps {
    folder: &'static str,
    folder_variables: &'static [&'static str],
    /// Variables that name the server; a number may stand in for the `#`.
    host_variables: &'static [&'static str],
    /// The database, from a file's name and the server's.
    database: fn(&str, &str) -> Option<String>,
}

static TOOLS: &[Tool] = &[
    Tool { name: "docker-volume-backup", images: &["offen/docker-volume-backup"], way: Way::Archives },
    Tool {
        name: "db-backup",
        images: &["tiredofit/db-backup", "nfrastack/db-backup", "nfrastack/container-db-backup"],
        way: Way::Dumps(&Dumps {
            folder: "/backup",
            folder_variables: &["DB#_FILESYSTEM_PATH", "DEFAULT_FILESYSTEM_PATH", "DB_BACKUP_PATH"],
            host_variables: &["DB#_HOST", "DEFAULT_HOST", "DB_HOST"],
            database: of_tiredofit,
        }),
    },
    Tool {
        name: "postgres-backup-local",
        images: &["prodrigestivill/postgres-backup-local"],
        way: Way::Dumps(&Dumps {
            folder: "/backups",
            folder_variables: &["BACKUP_DIR"],
            host_variables: &["POSTGRES_HOST"],
            database: of_prodrigestivill,
        }),
    },
    Tool {
        name: "mysql-backup",
        images: &["databacker/mysql-backup", "databack/mysql-backup", "deitch/mysql-backup"],
        way: Way::Dumps(&Dumps {
            folder: "/backup",
            folder_variables: &["DB_DUMP_TARGET", "DB_DUMP_TARGETS", "DB_TARGETS"],
            host_variables: &["DB_SERVER"],
            database: of_databacker,
        }),
    },
    Tool {
        name: "postgres-backup-s3",
        images: &["eeshugerman/postgres-backup-s3"],
        way: Way::Dumps(&Dumps {
            folder: "",
            folder_variables: &["S3_BUCKET"],
            host_variables: &["POSTGRES_HOST"],
            database: |_, _| None,
        }),
    },
    Tool {
        name: "restic",
        images: &[
            "restic/restic",
            "mazzolino/restic",
            "lobaro/restic-backup-docker",
            "lawndoc/stack-back",
            "zettaio/restic-compose-backup",
            "cupcakearmy/autorestic",
        ],
        way: Way::Restic,
    },
];

/// A container that keeps backups.
pub struct Keeper {
    container: Container,
    tool: &'static Tool,
}

/// Whether an image is of a tool that keeps backups.
#[must_use]
pub fn is_keeper(image: &str) -> bool {
    tool_of(image).is_some()
}

fn tool_of(image: &str) -> Option<&'static Tool> {
    let name = image.split('@').next().unwrap_or_default();
    let tag = name.rfind(':').filter(|colon| !name[*colon..].contains('/'));
    let name = tag.map_or(name, |colon| &name[..colon]);
    let is_its = |own: &&str| name == *own || name.strip_suffix(own).is_some_and(|host| host.ends_with('/'));
    TOOLS.iter().find(|tool| tool.images.iter().any(is_its))
}

/// The containers of an engine that keep backups.
pub async fn find(engine: &Engine, all: &[ContainerSummary]) -> Vec<Keeper> {
    let mut keepers = Vec::new();
    for summary in all {
        let Some(tool) = tool_of(&summary.image) else { continue };
        // One that cannot be looked at keeps nothing that we could check.
        if let Ok(Some(container)) = engine.container(&summary.id).await {
            keepers.push(Keeper { container, tool });
        }
    }
    keepers
}

/// The body of data that backups are looked for of, and how to ask.
pub struct Wanted<'a> {
    pub engine: &'a Engine,
    pub seen: &'a Evidence,
    /// The container that the data is in, where it is in one.
    pub container: Option<&'a Container>,
    pub limits: &'a Limits,
    /// The names under which it is known.
    pub words: &'a [String],
    pub runtime: Handle,
    pub patience: Duration,
}

impl Keeper {
    /// The repository of restic's that it keeps backups in, and how far what is there can be told; `None` where it
    /// keeps them in another way, or cannot be asked.
    #[must_use]
    pub fn repository(&self, wanted: &Wanted<'_>) -> Option<(Restic, Limits)> {
        match &self.tool.way {
            Way::Restic => self.restic(wanted)?.ok(),
            Way::Archives | Way::Dumps(_) => None,
        }
    }

    /// What it has of a body of data; `None` where it has nothing to do with it. Blocks.
    #[must_use]
    pub fn look(&self, wanted: &Wanted<'_>) -> Option<Looked> {
        match &self.tool.way {
            Way::Archives => self.archives(wanted),
            Way::Dumps(dumps) => self.dumps(dumps, wanted),
            Way::Restic => Some(match self.restic(wanted)? {
                Ok((repository, limits)) => look(&repository, wanted.words, wanted.seen, &limits),
                Err(why) => self.unknown(why),
            }),
        }
    }

    fn asker(&self, wanted: &Wanted<'_>) -> Asker {
        let (engine, id) = (wanted.engine.clone(), self.container.id.clone());
        let place = Where::Container { engine, id, name: self.container.name.clone() };
        Asker::new(place, wanted.runtime.clone(), wanted.patience)
    }

    fn unknown(&self, why: String) -> Looked {
        let row = Backup::unknown(self.tool.name, self.container.name.clone(), why);
        Looked { coverage: row.coverage(), found: vec![row] }
    }

    fn nothing(&self, why: &str) -> Looked {
        let detail = Some(format!("{}: {why}", self.container.name));
        Looked { coverage: Coverage { detail, ..Coverage::none() }, found: Vec::new() }
    }

    /// Where the data lies as this container sees it: its mounts of the same volume or folder.
    fn paths_of(&self, wanted: &Wanted<'_>) -> Vec<String> {
        let seen = wanted.seen;
        // A volume by itself is seen from its own root.
        let below = match wanted.container.and_then(|container| container.mount_of(&seen.path)) {
            Some(mount) => seen.path[mount.destination.trim_end_matches('/').len()..].to_owned(),
            None if wanted.container.is_none() => format!("/{}", seen.path.trim_matches('/')),
            None => return Vec::new(),
        };
        let mut paths = Vec::new();
        for mount in &self.container.mounts {
            if mount.volume.is_some() && mount.volume == seen.volume {
                paths.push(format!("{}{below}", mount.destination.trim_end_matches('/')));
            } else if let (Some(source), None) = (&mount.source, &mount.volume) {
                let within = wanted.limits.live.paths.iter().filter(|path| is_within(path, source));
                let rest = within.map(|path| &path[source.trim_end_matches('/').len()..]);
                paths.extend(rest.map(|rest| format!("{}{rest}", mount.destination.trim_end_matches('/'))));
            }
        }
        paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect()
    }

    fn archives(&self, wanted: &Wanted<'_>) -> Option<Looked> {
        let sources = self.container.env("BACKUP_SOURCES").unwrap_or("/backup");
        let mut paths = self.paths_of(wanted);
        paths.retain(|path| is_within(path, sources));
        if paths.is_empty() {
            return None;
        }
        let folder = self.container.env("BACKUP_ARCHIVE").unwrap_or("/archive");
        if self.container.mount_of(folder).is_none_or(|mount| mount.destination == "/") {
            let why = "its archives are not in a folder here; [[backup]] rclone = \"REMOTE:PATH\" says where they are";
            return Some(self.unknown(why.to_owned()));
        }
        let pattern =
            self.container.env("BACKUP_FILENAME").unwrap_or("backup-%Y-%m-%dT%H-%M-%S.{{ .Extension }}");
        let pattern = pattern.rsplit('/').next().unwrap_or_default();
        let prefix = pattern.split(['%', '$', '{']).next().unwrap_or_default();
        // Both the label and the engine's facts: the label alone is what somebody meant to happen.
        let label = wanted.container.and_then(|c| c.labels.get("docker-volume-backup.stop-during-backup"));
        let group = self.container.env("BACKUP_STOP_DURING_BACKUP_LABEL");
        let group = group.or_else(|| self.container.env("BACKUP_STOP_CONTAINER_LABEL")).unwrap_or("true");
        let is_stopped = label.is_some_and(|label| label == group);
        let asker = self.asker(wanted);
        let place = Place::new(wanted.engine, &self.container.id, "/");
        let files = match self.list(&asker, &place, folder) {
            Ok(files) => files,
            Err(why) => return Some(self.unknown(why)),
        };
        let mut limits = wanted.limits.clone();
        limits.live.paths = paths;
        let own = files.into_iter().filter(|file| name_of(&file.path).starts_with(prefix));
        let candidates: Vec<Candidate<'_>> = own
            .map(|file| {
                let started = time_in(name_of(&file.path)).filter(|at| *at <= file.modified);
                Candidate {
                    began: if is_stopped { Some(file.modified) } else { started },
                    claim: Box::new(|path| archive_claim(path, wanted.words, &limits.live)),
                    ..self.candidate(file, &asker, &place, &limits)
                }
            })
            .collect();
        if candidates.is_empty() {
            return Some(self.nothing("no archive yet"));
        }
        Some(look_at(candidates, Vec::new(), wanted.seen, &limits))
    }

    fn candidate<'c>(
        &self,
        file: Listed,
        asker: &'c Asker,
        place: &'c Place,
        limits: &'c Limits,
    ) -> Candidate<'c> {
        let (path, size, modified) = (file.path.clone(), file.size, file.modified);
        Candidate {
            shown: format!("{}:{}", self.container.name, file.path),
            path: file.path.into(),
            tool: Some(self.tool.name),
            modified,
            began: None,
            off_host: None,
            // A tool that runs makes the next one, if it does what its container is for.
            scheduled: Some(self.container.state.has_processes()),
            claim: Box::new(|_| Claim { database: None, ours: false }),
            check: Box::new(move || {
                asker
                    .file(place, &path, |reader| check_stream(Box::new(reader), modified, size, &limits.zone))
            }),
        }
    }

    fn dumps(&self, dumps: &Dumps, wanted: &Wanted<'_>) -> Option<Looked> {
        let hosts = self.values(dumps.host_variables);
        let host = hosts.iter().find(|host| self.reaches(host, wanted))?;
        let folders = self.values(dumps.folder_variables);
        let folder =
            folders.iter().find(|folder| folder.starts_with('/')).map_or(dumps.folder, String::as_str);
        if folder.is_empty() || folders.iter().any(|folder| folder.contains("://")) {
            let why = "its dumps are in a bucket; [[backup]] rclone = \"REMOTE:PATH\" says where";
            return Some(self.unknown(why.to_owned()));
        }
        let asker = self.asker(wanted);
        let place = Place::new(wanted.engine, &self.container.id, "/");
        let files = match self.list(&asker, &place, folder) {
            Ok(files) => files,
            Err(why) => return Some(self.unknown(why)),
        };
        let mut candidates = Vec::new();
        for file in files {
            // A name that is not the tool's is of somebody else.
            let Some(database) = (dumps.database)(name_of(&file.path), host) else { continue };
            let all = database.is_empty() || database.eq_ignore_ascii_case("all");
            candidates.push(Candidate {
                claim: Box::new(move |_| Claim {
                    database: Some(database.clone()).filter(|_| !all),
                    ours: true,
                }),
                ..self.candidate(file, &asker, &place, wanted.limits)
            });
        }
        if candidates.is_empty() {
            return Some(self.nothing(&format!("no dump of {host} in {folder} yet")));
        }
        Some(look_at(candidates, Vec::new(), wanted.seen, wanted.limits))
    }

    /// The repository, or why it cannot be asked.
    fn restic(&self, wanted: &Wanted<'_>) -> Option<Result<(Restic, Limits), String>> {
        let paths = self.paths_of(wanted);
        let project = self.container.project();
        if paths.is_empty() && (project.is_none() || project != wanted.seen.target.project.as_deref()) {
            return None;
        }
        let named = ["RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE"];
        if named.iter().all(|name| self.container.env(name).is_none()) {
            let why =
                "its repository stands in its own configuration; [[backup]] restic = \"…\" says where it is";
            return Some(Err(why.to_owned()));
        }
        if !self.container.state.has_processes() {
            return Some(Err("it does not run, so that it cannot be asked".to_owned()));
        }
        let shown = without_secrets(self.container.env(named[0]).unwrap_or("its repository"));
        let repository = Restic { repository: None, shown, asker: self.asker(wanted) };
        let mut limits = wanted.limits.clone();
        limits.live.paths.extend(paths);
        Some(Ok((repository, limits)))
    }

    /// The values of variables; `#` in a name stands for digits.
    fn values(&self, names: &[&str]) -> Vec<String> {
        let is_named = |own: &str| {
            names.iter().any(|name| match name.split_once('#') {
                Some((before, after)) => own
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())),
                None => own == *name,
            })
        };
        let pairs = self.container.environment.iter().filter_map(|pair| pair.split_once('='));
        let own = pairs.filter(|(name, value)| is_named(name) && !value.is_empty());
        own.flat_map(|(_, value)| value.split([',', ' ']).map(str::to_owned)).collect()
    }

    /// Whether a host's name, as this container would reach it, is the wanted data's container.
    fn reaches(&self, host: &str, wanted: &Wanted<'_>) -> bool {
        let target = &wanted.seen.target;
        let same_project = target.project.is_some() && target.project.as_deref() == self.container.project();
        let is_service = same_project && target.service.as_deref() == Some(host);
        wanted.container.is_some()
            && (target.name == host || is_service || target.id.starts_with(host) && host.len() >= 12)
    }

    /// The files below a folder of the container.
    fn list(&self, asker: &Asker, place: &Place, folder: &str) -> Result<Vec<Listed>, String> {
        if self.container.state.has_processes() {
            let find = ["find", folder, "-type", "f", "-exec", "stat", "-c", "%s %Y %n", "{}", "+"];
            if let Ok(text) = asker.text(&Question::new(&find)) {
                return Ok(text.lines().filter_map(listed).take(MOST_FILES).collect());
            }
        }
        let base = folder.trim_end_matches('/').to_owned();
        let (sender, receiver) = std::sync::mpsc::channel();
        let visit = move |entry: Entry| {
            if entry.kind == EntryKind::File
                && let Some(modified) = entry.modified
            {
                let path = format!("{base}/{}", entry.path);
                // The receiver lives as long as the walk.
                let _ = sender.send(Listed { path, size: entry.size, modified });
            }
            ControlFlow::Continue(())
        };
        let end =
            asker.runtime.block_on(place.walk(folder, LISTING, visit)).map_err(|error| error.to_string())?;
        match end {
            WalkEnd::Complete => Ok(receiver.into_iter().collect()),
            WalkEnd::Stopped | WalkEnd::Limit => {
                Err(format!("{folder} is too large to be listed while the container does not run"))
            }
        }
    }
}

/// A file in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    path: String,
    size: u64,
    modified: Timestamp,
}

/// Size, seconds and path. A name with a line break in it is nobody's backup.
fn listed(line: &str) -> Option<Listed> {
    let (size, rest) = line.split_once(' ')?;
    let (seconds, path) = rest.split_once(' ')?;
    let modified = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    let plain = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    plain.then(|| Listed { path: path.to_owned(), size: size.parse().unwrap_or(0), modified })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A file in an archive of volumes: beside the data's own files, or under its name.
fn archive_claim(path: &Path, words: &[String], live: &Live) -> Claim {
    let about = super::stem(path);
    let folder = path.parent().unwrap_or(Path::new("")).to_string_lossy();
    let ours = words.contains(&about) || live.is_at(&folder);
    Claim { database: Some(about), ours }
}

/// `2026-01-10T12-00-00` anywhere in a name, in UTC.
fn time_in(name: &str) -> Option<Timestamp> {
    let digits: Vec<&str> =
        name.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let at = digits
        .windows(6)
        .find(|parts| parts[0].len() == 4 && parts[1..].iter().all(|part| part.len() == 2))?;
    let number = |part: &str| part.parse::<i8>().ok();
    let wall = civil::DateTime::new(
        at[0].parse().ok()?,
        number(at[1])?,
        number(at[2])?,
        number(at[3])?,
        number(at[4])?,
        number(at[5])?,
        0,
    );
    TimeZone::UTC.to_timestamp(wall.ok()?).ok()
}

/// `pgsql_<db>_<host>_<time>.sql.zst`, `redis_all_<host>_<time>.rdb`.
fn of_tiredofit(name: &str, host: &str) -> Option<String> {
    let rest = name.split_once('_')?.1;
    let before = rest.split('.').next()?;
    let (before, _time) = before.rsplit_once('_')?;
    let host = host.to_ascii_lowercase();
    let database = before.to_ascii_lowercase().strip_suffix(&host)?.strip_suffix('_')?.len();
    Some(before[..database].to_owned())
}

/// `<db>-20260110-120000.sql.gz`, `<db>-20260110.sql.gz`, `<db>-202601.sql.gz` (a month or a week), `<db>-latest.sql.gz`.
/// Just one of these is taken off: `shop-2024` is another database than `shop`. Where a time of day may as well be a
/// month behind a database that is called after a day, nobody can tell.
fn of_prodrigestivill(name: &str, _host: &str) -> Option<String> {
    let before = name.split_once('.').map_or(name, |(before, _)| before);
    let digits =
        |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = before.rsplit_once('-')?;
    let database = match rest.rsplit_once('-') {
        Some((_, day)) if digits(last, 6) && digits(day, 8) && last.starts_with("20") => return None,
        Some((database, day)) if digits(last, 6) && digits(day, 8) => database,
        _ if last == "latest" || digits(last, 8) || digits(last, 6) => rest,
        _ => return None,
    };
    (!database.is_empty()).then(|| database.to_owned())
}

/// `db_backup_2026-01-10T12:00:00Z.tgz`, with a dump of each database in it.
fn of_databacker(name: &str, _host: &str) -> Option<String> {
    name.starts_with("db_backup_").then(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_their_images() {
        let name = |image: &str| tool_of(image).map(|tool| tool.name);
        assert_eq!(name("offen/docker-volume-backup:v2"), Some("docker-volume-backup"));
        assert_eq!(name("docker.io/offen/docker-volume-backup@sha256:12"), Some("docker-volume-backup"));
        assert_eq!(name("registry:5000/tiredofit/db-backup"), Some("db-backup"));
        assert_eq!(name("ghcr.io/lawndoc/stack-back:1.2"), Some("restic"));
        assert_eq!(name("myoffen/docker-volume-backup"), None);
        assert_eq!(name("postgres:15"), None);
    }

    #[test]
    fn names_of_dumps_tell_the_database_exactly() {
        let of = of_tiredofit;
        assert_eq!(of("pgsql_shop_test_db-1_20260110-120000.sql.zst", "db-1").as_deref(), Some("shop_test"));
        assert_eq!(of("redis_all_cache_20260110-120000.rdb", "cache").as_deref(), Some("all"));
        assert_eq!(of("pgsql_shop_other_20260110-120000.sql", "db"), None);
        let of = |name| of_prodrigestivill(name, "");
        assert_eq!(of("shop-2024-20260110-120000.sql.gz").as_deref(), Some("shop-2024"));
        assert_eq!(of("shop-2024-latest.sql.gz").as_deref(), Some("shop-2024"));
        assert_eq!(of("shop-20240101-202601.sql.gz"), None);
        assert_eq!(of("shop-test-20260110-120000.sql.gz").as_deref(), Some("shop-test"));
        assert_eq!(of("shop-latest.sql.gz").as_deref(), Some("shop"));
        assert_eq!(of("notes.txt"), None);
        assert_eq!(of_databacker("db_backup_2026-01-10T12:00:00Z.tgz", "").as_deref(), Some(""));
        assert_eq!(of_databacker("other.tgz", ""), None);
    }

    #[test]
    fn a_time_in_a_name_is_read() {
        let at = time_in("backup-2026-01-10T12-30-05.tar.gz").unwrap();
        assert_eq!(at.to_string(), "2026-01-10T12:30:05Z");
        assert_eq!(time_in("backup.tar.gz"), None);
    }

    #[test]
    fn a_listing_holds_plain_paths_alone() {
        assert_eq!(listed("5 1768046400 /archive/a b.tar").unwrap().path, "/archive/a b.tar");
        assert_eq!(listed("5 1768046400 /archive/../x"), None);
        assert_eq!(listed("x"), None);
    }
}
