//! `generic-health-check`.

use super::{kind::served, redis::Options};
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    setup::Setup,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the health check does not ask the database itself",
    why: "A port that is open and a process that runs say nothing about a server that recovers, is out of disk or \
          hangs; a Redis that wants a password answers NOAUTH, and `redis-cli ping` calls that a success. Ask with \
          pg_isready, mysqladmin ping, healthcheck.sh or redis-cli, with its password.",
    bad: "services:
  db:
    image: postgres:17
    healthcheck:
      test: [\"CMD-SHELL\", \"nc -z localhost 5432\"]",
    good: "services:
  db:
    image: postgres:17
    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready -U $${POSTGRES_USER:-postgres}\"]
      start_period: 30s",
    reference: "https://www.postgresql.org/docs/current/app-pg-isready.html",
    setup: Some(look),
    ..Check::documented("generic-health-check", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let (Some(habits), Some(test)) = (served(setup), setup.health.test.as_ref()) else { return };
    if setup.health.disabled {
        return;
    }
    let line = test.join(" ");
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || ";|&()'\"`".contains(c))
        .filter(|word| !word.is_empty())
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .collect();
    let keys = &["healthcheck", "test"];
    if words.iter().any(|word| habits.askers.contains(word)) {
        let asks_for_password = Options::of(setup).is_some_and(|options| options.asks_for_password);
        if asks_for_password && !has_password(setup, &words) {
            sink.raise(setup, keys, "the server asks for a password that the check does not give").remedy(
                "test: [\"CMD-SHELL\", \"REDISCLI_AUTH=$$REDIS_PASSWORD redis-cli ping | grep -q PONG\"]",
            );
        }
        return;
    }
    let is_generic = line.contains("/dev/tcp/") || words.iter().any(|word| GENERIC.contains(word));
    if is_generic && !habits.test.is_empty() {
        let test = serde_json::json!(["CMD-SHELL", habits.test]);
        sink.raise(setup, keys, "it tells whether something runs or listens, not whether the server answers")
            .remedy(format!("test: {test}"))
            .fix(Fix::default().set(setup.field(keys), test));
    }
}

/// Programs that see a process, a port or a file.
const GENERIC: &[&str] = &[
    "nc", "ncat", "netcat", "telnet", "pgrep", "pidof", "ps", "ss", "netstat", "lsof", "curl", "wget",
    "true", "exit", "echo", "ls", "cat", "kill", "timeout", "test",
];

/// Whether a check of Redis's hands over a password.
fn has_password(setup: &Setup, words: &[&str]) -> bool {
    let gives = |word: &&str| {
        word.starts_with("-a")
            || word.starts_with("--pass")
            || word.starts_with("REDISCLI_AUTH")
            || word.eq_ignore_ascii_case("auth")
            || word.starts_with("--askpass")
            || *word == "-u"
    };
    words.iter().any(gives) || setup.environment.iter().any(|variable| variable.name == "REDISCLI_AUTH")
}
