//! Looks for the backups that rules and labels tell of, and for those that are found without any.

mod held;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, tz::TimeZone};
use tokio::{runtime::Handle, sync::OnceCell};

pub use self::held::Held;
use super::{
    Settings,
    bucket::Bucket,
    folder_of,
    holder::{Holder, is_service},
    place,
};
use crate::{
    commands::app::App,
    inspect::backups::{
        self, Limits, Live, Looked,
        ask::{Asker, Where},
        keepers::{self, Keeper, Wanted},
        tools,
    },
    model::{
        backup::{Backup, Quality},
        container::{Container, ContainerSummary, MountKind, label},
        coverage::{Coverage, CoverageStatus},
        evidence::{Evidence, Location, Presence},
        plan::Plan,
        policy::{BackupSource, Program, Selector},
    },
    store::{self, Store, Stored},
};

/// How much to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Until something covers the data: somebody waits to go on.
    UntilCovered,
    /// Until a copy on another machine is known, too, or nobody is left to be asked: it is to be said whether there is
    /// one.
    UntilElsewhere,
    /// Everyone, and no one for long: what was found first does not count after all.
    Everyone,
    /// Everything, whatever time it takes.
    Everything,
    /// The same, and what is found is fetched.
    Drill,
}

/// Searches at once: most wait for the engine, or for another tool.
const PARALLEL: usize = 8;
/// Beside the compose file.
const USUAL_FOLDER: &str = "backups";

impl Extent {
    /// How long one tool may take.
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::UntilCovered | Self::UntilElsewhere | Self::Everyone => 20,
            Self::Everything => 600,
            Self::Drill => 3600,
        })
    }
}

/// What the store holds. Where it cannot be read, it backs nothing up.
fn snapshots(app: &App) -> Arc<Vec<Stored>> {
    let listed = place::home(&app.environment)
        // Only to look: where there is no store, none is made.
        .filter(|home| home.join("snapshots").is_dir())
        .and_then(|home| Store::open(&home).ok()?.list().ok());
    Arc::new(listed.map(|listing| listing.snapshots).unwrap_or_default())
}

/// One place to look into for one body of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    Files {
        glob: String,
        base: PathBuf,
        /// What a file's name must have in it, where the place holds backups of several bodies of data.
        words: Option<Vec<String>>,
    },
    /// The folder where dumps of a project usually lie; nothing says of which data each is but itself.
    Usual(PathBuf),
    /// Another tool, to be asked.
    Program(Program),
    /// It cannot be looked into, and why.
    Unknown(String),
}

/// What the engine has beside the plan, asked at most once and only where it is needed.
#[derive(Default)]
struct Surroundings {
    containers: OnceCell<Vec<ContainerSummary>>,
    keepers: OnceCell<Arc<Vec<Keeper>>>,
}

impl Surroundings {
    /// What cannot be listed is not there to be asked.
    async fn containers(&self, app: &App) -> &[ContainerSummary] {
        self.containers.get_or_init(async || app.engine.containers().await.unwrap_or_default()).await
    }

    async fn keepers(&self, app: &App) -> Arc<Vec<Keeper>> {
        let all = self.containers(app).await;
        Arc::clone(self.keepers.get_or_init(async || Arc::new(keepers::find(&app.engine, all).await)).await)
    }
}

impl Settings {
    /// Looks for backups of each body of data, fills in the best, and tells of all that were looked at.
    pub async fn backups(
        &self,
        app: &App,
        plan: &Plan,
        evidence: &mut [Evidence],
        extent: Extent,
    ) -> Vec<Vec<Backup>> {
        let looks: Vec<Vec<Look>> =
            (0..evidence.len()).map(|index| self.looks(plan, evidence, index)).collect();
        let snapshots = snapshots(app);
        let surroundings = Surroundings::default();
        let (looking, snapshots) = (&surroundings, &snapshots);
        let searches = evidence.iter().zip(looks).map(|(seen, looks)| async move {
            if seen.presence != Presence::Found || seen.engine.is_none() {
                return None;
            }
            let (max_age, origin) = self.weigh(plan, seen).max_backup_age;
            let limits = match max_age {
                Ok(max_age) => limits(app, max_age),
                Err(why) => {
                    let coverage = undetermined(format!("{origin}: {why}"));
                    return Some(Looked { coverage, found: Vec::new() });
                }
            };
            let search = Search { app, plan, surroundings: looking, extent, limits };
            let mut looked = search.of(seen, looks, Arc::clone(snapshots)).await;
            looked.weigh_beside();
            Some(looked)
        });
        let all: Vec<Option<Looked>> = stream::iter(searches).buffered(PARALLEL).collect().await;
        let fill = |(seen, looked): (&mut Evidence, Option<Looked>)| {
            let Some(Looked { coverage, found }) = looked else { return Vec::new() };
            seen.coverage = coverage;
            found
        };
        evidence.iter_mut().zip(all).map(fill).collect()
    }

