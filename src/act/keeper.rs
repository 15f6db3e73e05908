//! Puts everything back should dbsafe itself be killed: a second process of ours that waits at a pipe.
//!
//! It is told of everything before it is done. A pipe that closes without a good end means that nobody is
//! left to start again what was stopped.

use std::{
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{dump::Server, resume::Resume};
use crate::{
    docker::{
        engine::Engine,
        globals::DockerGlobals,
        program::PLUGIN_SOCKET,
        scratch::{run_token, sweep_run},
    },
    store::Store,
};

/// The hidden command that a keeper runs.
pub const COMMAND: &str = "__keeper";

/// An engine that does not answer is waited for: ten minutes, as for a restart.
const RETRIES: u32 = 300;
const RETRY_EVERY: Duration = Duration::from_secs(2);
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What a keeper is told, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// Who speaks: what to sweep away, and where an unfinished snapshot is.
    Run {
        token: String,
        home: PathBuf,
    },
    Stopping {
        container: String,
        grace: Option<i64>,
    },
    Freezing {
        container: String,
    },
    /// The engine has said so.
    Frozen {
        container: String,
    },
    Holding {
        server: Server,
        release: String,
    },
    /// Nothing is to be put back any more.
    Forget,
}

/// A keeper that waits. It ends when this is dropped: at ease where `forget` was said, else it puts back.
pub struct Keeper {
    pipe: Mutex<Option<ChildStdin>>,
    child: Child,
    takes_over: AtomicBool,
}

impl Keeper {
    /// Starts one. Without a keeper everything works as well, unless dbsafe is killed: `None` is no failure.
    #[must_use]
    pub fn start(globals: &DockerGlobals, home: &Path) -> Option<Self> {
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(&globals.arguments).arg(COMMAND);
        // Docker's signals are none of its business.
        command.env_remove(PLUGIN_SOCKET);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().ok()?;
        let pipe = Mutex::new(child.stdin.take());
        let keeper = Self { pipe, child, takes_over: AtomicBool::new(false) };
        keeper.tell(&Word::Run { token: run_token().to_owned(), home: home.to_owned() });
        Some(keeper)
    }

    fn tell(&self, word: &Word) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(pipe), Ok(mut line)) = (pipe.as_mut(), serde_json::to_vec(word)) {
            line.push(b'\n');
            // A keeper that is gone cannot be told; we are still there ourselves.
            let _ = pipe.write_all(&line).and_then(|()| pipe.flush());
        }
    }

    pub(super) fn stopping(&self, container: &str, grace: Option<i64>) {
        self.tell(&Word::Stopping { container: container.to_owned(), grace });
    }

    pub(super) fn freezing(&self, container: &str) {
        self.tell(&Word::Freezing { container: container.to_owned() });
    }

    pub(super) fn frozen(&self, container: &str) {
        self.tell(&Word::Frozen { container: container.to_owned() });
    }

    pub(super) fn holding(&self, server: &Server, release: &str) {
        self.tell(&Word::Holding { server: server.clone(), release: release.to_owned() });
    }

    pub(super) fn forget(&self) {
        self.takes_over.store(false, Ordering::Relaxed);
        self.tell(&Word::Forget);
    }

    /// We could not put everything back: it goes on trying when we have ended.
    pub(super) fn take_over(&self) {
        self.takes_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.takes_over.load(Ordering::Relaxed) {
            return;
        }
        self.forget();
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // It ends at once, and must not be left a zombie.
        let _ = self.child.wait();
    }
}

/// The keeper's own work: listens on standard input until it closes, then puts back what is left to put back.
pub async fn run(engine: &Engine) {
    let resume = Resume::new(engine, None);
    let listened = tokio::task::spawn_blocking(move || {
        let (mut run, mut at_ease) = (None, false);
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            at_ease = false;
            match serde_json::from_str(&line) {
                Ok(Word::Run { token, home }) => run = Some((token, home)),
                Ok(Word::Stopping { container, grace }) => resume.stopping(&container, grace),
                Ok(Word::Freezing { container }) => resume.freezing(&container),
                Ok(Word::Frozen { container }) => resume.frozen(&container),
                Ok(Word::Holding { server, release }) => resume.holding(&server, release),
                Ok(Word::Forget) => {
                    resume.forget();
                    at_ease = true;
                }
                // A line that was cut off in the middle was not acted on.
                Err(_) => {}
            }
        }
        (run, at_ease, resume)
    });
    let Ok((run, at_ease, resume)) = listened.await else { return };
    if at_ease {
        return;
    }
    for _ in 0..RETRIES {
        if engine.containers().await.is_ok() {
            break;
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
    // Nobody is left to tell what could not be put back.
    let _ = resume.put_back().await;
    if let Some((token, home)) = run {
        sweep_run(engine, &token).await;
        // What the engine was about to make when its asker died.
        tokio::time::sleep(AFTERWARDS).await;
        sweep_run(engine, &token).await;
        if let Ok(store) = Store::open(&home) {
            let _ = store.tidy(Timestamp::now());
        }
    }
}
