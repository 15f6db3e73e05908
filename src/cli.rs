//! The command line of our own commands, and the help. The guarded commands are parsed as docker would, by
//! `plan::parse`; they stand here by name, for the help.

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::commands::{
    audit::AuditArgs,
    backups::BackupsArgs,
    config::ConfigArgs,
    doctor::DoctorArgs,
    drill::DrillArgs,
    explain::ExplainArgs,
    hooks::HooksArgs,
    journal::JournalArgs,
    lint::LintArgs,
    man::ManArgs,
    migrate::MigrateArgs,
    protect::{ProtectArgs, UnprotectArgs},
    recover::RecoverArgs,
    shell_init::ShellInitArgs,
};
use crate::commands::{
    restore::{RestoreArgs, UndoArgs},
    schedule::ScheduleArgs,
    snapshot::SnapshotArgs,
    snapshots::SnapshotsArgs,
};

/// Stands in front of every Docker command that can destroy a database
#[derive(Debug, Parser)]
#[command(
    name = "docker-dbsafe",
    bin_name = "docker dbsafe",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    override_usage = "docker dbsafe COMMAND",
    after_help = GUARDED
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: OwnCommand,
}

const GUARDED: &str = "\
Guarded commands, with the flags, output and exit status of what they stand in front of:
  down                     docker compose down; compose's own globals go before it
  compose ...              any compose command; those that remove containers or volumes are guarded
  rm, container rm         docker rm
  volume rm                docker volume rm
  guard -- ARGS...         docker ARGS..., whatever it is
  guard --check -- ARGS... judges it and runs nothing; JSON, for agents and CI

Flags of ours on a guarded command:
  --plan                   say what would happen, and stop
  --snapshot               save what is at risk, prove it, then go on
  --verify restore|checksum  how a snapshot is proved
  --accept-loss NAME       let the data of this container or volume go; repeatable
  --code CODE              a person's one-time yes, from `docker dbsafe allow`
  --format text|json       how to say it

Exit status: docker's own, or
  1   dbsafe failed and nothing was destroyed     2   the command line is not understood
  10  blocked: data is at risk                    11  blocked: it could not be determined
  12  a snapshot failed; nothing was destroyed
  13  declined at the prompt                      14  audit or lint --fail-on found something";

#[derive(Debug, Subcommand)]
pub enum OwnCommand {
    Audit(AuditArgs),
    Backups(BackupsArgs),
    Lint(LintArgs),
    Explain(ExplainArgs),
    Snapshot(SnapshotArgs),
    Snapshots(SnapshotsArgs),
    Restore(RestoreArgs),
    Undo(UndoArgs),
    Recover(RecoverArgs),
    Migrate(MigrateArgs),
    Schedule(ScheduleArgs),
    Drill(DrillArgs),
    Allow(AllowArgs),
    Protect(ProtectArgs),
    Unprotect(UnprotectArgs),
    Journal(JournalArgs),
    Config(ConfigArgs),
    ShellInit(ShellInitArgs),
    Hooks(HooksArgs),
    Doctor(DoctorArgs),
    Completion(CompletionArgs),
    Man(ManArgs),
}

/// Say yes to one removal, for somebody without a terminal: prints a code that is good once, for ten minutes
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// Docker's arguments, as they will be run
    #[arg(last = true, required = true, value_name = "ARGS")]
    pub command: Vec<String>,
}

/// Print a completion script
#[derive(Debug, Args)]
pub struct CompletionArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Shell {
    /// As it is called on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }
}

/// Whether a word is one of our own commands.
#[must_use]
pub fn is_own(word: &str) -> bool {
    Cli::command().get_subcommands().any(|command| command.get_name() == word)
}

/// The whole help.
#[must_use]
pub fn help() -> String {
    Cli::command().render_help().to_string()
}
