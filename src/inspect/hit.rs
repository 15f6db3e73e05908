//! A database that was seen in a place, before we know what is in it.

use jiff::Timestamp;

use super::spot::Spot;
use crate::engines::{Kind, recognise::Found};

/// A data directory or a single-file database in a container or volume.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) kind: &'static Kind,
    /// Absolute in the container (or in the volume).
    pub(super) path: String,
    pub(super) is_file: bool,
    pub(super) spot: Spot,
    /// `None` where nobody has listed the files yet.
    pub(super) size: Option<u64>,
    pub(super) newest: Option<Timestamp>,
    /// Whether a user's data is in it; `None` where that is not known.
    pub(super) user_data: Option<bool>,
    /// The first bytes of a single-file database.
    pub(super) head: Vec<u8>,
}

impl Hit {
    /// What a listing of `base` found. `whole` says whether the listing saw everything, so that what it did
    /// not see is absent.
    pub(super) fn from_listing(found: Found, base: &str, spot: Spot, whole: bool) -> Self {
        let base = base.trim_end_matches('/');
        let path = match found.path.as_str() {
            "" if base.is_empty() => "/".to_owned(),
            "" => base.to_owned(),
            path => format!("{base}/{path}"),
        };
        Self {
            kind: found.kind,
            path,
            is_file: found.is_file,
            spot,
            size: Some(found.size).filter(|_| whole),
            newest: found.newest,
            user_data: found.user_data.filter(|&seen| seen || whole),
            head: found.head,
        }
    }
}
