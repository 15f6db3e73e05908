//! `auto-remove-with-data`.

use super::data_directory_outside_mount::unless_covered;
use crate::model::{
    check::{Check, Class, Sink, Situation},
    evidence::{Location, Presence},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a container that removes itself holds a database",
    why: "With --rm the engine removes the container, and its anonymous volumes, as soon as it stops: by `stop`, by \
          a crash, by a restart of the machine. No command of a person's is needed. Run it without --rm, or with \
          its data on a named volume.",
    bad: "docker run -d --rm --name db postgres:17",
    good: "docker run -d --name db -v pgdata:/var/lib/postgresql/data postgres:17",
    reference: "https://docs.docker.com/reference/cli/docker/container/run/#rm",
    data: Some(on_data),
    ..Check::documented("auto-remove-with-data", Class::Data, Severity::Critical)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let seen = situation.seen;
    let goes = matches!(
        seen.location,
        Location::WritableLayer | Location::AnonymousVolume | Location::Tmpfs | Location::Memory
    );
    let is_data = seen.presence == Presence::Found && seen.engine.is_some();
    if goes && is_data && situation.setup.is_some_and(|setup| setup.auto_remove) {
        sink.raise_on(seen, "it was started with --rm: its data goes the moment it stops")
            .severity(unless_covered(seen, Severity::Critical))
            .remedy(format!("docker dbsafe snapshot {}", seen.target.name));
    }
}
