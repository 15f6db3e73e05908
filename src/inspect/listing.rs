//! Lists a folder through the archive API and recognises what is in it.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    docker::{
        archive::{Entry, EntryKind, Place, WalkEnd, WalkLimits},
        dial::EngineError,
    },
    engines::recognise::{Form, Recogniser, Seen},
};

/// For places where a hint says that something is: a look, not a search.
pub(super) const QUICK: WalkLimits = WalkLimits { bytes: 64 << 20, time: Duration::from_secs(2) };
/// For places that are mostly small: one request, where looks at what is expected are many.
pub(super) const GLANCE: WalkLimits = WalkLimits { bytes: 1 << 20, time: Duration::from_secs(2) };
/// For places that the command takes away and nothing has explained. Past it they are undetermined.
pub(super) const SEARCH: WalkLimits = WalkLimits { bytes: 8 << 30, time: Duration::from_secs(20) };

/// What a listing saw.
pub(super) struct Listing {
    pub(super) recogniser: Recogniser,
    pub(super) end: WalkEnd,
}

impl Listing {
    /// Whether everything was seen.
    pub(super) fn is_whole(&self) -> bool {
        self.end == WalkEnd::Complete
    }
}

/// Lists a folder until all was seen, data was certainly found, or the limits were reached.
///
/// # Errors
/// Where the container is gone, the engine does not answer, or its archive breaks off twice: once may be a
/// file that changed while it was read.
pub(super) async fn of(place: &Place, path: &str, limits: WalkLimits) -> Result<Listing, EngineError> {
    twice(place, path, limits, Recogniser::default).await
}

/// Lists a container's writable layer in the same way.
///
/// # Errors
/// As `of`.
pub(super) async fn of_layer(place: &Place, limits: WalkLimits) -> Result<Listing, EngineError> {
    twice(place, "", limits, Recogniser::of_root).await
}

async fn twice(
    place: &Place,
    path: &str,
    limits: WalkLimits,
    new: fn() -> Recogniser,
) -> Result<Listing, EngineError> {
    match once(place, path, limits, new()).await {
        Err(_broken_off) => once(place, path, limits, new()).await,
        listing => listing,
    }
}

async fn once(
    place: &Place,
    path: &str,
    limits: WalkLimits,
    recogniser: Recogniser,
) -> Result<Listing, EngineError> {
    // The walk runs on another thread and may be given up, so what it saw is shared with it.
    let shared = Arc::new(Mutex::new(recogniser));
    let seen = Arc::clone(&shared);
    let mut since_check = 0_u32;
    let visit = move |entry: Entry| {
        let mut recogniser = seen.lock().unwrap_or_else(PoisonError::into_inner);
        recogniser.see(as_seen(&entry));
        since_check += 1;
        // The check looks at everything seen so far: now and then is enough.
        let due = since_check.is_power_of_two() && since_check >= 64 || since_check.is_multiple_of(4096);
        if due && recogniser.has_certain_data() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let end = place.walk(path, limits, visit).await?;
    let recogniser = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Listing { recogniser, end })
}

/// Lists several layers, as folders, in one walk of the folder above them, named `0`, `1` and so on: each archive costs the
/// engine a mount of everything. `None` where not all was seen.
///
/// # Errors
/// As `of`.
pub(super) async fn of_each(
    above: &Place,
    count: usize,
    limits: WalkLimits,
) -> Result<Option<Vec<Recogniser>>, EngineError> {
    let mut recognisers = Vec::new();
    recognisers.resize_with(count, Recogniser::of_root);
    let shared = Arc::new(Mutex::new(recognisers));
    let seen = Arc::clone(&shared);
    let visit = move |mut entry: Entry| {
        let (index, below) = entry.path.split_once('/').unwrap_or((&entry.path, ""));
        let index: Option<usize> = index.parse().ok();
        entry.path = below.to_owned();
        let mut recognisers = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recogniser) = index.and_then(|index| recognisers.get_mut(index)) {
            recogniser.see(as_seen(&entry));
        }
        ControlFlow::Continue(())
    };
    let end = above.walk("", limits, visit).await?;
    let recognisers = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((end == WalkEnd::Complete).then_some(recognisers))
}

/// An entry as the recogniser sees it.
pub(super) fn as_seen(entry: &Entry) -> Seen<'_> {
    let form = match entry.kind {
        EntryKind::File => Form::File,
        EntryKind::Directory => Form::Folder,
        EntryKind::Symlink | EntryKind::Other => Form::Other,
    };
    Seen { path: &entry.path, form, size: entry.size, modified: entry.modified, head: &entry.head }
}
