//! Looks, read-only, for data in every place that a command would destroy or leave behind.
//!
//! Imports `model`, `engines` and the reading half of `docker`. The ladder, cheap rungs first: a few `HEAD`s
//! where the engines that seem to run would keep their data; then only what nothing has explained: writable
//! layers, volumes, memory file systems. What cannot be seen is undetermined, never absent.

pub mod backups;
mod hit;
mod known;
mod layer;
mod listing;
mod memory;
mod names;
mod probe;
pub mod scripts;
mod server;
mod settle;
mod spot;
mod subject;
mod tmpfs;
mod volume;

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt as _, future, stream};

use self::{
    hit::Hit,
    known::{Known, Site},
    spot::{Spot, VolumeFates},
    subject::Subject,
    volume::Contained,
};
use crate::{
    docker::{archive::WalkLimits, engine::Engine, processes},
    model::{
        container::{Mount, Volume, is_within},
        evidence::{Contents, Evidence, Location, Presence},
        plan::{Ending, Fate, Plan, PlannedContainer},
    },
};

/// Containers under inspection at once.
const PARALLEL: usize = 16;

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What the command destroys or detaches; of what survives only what is where it is expected.
    Threatened,
    /// Everything, as an audit does.
    Everything,
    /// Everything, but a large volume is not searched to its end: all of it is about to be copied, and only how
    /// a copy is proved depends on what is seen.
    Copied,
}

impl Depth {
    /// Whether what survives is looked into, too.
    fn is_thorough(self) -> bool {
        matches!(self, Self::Everything | Self::Copied)
    }

    fn search(self) -> WalkLimits {
        match self {
            Self::Threatened | Self::Everything => listing::SEARCH,
            Self::Copied => listing::QUICK,
        }
    }
}

/// Each container is looked at in so many rungs.
const RUNGS: usize = 3;

/// How far a look has come, for whoever shows it.
#[derive(Debug, Default)]
pub struct Counter {
    all: AtomicUsize,
    /// Rungs that are behind us, of all containers.
    rungs: AtomicUsize,
}

impl Counter {
    /// Containers to look at, as far as that is known.
    #[must_use]
    pub fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// How many containers' worth of work is done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.rungs.load(Ordering::Relaxed) / RUNGS
    }

    fn step(&self) {
        self.rungs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks at everything that the plan touches. A look into one place ends where it has found a user's data; see
/// `beside`.
pub async fn inspect(engine: &Engine, plan: &Plan, depth: Depth) -> Vec<Evidence> {
    counted(engine, plan, depth, &Counter::default()).await
}

/// As `inspect`; the counter tells how far it is.
pub async fn counted(engine: &Engine, plan: &Plan, depth: Depth, counter: &Counter) -> Vec<Evidence> {
    look(engine, plan, depth, counter, &[]).await
}

/// Looks for what else lies where data was found: a backup of one database says nothing of another beside it.
/// `found` is all that `inspect` has told; answered is what is not among it.
pub async fn beside(
    engine: &Engine,
    plan: &Plan,
    depth: Depth,
    found: &[Evidence],
    is_settled: impl Fn(&Evidence) -> bool,
) -> Vec<Evidence> {
    let settled: Vec<Known> =
        found.iter().filter(|seen| is_settled(seen)).map(|s| Known::new(plan, s)).collect();
    if settled.is_empty() {
        return Vec::new();
    }
    let known: Vec<Known> = found.iter().map(|seen| Known::new(plan, seen)).collect();
    let mut more = look(engine, plan, depth, &Counter::default(), &settled).await;
    more.retain(|seen| {
        // Files of no database were passed over before, too.
        let counts = seen.engine.is_some() || matches!(seen.presence, Presence::Undetermined { .. });
        counts && !known.contains(&Known::new(plan, seen))
    });
    more
}

async fn look(
    engine: &Engine,
    plan: &Plan,
    depth: Depth,
    counter: &Counter,
    settled: &[Known],
) -> Vec<Evidence> {
    let fates: VolumeFates = plan.volumes.iter().map(|p| (p.volume.name.clone(), p.fate)).collect();
    let thorough = depth.is_thorough();
    let touched: Vec<&PlannedContainer> =
        plan.containers.iter().filter(|p| thorough || is_touched(p, &fates)).collect();
    // A panic there is a look that has told nothing: the engine is asked.
    let on_this_host = tokio::task::spawn_blocking(processes::by_container).await.unwrap_or_default();
    let new = |planned| {
        let hides = known::hidden_in(settled, planned);
        Subject::new(engine, planned, &fates, depth, &on_this_host, hides)
    };
    let subjects: Vec<Subject<'_>> =
        stream::iter(touched.iter().copied().map(new)).buffered(PARALLEL).collect().await;
    counter.all.fetch_add(subjects.len(), Ordering::Relaxed);
    let streams = layer::Streams::open(engine, &touched, thorough);
    let (attached, unattached) = future::join(containers(&subjects, streams, counter), async {
        let mounted = whole_volumes(&touched);
        let alone: Vec<(&Volume, Fate)> = plan
            .volumes
            .iter()
            .filter(|planned| {
                (thorough || planned.fate >= Fate::Detached)
                    && !mounted.contains(planned.volume.name.as_str())
            })
            .map(|planned| (&planned.volume, planned.fate))
            .collect();
        let hides = |volume: &str| known::hidden_in_volume(settled, volume);
        volume::unattached(engine, &alone, depth.search(), hides).await
    })
    .await;
    once_per_volume(plan, attached.into_iter().chain(unattached).collect())
}

fn is_touched(planned: &PlannedContainer, fates: &VolumeFates) -> bool {
    planned.fate != Fate::Survives
        || planned.ending != Ending::Untouched
        || planned.mounts.iter().any(|mount| mount.fate != Fate::Survives)
        || planned
            .container
            .mounts
            .iter()
            .any(|m| m.volume.as_ref().is_some_and(|name| fates.contains_key(name)))
}

/// Volumes that some container shows from end to end: not only a folder of it, and with nothing else mounted on
/// a folder of it.
fn whole_volumes<'a>(touched: &[&'a PlannedContainer]) -> HashSet<&'a str> {
    let of_container = |planned: &&'a PlannedContainer| {
        let mounts = &planned.container.mounts;
        let hidden = |mount: &Mount| {
            let above = |other: &Mount| {
                other.destination != mount.destination && is_within(&other.destination, &mount.destination)
            };
            mount.part.is_some() || mounts.iter().any(above)
        };
        mounts.iter().filter(move |mount| !hidden(mount)).filter_map(|mount| mount.volume.as_deref())
    };
    touched.iter().flat_map(of_container).collect()
}

