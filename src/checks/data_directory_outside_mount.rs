//! `data-directory-outside-mount`.

use super::{
    data_in_anonymous_volume::mount_point,
    place::{self, Holder},
};
use crate::model::{
    check::{Check, Class, Look, Sink, Situation},
    container::MountKind,
    coverage::CoverageStatus,
    evidence::{Evidence, Location, Presence},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a volume is mounted, and the database writes beside it",
    why: "The volume looks like safety and stays empty. It happens when PGDATA or --datadir points elsewhere; when a \
          volume at /var/lib/postgresql/data goes with PostgreSQL 18, whose images moved to \
          /var/lib/postgresql/18/docker; and, the other way round, when one at /var/lib/postgresql goes with 17 or \
          before, whose images declare a volume of their own below it. Mount the volume where the server writes.",
    bad: "services:
  db:
    image: postgres:18
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]
volumes:
  pgdata: {}",
    good: "services:
  db:
    image: postgres:18
    volumes: [ \"pgdata:/var/lib/postgresql\" ]
volumes:
  pgdata: {}",
    reference: "https://hub.docker.com/_/postgres#pgdata",
    setup: Some(look),
    data: Some(on_data),
    ..Check::documented("data-directory-outside-mount", Class::Data, Severity::High)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(place) = place::of_file(setup).filter(|place| place.holder.is_lost()) else { return };
    let Some(missed) = place::missed(setup).filter(|_| !in_memory(place.holder)) else { return };
    let message = format!("{} is mounted, and the server writes to {}", missed.target, place.path);
    let to = mount_point(&place.path);
    sink.raise(setup, &["volumes"], message)
        .severity(if place.holder == Holder::WritableLayer { Severity::Critical } else { Severity::High })
        .remedy(format!("mount the volume at {to}"));
}

/// A tmpfs over the data directory is a decision; `data-in-tmpfs` tells of it.
fn in_memory(holder: Holder<'_>) -> bool {
    matches!(holder, Holder::Mount(mount) if mount.kind == MountKind::Tmpfs)
}

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let (seen, Some(setup)) = (situation.seen, situation.setup) else { return };
    let is_beside = matches!(seen.location, Location::WritableLayer | Location::AnonymousVolume);
    if !is_beside || seen.presence != Presence::Found || setup.engine.is_none() || setup.engine != seen.engine
    {
        return;
    }
    let Some(missed) = place::missed(setup) else { return };
    sink.raise_on(seen, format!("{} is mounted, and the data is in {}", missed.target, seen.path))
        .severity(unless_covered(seen, Severity::High))
        .remedy(match setup.project {
            Some(_) => format!("docker dbsafe migrate {}", setup.name),
            // Without a compose file there is none to change.
            None => format!("docker dbsafe snapshot {}", setup.name),
        });
}

/// How bad it is that data may go: hardly, where a recent backup of it exists.
pub(super) fn unless_covered(seen: &Evidence, severity: Severity) -> Severity {
    if seen.coverage.status == CoverageStatus::Covered { Severity::Low } else { severity }
}
