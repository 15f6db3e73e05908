//! One backup of a body of data, as it was found and judged.

use jiff::Timestamp;
use serde::Serialize;

use super::coverage::{Coverage, CoverageStatus, Facts, Fault};

/// What kind of copy a backup is, and so what a restore of it would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// Written by the database's own program: consistent in itself.
    Dump,
    /// A base backup with the log that makes it consistent.
    BaseBackup,
    /// The files of a server that had stopped before.
    StoppedCopy,
    /// The files of a server that ran, as far as is known: not consistent.
    RunningCopy,
}

impl Quality {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::BaseBackup => "base backup",
            Self::StoppedCopy => "copy of a stopped server",
            Self::RunningCopy => "file copy of a running server",
        }
    }
}

/// One backup that was found, whether it counts or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// What made it, or keeps it: `pg_dump`, `restic`, `snapshot`.
    pub tool: String,
    /// Where it is: a file's path, a repository and its name there.
    pub source: String,
    /// When the data was read for it.
    pub at: Option<Timestamp>,
    /// `covered` where it counts; never `none`.
    pub status: CoverageStatus,
    /// These are `None` where it was not found out, as one that is too old is not read.
    pub quality: Option<Quality>,
    pub whole: Option<bool>,
    pub same_data: Option<bool>,
    pub off_host: Option<bool>,
    /// Whether something makes the next one by itself.
    pub scheduled: Option<bool>,
    /// Whether a restore proved it.
    pub verified: bool,
    /// What is wrong with it, where it does not count and that is known.
    pub fault: Option<Fault>,
    /// Why it does not count, or what it is. One clause.
    pub detail: Option<String>,
}

impl Backup {
    /// A backup of which only this is known.
    #[must_use]
    pub fn new(tool: &str, source: impl Into<String>, at: Option<Timestamp>, status: CoverageStatus) -> Self {
        Self {
            tool: tool.to_owned(),
            source: source.into(),
            at,
            status,
            quality: None,
            whole: None,
            same_data: None,
            off_host: None,
            scheduled: None,
            verified: false,
            fault: None,
            detail: None,
        }
    }

    /// A place of backups that could not be asked.
    #[must_use]
    pub fn unknown(tool: &str, source: impl Into<String>, why: impl Into<String>) -> Self {
        Self { detail: Some(why.into()), ..Self::new(tool, source, None, CoverageStatus::Undetermined) }
    }

    /// One that does not count, and why.
    #[must_use]
    pub fn refused(
        tool: &str,
        source: impl Into<String>,
        at: Timestamp,
        (fault, why): (Fault, String),
    ) -> Self {
        let new = Self::new(tool, source, Some(at), CoverageStatus::Stale);
        Self { fault: Some(fault), detail: Some(why), ..new }
    }

    /// Where it is, with the tool where the place alone does not tell it.
    fn place(&self) -> String {
        const FILES: &[&str] =
            &["file", "files", "pg_dump", "pg_dumpall", "mysqldump", "RDB", "SQLite", "tar", "dbsafe"];
        if FILES.contains(&self.tool.as_str()) {
            self.source.clone()
        } else {
            format!("{} {}", self.tool, self.source)
        }
    }

    /// What it says of the data, where it is the best that there is.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        Coverage {
            status: self.status,
            at: self.at,
            source: Some(self.place()),
            verified: self.verified,
            detail: self.detail.clone(),
            facts: Facts {
                fault: self.fault,
                scheduled: self.scheduled,
                off_host: self.off_host,
                file_copy: self.quality.map(|quality| quality == Quality::RunningCopy),
                ..Facts::default()
            },
        }
    }
}
