//! `data-in-anonymous-volume`.

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
    title: "a database keeps its files in a volume that has no name",
    why: "The images of most databases declare a volume, so the data seems to be safe. But nobody named it: after \
          `down` and `up` the container gets a fresh one, the old one is left behind under 64 digits, and the next \
          prune takes it; `rm -v` and `down -v` take it at once. Give it a name.",
    bad: "services:
  db:
    image: mysql:8.4",
    good: "services:
  db:
    image: mysql:8.4
    volumes: [ \"mysql_data:/var/lib/mysql\" ]
volumes:
  mysql_data: {}",
    reference: "https://docs.docker.com/engine/storage/volumes/#named-and-anonymous-volumes",
    setup: Some(look),
    ..Check::documented("data-in-anonymous-volume", Class::Data, Severity::High)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(place) = place::of_file(setup) else { return };
    let is_anonymous = match place.holder {
        Holder::Declared => true,
        Holder::Mount(mount) => mount.kind == MountKind::AnonymousVolume,
        Holder::WritableLayer => false,
    };
    if !is_anonymous || place::missed(setup).is_some() || place::keeps_no_files(setup) {
        return;
    }
    let message = format!("{} lies in a volume without a name: the next container gets another", place.path);
    let (remedy, fix) = onto_a_named_volume(setup, mount_point(&place.path));
    sink.raise(setup, &["volumes"], message).remedy(remedy).fix(fix);
}

/// Where to mount: the images of PostgreSQL 18 keep each version in a folder of its own, below one volume.
pub(super) fn mount_point(path: &str) -> &str {
    path.strip_suffix("/18/docker").unwrap_or(path)
}
