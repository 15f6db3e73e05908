//! Stands between docker, dbsafe and an engine, counts the calls, and spoils one of them.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends before the engine hears of it.
    Unheard,
    /// The connection ends, and a second later the engine hears of it all the same.
    Belated,
    /// The engine does it, and the connection ends without an answer.
    Unanswered,
    /// The answer's head comes, and nothing of its body.
    Headless,
    /// The answer ends in its middle.
    Truncated,
    /// Bytes of the answer's body are others.
    Garbled,
    /// The answer takes its time.
    Late,
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault::Unheard,
    Fault::Belated,
    Fault::Unanswered,
    Fault::Headless,
    Fault::Truncated,
    Fault::Garbled,
    Fault::Late,
];

const DELAY: Duration = Duration::from_secs(2);

/// What the connections share.
#[derive(Default)]
struct Line {
    /// The first line of each.
    calls: Vec<String>,
    /// The number of the call that is spoiled, from 1.
    spoiled: Option<(usize, Fault)>,
    /// The first line of the call that was.
    hit: Option<String>,
    /// With what a call begins before which the line goes dead.
    ends_before: Option<&'static str>,
    is_dead: bool,
}

/// A socket in front of an engine's.
pub(crate) struct Proxy {
    line: Arc<Mutex<Line>>,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// In front of `unix:///…`.
    pub(crate) fn before(host: &str) -> Self {
        let engine = PathBuf::from(host.strip_prefix("unix://").unwrap());
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let line = Arc::new(Mutex::new(Line::default()));
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(engine) = UnixStream::connect(&engine) else { continue };
                connect(client, engine, &shared);
            }
        });
        Self { line, folder }
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// Counts from here on, and spoils one call.
    pub(crate) fn spoil(&self, spoiled: Option<(usize, Fault)>) {
        *self.line.lock().unwrap() = Line { spoiled, ..Line::default() };
    }

    /// From a call that begins so on, nothing comes through.
    pub(crate) fn end_before(&self, call: &'static str) {
        *self.line.lock().unwrap() = Line { ends_before: Some(call), ..Line::default() };
    }

    /// The first lines of the calls, and of the one that was spoiled.
    pub(crate) fn so_far(&self) -> (Vec<String>, Option<String>) {
        let line = self.line.lock().unwrap();
        (line.calls.clone(), line.hit.clone())
    }
}

/// Whether bytes from a client begin a call: its head comes in one piece.
fn begins_call(bytes: &[u8]) -> bool {
    [&b"GET /"[..], b"POST /", b"HEAD /", b"PUT /", b"DELETE /"]
        .iter()
        .any(|method| bytes.starts_with(method))
}

fn connect(mut client: UnixStream, mut engine: UnixStream, line: &Arc<Mutex<Line>>) {
    // What is to be done with the answer that comes next on this connection.
    let pending: Arc<Mutex<Option<Fault>>> = Arc::default();
    let (mut answers, mut asker) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    let (line, asked) = (Arc::clone(line), Arc::clone(&pending));
    std::thread::spawn(move || {
        let (mut buffer, mut unheard) = (vec![0; 1 << 16], false);
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let bytes = &buffer[..length];
            if begins_call(bytes) {
                let mut line = line.lock().unwrap();
                let head = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
                let head = String::from_utf8_lossy(head).into_owned();
                line.is_dead |= line.ends_before.is_some_and(|call| head.starts_with(call));
                if line.is_dead {
                    unheard = true;
                    break;
                }
                line.calls.push(head.clone());
                if let Some((number, fault)) = line.spoiled
                    && number == line.calls.len()
                {
                    line.hit = Some(head);
                    unheard = fault == Fault::Unheard;
                    if unheard {
                        break;
                    }
                    *asked.lock().unwrap() = Some(fault);
                    if fault == Fault::Belated {
                        drop(line);
                        let _ = client.shutdown(Shutdown::Both);
                        std::thread::sleep(DELAY / 2);
                    }
                }
            }
            if engine.write_all(bytes).is_err() {
                break;
            }
        }
        // A client that has said all of its input still waits for the output.
        let _ = engine.shutdown(if unheard { Shutdown::Both } else { Shutdown::Write });
        if unheard {
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = answers.read(&mut buffer) {
            let fault = pending.lock().unwrap().take();
            let (bytes, ends) = match fault {
                Some(fault) => spoil(&mut buffer[..length], fault),
                None => (&buffer[..length], false),
            };
            if asker.write_all(bytes).is_err() || ends {
                break;
            }
        }
        let _ = asker.shutdown(Shutdown::Both);
        let _ = answers.shutdown(Shutdown::Both);
    });
}

/// What is left of the first piece of an answer, and whether the connection ends with it.
fn spoil(bytes: &mut [u8], fault: Fault) -> (&[u8], bool) {
    let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    match fault {
        Fault::Unheard | Fault::Belated | Fault::Unanswered => (&[], true),
        Fault::Headless => (&bytes[..body], true),
        Fault::Truncated => (&bytes[..body + (bytes.len() - body) / 2], true),
        Fault::Garbled => {
            bytes[body..].iter_mut().step_by(16).for_each(|byte| *byte ^= 0x80);
            (bytes, false)
        }
        Fault::Late => {
            std::thread::sleep(DELAY);
            (bytes, false)
        }
    }
}
