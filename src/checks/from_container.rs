//! A container's description, from what the engine says of it. Pure.

use std::time::Duration;

use super::kind;
use crate::model::{
    container::{Container, Labels, Mount, MountKind, label},
    setup::{Dependency, Described, Hidden, Setup, SetupMount, Variable},
};

/// Reads a container's description.
#[must_use]
pub fn setup(container: &Container) -> Setup {
    let told = &container.told;
    let variable = |pair: &String| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Variable { name: name.to_owned(), value: Some(Hidden::new(value)), written: None }
    };
    let grace = container.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok());
    let mut setup = Setup {
        id: Some(container.id.clone()),
        project: container.project().map(str::to_owned),
        service: container.service().map(str::to_owned),
        image: Some(container.image.clone()).filter(|image| !image.is_empty()),
        environment: container.environment.iter().map(variable).collect(),
        command: container.command.clone(),
        running: container.state.has_processes(),
        health: told.health.clone(),
        restart: told.restart.clone(),
        logging: told.logging.clone(),
        memory_limit: u64::try_from(container.memory_limit).ok().filter(|bytes| *bytes > 0),
        ports: told.ports.clone(),
        mounts: container.mounts.iter().map(mount).collect(),
        depends_on: container
            .labels
            .get(label::DEPENDS_ON)
            .map(|text| dependencies(text))
            .unwrap_or_default(),
        user: Some(container.user.clone()).filter(|user| !user.is_empty()),
        stop_grace: grace.map(Duration::from_secs),
        stop_signal: container.stop_signal.clone(),
        auto_remove: container.auto_remove,
        one_off: container.labels.get(label::ONE_OFF).is_some_and(|word| word == "True"),
        shm_size: told.shm_size,
        labels: container.labels.clone(),
        ..Setup::named(Described::ByContainer, &container.name)
    };
    setup.engine = kind::of_container(&setup).map(|kind| kind.id.to_owned());
    setup
}

fn mount(mount: &Mount) -> SetupMount {
    let source = match mount.kind {
        MountKind::NamedVolume | MountKind::AnonymousVolume => mount.volume.clone(),
        MountKind::Bind | MountKind::Tmpfs | MountKind::Other => mount.source.clone(),
    };
    SetupMount {
        kind: mount.kind,
        source,
        target: mount.destination.clone(),
        read_only: !mount.writable,
        driver: None,
        options: Labels::new(),
    }
}

/// As compose writes it on its containers: `db:service_healthy:false,cache:service_started:true`.
fn dependencies(text: &str) -> Vec<Dependency> {
    let one = |entry: &str| {
        let mut parts = entry.split(':');
        let service = parts.next().filter(|service| !service.is_empty())?;
        let condition = parts.next().unwrap_or("service_started");
        Some(Dependency { service: service.to_owned(), condition: condition.to_owned() })
    };
    text.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::habits;

    fn engine(image: &str, environment: &[&str], command: &[&str]) -> Option<String> {
        let container = Container {
            image: image.into(),
            environment: environment.iter().map(|&pair| pair.to_owned()).collect(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..Container::sample("1", "shop-db-1")
        };
        setup(&container).engine
    }

    #[test]
    fn a_server_is_told_from_what_only_talks_to_one() {
        let server = ["docker-entrypoint.sh", "postgres"];
        assert_eq!(engine("postgres:15", &["PG_MAJOR=15"], &server).as_deref(), Some("postgres"));
        assert_eq!(engine("postgres:15", &["PG_MAJOR=15"], &["sh", "-c", "pg_dump shop"]), None);
        assert_eq!(engine("shop/api", &["POSTGRES_PASSWORD=x"], &["node", "index.js"]), None);
        assert_eq!(engine("shop/own", &[], &["mariadbd"]).as_deref(), Some("mariadb"));
        assert!(habits::habits("postgres").is_some());
    }

    #[test]
    fn conditions_are_read_from_composes_label() {
        let read = dependencies("db:service_healthy:false,cache:service_started:true");
        let read: Vec<_> = read.iter().map(|d| (d.service.as_str(), d.condition.as_str())).collect();
        assert_eq!(read, [("db", "service_healthy"), ("cache", "service_started")]);
        assert!(dependencies("").is_empty());
    }
}
