//! `data-in-tmpfs`.

use super::{
    data_in_writable_layer::onto_a_named_volume,
    place::{self, Holder},
};
use crate::model::{
    check::{Check, Class, Look, Sink},
    container::MountKind,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database keeps its files in memory",
    why: "A tmpfs is gone when the container stops: a `stop`, a restart of the machine, a crash. For tests that is \
          the point; then say so with the label `dbsafe.policy: disposable`.",
    bad: "services:
  db:
    image: postgres:17
    tmpfs: [ /var/lib/postgresql/data ]",
    good: "services:
  db:
    image: postgres:17
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]
volumes:
  pgdata: {}",
    reference: "https://docs.docker.com/engine/storage/tmpfs/",
    setup: Some(look),
    ..Check::documented("data-in-tmpfs", Class::Data, Severity::Critical)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(place) = place::of_file(setup) else { return };
    let Holder::Mount(mount) = place.holder else { return };
    if mount.kind == MountKind::Tmpfs && !place::keeps_no_files(setup) {
        let message = format!("{} lies in memory: it goes when the container stops", place.path);
        let (remedy, _) = onto_a_named_volume(setup, &place.path);
        sink.raise(setup, &["tmpfs"], message).remedy(remedy);
    }
}
