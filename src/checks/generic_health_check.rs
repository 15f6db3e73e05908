//! `generic-health-check`.

use super::{kind::served, named_files, redis::Options};
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
                "test: [\"CMD-SHELL\", \"REDISCLI_AUTH=$$REDIS_PASSWORD redis-cli ping | grep -q PONG\"]   # and \
                 REDIS_PASSWORD in its environment",
            );
        }
        return;
    }
    if habits.test.is_empty() {
        return;
    }
    let test = serde_json::json!(["CMD-SHELL", habits.test]);
    if let Some(text) = named_files::script(setup).and_then(|path| setup.text_of(&path)) {
        if is_all_generic(text) {
            let message =
                "its script tells whether something runs or listens, not whether the server answers";
            // Somebody wrote it, so nothing is written in its place.
            sink.raise(setup, keys, message).remedy(format!("test: {test}"));
        }
        return;
    }
    let is_generic = line.contains("/dev/tcp/") || words.iter().any(|word| GENERIC.contains(word));
    if is_generic {
        sink.raise(setup, keys, "it tells whether something runs or listens, not whether the server answers")
            .remedy(format!("test: {test}"))
            .fix(Fix::default().set(setup.field(keys), test));
    }
}

/// Whether a shell script does nothing but look at processes, ports and files. One that is not understood to its end
/// may well ask the server.
fn is_all_generic(text: &str) -> bool {
    const SHELL: &[&str] = &[
        "if", "then", "else", "elif", "fi", "!", "[", "[[", "]", "]]", "set", "exit", "return", ":", "exec",
        "{", "}", "true", "false", "grep", "head", "tail", "wc", "printf",
    ];
    let shebang = text.lines().next().filter(|line| line.starts_with("#!"));
    let is_shell = |line: &str| {
        let name = line.split([' ', '/']).rfind(|word| !word.is_empty() && !word.starts_with('-'));
        name.is_some_and(|name| ["sh", "bash", "ash", "dash"].contains(&name))
    };
    if !shebang.is_none_or(is_shell) || text.contains(['$', '`']) {
        return false;
    }
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut commands =
        lines.flat_map(|line| line.split([';', '|', '&'])).filter(|one| !one.trim().is_empty());
    let mut looks = false;
    let is_known = commands.all(|command| {
        let mut words = command.split_whitespace();
        // What a shell's own word begins goes on with a command; what a test or `grep` is given does not.
        let leads = |word: &&str| ["if", "then", "else", "elif", "!", "exec", "{"].contains(word);
        let Some(word) = words.find(|word| !leads(word)) else { return true };
        let program = word.rsplit('/').next().unwrap_or(word);
        looks |= GENERIC.contains(&program) || ["[", "[["].contains(&program);
        GENERIC.contains(&program) || SHELL.contains(&program)
    });
    is_known && looks
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

#[cfg(test)]
mod tests {
    use super::is_all_generic;

    #[test]
    fn a_script_is_generic_only_where_all_of_it_is_understood() {
        for text in [
            "#!/bin/sh\ntest -S /var/run/postgresql/.s.PGSQL.5432\n",
            "#!/bin/bash -e\n# alive?\nif ! nc -z localhost 5432; then exit 1; fi\n",
            "[ -f /tmp/ok ] && exit 0 || exit 1",
            "pgrep -x postgres | grep -q 1",
        ] {
            assert!(is_all_generic(text), "{text}");
        }
        for text in [
            "#!/bin/sh\npg_isready\n",
            "#!/bin/sh\ntest -S /x && /opt/ask\n",
            "#!/usr/bin/python3\nexit\n",
            "#!/bin/sh\n$ASK || exit 1\n",
            "#!/bin/sh\ntest $(ask) = 1\n",
            "#!/bin/sh\n. /lib/functions\nexit 0\n",
            "#!/bin/sh\nexit 0\n".trim_end_matches("exit 0\n"),
        ] {
            assert!(!is_all_generic(text), "{text}");
        }
    }
}
