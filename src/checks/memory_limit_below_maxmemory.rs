//! `memory-limit-below-maxmemory`.

use super::{kind::served, redis::Options, values};
use crate::model::{
    check::{Check, Class, Look, Sink},
    setup::Setup,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the server may fill more memory than its container has",
    why: "Redis evicts, and PostgreSQL and MySQL fill their caches, by their own numbers, not by the container's. \
          Where these are above the limit, or just below it, the kernel kills the server in the middle of its \
          work; saving forks, and needs room for the pages that change meanwhile.",
    bad: "services:
  cache:
    image: redis:7
    command: redis-server --maxmemory 512mb
    mem_limit: 512m",
    good: "services:
  cache:
    image: redis:7
    command: redis-server --maxmemory 384mb
    mem_limit: 512m",
    reference: "https://redis.io/docs/latest/develop/reference/eviction/",
    setup: Some(look),
    ..Check::documented("memory-limit-below-maxmemory", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let (Some(habits), Some(limit)) = (served(setup), setup.memory_limit) else { return };
    let Some((option, bytes)) = cache(setup, habits.kind) else { return };
    // What is beside the cache: connections, replication, and the pages that a fork for saving copies.
    let needed = bytes.saturating_add(bytes / 5);
    if needed <= limit {
        return;
    }
    let mib = |bytes: u64| format!("{} MiB", bytes / (1 << 20));
    let message = if bytes >= limit {
        format!("{option} is {}, and the container may have {}", mib(bytes), mib(limit))
    } else {
        format!("{option} is {} of the container's {}: no headroom", mib(bytes), mib(limit))
    };
    let keys: &[&str] = &["mem_limit"];
    sink.raise(setup, keys, message)
        .severity(if bytes >= limit { Severity::Medium } else { Severity::Low })
        .remedy(format!("mem_limit: {}m at least", needed.div_ceil(1 << 20)));
}

/// The memory that a server is told to fill.
fn cache(setup: &Setup, kind: &str) -> Option<(&'static str, u64)> {
    let words = setup.words();
    let value = |names: &[&str]| {
        words.iter().enumerate().find_map(|(index, word)| {
            let word = word.trim_start_matches("--").replace('-', "_");
            let (name, value) = word
                .split_once('=')
                .unwrap_or((word.as_str(), words.get(index + 1).copied().unwrap_or_default()));
            if names.contains(&name) { values::bytes(value) } else { None }
        })
    };
    let found = match kind {
        "redis" | "valkey" | "dragonfly" => {
            ("maxmemory", value(&["maxmemory"]).or_else(|| Options::of(setup)?.maxmemory))
        }
        "mysql" | "mariadb" => ("innodb-buffer-pool-size", value(&["innodb_buffer_pool_size"])),
        "postgres" => ("shared_buffers", value(&["shared_buffers"])),
        _ => return None,
    };
    Some((found.0, found.1.filter(|bytes| *bytes > 0)?))
}
