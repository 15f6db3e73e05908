//! Remembers what was stopped, frozen or held up, to put it back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{dump::Server, keeper::Keeper};
use crate::{
    docker::{engine::Engine, error::EngineError},
    model::container::State,
};

/// A freeze that was not answered may still be on its way: so often it is looked whether it has come.
const LOOKS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What has to be put back should anything fail. Entered before it is done, so that nothing is forgotten.
pub(super) struct Resume {
    engine: Engine,
    ledger: Mutex<Ledger>,
    keeper: Option<Keeper>,
}

#[derive(Default, Clone)]
struct Ledger {
    /// With the grace that their stop was given.
    stopped: Vec<(String, Option<i64>)>,
    /// With whether the engine said that it is.
    frozen: Vec<(String, bool)>,
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
        self.ledger().frozen.push((container.to_owned(), false));
    }

    /// The engine has said so.
    pub(super) fn frozen(&self, container: &str) {
        if let Some(keeper) = &self.keeper {
            keeper.frozen(container);
        }
        for (_, answered) in self.ledger().frozen.iter_mut().filter(|(frozen, _)| frozen == container) {
            *answered = true;
        }
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

    /// Puts everything back, those first that were stopped last. What could not be put back is returned, a sentence
    /// each, and is tried again the next time; so is everything that a cancelled call had not come to.
    pub(super) async fn put_back(&self) -> Vec<String> {
        let ledger = self.ledger().clone();
        let mut left = Vec::new();
        let mut silent = false;
        for (container, answered) in &ledger.frozen {
            match self.thaw(container, *answered).await {
                Ok(()) => self.ledger().frozen.retain(|(frozen, _)| frozen != container),
                Err(error) => {
                    silent |= is_silence(&error);
                    left.push(format!("{container} is still paused: {error}"));
                }
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
            match started {
                // The command has removed it already.
                Err(error) if error.status() != Some(404) => {
                    silent |= is_silence(&error);
                    left.push(format!("{container} could not be started again: {error}"));
                }
                Ok(()) | Err(_) => self.ledger().stopped.retain(|(stopped, _)| stopped != container),
            }
        }
        for (server, release) in &ledger.held {
            let restarted = ledger.stopped.iter().any(|(container, _)| *container == server.container);
            if !restarted {
                let limit = Duration::from_secs(10);
                // It ends by itself too, after an hour.
                let _ = self.engine.exec(&server.container, server.exec(release, &[]), limit, 1 << 16).await;
            }
            self.ledger().held.retain(|(held, _)| held.container != server.container);
        }
        match &self.keeper {
            Some(keeper) if silent => {
                // It may have been dismissed: docker had the command.
                keeper.forget();
                let Ledger { stopped, frozen, held: _ } = self.ledger().clone();
                stopped.iter().for_each(|(container, grace)| keeper.stopping(container, *grace));
                frozen.iter().for_each(|(container, _)| keeper.freezing(container));
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

    /// Lets a frozen container go on. One that is not frozen, or is gone, is as it should be; but where its freeze was
    /// not answered, the engine may have yet to get to it.
    async fn thaw(&self, container: &str, answered: bool) -> Result<(), EngineError> {
        let mut looks = if answered { 0 } else { LOOKS };
        loop {
            let refused = match self.engine.unpause(container).await {
                Err(error) if error.status() == Some(404) => return Ok(()),
                Err(error) if error.status().is_some() => error,
                ended => return ended,
            };
            if looks == 0 {
                let found = self.engine.container(container).await?;
                let is_frozen = found.is_some_and(|found| found.state == State::Paused);
                return if is_frozen { Err(refused) } else { Ok(()) };
            }
            looks -= 1;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether the engine did not answer, and may do so later.
fn is_silence(error: &EngineError) -> bool {
    match error {
        EngineError::Refused { .. } => false,
        EngineError::Unreachable { .. } | EngineError::TimedOut { .. } | EngineError::Unexpected(_) => true,
    }
}
