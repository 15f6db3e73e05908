//! Volumes that the command removes or leaves behind, with a container or without.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{hit::Hit, listing, settle, spot::Spot, subject::Subject};
use crate::{
    docker::{
        archive::{Place, WalkLimits},
        dial::EngineError,
        engine::Engine,
        scratch::{Helper, Sight},
    },
    engines::{
        KINDS, Kind,
        recognise::{is_literal, is_tool_cache},
    },
    model::{
        container::{MountKind, Volume},
        coverage::Coverage,
        evidence::{Contents, Evidence, Location, Presence, TargetRef},
        plan::Fate,
    },
};

const PARALLEL: usize = 16;

/// What a place holds.
pub(super) enum Contained {
    Databases(Vec<Hit>),
    /// Files that are no database that we know.
    Files {
        count: u64,
        bytes: u64,
        newest: Option<jiff::Timestamp>,
    },
    Nothing,
    /// Not everything could be seen, and nothing was recognised in what was.
    Unseen(String),
}

/// Searches a volume through a container or a helper that has it mounted at `path`.
///
/// `beside` looks for all there is, and not only for the first database.
pub(super) async fn search(
    place: &Place,
    path: &str,
    spot: &Spot,
    limits: WalkLimits,
    beside: bool,
) -> Contained {
    let expected = if beside { Ok(Vec::new()) } else { full_where_expected(place, path, spot).await };
    match expected {
        Ok(hits) if !hits.is_empty() => return Contained::Databases(hits),
        // An empty data directory says nothing about what lies beside it.
        Ok(_) => {}
        Err(error) => return Contained::Unseen(format!("the volume could not be read: {error}")),
    }
    let listed = match beside {
        true => listing::of_all(place, path, limits).await,
        false => listing::of(place, path, limits).await,
    };
    let listing = match listed {
        Ok(listing) => listing,
        Err(error) => return Contained::Unseen(format!("the volume could not be read: {error}")),
    };
    let whole = listing.is_whole();
    let seen = &listing.recogniser;
    let (count, bytes, newest) = (seen.file_count, seen.bytes, seen.newest);
    let base = format!("{}/{}", place.base, path.trim_start_matches('/'));
    let mut found = listing.recogniser.finish();
    if !whole && found.is_empty() {
        return Contained::Unseen(format!(
            "more than {} files, and no database in those that were read",
            count
        ));
    }
    if is_tool_cache(&format!("{base}/")) {
        found.retain(|found| !found.is_file);
    }
    if !found.is_empty() {
        let hits =
            found.into_iter().map(|found| Hit::from_listing(found, path, spot.clone(), whole)).collect();
        return Contained::Databases(hits);
    }
    if count == 0 || bytes == 0 { Contained::Nothing } else { Contained::Files { count, bytes, newest } }
}

/// The data directories of `where_expected` that hold something.
async fn full_where_expected(place: &Place, path: &str, spot: &Spot) -> Result<Vec<Hit>, EngineError> {
    let mut full = Vec::new();
    for hit in where_expected(place, path, spot).await? {
        if settle::by_files(place, &hit).await? == Presence::Found {
            full.push(Hit { user_data: Some(true), ..hit });
        }
    }
    Ok(full)
}

