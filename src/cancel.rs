//! One cancellation for the whole process: SIGINT, SIGTERM, SIGHUP, and docker closing the plugin's socket.
//!
//! Where docker's standard output is a terminal, the kernel signals all of us; elsewhere the first signal to
//! docker only closes the socket, and we get none (docker/cli `cmd/docker/docker.go`, `tryPluginRun`).

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::docker::environment::Environment;

/// Who wants us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// SIGINT, as by Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// Docker got a signal that we did not.
    Docker,
}

/// A signal to the whole process group and the end of docker's socket are one wish; they arrive this close
/// together.
#[cfg(unix)]
const SAME_WISH: std::time::Duration = std::time::Duration::from_millis(100);

/// With so many signals a person insists. As docker itself has it.
const INSISTENCE: u32 = 3;

/// The process's cancellation. Cheap to clone.
#[derive(Clone)]
pub struct Cancellation {
    shared: Arc<Shared>,
}

struct Shared {
    token: CancellationToken,
    cause: OnceLock<Cause>,
    events: broadcast::Sender<Cause>,
    signals: AtomicU32,
    /// While a child has the terminal, how often a person insists is the child's matter.
    handed_over: AtomicU32,
}

impl Cancellation {
    /// A cancellation that nothing but `cancel` causes.
    #[must_use]
    pub fn manual() -> Self {
        Self {
            shared: Arc::new(Shared {
                token: CancellationToken::new(),
                cause: OnceLock::new(),
                events: broadcast::channel(16).0,
                signals: AtomicU32::new(0),
                handed_over: AtomicU32::new(0),
            }),
        }
    }

    /// Listens to signals and to docker from now on. Signals no longer end the process by themselves; the
    /// third one does.
    ///
    /// # Errors
    /// Where signals cannot be listened to.
    pub fn listen(environment: &Environment) -> io::Result<Self> {
        let cancellation = Self::manual();
        cancellation.listen_to_signals()?;
        #[cfg(unix)]
        if let Some(address) = environment.text(crate::docker::program::PLUGIN_SOCKET) {
            let listener = cancellation.clone();
            tokio::spawn(async move { listener.listen_to_docker(&address).await });
        }
        #[cfg(not(unix))]
        let _ = environment;
        Ok(cancellation)
    }

    /// Waits until something cancels. Completes at once where something has.
    pub async fn cancelled(&self) {
        self.shared.token.cancelled().await;
    }

    /// Whether something has cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.token.is_cancelled()
    }

    /// Whether a child has the terminal, so that a wish to stop is the child's matter.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.shared.handed_over.load(Ordering::Relaxed) > 0
    }

    /// What cancelled first.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.shared.cause.get().copied()
    }

    /// Every wish to stop from now on, the first and those after it.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Cause> {
        self.shared.events.subscribe()
    }

    /// Cancels.
    pub fn cancel(&self, cause: Cause) {
        // Only the first counts.
        let _ = self.shared.cause.set(cause);
        self.shared.token.cancel();
        // Nobody may be listening.
        let _ = self.shared.events.send(cause);
    }

    /// Until the answer is dropped, even a third signal does not end the process.
    #[must_use]
    pub fn hand_over(&self) -> HandedOver {
        self.shared.handed_over.fetch_add(1, Ordering::Relaxed);
        HandedOver { shared: Arc::clone(&self.shared) }
    }

    fn signalled(&self, cause: Cause) {
        let signals = self.shared.signals.fetch_add(1, Ordering::Relaxed) + 1;
        self.cancel(cause);
        if signals >= INSISTENCE && self.shared.handed_over.load(Ordering::Relaxed) == 0 {
            end_at_once();
        }
    }

    #[cfg(unix)]
    fn listen_to_signals(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        for (kind, cause) in [
            (SignalKind::interrupt(), Cause::Interrupt),
            (SignalKind::terminate(), Cause::Terminate),
            (SignalKind::hangup(), Cause::HangUp),
        ] {
            let mut signals = signal(kind)?;
            let cancellation = self.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    cancellation.signalled(cause);
                }
            });
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen_to_signals(&self) -> io::Result<()> {
        let cancellation = self.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                cancellation.signalled(Cause::Interrupt);
            }
        });
        Ok(())
    }

    /// Waits for docker to close its socket. A socket that cannot be reached belongs to an older or a
    /// vanished docker, and says nothing.
    #[cfg(unix)]
    async fn listen_to_docker(&self, address: &str) {
        use tokio::io::AsyncReadExt as _;
        // Go writes an abstract socket's leading NUL as `@`.
        let path = match address.strip_prefix('@') {
            Some(name) => format!("\0{name}"),
            None => address.to_owned(),
        };
        let Ok(mut socket) = tokio::net::UnixStream::connect(path).await else { return };
        let mut buffer = [0; 16];
        while let Ok(1..) = socket.read(&mut buffer).await {}
        tokio::time::sleep(SAME_WISH).await;
        if !self.is_cancelled() {
            self.cancel(Cause::Docker);
        }
    }
}

/// Gives the count of signals back to us when dropped.
pub struct HandedOver {
    shared: Arc<Shared>,
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        self.shared.handed_over.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends the process as an unhandled signal would.
fn end_at_once() {
    #[cfg(unix)]
    {
        // To oneself this cannot fail.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_cause_stays_and_every_wish_is_passed_on() {
        let cancellation = Cancellation::manual();
        let mut events = cancellation.events();
        assert!(!cancellation.is_cancelled());
        cancellation.cancel(Cause::Terminate);
        cancellation.cancel(Cause::Interrupt);
        cancellation.cancelled().await;
        assert_eq!(cancellation.cause(), Some(Cause::Terminate));
        assert_eq!(events.recv().await.unwrap(), Cause::Terminate);
        assert_eq!(events.recv().await.unwrap(), Cause::Interrupt);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn docker_cancels_by_closing_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin.sock");
        let docker = tokio::net::UnixListener::bind(&path).unwrap();
        let environment = Environment::default().with("DOCKER_CLI_PLUGIN_SOCKET", path.as_os_str());
        let cancellation = Cancellation::listen(&environment).unwrap();
        let (connection, _peer) = docker.accept().await.unwrap();
        assert!(!cancellation.is_cancelled());
        drop(connection);
        cancellation.cancelled().await;
        assert_eq!(cancellation.cause(), Some(Cause::Docker));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_that_is_gone_cancels_nothing() {
        let cancellation = Cancellation::manual();
        cancellation.listen_to_docker("@docker_cli_gone").await;
        assert!(!cancellation.is_cancelled());
    }
}
