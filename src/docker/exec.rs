//! Asks a program in a running container, under a time limit and with bounded output.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
};
use futures_util::StreamExt as _;

use super::engine::Engine;

/// A program to run in a container.
#[derive(Debug, Clone, Default)]
pub struct Exec {
    pub command: Vec<String>,
    /// `NAME=value` pairs beside the container's own environment. Secrets go here, never into `command`.
    pub environment: Vec<String>,
    /// As whom; `None` leaves it to the container.
    pub user: Option<String>,
}

impl Exec {
    /// A script for the container's own `sh`.
    #[must_use]
    pub fn shell(script: &str) -> Self {
        Self { command: ["sh", "-c", script].map(str::to_owned).to_vec(), ..Self::default() }
    }
}

/// What the program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    pub status: i64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl ExecOutput {
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == 0
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("answered more than we read")]
    TooMuch,
    /// What its output was for failed, in one clause.
    #[error("{0}")]
    Sink(String),
    /// The engine's runtime did not start it, for this reason.
    #[error("could not be started in its container: {0}")]
    NotStarted(String),
    #[error("could not be asked: {0}")]
    Engine(#[from] bollard::errors::Error),
}

/// The exit status that the engine gives to what its runtime failed to start, other than for want of the
/// file (127) or of a permission (126): `translateContainerdStartErr` in moby's `daemon`. The reason comes as
/// standard output.
const NOT_STARTED: i64 = 128;
/// A busy machine's runtime fails now and then, and the next try works. Nothing ran, so nothing is done twice.
const TRIES: u64 = 4;
const PAUSE: Duration = Duration::from_millis(150);

impl Engine {
    /// Runs a program and waits for its end.
    ///
    /// # Errors
    /// Where the container does not run, the time is up, or the output passes `max_bytes`.
    pub async fn exec(
        &self,
        id: &str,
        exec: Exec,
        limit: Duration,
        max_bytes: usize,
    ) -> Result<ExecOutput, ExecError> {
        let run = self.exec_unlimited(id, exec, max_bytes);
        tokio::time::timeout(limit, run).await.unwrap_or(Err(ExecError::TimedOut(limit)))
    }

    async fn exec_unlimited(&self, id: &str, exec: Exec, max_bytes: usize) -> Result<ExecOutput, ExecError> {
        let mut stdout = Vec::new();
        let (status, stderr) = self
            .exec_streamed(id, exec, max_bytes, async |message| {
                stdout.extend_from_slice(&message);
                if stdout.len() > max_bytes { Err(ExecError::TooMuch) } else { Ok(()) }
            })
            .await?;
        Ok(ExecOutput { status, stdout, stderr })
    }

    /// Runs a program, and hands over its standard output as it comes. Returns its exit status and its
    /// standard error, of which at most `max_errors` bytes are read.
    ///
    /// # Errors
    /// Where the container does not run, the program cannot be started, there is too much on standard error,
    /// or `take` fails.
    pub async fn exec_streamed(
        &self,
        id: &str,
        exec: Exec,
        max_errors: usize,
        mut take: impl AsyncFnMut(bytes::Bytes) -> Result<(), ExecError>,
    ) -> Result<(i64, Vec<u8>), ExecError> {
        let mut failed = None;
        for tried in 0..TRIES {
            tokio::time::sleep(PAUSE * u32::try_from(tried).unwrap_or(1)).await;
            match self.exec_once(id, exec.clone(), max_errors, &mut take).await {
                Err(ExecError::NotStarted(reason)) => failed = Some(reason),
                ended => return ended,
            }
        }
        Err(ExecError::NotStarted(failed.unwrap_or_default()))
    }

    async fn exec_once(
        &self,
        id: &str,
        exec: Exec,
        max_errors: usize,
        take: &mut impl AsyncFnMut(bytes::Bytes) -> Result<(), ExecError>,
    ) -> Result<(i64, Vec<u8>), ExecError> {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(exec.command),
            env: Some(exec.environment).filter(|pairs| !pairs.is_empty()),
            user: exec.user,
            ..CreateExecOptions::default()
        };
        let created = self.api().create_exec(id, options).await?;
        let started = self.api().start_exec(&created.id, None).await?;
        let mut stderr = Vec::new();
        // What came first is held until more comes or the status is known: it may be the engine's own words.
        let (mut held, mut is_first) = (None, true);
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(chunk) = output.next().await {
                if let Some(first) = held.take() {
                    take(first).await?;
                }
                match chunk? {
                    LogOutput::StdErr { message } => {
                        stderr.extend_from_slice(&message);
                        if stderr.len() > max_errors {
                            return Err(ExecError::TooMuch);
                        }
                    }
                    LogOutput::StdOut { message }
                    | LogOutput::Console { message }
                    | LogOutput::StdIn { message } => {
                        if is_first && stderr.is_empty() {
                            held = Some(message);
                        } else {
                            take(message).await?;
                        }
                    }
                }
                is_first = false;
            }
        }
        let status = self.exec_status(&created.id).await?;
        if status == NOT_STARTED && stderr.is_empty() && (held.is_some() || is_first) {
            let reason = held.unwrap_or_default();
            return Err(ExecError::NotStarted(String::from_utf8_lossy(&reason).trim().to_owned()));
        }
        if let Some(first) = held {
            take(first).await?;
        }
        Ok((status, stderr))
    }

    /// The exit status of an exec whose output has ended; -1 where the engine knows none.
    async fn exec_status(&self, exec: &str) -> Result<i64, ExecError> {
        // The stream may end a moment before the engine has recorded the status.
        for _ in 0..50 {
            let state = self.api().inspect_exec(exec).await?;
            if state.running != Some(true) {
                return Ok(state.exit_code.unwrap_or(-1));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(-1)
    }
}
