//! `data-in-memory-only`: the guard's own judgement raises it.

use crate::model::{
    check::{Check, Class},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a server holds data that no file has",
    why: "Redis and its kin answer from memory. With saving switched off, or since the last save, keys exist there \
          alone: a stop, a crash, an update of the container lose them. Let it write (`--appendonly yes`, on a \
          named volume), or say with the label `dbsafe.policy=disposable` that it is a cache.",
    bad: "docker run -d --name sessions redis:7 redis-server --save \"\"",
    good: "docker run -d --name sessions -v sessions:/data redis:7 redis-server --appendonly yes",
    reference: "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
    ..Check::documented("data-in-memory-only", Class::Data, Severity::Critical)
};
