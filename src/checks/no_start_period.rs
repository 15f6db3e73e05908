//! `no-start-period`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database that recovers is called unhealthy",
    why: "After a crash a server replays its log, and the first start initialises; both take longer than a few \
          intervals. Without a start period the container is unhealthy meanwhile: `up --wait` and `depends_on` \
          give up, and orchestrators restart it in the middle of its recovery.",
    bad: "    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready\"]
      interval: 10s",
    good: "    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready\"]
      interval: 10s
      start_period: 30s",
    reference: "https://docs.docker.com/reference/dockerfile/#healthcheck",
    setup: Some(look),
    ..Check::documented("no-start-period", Class::Setup, Severity::Low)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let health = &setup.health;
    if served(setup).is_none()
        || !health.checks()
        || health.start_period.is_some_and(|period| !period.is_zero())
    {
        return;
    }
    let keys = &["healthcheck", "start_period"];
    sink.raise(setup, keys, "checks that fail while it starts or recovers count against it")
        .remedy("start_period: 30s")
        .fix(Fix::default().set(setup.field(keys), "30s"));
}
