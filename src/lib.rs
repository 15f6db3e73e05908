//! `docker dbsafe`: stands in front of every Docker command that can destroy a database.
//!
//! The data that flows: `argv → operation → plan (targets with their fates) → evidence → findings →
//! verdict → action`. Who may import whom: `model` nothing of ours; `judge`, `engines`, `checks`,
//! `report` only `model`; `plan` and `inspect` also the reading half of `docker`; `store` `model`;
//! `act` all of those and the writing half of `docker`; `commands` composes. `tests/architecture.rs`
//! enforces it.

pub mod docker;
pub mod engines;
pub mod inspect;
pub mod judge;
pub mod model;
pub mod report;
pub mod ui;

use std::{ffi::OsString, process::ExitCode};

/// Runs the plugin with docker's arguments (without the program's own name).
#[must_use]
pub fn run(_arguments: Vec<OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
