//! Where a server keeps its data, by its description, and what holds that place.

use super::{kind::served, redis::Options};
use crate::{
    engines::{
        self,
        habits::{self, Habits},
    },
    model::{
        container::{MountKind, is_within},
        setup::{Setup, SetupMount},
    },
};

/// A data directory, by description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) holder: Holder<'a>,
}

/// What holds a path of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    Mount(&'a SetupMount),
    /// The image declares a volume there: an anonymous one.
    Declared,
    WritableLayer,
}

impl Holder<'_> {
    /// Whether the data goes, or is lost sight of, with the container.
    pub(super) fn is_lost(self) -> bool {
        match self {
            Self::Mount(mount) => matches!(mount.kind, MountKind::AnonymousVolume | MountKind::Tmpfs),
            Self::Declared | Self::WritableLayer => true,
        }
    }
}

/// Where a file's service keeps its data; `None` where the description does not tell.
#[must_use]
pub(super) fn of_file(setup: &Setup) -> Option<Place<'_>> {
    let habits = served(setup).filter(|_| setup.is_by_file())?;
    let kind = engines::kind(habits.kind)?;
    let image = setup.image.as_deref().unwrap_or_default();
    let is_usual = habits.images.contains(&habits::repository(image));
    let (usual, declared) = usual(setup, habits, image);
    let by_variable = kind.directory_variables.iter().find_map(|name| setup.value(name));
    let by_flag = || kind.flagged_directories(&setup.words()).into_iter().next();
    let named = by_variable.filter(|path| path.starts_with('/')).map(str::to_owned).or_else(by_flag);
    let bitnami = || image.contains("bitnami").then(|| format!("/bitnami/{}", habits::image_name(image)));
    let path = match named {
        Some(path) => path.trim_end_matches('/').to_owned(),
        None if is_usual => usual.to_owned(),
        None => bitnami()?,
    };
    let declared = declared.filter(|declared| is_usual && is_within(&path, declared));
    let mount = setup.mount_of(&path);
    let holder = match (mount, declared) {
        // An image's volume lies on top of a mount above it.
        (Some(mount), Some(declared)) if mount.target.len() < declared.len() => Holder::Declared,
        (Some(mount), _) => Holder::Mount(mount),
        (None, Some(_)) => Holder::Declared,
        (None, None) => Holder::WritableLayer,
    };
    Some(Place { path, holder })
}

/// Where a container's server keeps its data: where its variables or its command say, else where its images do.
#[must_use]
pub(super) fn directory(setup: &Setup) -> Option<String> {
    let habits = served(setup)?;
    let kind = engines::kind(habits.kind)?;
    let by_variable = kind.directory_variables.iter().find_map(|name| setup.value(name));
    let by_flag = || kind.flagged_directories(&setup.words()).into_iter().next();
    let named = by_variable.filter(|path| path.starts_with('/')).map(str::to_owned).or_else(by_flag);
    let path = named.unwrap_or_else(|| habits.directory.to_owned());
    Some(path.trim_end_matches('/').to_owned())
}

/// Where an image keeps data when nobody says otherwise, and the volume that it declares. A tag that does not tell
/// the version leaves both layouts of PostgreSQL open: then what is mounted is believed.
fn usual(setup: &Setup, habits: &Habits, image: &str) -> (&'static str, Option<&'static str>) {
    let old = (habits.directory, habits.declared);
    if habits.kind != "postgres" {
        return old;
    }
    let is_older = match postgres_major(image) {
        Some(major) => major < 18,
        None => setup.mount_of(habits.directory).is_some_and(|mount| mount.target == habits.directory),
    };
    if is_older { old } else { ("/var/lib/postgresql/18/docker", Some("/var/lib/postgresql")) }
}

/// The major version in a tag: `15-alpine`, `pg16`, `0.8.0-pg17`, `18-3.6`; `None` is the latest.
fn postgres_major(image: &str) -> Option<u32> {
    let tag = habits::tag(image)?;
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    tag.split('-').find_map(|part| number(part.strip_prefix("pg")?)).or_else(|| number(tag))
}

/// A mount that was meant to hold the data, where something else does: what nobody named, memory, or the container.
#[must_use]
pub(super) fn missed(setup: &Setup) -> Option<&SetupMount> {
    let kind = engines::kind(setup.engine.as_deref()?)?;
    let is_known = |target: &str| {
        let holds = |known: &&str| is_within(known, target) && target.matches('/').count() > 1;
        kind.directories.iter().any(|known| holds(known) || is_within(target, known))
    };
    let is_by_name = |target: &str| {
        let target = target.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| target.contains(word));
        says(&["data", "db", "storage", "pg", kind.id])
            && !says(&[
                "init", "backup", "log", "conf", "run", "tmp", "cert", "ssl", "wal", "archive", "dump",
            ])
    };
    setup.mounts.iter().find(|mount| {
        let named = mount.kind == MountKind::NamedVolume;
        let keeps = (named || mount.kind == MountKind::Bind) && !mount.read_only;
        keeps && (is_known(&mount.target) || named && is_by_name(&mount.target))
    })
}

/// Whether a Redis keeps its keys as a cache would: what is old makes room, or its name says so.
#[must_use]
pub(super) fn is_cache(setup: &Setup) -> bool {
    Options::of(setup).is_some_and(|options| {
        let name = setup.service_name().to_ascii_lowercase();
        let by_name = name.split(['-', '_', '.']).any(|word| word.ends_with("cache"));
        !options.appends && (options.evicts_all() || by_name)
    })
}

/// Whether a server has no files that anybody would miss.
#[must_use]
pub(super) fn keeps_no_files(setup: &Setup) -> bool {
    Options::of(setup).is_some_and(|options| options.writes_nothing()) || is_cache(setup)
}