    /// Where backups of one body of data may be.
    pub(super) fn looks(&self, plan: &Plan, evidence: &[Evidence], index: usize) -> Vec<Look> {
        let seen = &evidence[index];
        if seen.presence != Presence::Found || seen.engine.is_none() {
            return Vec::new();
        }
        let mut looks = Vec::new();
        // A bare service is clear only in the file of the project that it belongs to.
        let user = self.user.iter().flat_map(|file| &file.backups).map(|rule| (&rule.value, true, false));
        let governing = self.governing(plan, seen);
        let project = governing.iter().flat_map(|governing| {
            let rules = governing.project.file.backups.iter();
            rules.map(|rule| (&rule.value, governing.project.trusted, governing.is_own))
        });
        for (rule, trusted, is_own) in user.chain(project) {
            if !selects(&rule.selector, seen, is_own) {
                continue;
            }
            match &rule.source {
                BackupSource::Files { glob, base_folder } => looks.push(Look::Files {
                    glob: glob.clone(),
                    base: base_folder.clone(),
                    words: words(evidence, index, |other| selects(&rule.selector, other, is_own)),
                }),
                BackupSource::Program(program) if trusted => looks.push(Look::Program(program.clone())),
                BackupSource::Program(_) => {}
            }
        }
        looks.extend(label_look(plan, evidence, index));
        let holder = Holder::of(plan, seen);
        let own = holder.container.filter(|_| !holder.volume_of_another(seen));
        let usual = own.and_then(folder_of).map(|folder| folder.join(USUAL_FOLDER));
        looks.extend(usual.filter(|folder| folder.is_dir()).map(Look::Usual));
        looks
    }
}

/// The search for backups of one body of data.
struct Search<'a> {
    app: &'a App,
    plan: &'a Plan,
    surroundings: &'a Surroundings,
    extent: Extent,
    limits: Limits,
}

