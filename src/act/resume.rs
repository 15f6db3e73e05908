//! Remembers what was stopped, frozen or held up, to put it back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dump::Server;
use crate::docker::engine::Engine;

/// What has to be put back should anything fail. Entered before it is done, so that nothing is forgotten.
pub(super) struct Resume {
    engine: Engine,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    /// With the grace that their stop was given.
    stopped: Vec<(String, Option<i64>)>,
    frozen: Vec<String>,
    /// With the script that lets writing go on.
    held: Vec<(Server, &'static str)>,
}

impl Resume {
    pub(super) fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), ledger: Mutex::default() }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stopping(&self, container: &str, grace: Option<i64>) {
        self.ledger().stopped.push((container.to_owned(), grace));
    }

    pub(super) fn freezing(&self, container: &str) {
        self.ledger().frozen.push(container.to_owned());
    }

    pub(super) fn holding(&self, server: &Server, release: &'static str) {
        self.ledger().held.push((server.clone(), release));
    }

    /// Nothing is put back any more.
    pub(super) fn forget(&self) {
        *self.ledger() = Ledger::default();
    }

    /// Puts everything back, those first that were stopped last. What could not be put back is returned, a
    /// sentence each.
    pub(super) async fn put_back(&self) -> Vec<String> {
        let ledger = std::mem::take(&mut *self.ledger());
        let mut left = Vec::new();
        for container in &ledger.frozen {
            if let Err(error) = self.engine.unpause(container).await
                // Not frozen: it was given up before the engine got to it.
                && !matches!(error.status(), Some(404 | 409 | 500))
            {
                left.push(format!("{container} is still paused: {error}"));
            }
        }
        for (container, grace) in ledger.stopped.iter().rev() {
            // A stop that was given up goes on in the engine; what is started before its end would be stopped
            // again.
            let stopped = self.engine.stop(container, *grace).await;
            let started = match stopped {
                Ok(()) => self.engine.start(container).await,
                Err(error) => Err(error),
            };
            if let Err(error) = started
                // The command has removed it already.
                && error.status() != Some(404)
            {
                left.push(format!("{container} could not be started again: {error}"));
            }
        }
        for (server, release) in &ledger.held {
            let restarted = ledger.stopped.iter().any(|(container, _)| *container == server.container);
            if !restarted {
                let limit = std::time::Duration::from_secs(10);
                // It ends by itself too, after an hour.
                let _ = self.engine.exec(&server.container, server.exec(release, &[]), limit, 1 << 16).await;
            }
        }
        left
    }
}
