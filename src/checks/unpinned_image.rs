//! `unpinned-image`.

use super::kind::served;
use crate::{
    engines::habits,
    model::{
        check::{Check, Class, Look, Sink},
        setup::Setup,
        verdict::Severity,
    },
};

pub(super) static CHECK: Check = Check {
    title: "the version of the database is whatever was pulled last",
    why: "A pull brings the next major version some day. PostgreSQL then refuses the old data directory; MySQL and \
          MongoDB convert it, and there is no way back. Name the major version at least.",
    bad: "services:
  db:
    image: postgres:latest",
    good: "services:
  db:
    image: postgres:17",
    reference: "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
    setup: Some(look),
    ..Check::documented("unpinned-image", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let (Some(_), Some(image)) = (served(setup), setup.image.as_deref()) else { return };
    if setup.builds || image.contains('@') || image.starts_with("sha256:") || is_of_compose(setup, image) {
        return;
    }
    let message = match habits::tag(image) {
        Some(tag) if is_version(tag) => return,
        Some(tag) => format!("{tag} is whatever version was pulled last"),
        None => "without a tag it is whatever version was pulled last".to_owned(),
    };
    sink.raise(setup, &["image"], message)
        .remedy(format!("image: {}:VERSION, as the server that runs says it", habits::repository(image)));
}

/// Whether compose named an image that it built.
fn is_of_compose(setup: &Setup, image: &str) -> bool {
    let (Some(project), Some(service)) = (&setup.project, &setup.service) else { return false };
    image == format!("{project}-{service}") || image == format!("{project}_{service}")
}

/// Whether a tag names a major version at least: `15`, `15.4-alpine`, `pg16`, `v1.2`, `0.8.0-pg17`. The version of
/// the system below is none.
fn is_version(tag: &str) -> bool {
    tag.split(['-', '_']).any(|part| {
        let part = part.strip_prefix("pg").or_else(|| part.strip_prefix('v')).unwrap_or(part);
        part.starts_with(|c: char| c.is_ascii_digit())
    })
}
