//! Which database a service is for, from its description.

use crate::{
    engines::{
        self, Kind,
        habits::{self, Habits},
    },
    model::setup::Setup,
};

/// The habits of the server that a service runs; `None` where it runs no database that we know well.
#[must_use]
pub(super) fn served(setup: &Setup) -> Option<&'static Habits> {
    habits::habits(setup.engine.as_deref()?)
}

/// The kind of a compose file's service.
#[must_use]
pub(super) fn of_file(setup: &Setup) -> Option<&'static Kind> {
    let words = setup.words();
    if habits::is_client(&words) {
        return None;
    }
    let image = setup.image.as_deref().unwrap_or_default();
    if !image.is_empty() && habits::is_tool(image) {
        return None;
    }
    let by_image = || engines::KINDS.iter().find(|kind| kind.is_image(image));
    let by_command = || engines::KINDS.iter().find(|kind| kind.is_started_by(&words));
    // What is built here, or has a name of its own, shows by where it keeps things; `/data` may be anybody's.
    let by_mount = || {
        let mounted =
            |directory: &str| setup.mounts.iter().any(|mount| mount.target == directory && !mount.read_only);
        let is_known = |kind: &&Kind| {
            habits::habits(kind.id).is_some()
                && kind.directories.iter().any(|path| path.matches('/').count() > 2 && mounted(path))
        };
        engines::KINDS.iter().find(is_known)
    };
    by_image().or_else(by_command).or_else(by_mount)
}

/// The kind of a container.
#[must_use]
pub(super) fn of_container(setup: &Setup) -> Option<&'static Kind> {
    if habits::is_client(&setup.words()) {
        return None;
    }
    let image = setup.image.as_deref().unwrap_or_default();
    if habits::is_tool(image) {
        return None;
    }
    let words = setup.words();
    let serves = |kind: &&Kind| {
        kind.is_started_by(&words) || kind.environment.iter().any(|name| setup.value(name).is_some())
    };
    // Images share variables; the name of the image decides between them.
    let named = engines::KINDS.iter().filter(serves).find(|kind| kind.is_image(image));
    named.or_else(|| engines::KINDS.iter().find(serves))
}