/// The rungs of the ladder, each for all containers at once.
async fn containers(
    subjects: &[Subject<'_>],
    streams: impl Future<Output = layer::Streams>,
    counter: &Counter,
) -> Vec<Evidence> {
    let probes = stream::iter(subjects.iter().map(probe)).buffered(PARALLEL);
    let probes = probes.inspect(|_| counter.step()).collect::<Vec<_>>();
    let (probed, streams) = future::join(probes, streams).await;
    // Layers in which nothing is where it is expected are listed while the servers of the others are asked.
    let in_layer =
        |look: &FirstLook| look.hits.iter().any(|hit| hit.spot.location == Location::WritableLayer);
    let is_scanned: Vec<bool> = subjects
        .iter()
        .zip(&probed)
        .map(|(subject, look)| !in_layer(look) && layer_needs_scan(subject, look))
        .collect();
    let settled = subjects.iter().zip(probed).map(|(subject, look)| settled(subject, look));
    let settled = stream::iter(settled).buffered(PARALLEL).inspect(|_| counter.step()).collect::<Vec<_>>();
    let at = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..subjects.len()).filter(|&index| wanted(index)).collect()
    };
    let mut layers: Vec<Option<layer::Scanned>> = subjects.iter().map(|_| None).collect();
    let early = at(&|index| is_scanned[index]);
    let (looked, scanned) = future::join(settled, streams.scan(&pick(subjects, &early))).await;
    let late = at(&|index| !is_scanned[index] && layer_needs_scan(&subjects[index], &looked[index]));
    let scanned_late = streams.scan(&pick(subjects, &late)).await;
    streams.close();
    for (index, scanned) in early.into_iter().zip(scanned).chain(late.into_iter().zip(scanned_late)) {
        layers[index] = Some(scanned);
    }
    let rest = subjects.iter().zip(looked).zip(layers).map(async |((subject, first), layer)| {
        let found = rest(subject, first, layer).await;
        counter.step();
        found
    });
    stream::iter(rest).buffered(PARALLEL).collect::<Vec<_>>().await.into_iter().flatten().collect()
}

/// What the first look at a container found.
struct FirstLook {
    hits: Vec<Hit>,
    evidence: Vec<Evidence>,
}

fn pick<'s, 'a>(subjects: &'s [Subject<'a>], indices: &[usize]) -> Vec<&'s Subject<'a>> {
    indices.iter().map(|&index| &subjects[index]).collect()
}

/// Where the databases are expected.
async fn probe(subject: &Subject<'_>) -> FirstLook {
    let mut evidence = Vec::new();
    let hits = probe::probe(subject).await.unwrap_or_else(|error| {
        evidence.push(unreadable(subject, &error.to_string()));
        Vec::new()
    });
    // An unchanged layer shows the image's own files.
    let unchanged = subject.planned.container.size_rw == Some(0);
    let hits =
        hits.into_iter().filter(|hit| !(unchanged && hit.spot.location == Location::WritableLayer)).collect();
    FirstLook { hits, evidence }
}

