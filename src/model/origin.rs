//! Whose a volume was that no container uses any more: clues, and what they come to.

use serde::Serialize;

/// How sure we are. The order is the order of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It fits, and so may others.
    Possible,
    /// Several things fit, or one that is hard to come by otherwise.
    Likely,
    /// It is written down.
    Certain,
}

/// One reason to think that somebody used a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clue {
    pub project: Option<String>,
    pub service: Option<String>,
    /// The container that had it, by name.
    pub container: Option<String>,
    /// Where it was mounted.
    pub destination: Option<String>,
    pub strength: Certainty,
    /// One clause, without a full stop; may hold text from outside.
    pub because: String,
}

/// Who probably used a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub project: Option<String>,
    pub service: Option<String>,
    pub container: Option<String>,
    pub destination: Option<String>,
    pub certainty: Certainty,
    /// Why we think so, the strongest first.
    pub because: Vec<String>,
}
