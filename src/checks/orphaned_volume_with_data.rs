//! `orphaned-volume-with-data`.

use super::data_directory_outside_mount::unless_covered;
use crate::model::{
    check::{Check, Class, Sink, Situation},
    container::is_engine_made,
    evidence::{Presence, TargetKind},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a volume that no container uses holds a database",
    why: "It is what is left of a container that was removed, and often the data that somebody misses after an `up`. \
          No container shows it, and `docker volume prune` or `docker system prune --volumes` takes it without \
          naming it. See what is in it, attach it again, or remove it on purpose.",
    bad: "docker rm -f db                      # its anonymous volume stays, under 64 digits",
    good: "docker dbsafe recover                # whose it was, and what is in it",
    reference: "https://docs.docker.com/reference/cli/docker/volume/prune/",
    data: Some(on_data),
    ..Check::documented("orphaned-volume-with-data", Class::Data, Severity::Medium)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let seen = situation.seen;
    let is_data = seen.presence == Presence::Found && seen.engine.is_some();
    let is_unknown = matches!(seen.presence, Presence::Undetermined { .. });
    if seen.target.kind != TargetKind::Volume || situation.is_used || !(is_data || is_unknown) {
        return;
    }
    let told = if is_unknown {
        "no container uses it, a prune may take it, and whether it holds a database could not be determined"
    } else {
        "no container uses it, and a prune may take it"
    };
    let anonymous =
        is_engine_made(&seen.target.name) || situation.volume.is_some_and(|volume| volume.is_anonymous());
    let severity = if anonymous { Severity::High } else { Severity::Medium };
    sink.raise_on(seen, told)
        .severity(unless_covered(seen, severity))
        .remedy(format!("docker dbsafe recover {}", seen.target.name));
}
