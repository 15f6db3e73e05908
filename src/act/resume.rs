//! Remembers what was stopped, frozen or held up, to put it back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{dump::Server, keeper::Keeper};
use crate::docker::{engine::Engine, error::EngineError};

/// What has to be put back should anything fail. Entered before it is done, so that nothing is forgotten.
pub(super) struct Resume {
    engine: Engine,
    ledger: Mutex<Ledger>,
    keeper: Option<Keeper>,
}

#[derive(Default)]
struct Ledger {
    /// With the grace that their stop was given.
    stopped: Vec<(String, Option<i64>)>,
    frozen: Vec<String>,
    /// With the script that lets writing go on.
    held: Vec<(Server, String)>,
}

impl Resume {
    pub(super) fn new(engine: &Engine, keeper: Option<Keeper>) -> Self {
        Self { engine: engine.clone(), ledger: Mutex::default(), keeper }
    }

    /// Docker has the command: should we be killed, nothing may start again under its hands.
    pub(super) fn dismiss_keeper(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.forget();
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stopping(&self, container: &str, grace: Option<i64>) {
        if let Some(keeper) = &self.keeper {
            keeper.stopping(container, grace);
        }
        self.ledger().stopped.push((container.to_owned(), grace));
    }

    pub(super) fn freezing(&self, container: &str) {
        if let Some(keeper) = &self.keeper {
            keeper.freezing(container);
        }
        self.ledger().frozen.push(container.to_owned());
    }

    pub(super) fn holding(&self, server: &Server, release: impl Into<String>) {
        let release = release.into();
        if let Some(keeper) = &self.keeper {
            keeper.holding(server, &release);
        }
        self.ledger().held.push((server.clone(), release));
    }

    /// Nothing is put back any more.
    pub(super) fn forget(&self) {
        *self.ledger() = Ledger::default();
        self.dismiss_keeper();
    }

    /// Puts everything back, those first that were stopped last. What could not be put back is returned, a
    /// sentence each.
    pub(super) async fn put_back(&self) -> Vec<String> {
        let ledger = std::mem::take(&mut *self.ledger());
        let mut left = Vec::new();
        let mut silent = false;
        for container in &ledger.frozen {
            if let Err(error) = self.engine.unpause(container).await
                // Not frozen: it was given up before the engine got to it.
                && !matches!(error.status(), Some(404 | 409 | 500))
            {
                silent |= is_silence(&error);
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
                silent |= is_silence(&error);
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
        match &self.keeper {
            Some(keeper) if silent => {
                keeper.take_over();
                left.push(
                    "it is started again in the background, should the engine answer within ten minutes"
                        .to_owned(),
                );
            }
            Some(keeper) => keeper.forget(),
            None => {}
        }
        left
    }
}

/// Whether the engine did not answer, and may do so later.
fn is_silence(error: &EngineError) -> bool {
    match error {
        EngineError::Refused { .. } => false,
        EngineError::Unreachable { .. } | EngineError::TimedOut { .. } | EngineError::Unexpected(_) => true,
    }
}
