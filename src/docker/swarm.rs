//! What a swarm's manager tells of its services, tasks and nodes.

use std::collections::HashMap;

use serde::Deserialize;

use super::{dial::EngineError, engine::Engine};
use crate::model::{
    container::{Labels, label},
    swarm::{Swarm, SwarmService, SwarmTask, SwarmVolume},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    spec: ServiceSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ServiceSpec {
    name: String,
    labels: Option<Labels>,
    task_template: TaskTemplate,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TaskTemplate {
    container_spec: Option<ContainerSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerSpec {
    image: String,
    mounts: Option<Vec<Mount>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    source: Option<String>,
    target: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Task {
    #[serde(rename = "ServiceID")]
    service: String,
    #[serde(rename = "NodeID")]
    node: String,
    status: TaskStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TaskStatus {
    state: String,
    container_status: Option<ContainerStatus>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerStatus {
    #[serde(rename = "ContainerID")]
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    #[serde(rename = "ID")]
    id: String,
    description: NodeDescription,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct NodeDescription {
    hostname: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    swarm: InfoSwarm,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InfoSwarm {
    #[serde(rename = "NodeID")]
    node: String,
}

impl Engine {
    /// The swarm that this engine manages; `None` where it manages none.
    ///
    /// # Errors
    /// Where the engine does not answer, or not in JSON that we understand.
    pub async fn swarm(&self) -> Result<Option<Swarm>, EngineError> {
        let services: Vec<Service> = match self.transport.get_json("/services").await {
            Ok(services) => services,
            // No manager: of no swarm, or a worker.
            Err(error) if matches!(error.status(), Some(406 | 503)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let filters = super::engine::encode(r#"{"desired-state":["running"]}"#);
        let running = format!("/tasks?filters={filters}");
        let (tasks, nodes, info): (Vec<Task>, Vec<Node>, Info) = tokio::try_join!(
            self.transport.get_json(&running),
            self.transport.get_json("/nodes"),
            self.transport.get_json("/info"),
        )?;
        Ok(Some(reduce(services, tasks, nodes, info.swarm.node)))
    }
}

fn reduce(services: Vec<Service>, tasks: Vec<Task>, nodes: Vec<Node>, node_id: String) -> Swarm {
    let hosts: HashMap<String, String> =
        nodes.into_iter().map(|node| (node.id, node.description.hostname)).collect();
    let mut by_service: HashMap<String, Vec<SwarmTask>> = HashMap::new();
    for task in tasks {
        let container = task.status.container_status.map(|status| status.id).filter(|id| !id.is_empty());
        by_service.entry(task.service).or_default().push(SwarmTask {
            node: hosts.get(&task.node).cloned().unwrap_or_else(|| task.node.clone()),
            node_id: task.node,
            state: task.status.state,
            container,
        });
    }
    let services = services.into_iter().map(|service| {
        let container = service.spec.task_template.container_spec.unwrap_or_default();
        let volumes = container.mounts.unwrap_or_default().into_iter().filter(|mount| mount.kind == "volume");
        SwarmService {
            tasks: by_service.remove(&service.id).unwrap_or_default(),
            id: service.id,
            name: service.spec.name,
            stack: service.spec.labels.unwrap_or_default().remove(label::STACK),
            // As it was asked for: the manager adds the digest.
            image: container.image.split('@').next().unwrap_or_default().to_owned(),
            volumes: volumes
                .map(|mount| SwarmVolume {
                    name: mount.source.filter(|name| !name.is_empty()),
                    destination: mount.target,
                })
                .collect(),
        }
    });
    Swarm { services: services.collect(), node_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_tells_its_volumes_and_the_nodes_of_its_tasks() {
        let services = serde_json::from_value(serde_json::json!([
            {"ID": "s1", "Spec": {"Name": "shop_db", "Labels": {"com.docker.stack.namespace": "shop"},
             "TaskTemplate": {"ContainerSpec": {"Image": "postgres:15@sha256:1", "Mounts": [
                {"Type": "volume", "Source": "shop_pg", "Target": "/var/lib/postgresql/data"},
                {"Type": "volume", "Target": "/cache"},
                {"Type": "bind", "Source": "/etc", "Target": "/etc2"}]}}}},
            {"ID": "s2", "Spec": {"Name": "plugin", "TaskTemplate": {"PluginSpec": {}}}}
        ]))
        .unwrap();
        let tasks = serde_json::from_value(serde_json::json!([
            {"ServiceID": "s1", "NodeID": "n2",
             "Status": {"State": "running", "ContainerStatus": {"ContainerID": "c1"}}},
            {"ServiceID": "s1", "NodeID": "gone", "Status": {"State": "pending"}}
        ]))
        .unwrap();
        let nodes = serde_json::from_value(
            serde_json::json!([{"ID": "n2", "Description": {"Hostname": "worker-2"}}]),
        )
        .unwrap();
        let swarm = reduce(services, tasks, nodes, "n1".to_owned());
        let db = &swarm.services[0];
        assert_eq!((db.name.as_str(), db.stack.as_deref()), ("shop_db", Some("shop")));
        assert_eq!(db.image, "postgres:15");
        let volumes: Vec<_> =
            db.volumes.iter().map(|v| (v.name.as_deref(), v.destination.as_str())).collect();
        assert_eq!(volumes, [(Some("shop_pg"), "/var/lib/postgresql/data"), (None, "/cache")]);
        let tasks: Vec<_> = db.tasks.iter().map(|t| (t.node.as_str(), t.container.as_deref())).collect();
        assert_eq!(tasks, [("worker-2", Some("c1")), ("gone", None)]);
        assert!(swarm.services[1].volumes.is_empty());
    }
}
