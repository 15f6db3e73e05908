//! Asks other tools' programs, on this machine or in a container: under a time limit, with bounded output, without
//! a shell, with nothing to read. Blocks; for threads that may.

use std::{
    io::{self, Read},
    process::Stdio,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::io::StreamReader;

use crate::docker::{
    archive::Place,
    engine::Engine,
    exec::{Exec, ExecError},
};

/// More than any tool's list of backups.
const MOST_BYTES: usize = 64 << 20;
/// What a program says of its failure; the rest is not kept.
const MOST_WORDS: usize = 64 << 10;

/// Where a tool's program is.
#[derive(Clone)]
pub enum Where {
    /// On this machine, with the environment of this process.
    Here,
    /// In a running container, with the environment of that.
    Container { engine: Engine, id: String, name: String },
}

/// A tool that can be asked until a moment.
#[derive(Clone)]
pub struct Asker {
    pub place: Where,
    pub runtime: Handle,
    pub until: Instant,
    pub limit: Duration,
}

/// A program's arguments, and variables beside its environment: what may hold a secret stands there.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Question {
    pub(super) fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|&word| word.to_owned()).collect(), variables: Vec::new() }
    }

    pub(super) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

type Stream = Box<dyn AsyncRead + Send + Unpin>;
/// How a program ended.
type Ended = oneshot::Receiver<Result<(), String>>;

impl Asker {
    #[must_use]
    pub fn new(place: Where, runtime: Handle, limit: Duration) -> Self {
        Self { place, runtime, until: Instant::now() + limit, limit }
    }

    /// Where the program runs, for people; empty for this machine.
    pub(super) fn at(&self) -> String {
        match &self.place {
            Where::Here => String::new(),
            Where::Container { name, .. } => format!("{name}: "),
        }
    }

    /// What a program says.
    ///
    /// # Errors
    /// Where it cannot be started, fails, or is not done in time; in its own words where it had some.
    pub(super) fn text(&self, question: &Question) -> Result<String, String> {
        let mut text = Vec::new();
        self.stream(question, |reader| {
            reader.take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
            if text.len() > MOST_BYTES { Err(io::Error::other("it says more than we read")) } else { Ok(()) }
        })
        .map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|_invalid| format!("{} does not answer in UTF-8", question.program()))
    }

    /// Hands a program's output to a reader. What was read counts only where the program succeeds, too.
    ///
    /// # Errors
    /// As `text`, or the reader's.
    pub(super) fn stream<T>(
        &self,
        question: &Question,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let (stream, ended) = self.start(question)?;
        let mut reader = self.reader(stream);
        let done = read(&mut reader);
        // A program that still writes would wait for a reader for ever.
        let rest = if done.is_ok() { io::copy(&mut reader, &mut io::sink()).map(drop) } else { Ok(()) };
        drop(reader);
        let late = || io::Error::new(io::ErrorKind::TimedOut, self.late(question.program()));
        let ended = self.runtime.block_on(async { tokio::time::timeout_at(self.until, ended).await });
        match ended {
            Err(_elapsed) => Err(late()),
            Ok(Err(_gone)) => Err(io::Error::other("the program could not be waited for")),
            // Its own word on what went wrong says more than the stream that broke off.
            Ok(Ok(Err(why))) if done.is_ok() || is_cut(&done) => Err(io::Error::other(why)),
            Ok(Ok(_)) => {
                let done = done?;
                rest?;
                Ok(done)
            }
        }
    }

    fn late(&self, program: &str) -> String {
        format!("{program} was not done within {} s", self.limit.as_secs())
    }

    fn reader(&self, stream: Stream) -> impl Read + use<> {
        Timed { stream, runtime: self.runtime.clone(), until: self.until }
    }

    /// Starts a program: its output, and how it ends.
    fn start(&self, question: &Question) -> io::Result<(Stream, Ended)> {
        match &self.place {
            Where::Here => self.start_here(question),
            Where::Container { engine, id, .. } => {
                Ok(self.start_inside(engine.clone(), id.clone(), question))
            }
        }
    }

    fn start_here(&self, question: &Question) -> io::Result<(Stream, Ended)> {
        let program = question.program().to_owned();
        let mut command = tokio::process::Command::new(&program);
        command
            .args(&question.words[1..])
            .envs(question.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Its pipes belong to the runtime.
        let _entered = self.runtime.enter();
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(format!("{program} is not installed here")),
            _ => io::Error::other(format!("{program} cannot be started: {error}")),
        })?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let stderr = child.stderr.take();
        let until = self.until;
        let (tell, ended) = oneshot::channel();
        self.runtime.spawn(async move {
            let mut said = Vec::new();
            let wait = async {
                if let Some(mut stderr) = stderr {
                    let _ = (&mut stderr).take(MOST_WORDS as u64).read_to_end(&mut said).await;
                    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
                }
                child.wait().await
            };
            let end = match tokio::time::timeout_at(until, wait).await {
                Err(_elapsed) => Err(format!("{program} was not done in time")),
                Ok(Err(error)) => Err(error.to_string()),
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(_)) => Err(in_its_words(&program, &said)),
            };
            // Who asked may have gone.
            let _ = tell.send(end);
        });
        Ok((Box::new(stdout), ended))
    }

    fn start_inside(&self, engine: Engine, id: String, question: &Question) -> (Stream, Ended) {
        let (sender, receiver) = mpsc::channel::<bytes::Bytes>(8);
        let program = question.program().to_owned();
        let exec = Exec {
            command: question.words.clone(),
            environment: question.variables.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            user: None,
        };
        let (tell, ended) = oneshot::channel();
        let (runtime, until) = (self.runtime.clone(), self.until);
        std::thread::spawn(move || {
            let take = async |chunk: bytes::Bytes| {
                sender.send(chunk).await.map_err(|_closed| ExecError::Sink("nobody reads it".to_owned()))
            };
            let run = async {
                let run = engine.exec_streamed(&id, exec, MOST_WORDS, take);
                tokio::time::timeout_at(until, run).await
            };
            let end = match runtime.block_on(run) {
                Err(_elapsed) => Err(format!("{program} was not done in time")),
                Ok(Ok((0, _))) => Ok(()),
                Ok(Ok((126 | 127, _))) => Err(format!("{program} is not in the container")),
                Ok(Ok((_, said))) => Err(in_its_words(&program, &said)),
                Ok(Err(error)) => Err(format!("{program} {error}")),
            };
            // Who asked may have gone.
            let _ = tell.send(end);
        });
        let chunks = futures_util::stream::unfold(receiver, |mut receiver| async move {
            Some((Ok::<_, io::Error>(receiver.recv().await?), receiver))
        });
        (Box::new(StreamReader::new(chunks.boxed())), ended)
    }

    /// Hands one file of the container to a reader, by the archive API: it needs no program there.
    ///
    /// # Errors
    /// Where it is not there, is no file, or cannot be read in time.
    pub(super) fn file<T>(
        &self,
        place: &Place,
        path: &str,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let stream =
            self.runtime.block_on(place.stream(path)).map_err(|error| io::Error::other(error.to_string()))?;
        let stream = stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is gone"))?;
        let mut reader = self.reader(Box::new(StreamReader::new(stream.map_err(io::Error::other).boxed())));
        let mut archive = tar::Archive::new(&mut reader);
        let entry = archive.entries()?.next();
        let mut entry = entry.ok_or_else(|| io::Error::other("the engine's archive is empty"))??;
        if !entry.header().entry_type().is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let size = entry.size();
        let mut counted = crate::docker::archive::Counted { reader: &mut entry, bytes: 0 };
        let done = read(&mut counted)?;
        io::copy(&mut counted, &mut io::sink())?;
        // An archive that the engine breaks off is no end of a file.
        if counted.bytes < size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(done)
    }
}