impl Search<'_> {
    /// From what costs least to what costs most. Backups are large, so their disk is waited for on a thread apart.
    async fn of(mut self, seen: &Evidence, looks: Vec<Look>, snapshots: Arc<Vec<Stored>>) -> Looked {
        let mut best = Looked { coverage: Coverage::none(), found: Vec::new() };
        let (programs, files): (Vec<_>, Vec<_>) =
            looks.into_iter().partition(|look| matches!(look, Look::Program(_)));
        if !files.is_empty() || !snapshots.is_empty() {
            let created = match &seen.volume {
                Some(name) if !snapshots.is_empty() => {
                    self.app.engine.volume(name).await.ok().flatten().map(|volume| volume.created)
                }
                Some(_) | None => None,
            };
            let (copy, limits) = (seen.clone(), self.limits.clone());
            let work = move || look_here(&files, &snapshots, created.as_deref(), &copy, &limits);
            best.add(apart(work).await);
        }
        if self.is_enough(&best) {
            return best;
        }
        let holder = Holder::of(self.plan, seen);
        let container = holder.container;
        let runs = container.filter(|container| container.state.has_processes());
        let keepers = self.surroundings.keepers(self.app).await;
        let tools_inside = self.tools_inside(seen, runs).await;
        if programs.is_empty() && keepers.is_empty() && tools_inside.is_empty() {
            return best;
        }
        let others = self.surroundings.containers(self.app).await;
        self.limits.live = self.live(seen, container, others).await;
        for look in programs {
            let Look::Program(program) = look else { continue };
            let (places, copy, limits) = (self.places(runs), seen.clone(), self.limits.clone());
            best.add(apart(move || ask(&program, &places, &copy, &limits)).await);
            if self.is_enough(&best) {
                return best;
            }
        }
        for tool in tools_inside {
            let Some(container) = runs else { break };
            let (inside, copy, limits) = (self.inside(container), seen.clone(), self.limits.clone());
            best.add(apart(move || tool(&inside, &copy, &limits)).await);
            if self.is_enough(&best) {
                return best;
            }
        }
        if !keepers.is_empty() {
            let (seen, container) = (seen.clone(), container.cloned());
            let (engine, limits, patience) =
                (self.app.engine.clone(), self.limits.clone(), self.extent.patience());
            let (runtime, everything) = (Handle::current(), !self.stops_at_the_first());
            let work = move || {
                let words = known_names(&seen);
                let (engine, seen, container) = (&engine, &seen, container.as_ref());
                let (limits, words) = (&limits, words.as_slice());
                let wanted = Wanted { engine, seen, container, limits, words, runtime, patience };
                let mut best = Looked { coverage: Coverage::none(), found: Vec::new() };
                for keeper in keepers.iter() {
                    if let Some(found) = keeper.look(&wanted) {
                        best.add(found);
                    }
                    if best.coverage.status == CoverageStatus::Covered && !everything {
                        break;
                    }
                }
                best
            };
            best.add(apart(work).await);
        }
        best
    }

    fn is_enough(&self, found: &Looked) -> bool {
        let is_covered = found.coverage.status == CoverageStatus::Covered;
        match self.extent {
            Extent::UntilCovered => is_covered,
            Extent::UntilElsewhere => is_covered && found.coverage.facts.off_host != Some(false),
            Extent::Everyone | Extent::Everything | Extent::Drill => false,
        }
    }

    fn stops_at_the_first(&self) -> bool {
        matches!(self.extent, Extent::UntilCovered | Extent::UntilElsewhere)
    }

    fn places(&self, runs: Option<&Container>) -> Places {
        let environment = &self.app.environment;
        let credentials = store::remote::Surroundings {
            variables: environment.texts(),
            home: environment.home().map(Path::to_owned),
        };
        let inside = runs.map(|container| self.inside(container));
        Places { here: self.asker(Where::Here), inside, credentials }
    }

    fn asker(&self, place: Where) -> Asker {
        Asker::new(place, Handle::current(), self.extent.patience())
    }

    fn inside(&self, container: &Container) -> Asker {
        let (engine, id, name) = (self.app.engine.clone(), container.id.clone(), container.name.clone());
        self.asker(Where::Container { engine, id, name })
    }

    /// Where the data lies on the engine's host, and since when nothing writes to it.
    async fn live(
        &self,
        seen: &Evidence,
        container: Option<&Container>,
        others: &[ContainerSummary],
    ) -> Live {
        let mount = container.and_then(|container| container.mount_of(&seen.path));
        let below = match mount {
            Some(mount) => seen.path[mount.destination.trim_end_matches('/').len()..].to_owned(),
            None => format!("/{}", seen.path.trim_matches('/')),
        };
        let root = match (mount.map(|mount| mount.kind), &seen.volume) {
            (Some(MountKind::Bind), _) => mount.and_then(|mount| mount.source.clone()),
            (_, Some(name)) => {
                self.app.engine.volume(name).await.ok().flatten().map(|volume| volume.mountpoint)
            }
            _ => None,
        };
        let path = root.map(|root| format!("{}{below}", root.trim_end_matches('/')));
        // Whoever else has the same volume may write to it; of a folder of the host nobody knows.
        let is_shared = others.iter().any(|other| {
            let same = seen.volume.as_ref().is_some_and(|name| other.volumes.contains(name));
            same && container.is_none_or(|own| own.id != other.id) && !keepers::is_keeper(&other.image)
        });
        let stopped = container
            .filter(|container| !container.state.has_processes())
            .filter(|_| !is_shared && seen.location != Location::BindMount);
        Live {
            paths: path.map(|path| path.trim_end_matches('/').to_owned()).into_iter().collect(),
            stopped_since: stopped.and_then(|container| container.finished.parse().ok()),
        }
    }

    /// The tools for base backups that the database's own container has.
    async fn tools_inside(&self, seen: &Evidence, runs: Option<&Container>) -> Vec<Inside> {
        let Some(container) = runs.filter(|_| seen.engine.as_deref() == Some("postgres")) else {
            return Vec::new();
        };
        let root = crate::docker::archive::Place::new(&self.app.engine, &container.id, "/");
        let has = async |paths: [&str; 2]| {
            let (one, other) = tokio::join!(root.exists(paths[0]), root.exists(paths[1]));
            one.unwrap_or(false) || other.unwrap_or(false)
        };
        let (pgbackrest, walg) = tokio::join!(
            has(["/usr/bin/pgbackrest", "/usr/local/bin/pgbackrest"]),
            has(["/usr/local/bin/wal-g", "/usr/bin/wal-g"])
        );
        let mut tools: Vec<Inside> = Vec::new();
        if pgbackrest {
            tools.push(|asker, seen, limits| tools::pgbackrest(asker, None, seen, limits));
        }
        if walg {
            tools.push(tools::walg);
        }
        tools
    }
}

