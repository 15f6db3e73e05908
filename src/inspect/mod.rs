//! Looks, read-only, for data in every place that a command would destroy or leave behind.
//!
//! Imports `model`, `engines` and the reading half of `docker`. The ladder, cheap rungs first: a few `HEAD`s
//! where the engines that seem to run would keep their data; then only what nothing has explained: writable
//! layers, volumes, memory file systems. What cannot be seen is undetermined, never absent.

pub mod backups;
mod hit;
mod layer;
mod listing;
mod memory;
mod probe;
mod server;
mod settle;
mod spot;
mod subject;
mod tmpfs;
mod volume;

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, future, stream};

use self::{
    hit::Hit,
    spot::{Spot, VolumeFates},
    subject::Subject,
    volume::Contained,
};
use crate::{
    docker::{archive::WalkLimits, engine::Engine, processes},
    model::{
        container::{Mount, Volume, is_within},
        evidence::{Evidence, Location, Presence},
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
    /// As `Threatened`, and a database that was found does not end the search of its place: that one is backed
    /// up, and another one may lie beside it.
    Beside,
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
            Self::Beside => listing::BESIDE,
            Self::Copied => listing::QUICK,
        }
    }
}

/// Looks at everything that the plan touches.
pub async fn inspect(engine: &Engine, plan: &Plan, depth: Depth) -> Vec<Evidence> {
    let fates: VolumeFates = plan.volumes.iter().map(|p| (p.volume.name.clone(), p.fate)).collect();
    let thorough = depth.is_thorough();
    let touched: Vec<&PlannedContainer> =
        plan.containers.iter().filter(|p| thorough || is_touched(p, &fates)).collect();
    let (subjects, streams): (Vec<Subject<'_>>, _) = future::join(
        async {
            // A panic there is a look that has told nothing: the engine is asked.
            let on_this_host = tokio::task::spawn_blocking(processes::by_container).await.unwrap_or_default();
            let new = |planned| Subject::new(engine, planned, &fates, depth, &on_this_host);
            stream::iter(touched.iter().copied().map(new)).buffered(PARALLEL).collect().await
        },
        layer::Streams::open(engine, &touched, thorough),
    )
    .await;
    let (attached, unattached) = future::join(containers(&subjects, streams), async {
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
        volume::unattached(engine, &alone, depth.search(), depth == Depth::Beside).await
    })
    .await;
    once_per_volume(attached.into_iter().chain(unattached).collect())
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
            mount.is_part || mounts.iter().any(above)
        };
        mounts.iter().filter(move |mount| !hidden(mount)).filter_map(|mount| mount.volume.as_deref())
    };
    touched.iter().flat_map(of_container).collect()
}

/// The rungs of the ladder, each for all containers at once.
async fn containers(subjects: &[Subject<'_>], streams: layer::Streams) -> Vec<Evidence> {
    let probed = stream::iter(subjects.iter().map(first_look)).buffered(PARALLEL).collect::<Vec<_>>().await;
    let unexplained: Vec<usize> =
        (0..subjects.len()).filter(|&index| layer_needs_scan(&subjects[index], &probed[index])).collect();
    let to_scan: Vec<&Subject<'_>> = unexplained.iter().map(|&index| &subjects[index]).collect();
    let mut layers: Vec<Option<layer::Scanned>> = subjects.iter().map(|_| None).collect();
    for (index, scanned) in unexplained.iter().zip(streams.scan(&to_scan).await) {
        layers[*index] = Some(scanned);
    }
    let rest =
        subjects.iter().zip(probed).zip(layers).map(|((subject, first), layer)| rest(subject, first, layer));
    stream::iter(rest).buffered(PARALLEL).collect::<Vec<_>>().await.into_iter().flatten().collect()
}

/// What the first look at a container found.
struct FirstLook {
    hits: Vec<Hit>,
    evidence: Vec<Evidence>,
}

/// Where the databases are expected, and what the servers hold in memory.
async fn first_look(subject: &Subject<'_>) -> FirstLook {
    let mut evidence = Vec::new();
    let hits = probe::probe(subject).await.unwrap_or_else(|error| {
        evidence.push(unreadable(subject, &error.to_string()));
        Vec::new()
    });
    // An unchanged layer shows the image's own files.
    let unchanged = subject.planned.container.size_rw == Some(0);
    let hits: Vec<Hit> =
        hits.into_iter().filter(|hit| !(unchanged && hit.spot.location == Location::WritableLayer)).collect();
    evidence.extend(settle_all(subject, hits.clone()).await);
    FirstLook { hits, evidence }
}

fn layer_needs_scan(subject: &Subject<'_>, first: &FirstLook) -> bool {
    let goes = subject.spot("/").is_at_risk() || subject.thorough;
    goes && subject.planned.container.size_rw != Some(0)
        && (subject.beside || !holds_data(&first.evidence, Location::WritableLayer, None))
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
    let explained =
        |spot: &Spot| !subject.beside && holds_data(&evidence, spot.location, spot.volume.as_deref());
    let spots = volume::unexplained(subject, explained);
    let root = subject.root();
    for spot in spots {
        match volume::search(&root, &spot.root, &spot, subject.search, subject.beside).await {
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
    match memory::look(subject, &hits).await {
        Ok(found) => evidence.extend(found),
        Err(error) => evidence.push(unreadable(subject, &error.to_string())),
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

/// Two containers may mount one volume: its data is told once, by the one whose server runs. Data wins over
/// what another saw as empty.
fn once_per_volume(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    evidence.sort_by_key(|e| (e.presence != Presence::Found, !e.running, e.contents.databases.is_empty()));
    let mut told_by: HashMap<(String, Option<String>), String> = HashMap::new();
    evidence.retain(|e| match (&e.volume, &e.presence) {
        (Some(volume), Presence::Found | Presence::Empty { .. }) => {
            let teller =
                told_by.entry((volume.clone(), e.engine.clone())).or_insert_with(|| e.target.id.clone());
            *teller == e.target.id
        }
        _ => true,
    });
    evidence.sort_by(|a, b| b.fate.cmp(&a.fate).then_with(|| a.target.name.cmp(&b.target.name)));
    evidence
}
