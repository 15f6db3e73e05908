//! `no-health-check`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "nothing tells whether the database answers",
    why: "Docker only sees that the process runs. Without a health check, whatever needs the database starts \
          before it takes connections, and a server that hangs looks like one that works. Ask the server itself \
          with the client that its image brings.",
    bad: "services:
  db:
    image: postgres:17",
    good: "services:
  db:
    image: postgres:17
    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready -U $${POSTGRES_USER:-postgres}\"]
      interval: 10s
      timeout: 5s
      retries: 5
      start_period: 30s",
    reference: "https://docs.docker.com/reference/compose-file/services/#healthcheck",
    setup: Some(look),
    ..Check::documented("no-health-check", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(habits) = served(setup).filter(|habits| !habits.test.is_empty()) else { return };
    if setup.health.checks() || setup.one_off {
        return;
    }
    let message = if setup.health.disabled {
        "its health check is switched off"
    } else {
        "nothing tells whether the server answers"
    };
    let test = serde_json::json!(["CMD-SHELL", habits.test]);
    let remedy =
        format!("healthcheck: {{ test: {test}, interval: 10s, timeout: 5s, retries: 5, start_period: 30s }}");
    let check = serde_json::json!({
        "test": test, "interval": "10s", "timeout": "5s", "retries": 5, "start_period": "30s"
    });
    let keys: &[&str] = if setup.health.disabled { &["healthcheck"] } else { &[] };
    sink.raise(setup, keys, message)
        .remedy(remedy)
        .fix(Fix::default().set(setup.field(&["healthcheck"]), check));
}
