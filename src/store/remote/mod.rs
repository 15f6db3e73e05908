//! Copies of snapshots off this host: buckets and mounted folders, through one interface.
//!
//! `<prefix>/<id>/` holds what a snapshot's folder holds, file by file, and its manifest last: a folder without one
//! is a leftover. There is no index that could be lost, as each listing reads the objects themselves.

pub mod address;
mod catalogue;
mod connect;
mod error;
mod profile;
mod pull;
mod push;
mod record;
mod seal;
#[cfg(test)]
mod suite;
mod upload;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt as _, multipart::MultipartStore, path::Path};

pub use address::Address;
pub use catalogue::{Leftover, RemoteFile, RemoteListing, RemoteSnapshot};
pub use connect::Surroundings;
pub use error::RemoteError;
pub use push::Pushed;
pub use record::{Attempt, Copied};
pub use upload::Told;

/// A bucket's prefix, or a folder. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    /// Uploads in parts that a later process can go on with; a folder has none.
    parts: Option<Arc<dyn MultipartStore>>,
    address: Address,
    shown: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Remote({})", self.shown)
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name below the remote's prefix.
    pub name: String,
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Remote {
    /// Opens a remote; no call is made yet.
    ///
    /// # Errors
    /// Where there are no credentials, or a folder is not there.
    pub fn open(address: &Address, surroundings: &Surroundings) -> Result<Self, RemoteError> {
        let (store, parts) = connect::connect(address, surroundings)?;
        Ok(Self { store, parts, address: address.clone(), shown: address.to_string() })
    }

    /// Its address, as it is written in the settings.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it is a folder on the disk that holds this path: losing the one would lose the other.
    #[must_use]
    pub fn is_beside(&self, path: &std::path::Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let device = |path: &std::path::Path| path.metadata().ok().map(|metadata| metadata.dev());
            self.address.folder().is_some_and(|folder| device(folder) == device(path))
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            false
        }
    }

    /// Every object under a prefix of names, in no order. Empty: all.
    ///
    /// # Errors
    /// Where the remote does not answer or refuses.
    pub async fn list(&self, under: &str) -> Result<Vec<Object>, RemoteError> {
        let root = self.path("");
        let folder = under.rsplit_once('/').map_or("", |(folder, _)| folder);
        // The service lists by whole parts of a name; the rest is ours.
        let listing = self.store.list(Some(&self.path(folder)));
        let metas: Vec<object_store::ObjectMeta> =
            listing.try_collect().await.map_err(|error| self.failed("such prefix", &error))?;
        let object = |meta: object_store::ObjectMeta| {
            let name = match root.as_ref() {
                "" => meta.location.to_string(),
                root => meta.location.as_ref().strip_prefix(root)?.strip_prefix('/')?.to_owned(),
            };
            let modified = Timestamp::from_second(meta.last_modified.timestamp()).ok()?;
            name.starts_with(under).then_some(Object { name, bytes: meta.size, modified })
        };
        Ok(metas.into_iter().filter_map(object).collect())
    }

    /// Some bytes of an object.
    ///
    /// # Errors
    /// Where there is no such object, or the remote refuses.
    pub async fn read_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, RemoteError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.store.get_range(&self.path(name), range).await.map_err(|error| self.failed(name, &error))
    }

    /// The object's place in the store. Names are ours or were listed: no `..` is among them.
    fn path(&self, name: &str) -> Path {
        let parts = self.address.prefix.split('/').chain(name.split('/'));
        parts.filter(|part| !part.is_empty()).collect()
    }

    fn failed(&self, name: &str, error: &object_store::Error) -> RemoteError {
        RemoteError::of(&self.shown, name, error)
    }
}
