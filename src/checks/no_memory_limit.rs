//! `no-memory-limit`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database has no memory limit",
    why: "When memory runs out, the kernel kills the largest process, which is the database. A limit keeps it from \
          starving the host, and its caches are sized to something that is known.",
    bad: "services:
  db:
    image: postgres:17",
    good: "services:
  db:
    image: postgres:17
    mem_limit: 1g",
    reference: "https://docs.docker.com/engine/containers/resource_constraints/",
    setup: Some(look),
    ..Check::documented("no-memory-limit", Class::Setup, Severity::Low)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    if served(setup).is_some() && setup.memory_limit.is_none() {
        let keys: &[&str] = &["mem_limit"];
        sink.raise(
            setup,
            keys,
            "it may take all of the host's memory, and others then make the kernel kill it",
        )
        .remedy("mem_limit: 1g, or what it needs")
        .fix(Fix::default().set(setup.field(keys), "1g"));
    }
}
