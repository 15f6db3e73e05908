//! Findings and the verdict: what judge says, and what a person is told.

use serde::Serialize;

use super::evidence::TargetRef;

/// How bad a finding is. The order is the order of risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    None,
    Low,
    /// Survives, without a recent backup.
    Medium,
    /// Detached, and no recent backup.
    High,
    /// Destroyed, and no recent backup.
    Critical,
}

impl Severity {
    /// As it stands in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One thing that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's id, such as `data-in-writable-layer`.
    pub id: String,
    pub severity: Severity,
    pub target: TargetRef,
    /// Where in the target: the evidence's path.
    pub path: String,
    /// One clause, no trailing full stop.
    pub message: String,
    /// A command to paste, or one clause of advice.
    pub remedy: Option<String>,
    /// Why it does not count (accepted, disposable), where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Warn,
    Block,
    Undetermined,
}

impl Verdict {
    /// As it stands in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Undetermined => "undetermined",
        }
    }
}
