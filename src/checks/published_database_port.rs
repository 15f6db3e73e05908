//! `published-database-port`.

use super::{kind::served, redis::Options};
use crate::model::{
    check::{Check, Class, Look, Sink},
    setup::Setup,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the port of a database is open to the network",
    why: "Docker publishes on all addresses, and past the host's firewall (ufw, firewalld). Scanners find an open \
          Redis or Postgres within hours. Services of the project reach it by its name without a published port; \
          for tools on the same machine, publish on 127.0.0.1.",
    bad: "    ports: [ \"5432:5432\" ]",
    good: "    ports: [ \"127.0.0.1:5432:5432\" ]",
    reference: "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    setup: Some(look),
    ..Check::documented("published-database-port", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    if served(setup).is_none() {
        return;
    }
    for (index, port) in setup.ports.iter().enumerate() {
        if is_loopback(&port.host_ip) {
            continue;
        }
        let open = lets_anybody_in(setup);
        let more = if open { ", and it asks for no password" } else { "" };
        let number = index.to_string();
        let published = port.published.clone().unwrap_or_else(|| port.target.to_string());
        sink.raise(
            setup,
            &["ports", &number],
            format!("everybody who reaches the host reaches port {}{more}", port.target),
        )
        .severity(if open { Severity::High } else { Severity::Medium })
        .remedy(format!(
            "ports: [ \"127.0.0.1:{published}:{}\" ], or none: services reach it by its name",
            port.target
        ));
    }
}

fn is_loopback(ip: &str) -> bool {
    ip.starts_with("127.") || ip == "::1" || ip == "localhost"
}

/// Whether the server is told to ask for no password.
fn lets_anybody_in(setup: &Setup) -> bool {
    let is = |name: &str, values: &[&str]| {
        setup.value(name).is_some_and(|value| values.contains(&value.to_ascii_lowercase().as_str()))
    };
    let yes = &["yes", "true", "1"];
    is("POSTGRES_HOST_AUTH_METHOD", &["trust"])
        || ["MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD"]
            .iter()
            .any(|name| is(name, yes))
        || Options::of(setup).is_some_and(|options| !options.asks_for_password && !options.has_file)
}
