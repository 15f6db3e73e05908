//! One container under inspection, with what is known of it so far.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::{
    Depth,
    server::{self, Reply},
    spot::{Spot, VolumeFates, spot_of},
};
use crate::{
    docker::{
        archive::{Place, WalkLimits},
        engine::Engine,
        processes::Running,
    },
    engines::{self, Kind},
    model::{evidence::TargetRef, plan::PlannedContainer},
};

/// A container, its processes, and what its servers said.
pub(super) struct Subject<'a> {
    pub(super) engine: &'a Engine,
    pub(super) planned: &'a PlannedContainer,
    pub(super) fates: &'a VolumeFates,
    /// Command lines; empty where it does not run or the engine could not say.
    pub(super) processes: Vec<String>,
    /// Whether files lie in `/dev/shm`; `None` where that is not known.
    pub(super) shares_memory: Option<bool>,
    /// Look into what survives, too, as an audit does.
    pub(super) thorough: bool,
    /// A database that was found explains nothing of what lies beside it.
    pub(super) beside: bool,
    /// How far to search a volume that nothing has explained.
    pub(super) search: WalkLimits,
    replies: Mutex<HashMap<&'static str, Reply>>,
}

impl<'a> Subject<'a> {
    pub(super) async fn new(
        engine: &'a Engine,
        planned: &'a PlannedContainer,
        fates: &'a VolumeFates,
        depth: Depth,
        on_this_host: &HashMap<String, Running>,
    ) -> Self {
        let id = &planned.container.id;
        let Running { processes, shares_memory } = match on_this_host.get(id) {
            _ if !planned.container.state.has_processes() => Running::default(),
            Some(running) => running.clone(),
            // Without it, image, environment and command say what may run.
            None => {
                Running { processes: engine.processes(id).await.unwrap_or_default(), shares_memory: None }
            }
        };
        let (thorough, search) = (depth.is_thorough(), depth.search());
        let (beside, replies) = (depth == Depth::Beside, Mutex::default());
        Self { engine, planned, fates, processes, shares_memory, thorough, beside, search, replies }
    }

    pub(super) fn runs(&self) -> bool {
        self.planned.container.state.has_processes()
    }

    /// Whether a server of a kind is, or must be taken to be, running.
    pub(super) fn serves(&self, kind: &Kind) -> bool {
        if self.processes.is_empty() {
            return self.runs() && kind.is_hinted(&self.planned.container);
        }
        engines::running_kinds(&self.processes).any(|running| running.id == kind.id)
    }

    pub(super) fn root(&self) -> Place {
        Place::new(self.engine, &self.planned.container.id, "/")
    }

    pub(super) fn spot(&self, path: &str) -> Spot {
        spot_of(self.planned, self.fates, path)
    }

    pub(super) fn target(&self) -> TargetRef {
        TargetRef::of_container(&self.planned.container)
    }

    /// What the running server of a kind says; asked once.
    pub(super) async fn ask(&self, kind: &'static Kind) -> Reply {
        let mut replies = self.replies.lock().await;
        if let Some(reply) = replies.get(kind.id) {
            return reply.clone();
        }
        let reply = server::ask(self, kind).await;
        replies.insert(kind.id, reply.clone());
        reply
    }
}
