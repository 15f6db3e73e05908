//! What a person wishes: how strict to be, and where backups are.

use std::{fmt, path::PathBuf};

use jiff::SignedDuration;
use serde::Serialize;

/// What happens where data stays and nothing backs it up. Later is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSurvivors {
    /// No word.
    Ignore,
    /// One line.
    Warn,
    /// Blocks, as if it would be lost.
    Block,
}

/// Whether data is guarded at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Guard,
    /// A test stack: what is lost is not missed.
    Disposable,
}

/// How a person may say that a loss is fine. Later is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptLoss {
    /// `--accept-loss NAME` counts anywhere.
    Flag,
    /// Only a name typed at a prompt counts.
    Terminal,
    /// Nothing counts.
    Never,
}

macro_rules! words {
    ($kind:ident { $($variant:ident = $word:literal),+ }) => {
        impl $kind {
            /// The words that the settings files take.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Reads a settings file's word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words!(OnSurvivors { Ignore = "ignore", Warn = "warn", Block = "block" });
words!(Mode { Guard = "guard", Disposable = "disposable" });
words!(AcceptLoss { Flag = "flag", Terminal = "terminal", Never = "never" });

/// The settings that decide how one body of data is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// A backup older than this is none.
    pub max_backup_age: SignedDuration,
    pub on_survivors: OnSurvivors,
    pub accept_loss: AcceptLoss,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Guard,
            max_backup_age: SignedDuration::from_hours(24),
            on_survivors: OnSurvivors::Warn,
            accept_loss: AcceptLoss::Flag,
        }
    }
}

/// Whose backups a rule tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A compose service: `db`, or with its project, `shop/db`.
    Service(String),
    /// A volume, by its name on the engine.
    Volume(String),
    /// A container, by its name.
    Container(String),
}

/// Another tool that keeps backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    Restic {
        repository: String,
    },
    Borg {
        repository: String,
    },
    /// The repository that kopia is connected to, or that of a configuration file.
    Kopia {
        configuration: Option<String>,
    },
    PgBackRest {
        stanza: String,
    },
    WalG,
    /// A folder of a remote that rclone knows.
    Rclone {
        remote: String,
    },
    /// Objects under a prefix of a bucket.
    Object {
        url: String,
    },
    /// Prints the time of the newest backup.
    Command {
        line: String,
    },
}

impl Program {
    /// What it is asked for: a repository, a command line.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Restic { repository: detail }
            | Self::Borg { repository: detail }
            | Self::PgBackRest { stanza: detail }
            | Self::Object { url: detail }
            | Self::Command { line: detail } => detail,
            Self::Kopia { configuration } => configuration.as_deref().unwrap_or("true"),
            Self::Rclone { remote } => remote,
            Self::WalG => "true",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Restic { .. } => "restic",
            Self::Borg { .. } => "borg",
            Self::Kopia { .. } => "kopia",
            Self::WalG => "walg",
            Self::Rclone { .. } => "rclone",
            Self::PgBackRest { .. } => "pgbackrest",
            Self::Object { .. } => "object",
            Self::Command { .. } => "command",
        }
    }
}

/// Where the backups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupSource {
    /// Files on this machine. A relative glob starts at `base_folder`.
    Files {
        glob: String,
        base_folder: PathBuf,
    },
    Program(Program),
}

/// Where backups of something are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRule {
    pub selector: Selector,
    pub source: BackupSource,
}

/// A finding that a person has decided to live with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The check's id.
    pub check: String,
    /// A container's, service's or volume's name.
    pub target: String,
    pub reason: String,
}
