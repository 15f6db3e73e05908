//! `data-in-writable-layer`.

use super::place::{self, Holder};
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    setup::Setup,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database keeps its files in the container itself",
    why: "The writable layer goes with the container: `down`, `rm`, and every `up` after a change of the image or \
          of the settings remove it, in seconds and for good. Mount a named volume over the data directory.",
    bad: "services:
  db:
    image: postgres:17
    environment: { PGDATA: /srv/pg }",
    good: "services:
  db:
    image: postgres:17
    environment: { PGDATA: /srv/pg }
    volumes: [ \"pgdata:/srv/pg\" ]
volumes:
  pgdata: {}",
    reference: "https://docs.docker.com/engine/storage/",
    setup: Some(look),
    ..Check::documented("data-in-writable-layer", Class::Data, Severity::Critical)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(place) = place::of_file(setup).filter(|place| place.holder == Holder::WritableLayer) else {
        return;
    };
    if place::missed(setup).is_some() || place::keeps_no_files(setup) {
        return;
    }
    let message = format!("no volume holds {}: it goes with the container", place.path);
    let (remedy, fix) = onto_a_named_volume(setup, &place.path);
    sink.raise(setup, &["volumes"], message).remedy(remedy).fix(fix);
}

/// The lines that put a folder on a named volume, and the edits that do.
pub(super) fn onto_a_named_volume(setup: &Setup, path: &str) -> (String, Fix) {
    let volume = format!("{}_data", setup.service_name().replace('-', "_"));
    let entry = format!("{volume}:{path}");
    let fix = Fix::default()
        .append(setup.field(&["volumes"]), entry.as_str())
        .set(vec!["volumes".to_owned(), volume.clone()], serde_json::json!({}));
    (format!("volumes: [ \"{entry}\" ], and at the top level volumes: {{ {volume}: {{}} }}"), fix)
}
