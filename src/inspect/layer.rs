//! Writable layers: what a container wrote beside its mounts.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt as _, future, stream};

use super::{
    hit::Hit,
    listing::{self, as_seen},
    subject::Subject,
};
use crate::{
    docker::{
        archive::{Entry, EntryKind, HEAD_BYTES, Place, WalkLimits},
        dial::EngineError,
        engine::Engine,
        scratch::{Helper, Sight},
    },
    engines::recognise::{Form, Recogniser, Seen, is_tool_cache},
    model::{
        container::Container,
        plan::{Fate, PlannedContainer},
    },
};

/// Up to this many bytes a layer is streamed; a larger one is listed by `/changes` first, which costs a
/// second but not a second per 300 MB.
const STREAM_BYTES: u64 = 256 << 20;
/// Up to this many bytes a layer is small. Larger ones are mostly explained by the first look.
const SMALL_BYTES: u64 = 4 << 20;
/// As many small layers, and bytes of them, are streamed at once: the engine mounts all of them for it.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: u64 = 32 << 20;
const STREAM_LIMITS: WalkLimits = WalkLimits { bytes: 1 << 30, time: Duration::from_secs(20) };
/// Files of one layer that are opened for their first bytes.
const MAX_OPENED: usize = 4000;
const PARALLEL: usize = 16;
/// Helpers that are made, and read, at once.
const PARALLEL_HELPERS: usize = 4;

/// The databases in one layer, or why they cannot be known.
pub(super) type Scanned = Result<Vec<Hit>, String>;

/// Layers of some containers, and the helper container through which they can be streamed.
struct Group {
    helper: Helper,
    /// By container, which of the helper's folders is its layer.
    folders: HashMap<String, usize>,
}

/// Helpers for the layers that are small enough to be streamed.
pub(super) struct Streams {
    engine: Engine,
    groups: Vec<Group>,
}

impl Streams {
    /// Makes helpers for all small layers that may have to be streamed. They are made while the first rung of
    /// the ladder is still at work, as they take as long.
    pub(super) async fn open(engine: &Engine, containers: &[&PlannedContainer], thorough: bool) -> Self {
        let goes = |planned: &&&PlannedContainer| thorough || planned.fate == Fate::Destroyed;
        let containers = containers.iter().filter(goes).map(|planned| &planned.container);
        let small: Vec<_> = containers.filter(|container| is_small(container)).collect();
        Self { engine: engine.clone(), groups: groups(engine, &small).await }
    }