/// A tool in the database's container.
type Inside = fn(&Asker, &Evidence, &Limits) -> Looked;

/// Work that waits for disks and programs, on a thread where that is allowed.
async fn apart(work: impl FnOnce() -> Looked + Send + 'static) -> Looked {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_panicked| {
        looked(vec![Backup::unknown("files", "", "the backups could not be read")])
    })
}

/// Files of this machine and our own snapshots.
fn look_here(
    looks: &[Look],
    snapshots: &[Stored],
    created: Option<&str>,
    seen: &Evidence,
    limits: &Limits,
) -> Looked {
    let mut best = Looked { coverage: Coverage::none(), found: Vec::new() };
    for look in looks {
        best.add(match look {
            Look::Files { glob, base, words } => look_into_files(glob, base, words.as_deref(), seen, limits),
            Look::Usual(folder) => look_into_usual(folder, seen, limits),
            Look::Unknown(why) => looked(vec![Backup::unknown("files", "", why.clone())]),
            Look::Program(_) => continue,
        });
    }
    if let Some(own) = store::coverage(snapshots, seen, created, limits.max_age, limits.now) {
        let whole = (own.status == CoverageStatus::Covered).then_some(true);
        let row = Backup {
            quality: Some(Quality::Dump),
            whole,
            same_data: Some(true),
            verified: own.verified,
            off_host: own.facts.off_host,
            scheduled: own.facts.scheduled,
            detail: own.detail.clone(),
            ..Backup::new("dbsafe", own.source.clone().unwrap_or_default(), own.at, own.status)
        };
        best.add(Looked { coverage: own, found: vec![row] });
    }
    best
}

/// Where tools are asked.
struct Places {
    here: Asker,
    /// In the database's container, if it runs.
    inside: Option<Asker>,
    /// For buckets.
    credentials: store::remote::Surroundings,
}

/// How far what tools tell is believed, before the live data was looked at.
fn limits(app: &App, max_age: SignedDuration) -> Limits {
    Limits {
        max_age,
        now: app.now(),
        zone: TimeZone::system(),
        memory: place::home(&app.environment).map(|home| home.join("cache/backups.json")),
        live: Live::default(),
    }
}

/// Asks a tool that a rule names. What belongs into the database's container is asked there, if it runs.
fn ask(program: &Program, places: &Places, seen: &Evidence, limits: &Limits) -> Looked {
    let (here, inside) = (&places.here, places.inside.as_ref());
    match program {
        Program::Restic { .. }
        | Program::Borg { .. }
        | Program::Kopia { .. }
        | Program::Rclone { .. }
        | Program::Object { .. } => match repository(program, places, limits) {
            Some(Ok(repository)) => tools::look(repository.as_ref(), &known_names(seen), seen, limits),
            Some(Err(row)) => looked(vec![row]),
            None => Looked { coverage: Coverage::none(), found: Vec::new() },
        },
        Program::PgBackRest { stanza } => {
            tools::pgbackrest(inside.unwrap_or(here), Some(stanza), seen, limits)
        }
        Program::WalG => tools::walg(inside.unwrap_or(here), seen, limits),
        Program::Command { line } => tools::command(here, line, limits),
    }
}

/// What can be read of a repository, or of what is taken for one.
type AnyRepository = Box<dyn tools::Repository + Send + Sync>;

