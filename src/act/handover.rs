//! Hands a command over to the real docker, which then has the terminal.
//!
//! Docker is started as a child and not in our place, so that a cancellation reaches it whichever way it
//! came. Compose too is started through docker: a second signal to Compose itself kills what it runs, while
//! docker counts to three.

use std::{
    ffi::OsStr,
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{
    process::{Child, Command},
    sync::broadcast::error::RecvError,
};

use crate::{
    cancel::{Cancellation, Cause},
    docker::program::{ComposeProgram, DockerProgram, ProgramError, feed},
    exit::Exit,
};

/// Runs `docker <globals> <arguments>` with our own standard streams, and waits for its end.
///
/// # Errors
/// Where docker cannot be started. That it fails is its own exit status.
pub async fn run_docker<S: AsRef<OsStr>>(
    docker: &DockerProgram,
    arguments: &[S],
    cancellation: &Cancellation,
) -> Result<Exit, ProgramError> {
    run(docker.command(arguments), docker.path(), None, cancellation).await
}

/// As `run_docker`, with a standard input that we have read already, as for `compose -f - down`.
///
/// # Errors
/// Where docker cannot be started.
pub async fn run_docker_with_input<S: AsRef<OsStr>>(
    docker: &DockerProgram,
    arguments: &[S],
    input: Vec<u8>,
    cancellation: &Cancellation,
) -> Result<Exit, ProgramError> {
    run(docker.command(arguments), docker.path(), Some(input), cancellation).await
}

/// As `run_docker`, of the program `docker-compose`; with a standard input that we have read already, where we did.
///
/// # Errors
/// Where it cannot be started.
pub async fn run_docker_compose<S: AsRef<OsStr>>(
    compose: &ComposeProgram,
    arguments: &[S],
    input: Option<Vec<u8>>,
    cancellation: &Cancellation,
) -> Result<Exit, ProgramError> {
    run(compose.command(arguments), compose.path(), input, cancellation).await
}

async fn run(
    mut command: Command,
    program: &Path,
    input: Option<Vec<u8>>,
    cancellation: &Cancellation,
) -> Result<Exit, ProgramError> {
    // From before the start on: a cancellation while docker starts must reach it.
    let mut events = cancellation.events();
    if cancellation.is_cancelled() {
        return Ok(Exit::Cancelled);
    }
    let _no_longer_ours = cancellation.hand_over();
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::inherit() };
    command.stdin(stdin).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let not_started = |cause: &std::io::Error| ProgramError::NotStarted {
        program: program.to_owned(),
        cause: cause.to_string(),
    };
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    if let Some(input) = input {
        let pipe = child.stdin.take();
        tokio::spawn(async move { feed(pipe, &input).await });
    }
    let mut listening = true;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| not_started(&error))?;
                return Ok(Exit::Docker(status_of(status)));
            }
            event = events.recv(), if listening => match event {
                Ok(cause) => pass_on(&child, cause, owns_terminal()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => listening = false,
            },
        }
    }
}

/// The status that a shell would show: a signal's number and 128.
fn status_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    // Windows has larger ones, for crashes.
    status.code().map_or(255, |code| u8::try_from(code).unwrap_or(255))
}

/// Which signal the child needs from us; none where the kernel has sent it one already.
#[cfg(unix)]
fn signal_for(cause: Cause, owns_terminal: bool) -> Option<rustix::process::Signal> {
    use rustix::process::Signal;
    match cause {
        // A Ctrl-C reaches every process in the terminal's foreground. Twice would be a person insisting.
        Cause::Interrupt if owns_terminal => None,
        Cause::Interrupt => Some(Signal::INT),
        Cause::Terminate | Cause::Docker => Some(Signal::TERM),
        Cause::HangUp => Some(Signal::HUP),
    }
}

#[cfg(unix)]
fn pass_on(child: &Child, cause: Cause, owns_terminal: bool) {
    use rustix::process::{Pid, kill_process};
    // A child that has ended and was waited for has no id any more, so no other process can be hit.
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let (Some(id), Some(signal)) = (id, signal_for(cause, owns_terminal)) {
        // It may have ended this moment; waiting for it will tell.
        let _ = kill_process(id, signal);
    }
}

