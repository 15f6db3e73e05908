//! `evicting-durable-data`.

use super::redis::Options;
use crate::model::{
    check::{Check, Class, Look, Sink},
    setup::Setup,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a queue or session store throws data away when memory is full",
    why: "With an LRU or LFU policy Redis deletes keys that nobody used lately, which is what a cache wants. In a \
          queue these are jobs that wait, in a session store they are people who are logged out; no error tells of \
          it. Use noeviction there, and a second Redis for the cache.",
    bad: "services:
  queue:
    image: redis:7
    command: redis-server --appendonly yes --maxmemory 256mb --maxmemory-policy allkeys-lru",
    good: "services:
  queue:
    image: redis:7
    command: redis-server --appendonly yes --maxmemory 256mb --maxmemory-policy noeviction",
    reference: "https://redis.io/docs/latest/develop/reference/eviction/",
    setup: Some(look),
    ..Check::documented("evicting-durable-data", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(options) = Options::of(setup) else { return };
    let evicts_expiring = options.policy.starts_with("volatile-");
    let Some(purpose) = purpose(setup, look.project) else { return };
    // Sessions have a time to live, jobs have none.
    if options.evicts_all() || evicts_expiring && purpose == "sessions" {
        let message =
            format!("it holds {purpose}, and {} throws away what was not used lately", options.policy);
        sink.raise(setup, &["command"], message)
            .remedy("--maxmemory-policy noeviction, or a Redis of its own for the cache");
    }
}

/// What a Redis is for, where a name says that it is no cache.
fn purpose(setup: &Setup, project: &[Setup]) -> Option<&'static str> {
    let own = setup.service_name().to_ascii_lowercase();
    let by_name = own.split(['-', '_', '.']).find_map(purpose_of_word);
    let refers = |variable: &&crate::model::setup::Variable| {
        let value =
            variable.value.as_ref().map(|value| value.reveal().to_ascii_lowercase()).unwrap_or_default();
        value == "redis"
            || value
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
                .any(|word| word == own)
    };
    let by_use = || {
        let others = project.iter().filter(|other| other.name != setup.name);
        others
            .flat_map(|other| &other.environment)
            .filter(refers)
            .find_map(|variable| variable.name.to_ascii_lowercase().split('_').find_map(purpose_of_word))
    };
    by_name.or_else(by_use)
}

fn purpose_of_word(word: &str) -> Option<&'static str> {
    match word {
        "queue" | "queues" | "jobs" | "broker" | "celery" | "sidekiq" | "bull" | "bullmq" | "resque"
        | "rq" | "horizon" => Some("jobs"),
        "session" | "sessions" => Some("sessions"),
        _ => None,
    }
}