/// The repository that a rule names, or why it cannot be opened; `None` where it names something else.
fn repository(program: &Program, places: &Places, limits: &Limits) -> Option<Result<AnyRepository, Backup>> {
    let asker = places.here.clone();
    Some(Ok(match program {
        Program::Restic { repository } => {
            let (repository, shown) = (Some(repository.clone()), repository.clone());
            Box::new(tools::Restic { repository, shown, asker })
        }
        Program::Borg { repository } => Box::new(tools::Borg { repository: repository.clone(), asker }),
        Program::Kopia { configuration } => {
            Box::new(tools::Kopia { configuration: configuration.clone(), asker })
        }
        Program::Rclone { remote } => {
            Box::new(tools::Rclone { remote: remote.clone(), asker, now: limits.now })
        }
        Program::Object { url } => match Bucket::open(url, &places.credentials, asker, limits.now) {
            Ok(bucket) => Box::new(bucket),
            Err(why) => return Some(Err(Backup::unknown("object", url.clone(), why))),
        },
        Program::PgBackRest { .. } | Program::WalG | Program::Command { .. } => return None,
    }))
}

/// What `dbsafe.backup` tells.
fn label_look(plan: &Plan, evidence: &[Evidence], index: usize) -> Option<Look> {
    let seen = &evidence[index];
    let holder = Holder::of(plan, seen);
    let glob = holder.backup_label(seen, label::BACKUP)?;
    let mut containers = plan.containers.iter().map(|planned| &planned.container);
    let project = seen.target.project.as_deref();
    let maker = holder
        .container
        .or_else(|| containers.find(|container| project.is_some() && container.project() == project));
    let folder = maker.and_then(folder_of);
    let base = match folder {
        Some(folder) if folder.is_dir() => folder,
        _ if Path::new(glob).is_absolute() => Path::new("/"),
        Some(folder) => {
            let why = format!("label {}: {} is not on this machine", label::BACKUP, folder.display());
            return Some(Look::Unknown(why));
        }
        None => {
            let why =
                format!("label {}: {glob} is relative, and to which folder is not known", label::BACKUP);
            return Some(Look::Unknown(why));
        }
    };
    let same = |other: &Evidence| Holder::of(plan, other).backup_label(other, label::BACKUP) == Some(glob);
    let words = words(evidence, index, same);
    Some(Look::Files { glob: glob.to_owned(), base: base.to_owned(), words })
}

fn selects(selector: &Selector, seen: &Evidence, bare_is_clear: bool) -> bool {
    match selector {
        Selector::Service(name) => is_service(name, seen, bare_is_clear),
        Selector::Container(name) => seen.target.name == *name,
        Selector::Volume(name) => seen.volume.as_ref().unwrap_or(&seen.target.id) == name,
    }
}

/// Where several bodies of data of one engine share one place of backups, a file must say by its name whose it
/// is: the container's name, its number, the volume's, the database file's. `None` where there is one alone.
fn words(evidence: &[Evidence], index: usize, shares: impl Fn(&Evidence) -> bool) -> Option<Vec<String>> {
    let seen = &evidence[index];
    let sharing =
        |other: &&Evidence| other.engine == seen.engine && other.presence == Presence::Found && shares(other);
    let bodies: HashSet<String> = evidence.iter().filter(sharing).map(body).collect();
    if bodies.len() < 2 {
        return None;
    }
    let own = own_words(seen);
    let others: HashSet<String> = evidence
        .iter()
        .filter(sharing)
        .filter(|other| body(other) != body(seen))
        .flat_map(own_words)
        .collect();
    Some(own.into_iter().filter(|word| !others.contains(word)).collect())
}

/// What tells one body of data from another. A server's memory and its files are one.
fn body(seen: &Evidence) -> String {
    let in_memory = matches!(seen.engine.as_deref(), Some("redis" | "valkey"));
    let path = if in_memory { "" } else { seen.path.as_str() };
    format!("{:?} {} {path}", seen.target.kind, seen.target.id)
}

fn own_words(seen: &Evidence) -> Vec<String> {
    let file = Path::new(&seen.path);
    let names =
        [file.file_stem(), file.file_name()].into_iter().flatten().map(|name| name.to_string_lossy().into());
    let is_file = seen.engine.as_deref() == Some("sqlite");
    let target = [Some(seen.target.name.clone()), seen.volume.clone()].into_iter().flatten();
    names.filter(|_| is_file).chain(target).collect()
}

/// Names under which a dump is known as of this data, where it does not say so itself.
fn known_names(seen: &Evidence) -> Vec<String> {
    let mut names = own_words(seen);
    names.extend(seen.target.service.clone());
    names
}

