//! `undetermined`: the guard's own judgement raises it.

use crate::model::{
    check::{Check, Class},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "it could not be told whether data would be lost",
    why: "A look that failed has not shown that nothing is there: the container could not be read, a format was \
          not known, the engine did not answer. It blocks as data at risk does; the message names the cause. Mend \
          that, or say by name that the loss is fine.",
    bad: "docker dbsafe rm -f old                   # blocked: could not be determined",
    good: "docker dbsafe rm -f old --accept-loss old",
    reference: "https://docs.docker.com/engine/storage/",
    ..Check::documented("undetermined", Class::Data, Severity::Critical)
};
