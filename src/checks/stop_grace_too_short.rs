//! `stop-grace-too-short`.

use std::time::Duration;

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database is killed before it has shut down",
    why: "After the grace period docker sends SIGKILL. A server that was still writing out its caches has to \
          recover at the next start, for minutes; what was not flushed on purpose is lost. Give it a minute, more \
          for large caches; it takes only what it needs.",
    bad: "services:
  db:
    image: mysql:8.4
    stop_grace_period: 2s",
    good: "services:
  db:
    image: mysql:8.4
    stop_grace_period: 1m",
    reference: "https://docs.docker.com/reference/compose-file/services/#stop_grace_period",
    setup: Some(look),
    ..Check::documented("stop-grace-too-short", Class::Setup, Severity::Medium)
};

/// What docker gives where nobody says otherwise.
const USUAL: Duration = Duration::from_secs(10);

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    if served(setup).is_none() || setup.one_off {
        return;
    }
    if let Some(grace) = setup.stop_grace.filter(|grace| *grace < USUAL) {
        let keys: &[&str] = &["stop_grace_period"];
        sink.raise(setup, keys, format!("it is killed {} s after it was asked to stop", grace.as_secs()))
            .remedy("stop_grace_period: 1m")
            .fix(Fix::default().set(setup.field(keys), "1m"));
    }
    let signal = setup.stop_signal.as_deref().unwrap_or_default().trim_start_matches("SIG");
    let kills = matches!(signal, "KILL" | "9")
        || matches!(signal, "QUIT" | "3") && setup.engine.as_deref() == Some("postgres");
    if kills {
        sink.raise(setup, &["stop_signal"], format!("{signal} ends it without a shutdown"))
            .remedy("leave stop_signal to the image");
    }
}
