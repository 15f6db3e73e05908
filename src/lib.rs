//! `docker dbsafe`: stands in front of every Docker command that can destroy a database.
//!
//! The data that flows: `argv → operation → plan (targets with their fates) → evidence → findings →
//! verdict → action`. Who may import whom: `model` nothing of ours; `judge`, `engines`, `checks`,
//! `report` only `model`; `plan` and `inspect` also the reading half of `docker`; `store` `model`;
//! `act` all of those and the writing half of `docker`; `commands` composes. `tests/architecture.rs`
//! enforces it.

pub mod act;
pub mod cancel;
pub mod docker;
pub mod engines;
pub mod exit;
pub mod inspect;
pub mod judge;
pub mod model;
pub mod plugin;
pub mod report;
pub mod store;
pub mod ui;

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use exit::Exit;
use plugin::Invocation;

/// Runs the plugin with docker's arguments (without the program's own name).
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    // Before everything else: docker asks for it at every turn.
    if Invocation::parse(&arguments) == Ok(Invocation::Metadata) {
        let written = std::io::stdout().write_all(plugin::METADATA.as_bytes());
        return if written.is_ok() { Exit::Done.into() } else { Exit::Failed.into() };
    }
    Exit::Usage.into()
}