/// Data directories at the volume's root, or in a folder of it with a usual name: a few looks, where a walk
/// through a large database takes long.
async fn where_expected(place: &Place, path: &str, spot: &Spot) -> Result<Vec<Hit>, EngineError> {
    let base = path.trim_end_matches('/');
    let looks = EXPECTED_FOLDERS.iter().map(|folder| async move {
        let folder = format!("{base}{folder}");
        Ok::<_, EngineError>((folder == base || place.exists(&folder).await?).then_some(folder))
    });
    let folders: Vec<Option<String>> = stream::iter(looks).buffered(PARALLEL).try_collect().await?;
    let pairs: Vec<(String, &'static Kind)> = folders
        .into_iter()
        .flatten()
        .flat_map(|folder| KINDS.iter().map(move |kind| (folder.clone(), kind)))
        // Of the rarer kinds the root alone.
        .filter(|(folder, kind)| {
            folder == base || kind.user_data.is_some() && kind.directory_flags.contains(&"-D")
        })
        .filter(|(_, kind)| !kind.in_memory)
        .collect();
    let looks = pairs.into_iter().map(|(folder, kind)| async move {
        for signature in kind.signatures.iter().filter(|signature| signature.iter().all(|p| is_literal(p))) {
            let mut whole = true;
            for pattern in *signature {
                whole = whole && place.exists(&format!("{folder}/{pattern}")).await?;
            }
            if whole {
                return Ok(Some(Hit {
                    kind,
                    path: if folder.is_empty() { "/".to_owned() } else { folder },
                    is_file: false,
                    spot: spot.clone(),
                    size: None,
                    newest: None,
                    user_data: None,
                    head: Vec::new(),
                }));
            }
        }
        Ok(None)
    });
    let mut hits: Vec<Hit> = Vec::new();
    let mut looked = stream::iter(looks).buffered(PARALLEL);
    while let Some(hit) = looked.next().await {
        // One kind per folder: MySQL's files fit MariaDB's more telling ones, too.
        hits.extend(hit?.filter(|hit: &Hit| !hits.iter().any(|known| known.path == hit.path)));
    }
    Ok(hits)
}

/// Where images put a cluster below a volume's root.
const EXPECTED_FOLDERS: &[&str] =
    &["", "/data", "/pgdata", "/18/docker", "/19/docker", "/17/main", "/15/main"];

/// Evidence on files that are no database: worth a line where a volume goes, and no more.
pub(super) fn files(
    target: TargetRef,
    path: &str,
    spot: &Spot,
    count: u64,
    bytes: u64,
    newest: Option<jiff::Timestamp>,
) -> Evidence {
    let plural = if count == 1 { "" } else { "s" };
    let note = Some(format!("{count} file{plural}, no database that we know"));
    let mut evidence = bare(target, path, spot, Presence::Found);
    evidence.size_bytes = Some(bytes);
    evidence.contents = Contents { note, ..Contents::default() };
    evidence.last_write = newest;
    evidence
}

/// Evidence on a place that could not be looked into.
pub(super) fn unseen(target: TargetRef, path: &str, spot: &Spot, cause: String) -> Evidence {
    bare(target, path, spot, Presence::Undetermined { cause })
}

fn bare(target: TargetRef, path: &str, spot: &Spot, presence: Presence) -> Evidence {
    Evidence {
        target,
        engine: None,
        engine_name: None,
        engine_version: None,
        location: spot.location,
        path: path.to_owned(),
        volume: spot.volume.clone(),
        presence,
        size_bytes: None,
        contents: Contents::default(),
        last_write: None,
        running: false,
        fate: spot.fate,
        consequence: spot.consequence(),
        identity: None,
        coverage: Coverage::none(),
    }
}

/// The volumes of a container that go or get lost, and that no hit has explained.
pub(super) fn unexplained(subject: &Subject<'_>, explained: impl Fn(&Spot) -> bool) -> Vec<Spot> {
    let mounts = subject.planned.container.mounts.iter();
    mounts
        .filter(|mount| matches!(mount.kind, MountKind::AnonymousVolume | MountKind::NamedVolume))
        .map(|mount| subject.spot(&mount.destination))
        .filter(|spot| spot.is_at_risk() || subject.thorough && spot.location == Location::AnonymousVolume)
        .filter(|spot| !explained(spot))
        .collect()
}

/// Looks into volumes that no inspected container has mounted, with one helper for all.
pub(super) async fn unattached(
    engine: &Engine,
    volumes: &[(&Volume, Fate)],
    limits: WalkLimits,
    beside: bool,
) -> Vec<Evidence> {
    if volumes.is_empty() {
        return Vec::new();
    }
    let sight = Sight {
        volumes: volumes.iter().map(|(volume, _)| volume.name.clone()).collect(),
        ..Sight::default()
    };
    let helper = match Helper::create(engine, &sight).await {
        Ok(helper) => helper,
        Err(error) => {
            let cause = format!("the volume could not be mounted for a look: {error}");
            return volumes.iter().map(|(volume, fate)| one_unseen(volume, *fate, &cause)).collect();
        }
    };
    let helper_ref = &helper;
    let looks = volumes.iter().enumerate().map(|(index, (volume, fate))| async move {
        let place = helper_ref.volume(index);
        let spot = volume_spot(volume, *fate);
        let target = TargetRef::of_volume(&volume.name, &volume.labels);
        match search(&place, "/", &spot, limits, beside).await {
            Contained::Nothing => Vec::new(),
            Contained::Files { count, bytes, newest } => {
                vec![files(target, "/", &spot, count, bytes, newest)]
            }
            Contained::Unseen(cause) => vec![unseen(target, "/", &spot, cause)],
            Contained::Databases(hits) => {
                let mut found = Vec::new();
                for hit in hits {
                    let settled: Result<Evidence, EngineError> =
                        settle::in_volume(&place, target.clone(), hit).await;
                    found.push(settled.unwrap_or_else(|error| {
                        unseen(target.clone(), "/", &spot, format!("the volume could not be read: {error}"))
                    }));
                }
                found
            }
        }
    });
    let found: Vec<Vec<Evidence>> = stream::iter(looks).buffered(PARALLEL).collect().await;
    // Now and not later: as long as it is there, the engine takes the volumes for in use.
    helper.remove().await;
    found.into_iter().flatten().collect()
}

fn one_unseen(volume: &Volume, fate: Fate, cause: &str) -> Evidence {
    unseen(
        TargetRef::of_volume(&volume.name, &volume.labels),
        "/",
        &volume_spot(volume, fate),
        cause.to_owned(),
    )
}

fn volume_spot(volume: &Volume, fate: Fate) -> Spot {
    let location = if volume.is_anonymous() { Location::AnonymousVolume } else { Location::NamedVolume };
    Spot { location, root: "/".to_owned(), volume: Some(volume.name.clone()), fate }
}
