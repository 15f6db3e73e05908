//! `redis-without-persistence`.

use super::{place::is_cache, redis::Options};
use crate::model::{
    check::{Check, Class, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a Redis that is no cache writes nothing to disk",
    why: "`--save \"\"` switches saving off, and without `--appendonly yes` the keys are in memory alone: queues, \
          sessions, counters go with every restart. For a cache that is right; then let it make room \
          (`--maxmemory-policy allkeys-lru`), or call it one.",
    bad: "services:
  queue:
    image: redis:7
    command: redis-server --save \"\"",
    good: "services:
  queue:
    image: redis:7
    command: redis-server --appendonly yes
    volumes: [ \"queue:/data\" ]
volumes:
  queue: {}",
    reference: "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
    setup: Some(look),
    ..Check::documented("redis-without-persistence", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(options) = Options::of(setup) else { return };
    // Options in a file that nobody could read may say otherwise, and who keeps a cache means it.
    if !options.writes_nothing() || is_cache(setup) || options.policy.starts_with("volatile-") {
        return;
    }
    sink.raise(setup, &["command"], "it writes nothing to disk: a restart loses every key")
        .remedy("command: redis-server --appendonly yes, with a named volume at /data");
}
