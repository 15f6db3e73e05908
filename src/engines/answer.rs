//! What a running server says of itself, whatever its kind.

use jiff::Timestamp;

use crate::model::evidence::Contents;

/// A server's answer to its kind's `QUESTION`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub version: Option<String>,
    /// What tells this cluster from every other, where the server has such a thing.
    pub identity: Option<String>,
    pub last_write: Option<Timestamp>,
    pub contents: Contents,
    /// Whether everything was counted, so that 'nothing in it' is a fact.
    pub complete: bool,
    /// Things of a user's: tables and large objects, or keys.
    pub objects: u64,
}

impl Answer {
    /// Whether the server counted everything and found nothing.
    #[must_use]
    pub fn says_empty(&self) -> bool {
        self.complete && self.objects == 0
    }
}
