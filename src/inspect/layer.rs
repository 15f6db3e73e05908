//! Writable layers: what a container wrote beside its mounts.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt as _, stream};

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
/// Up to this many bytes all layers are streamed at once.
const TOGETHER_BYTES: u64 = 32 << 20;
const STREAM_LIMITS: WalkLimits = WalkLimits { bytes: 1 << 30, time: Duration::from_secs(20) };
/// Files of one layer that are opened for their first bytes.
const MAX_OPENED: usize = 4000;
const PARALLEL: usize = 16;

/// The databases in one layer, or why they cannot be known.
pub(super) type Scanned = Result<Vec<Hit>, String>;

/// A helper container through which small layers can be streamed.
pub(super) struct Streams {
    helper: Option<Helper>,
    /// By container, which of the helper's folders is its layer.
    folders: HashMap<String, usize>,
    /// The size of all of them.
    bytes: u64,
}

impl Streams {
    /// Makes one helper for all layers that may have to be streamed. It is made while the first rung of the
    /// ladder is still at work, as it takes as long.
    pub(super) async fn open(engine: &Engine, containers: &[&PlannedContainer], thorough: bool) -> Self {
        let mut sight = Sight::default();
        let mut folders = HashMap::new();
        let mut bytes = 0;
        for planned in containers.iter().filter(|planned| thorough || planned.fate == Fate::Destroyed) {
            if let Some(folder) = streamed_folder(&planned.container) {
                folders.insert(planned.container.id.clone(), sight.folders.len());
                sight.folders.push(folder);
                bytes += planned.container.size_rw.unwrap_or(0);
            }
        }
        // Without a helper (the engine's folder may be out of reach) `/changes` tells the same, later.
        let helper = if folders.is_empty() { None } else { Helper::create(engine, &sight).await.ok() };
        Self { helper, folders, bytes }
    }

    /// Scans the layers of several containers at once, and lets go of the helper.
    pub(super) async fn scan(self, subjects: &[&Subject<'_>]) -> Vec<Scanned> {
        let mut listed = self.together(subjects.len()).await;
        let scans: Vec<_> = subjects
            .iter()
            .map(|subject| {
                let index = self.folders.get(&subject.planned.container.id).copied();
                let recogniser = index.and_then(|index| listed.get_mut(index).map(std::mem::take));
                // A layer with bytes in it and no file is not to be believed: it is looked at alone.
                let recogniser = recogniser.filter(|recogniser| recogniser.file_count > 0);
                let place = index.and_then(|index| Some(self.helper.as_ref()?.folder(index)));
                scan_one(subject, recogniser, place)
            })
            .collect();
        let scanned = stream::iter(scans).buffered(PARALLEL).collect().await;
        if let Some(helper) = self.helper {
            helper.remove_later();
        }
        scanned
    }

    /// All layers in one walk, where they are small; none where each is better looked at alone.
    async fn together(&self, wanted: usize) -> Vec<Recogniser> {
        match &self.helper {
            Some(helper) if wanted > 1 && self.bytes <= TOGETHER_BYTES => {
                let listed = listing::of_each(&helper.folders(), self.folders.len(), STREAM_LIMITS).await;
                listed.ok().flatten().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// The layer's folder, where streaming it is the cheaper way.
fn streamed_folder(container: &Container) -> Option<String> {
    let small = container.size_rw.is_some_and(|size| (1..=STREAM_BYTES).contains(&size));
    container.upper_dir.clone().filter(|_| small)
}

async fn scan_one(subject: &Subject<'_>, listed: Option<Recogniser>, place: Option<Place>) -> Scanned {
    if let Some(recogniser) = listed {
        return Ok(hits(subject, recogniser, true));
    }
    if let Some(place) = place
        && let Ok(listing) = match subject.beside {
            true => listing::of_all(&place, "", STREAM_LIMITS).await,
            false => listing::of(&place, "", STREAM_LIMITS).await,
        }
    {
        let whole = listing.is_whole();
        if whole || !subject.beside && listing.recogniser.has_certain_data() {
            return Ok(hits(subject, listing.recogniser, whole));
        }
    }
    by_changes(subject).await.map_err(|error| format!("its writable layer could not be listed: {error}"))
}

/// The slower way: the engine compares the layer with the image, and we open what could be a database.
async fn by_changes(subject: &Subject<'_>) -> Result<Vec<Hit>, EngineError> {
    let mut recogniser = Recogniser::default();
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
