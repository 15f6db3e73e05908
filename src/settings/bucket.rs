//! Objects in a bucket as backups: asked in the way of our own copies, with the credentials that the service's own
//! tools would use. A bucket has no snapshots; it is taken for one, of now.

use std::io::{self, Read};

use jiff::Timestamp;

use crate::{
    inspect::backups::{
        ask::Asker,
        tools::{Entry, Repository, Snapshot},
    },
    store::remote::{Address, Object, Remote, RemoteError, Surroundings},
};

/// So much of an object is asked for at once.
const PIECE: u64 = 4 << 20;

/// Everything below a prefix of a bucket.
pub(super) struct Bucket {
    remote: Remote,
    shown: String,
    asker: Asker,
    now: Timestamp,
}

impl Bucket {
    /// Opens it; no call is made yet.
    ///
    /// # Errors
    /// Where the address or the credentials are not understood, in one clause.
    pub(super) fn open(
        url: &str,
        surroundings: &Surroundings,
        asker: Asker,
        now: Timestamp,
    ) -> Result<Self, String> {
        let remote = Address::parse(url).and_then(|address| Remote::open(&address, surroundings));
        let remote = remote.map_err(|error| error.to_string())?;
        Ok(Self { remote, shown: url.to_owned(), asker, now })
    }

    /// Waits for the bucket, no longer than for any other tool.
    fn wait<T>(&self, call: impl Future<Output = Result<T, RemoteError>>) -> Result<T, String> {
        let limited = async { tokio::time::timeout_at(self.asker.until, call).await };
        let late = |_| format!("{} did not answer within {} s", self.shown, self.asker.limit.as_secs());
        self.asker.runtime.block_on(limited).map_err(late)?.map_err(|error| error.to_string())
    }
}

impl Repository for Bucket {
    fn tool(&self) -> &'static str {
        "object"
    }

    fn place(&self) -> &str {
        &self.shown
    }

    fn off_host(&self) -> Option<bool> {
        // A folder may be a mounted one; that is not known.
        self.remote.address().folder().is_none().then_some(true)
    }

    fn asker(&self) -> &Asker {
        &self.asker
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        Ok(vec![Snapshot { id: String::new(), name: String::new(), began: self.now, paths: Vec::new() }])
    }

    fn entries(&self, _snapshot: &Snapshot) -> Result<Vec<Entry>, String> {
        let objects = self.wait(self.remote.list(""))?;
        let entry = |object: Object| Entry {
            path: object.name,
            is_file: true,
            size: object.bytes,
            modified: Some(object.modified),
            ..Entry::default()
        };
        Ok(objects.into_iter().map(entry).collect())
    }

    fn read(
        &self,
        _snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        read(&mut Pieces { bucket: self, entry, at: 0, piece: Vec::new(), used: 0 })
    }
}

/// An object, piece by piece.
struct Pieces<'a> {
    bucket: &'a Bucket,
    entry: &'a Entry,
    at: u64,
    piece: Vec<u8>,
    /// Bytes of the piece that were handed on.
    used: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() && self.at < self.entry.size {
            let end = self.entry.size.min(self.at + PIECE);
            let range = self.at..end;
            let piece = self.bucket.wait(self.bucket.remote.read_range(&self.entry.path, range));
            self.piece = piece.map_err(io::Error::other)?.to_vec();
            if self.piece.len() as u64 != end - self.at {
                return Err(io::Error::other(format!("{} is shorter than it is listed", self.entry.path)));
            }
            (self.at, self.used) = (end, 0);
        }
        let rest = &self.piece[self.used..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.used += count;
        Ok(count)
    }
}
