//! `no-restart-policy`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database stays down after a crash or a reboot",
    why: "Without a policy nothing starts it again. `unless-stopped` does, and leaves it down where a person \
          stopped it.",
    bad: "services:
  db:
    image: postgres:17",
    good: "services:
  db:
    image: postgres:17
    restart: unless-stopped",
    reference: "https://docs.docker.com/engine/containers/start-containers-automatically/",
    setup: Some(look),
    ..Check::documented("no-restart-policy", Class::Setup, Severity::Low)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let none = setup.restart.as_deref().is_none_or(|policy| matches!(policy, "" | "no"));
    if served(setup).is_some() && none && !setup.auto_remove && !setup.one_off {
        let keys: &[&str] = &["restart"];
        sink.raise(setup, keys, "after a crash or a reboot it stays down")
            .remedy("restart: unless-stopped")
            .fix(Fix::default().set(setup.field(keys), "unless-stopped"));
    }
}
