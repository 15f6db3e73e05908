//! `depends-on-without-health`.

use super::kind::served;
use crate::{
    engines::habits::is_tool,
    model::{
        check::{Check, Class, Fix, Look, Sink},
        setup::{Hidden, Setup, Variable},
        verdict::Severity,
    },
};

pub(super) static CHECK: Check = Check {
    title: "a service starts before its database takes connections",
    why: "The short form of depends_on waits for the container to start, which is seconds before the server \
          listens; on the first start, while it initialises, minutes. Applications then fail, or run their \
          migrations against a server that is about to restart. Wait for its health.",
    bad: "    depends_on: [ db ]",
    good: "    depends_on:
      db: { condition: service_healthy }",
    reference: "https://docs.docker.com/compose/how-tos/startup-order/",
    setup: Some(look),
    ..Check::documented("depends-on-without-health", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    // A tool's page can wait for a person to try again.
    if setup.image.as_deref().is_some_and(is_tool) {
        return;
    }
    for dependency in setup.depends_on.iter().filter(|dependency| dependency.condition == "service_started") {
        let on = |other: &&Setup| other.service_name() == dependency.service && served(other).is_some();
        let Some(server) = look.project.iter().find(on) else { continue };
        let keys = ["depends_on", dependency.service.as_str(), "condition"];
        let raised = sink.raise(setup, &keys, format!("it starts before {} takes connections", server.name));
        raised.remedy(format!("depends_on: {{ {}: {{ condition: service_healthy }} }}", dependency.service));
        // A condition on a service that has no health check would keep compose from starting.
        if server.health.checks() {
            raised.fix(Fix::default().set(setup.field(&keys), "service_healthy"));
        }
    }
    for server in look.project.iter().filter(|other| served(other).is_some() && setup.engine.is_none()) {
        let waits = setup.depends_on.iter().any(|dependency| dependency.service == server.service_name());
        if !waits && setup.environment.iter().any(|variable| names_host(variable, server.service_name())) {
            let message = format!("it is told to use {}, and does not wait for it", server.name);
            sink.raise(setup, &["depends_on"], message).severity(Severity::Low).remedy(format!(
                "depends_on: {{ {}: {{ condition: service_healthy }} }}",
                server.service_name()
            ));
        }
    }
}

/// Whether a variable's value is a server's address: `db`, `db:5432`, `postgres://app@db/shop`.
fn names_host(variable: &Variable, service: &str) -> bool {
    let Some(value) = variable.value.as_ref().map(Hidden::reveal) else { return false };
    let name = variable.name.to_ascii_uppercase();
    let is_host = |text: &str| text.split(':').next() == Some(service);
    match value.split_once("://") {
        Some((_, rest)) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            is_host(authority.rsplit('@').next().unwrap_or_default())
        }
        None => is_host(value) && (name.ends_with("HOST") || value.contains(':')),
    }
}
