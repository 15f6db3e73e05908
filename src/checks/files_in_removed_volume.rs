//! `files-in-removed-volume`: the guard's own judgement raises it.

use crate::model::{
    check::{Check, Class},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the command removes a volume with files of no database that we know",
    why: "Uploads and certificates are data, too. A named volume that goes is worth a line (medium) even where no \
          database was recognised in it; it does not block.",
    bad: "docker dbsafe down -v                     # shop_uploads goes",
    good: "docker dbsafe down",
    reference: "https://docs.docker.com/reference/cli/docker/compose/down/",
    ..Check::documented("files-in-removed-volume", Class::Data, Severity::Low)
};