/// A console's Ctrl-C reaches every process of the console on Windows.
#[cfg(not(unix))]
fn pass_on(_child: &Child, _cause: Cause, _owns_terminal: bool) {}

/// Whether we are in the foreground of a terminal, whatever our standard streams are.
#[cfg(unix)]
fn owns_terminal() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn owns_terminal() -> bool {
    true
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::process::Signal;

    use super::*;
    use crate::docker::{environment::Environment, globals::DockerGlobals};

    /// A docker of our own: a shell script.
    fn docker(folder: &Path, script: &str) -> DockerProgram {
        let path = folder.join("docker");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = Environment::default().with("PATH", folder);
        DockerProgram::find(&DockerGlobals::default(), &environment).unwrap()
    }

    #[tokio::test]
    async fn dockers_own_status_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let program = docker(folder.path(), "exit $1");
        for status in [0, 1, 10, 125] {
            let exit = run_docker(&program, &[status.to_string()], &Cancellation::manual()).await.unwrap();
            assert_eq!(exit, Exit::Docker(status));
        }
        let killed = docker(folder.path(), "kill -KILL $$");
        let exit = run_docker(&killed, &["x"], &Cancellation::manual()).await.unwrap();
        assert_eq!(exit, Exit::Docker(137));
    }

    #[tokio::test]
    async fn a_cancellation_reaches_docker() {
        let folder = tempfile::tempdir().unwrap();
        // It says by opening the pipe that it can be signalled; the shell's trap waits for a short sleep's end.
        let ready = folder.path().join("ready");
        let script = "trap 'exit 42' TERM; : > \"$1\"; while :; do sleep 0.01; done";
        let program = docker(folder.path(), script);
        let status = std::process::Command::new("mkfifo").arg(&ready).status().unwrap();
        assert!(status.success());
        let cancellation = Cancellation::manual();
        let canceller = cancellation.clone();
        let fifo = ready.clone();
        let waiting = tokio::spawn(async move {
            // Opening the pipe to read ends when the script opens it to write.
            tokio::fs::read(fifo).await.unwrap();
            canceller.cancel(Cause::Docker);
        });
        let exit = run_docker(&program, &[ready.as_os_str()], &cancellation).await.unwrap();
        waiting.await.unwrap();
        assert_eq!(exit, Exit::Docker(42));
    }

    #[tokio::test]
    async fn an_input_that_we_have_read_reaches_docker_whole() {
        let folder = tempfile::tempdir().unwrap();
        let program = docker(folder.path(), r#"[ "$(/bin/cat)" = "services: {}" ] && exit 9"#);
        let input = b"services: {}\n".to_vec();
        let exit =
            run_docker_with_input(&program, &["-f", "-"], input, &Cancellation::manual()).await.unwrap();
        assert_eq!(exit, Exit::Docker(9));
    }

    #[tokio::test]
    async fn nothing_is_started_after_a_cancellation() {
        let folder = tempfile::tempdir().unwrap();
        let program = docker(folder.path(), "exit 0");
        let cancellation = Cancellation::manual();
        cancellation.cancel(Cause::Terminate);
        assert_eq!(run_docker(&program, &["rm"], &cancellation).await.unwrap(), Exit::Cancelled);
    }

    #[test]
    fn what_the_kernel_has_delivered_is_not_delivered_again() {
        assert_eq!(signal_for(Cause::Interrupt, true), None);
        assert_eq!(signal_for(Cause::Interrupt, false), Some(Signal::INT));
        for owns_terminal in [true, false] {
            assert_eq!(signal_for(Cause::Terminate, owns_terminal), Some(Signal::TERM));
            assert_eq!(signal_for(Cause::Docker, owns_terminal), Some(Signal::TERM));
        }
    }

    #[tokio::test]
    async fn a_docker_that_cannot_be_started_is_an_error_and_no_status() {
        let folder = tempfile::tempdir().unwrap();
        let program = docker(folder.path(), "exit 0");
        std::fs::remove_file(program.path()).unwrap();
        let result = run_docker(&program, &["ps"], &Cancellation::manual()).await;
        assert!(matches!(result, Err(ProgramError::NotStarted { .. })));
    }
}
