//! `data-in-removed-volume`: the guard's own judgement raises it.

use crate::model::{
    check::{Check, Class},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the command removes the volume that holds a database",
    why: "`down -v`, `volume rm` and prunes remove named volumes without a question, and without a way back. Leave \
          out -v, or save the data first: `--snapshot` copies it, proves the copy, and then goes on.",
    bad: "docker dbsafe down -v                     # blocked: shop_pgdata holds a database",
    good: "docker dbsafe down -v --snapshot",
    reference: "https://docs.docker.com/reference/cli/docker/compose/down/",
    ..Check::documented("data-in-removed-volume", Class::Data, Severity::Critical)
};
