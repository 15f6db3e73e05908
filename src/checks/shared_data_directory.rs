//! `shared-data-directory`.

use super::place::{self, Holder};
use crate::model::{
    check::{Check, Class, Look, Sink, Situation},
    container::MountKind,
    evidence::Presence,
    setup::{Setup, SetupMount},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "two servers write to one data directory",
    why: "A data directory belongs to one server. Two that write to it destroy it, page by page, and each backup \
          taken meanwhile, too; lock files do not help across containers. Give each its own volume, and let them \
          replicate.",
    bad: "services:
  db:
    image: postgres:17
    deploy: { replicas: 2 }
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]",
    good: "services:
  db:
    image: postgres:17
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]",
    reference: "https://www.postgresql.org/docs/current/creating-cluster.html",
    setup: Some(look),
    data: Some(on_data),
    ..Check::documented("shared-data-directory", Class::Data, Severity::Critical)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some((own, below)) = place::of_file(setup).and_then(|place| kept(&place.path, place.holder)) else {
        return;
    };
    if setup.replicas > 1 {
        let message = format!("{} replicas write to one data directory", setup.replicas);
        sink.raise(setup, &["deploy", "replicas"], message).remedy("deploy: { replicas: 1 }");
    }
    let shares = look.project.iter().find(|other| {
        let place =
            place::of_file(other).filter(|_| other.name != setup.name && other.engine == setup.engine);
        place
            .and_then(|place| kept(&place.path, place.holder))
            .is_some_and(|theirs| theirs == (own.clone(), below.clone()))
    });
    if let Some(other) = shares {
        let message = format!("it writes to the data directory of {}", other.name);
        sink.raise(setup, &["volumes"], message).remedy("give it a volume of its own");
    }
}

/// The source of the mount that holds a data directory, and the directory below it.
fn kept(path: &str, holder: Holder<'_>) -> Option<(String, String)> {
    let Holder::Mount(mount) = holder else { return None };
    if !is_writer(mount) {
        return None;
    }
    let below = path.strip_prefix(mount.target.as_str()).unwrap_or_default();
    Some((mount.source.clone()?, below.to_owned()))
}

/// Where in what is mounted a path lies.
fn below<'p>(path: &'p str, mount: &SetupMount) -> &'p str {
    path.strip_prefix(mount.target.trim_end_matches('/')).unwrap_or_default().trim_matches('/')
}

fn is_writer(mount: &SetupMount) -> bool {
    matches!(mount.kind, MountKind::NamedVolume | MountKind::Bind) && !mount.read_only
}

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let (seen, Some(setup)) = (situation.seen, situation.setup) else { return };
    let is_data = seen.presence == Presence::Found && seen.engine.is_some() && setup.engine == seen.engine;
    let Some(own) = setup.mount_of(&seen.path).filter(|mount| is_data && setup.running && is_writer(mount))
    else {
        return;
    };
    let below = below(&seen.path, own);
    // Two servers may have a folder each in one volume.
    let writes_here = |other: &Setup| {
        let Some(path) = place::directory(other) else { return false };
        let mount = other.mount_of(&path).filter(|mount| is_writer(mount) && mount.source == own.source);
        mount.is_some_and(|mount| self::below(&path, mount) == below)
    };
    let other = situation.all.iter().find(|other| {
        other.id != setup.id && other.running && other.engine == setup.engine && writes_here(other)
    });
    if let Some(other) = other {
        let message = format!("{} runs the same server on the same files", other.name);
        sink.raise_on(seen, message).remedy(format!("docker stop {}", other.name));
    }
}