/// What is in them, and what the servers hold in memory.
async fn settled(subject: &Subject<'_>, mut look: FirstLook) -> FirstLook {
    look.evidence.extend(settle_all(subject, look.hits.clone()).await);
    look
}

fn layer_needs_scan(subject: &Subject<'_>, first: &FirstLook) -> bool {
    let goes = subject.spot("/").is_at_risk() || subject.thorough;
    goes && subject.planned.container.size_rw != Some(0)
        && !holds_data(&first.evidence, Location::WritableLayer, None)
}

fn holds_data(evidence: &[Evidence], location: Location, volume: Option<&str>) -> bool {
    evidence
        .iter()
        .any(|e| e.location == location && e.volume.as_deref() == volume && e.presence == Presence::Found)
}

/// The rungs after the first.
async fn rest(subject: &Subject<'_>, first: FirstLook, layer: Option<layer::Scanned>) -> Vec<Evidence> {
    let FirstLook { mut hits, mut evidence } = first;
    let mut more = Vec::new();
    match layer {
        Some(Ok(found)) => more.extend(found),
        Some(Err(cause)) => evidence.push(volume::unseen(subject.target(), "/", &subject.spot("/"), cause)),
        None => {}
    }
    let explained = |spot: &Spot| holds_data(&evidence, spot.location, spot.volume.as_deref());
    let spots = volume::unexplained(subject, explained);
    let root = subject.root();
    for spot in spots {
        // What stays is worth a look, and no search of minutes.
        let limits = if spot.is_at_risk() { subject.search } else { listing::QUICK };
        match volume::search(&root, &spot.root, &spot, limits).await {
            Contained::Databases(found) => more.extend(found),
            Contained::Nothing => {}
            Contained::Files { count, bytes, newest } => {
                evidence.push(volume::files(subject.target(), &spot.root, &spot, count, bytes, newest));
            }
            Contained::Unseen(cause) => {
                evidence.push(volume::unseen(subject.target(), &spot.root, &spot, cause))
            }
        }
    }
    for (spot, found) in tmpfs::look(subject).await {
        match found {
            Ok(found) => more.extend(found),
            Err(cause) => evidence.push(volume::unseen(subject.target(), &spot.root, &spot, cause)),
        }
    }
    more.retain(|new| {
        !hits.iter().any(|old| old.path == new.path && old.kind.in_memory == new.kind.in_memory)
    });
    evidence.extend(settle_all(subject, more.clone()).await);
    hits.extend(more);
    // What the earlier look has explained it has compared with the servers' memory, too.
    if subject.hides.is_none() {
        match memory::look(subject, &hits).await {
            Ok(found) => evidence.extend(found),
            Err(error) => evidence.push(unreadable(subject, &error.to_string())),
        }
    }
    evidence
}

async fn settle_all(subject: &Subject<'_>, hits: Vec<Hit>) -> Vec<Evidence> {
    let kinds: Vec<&str> = hits.iter().map(|hit| hit.kind.id).collect();
    let settled = hits.into_iter().map(|hit| {
        let only_one = kinds.iter().filter(|id| **id == hit.kind.id).count() == 1;
        async move {
            match settle::in_container(subject, hit, only_one).await {
                Ok(evidence) => evidence,
                Err(error) => unreadable(subject, &error.to_string()),
            }
        }
    });
    future::join_all(settled).await
}

/// A container that could not be looked into.
fn unreadable(subject: &Subject<'_>, cause: &str) -> Evidence {
    volume::unseen(subject.target(), "/", &subject.spot("/"), format!("it could not be looked into: {cause}"))
}

/// Two containers may mount one volume: its data is told once, by the one whose server runs and has answered. Data
/// wins over what another saw as empty. What lies elsewhere in the volume is other data.
fn once_per_volume(plan: &Plan, mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    evidence.sort_by_key(|e| {
        let Contents { databases, complete, .. } = &e.contents;
        (e.presence != Presence::Found, !e.running, !complete, databases.is_empty())
    });
    let mut told_by: HashMap<(Site, Option<String>), String> = HashMap::new();
    evidence.retain(|e| match (&e.volume, &e.presence) {
        (Some(_), Presence::Found | Presence::Empty { .. }) => {
            let site = Site::of(plan, e);
            let teller = told_by.entry((site, e.engine.clone())).or_insert_with(|| e.target.id.clone());
            *teller == e.target.id
        }
        _ => true,
    });
    evidence.sort_by(|a, b| b.fate.cmp(&a.fate).then_with(|| a.target.name.cmp(&b.target.name)));
    evidence
}
