//! A swarm's services, and the nodes that hold what they mount.

use serde::Serialize;

/// A service, as a manager tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwarmService {
    pub id: String,
    pub name: String,
    /// The stack that it was deployed with.
    pub stack: Option<String>,
    pub image: String,
    /// The volumes of each task: a local one is made on the node that the task runs on.
    pub volumes: Vec<SwarmVolume>,
    /// Those that shall run, with their nodes.
    pub tasks: Vec<SwarmTask>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwarmVolume {
    /// `None` for one that the engine names by itself.
    pub name: Option<String>,
    pub destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwarmTask {
    /// The node's host name.
    pub node: String,
    pub node_id: String,
    /// Such as `running`.
    pub state: String,
    /// The task's container on its node.
    pub container: Option<String>,
}

/// What a manager tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swarm {
    /// The node that was asked.
    pub node_id: String,
    pub services: Vec<SwarmService>,
}