    /// Scans the layers of several containers at once.
    pub(super) async fn scan(&self, subjects: &[&Subject<'_>]) -> Vec<Scanned> {
        let containers = subjects.iter().map(|subject| &subject.planned.container);
        let large: Vec<_> = containers.filter(|container| !is_small(container)).collect();
        let large = groups(&self.engine, &large).await;
        let together = self.groups.iter().map(|group| group.together(subjects));
        // Of what an earlier look has explained each container has its own.
        let whole = subjects.iter().all(|subject| subject.hides.is_none());
        let listed: Vec<HashMap<String, Recogniser>> = match whole {
            true => stream::iter(together).buffered(PARALLEL_HELPERS).collect().await,
            false => Vec::new(),
        };
        let mut listed: HashMap<String, Recogniser> = listed.into_iter().flatten().collect();
        let place = |id: &str| {
            let mut groups = self.groups.iter().chain(&large);
            groups.find_map(|group| Some(group.helper.folder(*group.folders.get(id)?)))
        };
        let scans: Vec<_> = subjects
            .iter()
            .map(|subject| {
                let id = &subject.planned.container.id;
                // A layer with bytes in it and no file is not to be believed: it is looked at alone.
                let recogniser = listed.remove(id).filter(|recogniser| recogniser.file_count > 0);
                let place = place(id).map(|place| place.hiding(subject.hides.clone()));
                scan_one(subject, recogniser, place)
            })
            .collect();
        let scanned = stream::iter(scans).buffered(PARALLEL).collect().await;
        let_go(large);
        scanned
    }

    /// Lets go of the helpers.
    pub(super) fn close(self) {
        let_go(self.groups);
    }
}

fn let_go(groups: Vec<Group>) {
    for group in groups {
        group.helper.remove_later();
    }
}

/// Helpers for the layers of these containers, where they can be streamed. Without a helper (the engine's folder
/// may be out of reach) `/changes` tells the same, later.
async fn groups(engine: &Engine, containers: &[&Container]) -> Vec<Group> {
    let mut layers: Vec<(&Container, String)> =
        containers.iter().filter_map(|container| Some((*container, streamed_folder(container)?))).collect();
    layers.sort_by_key(|(container, _)| container.size_rw);
    let mut plans: Vec<(u64, Sight, HashMap<String, usize>)> = Vec::new();
    for (container, folder) in layers {
        let bytes = container.size_rw.unwrap_or(STREAM_BYTES);
        let has_room = plans.last().is_some_and(|(together, sight, _)| {
            sight.folders.len() < TOGETHER && (together + bytes <= TOGETHER_BYTES || bytes > SMALL_BYTES)
        });
        if !has_room {
            plans.push(Default::default());
        }
        if let Some((together, sight, folders)) = plans.last_mut() {
            *together += bytes;
            folders.insert(container.id.clone(), sight.folders.len());
            sight.folders.push(folder);
        }
    }
    let made = plans.into_iter().map(|(_, sight, folders)| async move {
        let helper = Helper::create(engine, &sight).await.ok()?;
        Some(Group { helper, folders })
    });
    stream::iter(made).buffered(PARALLEL_HELPERS).filter_map(future::ready).collect().await
}

impl Group {
    /// The wanted layers of this group in one walk, by container; none where each is better looked at alone.
    async fn together(&self, wanted: &[&Subject<'_>]) -> HashMap<String, Recogniser> {
        let wanted: Vec<&Container> = wanted
            .iter()
            .map(|subject| &subject.planned.container)
            .filter(|container| self.folders.contains_key(&container.id))
            .collect();
        if wanted.len() < 2 {
            return HashMap::new();
        }
        let listed = listing::of_each(&self.helper.folders(), self.folders.len(), STREAM_LIMITS).await;
        let mut listed = listed.ok().flatten().unwrap_or_default();
        let take = |container: &Container| {
            let recogniser = listed.get_mut(*self.folders.get(&container.id)?).map(std::mem::take)?;
            Some((container.id.clone(), recogniser))
        };
        wanted.into_iter().filter_map(take).collect()
    }
}

fn is_small(container: &Container) -> bool {
    container.size_rw.is_some_and(|size| size <= SMALL_BYTES)
}

/// The layer's folder, where streaming it is the cheaper way.
fn streamed_folder(container: &Container) -> Option<String> {
    // Of unknown size it has so many files that the engine did not come to an end; a stream can be left early.
    let may_be_small = container.size_rw.is_none_or(|size| (1..=STREAM_BYTES).contains(&size));
    container.upper_dir.clone().filter(|_| may_be_small)
}

async fn scan_one(subject: &Subject<'_>, listed: Option<Recogniser>, place: Option<Place>) -> Scanned {
    if let Some(recogniser) = listed {
        return Ok(hits(subject, recogniser, true));
    }
    if let Some(place) = place
        && let Ok(listing) = listing::of_layer(&place, STREAM_LIMITS).await
    {
        let whole = listing.is_whole();
        if whole || listing.recogniser.has_certain_data() {
            return Ok(hits(subject, listing.recogniser, whole));
        }
    }
    by_changes(subject).await.map_err(|error| format!("its writable layer could not be listed: {error}"))
}

/// The slower way: the engine compares the layer with the image, and we open what could be a database.
async fn by_changes(subject: &Subject<'_>) -> Result<Vec<Hit>, EngineError> {
    let mut recogniser = Recogniser::of_root();
    let mut paths = subject.engine.changes(&subject.planned.container.id).await?;
    // Folders are listed too, before what they hold.
    paths.sort_unstable();
    let is_folder = |index: usize| {
        paths
            .get(index + 1)
            .is_some_and(|next| next.strip_prefix(&paths[index]).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut files: Vec<&String> = Vec::new();
    for (index, path) in paths.iter().enumerate().filter(|(_, path)| !is_mounted(subject, path)) {
        if !is_folder(index) && may_be_a_database(path) {
            files.push(path);
            continue;
        }
        // Not opened, but a name may be part of a signature, or a user's data: Kafka's are `*.log`.
        let form = if is_folder(index) { Form::Folder } else { Form::File };
        let path = path.trim_start_matches('/');
        recogniser.see(Seen { path, form, size: 0, modified: None, head: &[] });
    }
    if files.len() > MAX_OPENED {
        let text = format!("{} files in the writable layer are more than can be looked at", files.len());
        return Err(EngineError::unexpected(&text));
    }
    let root = &subject.root();
    let looks = files.into_iter().map(|path| async move {
        let stat = root.stat(path).await?;
        let Some(stat) = stat else { return Ok(None) };
        let kind = match (stat.is_dir, stat.is_link) {
            (true, _) => EntryKind::Directory,
            (_, true) => EntryKind::Symlink,
            _ => EntryKind::File,
        };
        let opened = kind == EntryKind::File && stat.size > 0;
        let head = if opened { root.read(path, HEAD_BYTES).await?.unwrap_or_default() } else { Vec::new() };
        let path = path.trim_start_matches('/').to_owned();
        Ok::<_, EngineError>(Some(Entry { path, kind, size: stat.size, modified: stat.modified, head }))
    });
    let mut entries = stream::iter(looks).buffered(PARALLEL);
    while let Some(entry) = entries.next().await {
        if let Some(entry) = entry? {
            recogniser.see(as_seen(&entry));
        }
    }
    drop(entries);
    Ok(hits(subject, recogniser, true))
}

fn hits(subject: &Subject<'_>, recogniser: Recogniser, whole: bool) -> Vec<Hit> {
    let spot = subject.spot("/");
    recogniser.finish().into_iter().map(|found| Hit::from_listing(found, "/", spot.clone(), whole)).collect()
}

/// A mount's folder shows up as changed, and what lies in it does not belong to the layer.
fn is_mounted(subject: &Subject<'_>, path: &str) -> bool {
    subject.planned.container.mount_of(path).is_some()
}

/// Sources, text and pictures are opened by nobody's database.
fn may_be_a_database(path: &str) -> bool {
    const NEVER: &[&str] = &[
        "py", "pyc", "pyi", "js", "mjs", "cjs", "ts", "map", "css", "html", "htm", "md", "rst", "txt", "log",
        "c", "h", "cpp", "go", "rs", "rb", "php", "java", "class", "jar", "so", "a", "o", "png", "jpg",
        "jpeg", "gif", "svg", "ico", "woff", "woff2", "ttf", "gz", "xz", "zip", "pem", "crt", "yml", "yaml",
        "toml", "ini", "mo", "po", "whl", "deb", "gem", "lock",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    !NEVER.contains(&ending) && !is_tool_cache(path)
}

#[cfg(test)]
mod tests {
    use super::may_be_a_database;

    #[test]
    fn what_could_be_a_database_is_opened() {
        for path in ["/app/data", "/app/app.db", "/srv/pg/PG_VERSION", "/srv/pg/base/16384/16385", "/x.rdb"] {
            assert!(may_be_a_database(path), "{path}");
        }
        for path in ["/app/main.py", "/var/log/app.log", "/root/.cache/pip/http/a", "/app/node_modules/x/y"] {
            assert!(!may_be_a_database(path), "{path}");
        }
    }
}
