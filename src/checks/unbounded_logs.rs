//! `unbounded-logs`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Fix, Look, Sink},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the log of a database grows without an end",
    why: "The default driver, json-file, keeps everything. One noisy client fills the disk, and a database without \
          disk stops, at worst in the middle of a write. Set max-size, or use the driver local, which rotates by \
          itself.",
    bad: "services:
  db:
    image: postgres:17",
    good: "services:
  db:
    image: postgres:17
    logging: { driver: json-file, options: { max-size: 10m, max-file: \"3\" } }",
    reference: "https://docs.docker.com/engine/logging/drivers/json-file/",
    setup: Some(look),
    ..Check::documented("unbounded-logs", Class::Setup, Severity::Low)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let logging = &setup.logging;
    let keeps_all = logging.driver.as_deref().is_none_or(|driver| matches!(driver, "" | "json-file"));
    if served(setup).is_none() || !keeps_all || logging.options.contains_key("max-size") {
        return;
    }
    let keys = &["logging", "options", "max-size"];
    sink.raise(setup, keys, "its log grows until the disk is full, and a full disk stops the server")
        .remedy("logging: { driver: json-file, options: { max-size: 10m, max-file: \"3\" } }")
        .fix(
            Fix::default()
                .set(setup.field(&["logging", "driver"]), "json-file")
                .set(setup.field(keys), "10m")
                .set(setup.field(&["logging", "options", "max-file"]), "3"),
        );
}