/// Whether a reader failed for want of more, or of time.
fn is_cut<T>(done: &io::Result<T>) -> bool {
    done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The first line that a program wrote of its failure. Never more: what follows may quote its surroundings.
fn in_its_words(program: &str, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let is_word = |line: &&str| !line.is_empty() && !line.contains(" NOTICE: ");
    let line = said.lines().map(str::trim).find(is_word);
    match line {
        Some(line) => format!("{program} says: {}", without_secrets(line)),
        None => format!("{program} failed without a word"),
    }
}

/// A text without what stands between `://` and `@`: a password may.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || c == '/' || c == '"').unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        shown.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// A stream that is read on a thread, until a moment.
struct Timed {
    stream: Stream,
    runtime: Handle,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        let timed = self.runtime.block_on(async { tokio::time::timeout_at(self.until, read).await });
        timed.unwrap_or_else(|_elapsed| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "there was no time to read it"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        for (text, shown) in [
            ("rest:https://u:p@host:8000/repo", "rest:https://host:8000/repo"),
            ("https://host/a@b", "https://host/a@b"),
            (
                "unable to open rest:https://u:p@w@h/ and s3:s3.amazonaws.com/x",
                "unable to open rest:https://h/ and s3:s3.amazonaws.com/x",
            ),
            ("/srv/repo", "/srv/repo"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }

    fn asker(runtime: &tokio::runtime::Runtime, limit: Duration) -> Asker {
        Asker::new(Where::Here, runtime.handle().clone(), limit)
    }

    #[test]
    fn a_program_is_asked_without_a_shell_and_its_failure_is_told_in_its_words() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asker = asker(&runtime, Duration::from_secs(20));
        let text = |words: &[&str]| asker.text(&Question::new(words));
        assert_eq!(text(&["echo", "$HOME;id"]).unwrap(), "$HOME;id\n");
        let said = text(&["sh", "-c", "echo out; echo https://u:p@h no >&2; exit 3"]).unwrap_err();
        assert_eq!(said, "sh says: https://h no");
        assert_eq!(text(&["dbsafe-no-such"]).unwrap_err(), "dbsafe-no-such is not installed here");
        let variable = Question::new(&["sh", "-c", "printf %s \"$A\""]).variable("A", "b");
        assert_eq!(asker.text(&variable).unwrap(), "b");
    }

    #[test]
    fn a_program_that_does_not_end_is_given_up() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asker = asker(&runtime, Duration::from_millis(200));
        let why = asker.text(&Question::new(&["sleep", "600"])).unwrap_err();
        assert!(why.contains("time") || why.contains("within"), "{why}");
    }
}