fn look_into_files(
    glob: &str,
    base: &Path,
    words: Option<&[String]>,
    seen: &Evidence,
    limits: &Limits,
) -> Looked {
    let all = match backups::matching(glob, base) {
        Ok(all) => all,
        Err(why) => return looked(vec![Backup::unknown("files", glob, why)]),
    };
    let count = all.len();
    let own: Vec<PathBuf> = match words {
        Some(words) => {
            all.into_iter().filter(|path| words.iter().any(|word| backups::names(path, word))).collect()
        }
        None => all,
    };
    let nothing = |why: String| Looked {
        coverage: Coverage { detail: Some(why), ..Coverage::none() },
        found: Vec::new(),
    };
    if own.is_empty() && count > 0 {
        return nothing(format!("the names of the files at {glob} do not tell of which data each is"));
    }
    let found = backups::look_at_files(own, seen, limits);
    if found.coverage.status == CoverageStatus::None {
        return nothing(format!("no file at {glob} in {}", base.display()));
    }
    found
}

/// A dump in the usual folder is of this data where it says so, by what is in it or by its exact name.
fn look_into_usual(folder: &Path, seen: &Evidence, limits: &Limits) -> Looked {
    let words = known_names(seen);
    let files = backups::matching("*", folder).unwrap_or_default();
    let databases = seen.contents.databases.iter().map(|database| database.name.clone());
    let names: HashSet<String> = databases.chain(words.iter().cloned()).collect();
    let candidates = files.into_iter().filter_map(|path| {
        let about = backups::stem(&path);
        let is_ours = words.contains(&about);
        let claim = move |_: &Path| backups::Claim { database: Some(about.clone()), ours: is_ours };
        Some(backups::Candidate { claim: Box::new(claim), ..backups::Candidate::file(path, limits).ok()? })
    });
    let judged = backups::look_at(candidates.collect(), Vec::new(), seen, limits);
    // Other databases' dumps lie there, too, and files of every kind: they are not worth a word.
    let is_named = |row: &Backup| names.contains(&backups::stem(Path::new(&row.source)));
    let is_ours = |row: &Backup| row.same_data.unwrap_or_else(|| is_named(row));
    let covers = judged.coverage.status == CoverageStatus::Covered;
    let found: Vec<Backup> = judged.found.into_iter().filter(is_ours).collect();
    if covers { Looked { coverage: judged.coverage, found } } else { looked(found) }
}

/// One row's coverage.
fn looked(found: Vec<Backup>) -> Looked {
    Looked { coverage: found.first().map_or_else(Coverage::none, Backup::coverage), found }
}

impl Looked {
    /// Keeps the better coverage, and tells of everything.
    fn add(&mut self, other: Self) {
        let better = (rank(other.coverage.status), std::cmp::Reverse(other.coverage.at));
        let own = (rank(self.coverage.status), std::cmp::Reverse(self.coverage.at));
        if better < own || self.coverage.detail.is_none() && self.coverage.status == other.coverage.status {
            self.coverage = other.coverage;
        }
        self.found.extend(other.found);
    }

    /// The best backup is one of several: what it lacks another may have, and then nobody is told that it is missing.
    fn weigh_beside(&mut self) {
        let counts = |row: &&Backup| row.status == CoverageStatus::Covered;
        let best = |of: fn(&Backup) -> Option<bool>, own: Option<bool>| {
            let rows = || self.found.iter().filter(counts).map(of);
            match own {
                Some(false) if rows().any(|row| row == Some(true)) => Some(true),
                Some(false) if rows().any(|row| row.is_none()) => None,
                own => own,
            }
        };
        let facts = self.coverage.facts;
        let (off_host, scheduled) =
            (best(|row| row.off_host, facts.off_host), best(|row| row.scheduled, facts.scheduled));
        (self.coverage.facts.off_host, self.coverage.facts.scheduled) = (off_host, scheduled);
    }
}

/// Which of two answers says more.
fn rank(status: CoverageStatus) -> u8 {
    match status {
        CoverageStatus::Covered => 0,
        CoverageStatus::Stale => 1,
        CoverageStatus::Undetermined => 2,
        CoverageStatus::None => 3,
    }
}

fn undetermined(why: String) -> Coverage {
    Coverage { status: CoverageStatus::Undetermined, detail: Some(why), ..Coverage::none() }
}

#[cfg(test)]
#[path = "cover_tests.rs"]
mod tests;
