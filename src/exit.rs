//! Exit statuses: a contract with scripts.

use std::process::ExitCode;

/// How a run ended. A wrapped docker command's own status is passed on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// dbsafe failed, and nothing was destroyed.
    Failed,
    /// The command line was not understood.
    Usage,
    /// Blocked: data is at risk.
    Blocked,
    /// Blocked: it could not be determined whether data is at risk.
    Undetermined,
    /// A snapshot or its verification failed; nothing was destroyed.
    SnapshotFailed,
    /// Declined at the prompt.
    Declined,
    /// `audit` or `lint` with `--fail-on` found something.
    Found,
    /// Cancelled by a signal or by docker; as Compose has it.
    Cancelled,
    /// The wrapped docker command's own status.
    Docker(u8),
}

impl Exit {
    /// The process's exit status.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Blocked => 10,
            Self::Undetermined => 11,
            Self::SnapshotFailed => 12,
            Self::Declined => 13,
            Self::Found => 14,
            Self::Cancelled => 130,
            Self::Docker(status) => status,
        }
    }

    /// Whose status it is, as `exit.by` of the JSON has it.
    #[must_use]
    pub fn by(self) -> &'static str {
        match self {
            Self::Docker(_) => "docker",
            Self::Done
            | Self::Failed
            | Self::Usage
            | Self::Blocked
            | Self::Undetermined
            | Self::SnapshotFailed
            | Self::Declined
            | Self::Found
            | Self::Cancelled => "dbsafe",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn statuses_are_as_documented() {
        let ours = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Blocked,
            Exit::Undetermined,
            Exit::SnapshotFailed,
            Exit::Declined,
            Exit::Found,
        ];
        assert_eq!(ours.map(Exit::status), [0, 1, 2, 10, 11, 12, 13, 14]);
        assert_eq!((Exit::Docker(10).status(), Exit::Docker(10).by()), (10, "docker"));
    }
}
