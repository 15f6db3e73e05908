//! Dials one engine, as hyper's pool asks for it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

/// Bytes of a child's complaint that we keep.
const COMPLAINT_BYTES: usize = 4096;

/// How long a child that has closed its output may take to end its complaint: a background ssh may hold the
/// pipe open for ever.
const COMPLAINT_TIME: Duration = Duration::from_millis(500);

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Knows the way to one engine, whatever address a request names.
#[derive(Clone)]
pub(super) enum Connector {
    #[cfg(unix)]
    Unix(PathBuf),
    Tcp {
        host: String,
        port: u16,
    },
    Docker {
        program: PathBuf,
        globals: Vec<OsString>,
    },
}

impl Connector {
    #[cfg(unix)]
    pub(super) fn unix(path: &Path) -> Self {
        use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
        // `unix://@name` is an abstract socket, which the kernel knows by a leading NUL.
        match path.as_os_str().as_bytes().strip_prefix(b"@") {
            Some(name) => Self::Unix(PathBuf::from(OsString::from_vec([b"\0", name].concat()))),
            None => Self::Unix(path.to_owned()),
        }
    }

    /// There is no such socket on this platform; docker says so itself.
    #[cfg(not(unix))]
    pub(super) fn unix(_path: &Path) -> Self {
        Self::Docker { program: PathBuf::from("docker"), globals: Vec::new() }
    }

    async fn dial(self) -> io::Result<TokioIo<EngineStream>> {
        let stream = match self {
            #[cfg(unix)]
            Self::Unix(path) => EngineStream::Unix(tokio::net::UnixStream::connect(path).await?),
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                EngineStream::Tcp(stream)
            }
            Self::Docker { program, globals } => {
                EngineStream::Docker(Box::new(DialStdio::start(&program, &globals)?))
            }
        };
        Ok(TokioIo::new(stream))
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<EngineStream>;
    type Error = io::Error;
    type Future = BoxedFuture<io::Result<TokioIo<EngineStream>>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _address: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

/// A connection to the engine.
pub(super) enum EngineStream {
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    Tcp(TcpStream),
    Docker(Box<DialStdio>),
}

impl Connection for EngineStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Calls the same method on whatever stream it is.
macro_rules! on_stream {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            #[cfg(unix)]
            EngineStream::Unix($stream) => $call,
            EngineStream::Tcp($stream) => $call,
            EngineStream::Docker($stream) => $call,
        }
    };
}

impl AsyncRead for EngineStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for EngineStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// `docker system dial-stdio` as a connection. Killed when dropped.
pub(super) struct DialStdio {
    /// `None` once the writing half was shut.
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Ends with what the child wrote to its standard error.
    complaint: Option<BoxedFuture<String>>,
    anything_came: bool,
    _child: Child,
}

impl DialStdio {
    fn start(program: &Path, globals: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(globals).args(["system", "dial-stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A Ctrl-C is for us to act on: the connection must outlive it, to put back what was stopped.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("docker system dial-stdio has no pipes"));
        };
        let complaint = Some(listen(errors));
        Ok(Self { input: Some(input), output, complaint, anything_came: false, _child: child })
    }
}

/// Keeps a child's standard error flowing; the future ends with its beginning, soon after it is first polled.
fn listen(mut errors: ChildStderr) -> BoxedFuture<String> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let listening = tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = errors.read(&mut buffer).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = COMPLAINT_BYTES.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
    });
    Box::pin(async move {
        // Out of time, there is what was heard so far.
        let _ = tokio::time::timeout(COMPLAINT_TIME, listening).await;
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard).split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

impl AsyncRead for DialStdio {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.anything_came = true;
        } else if !self.anything_came
            && let Some(complaint) = self.complaint.as_mut()
        {
            // It ended without a word of the engine: its complaint is the reason.
            let complaint = ready!(complaint.as_mut().poll(cx));
            self.complaint = None;
            if !complaint.is_empty() {
                return Poll::Ready(Err(io::Error::other(complaint)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DialStdio {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.input.as_mut() {
            // A child that has ended says why on its standard error, which reading finds; the write is not it.
            Some(input) => match ready!(Pin::new(input).poll_write(cx, bytes)) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.anything_came => {
                    Poll::Ready(Ok(bytes.len()))
                }
                other => Poll::Ready(other),
            },
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.input.as_mut() {
            Some(input) => Pin::new(input).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}
