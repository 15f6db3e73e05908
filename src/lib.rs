//! `docker dbsafe`: stands in front of every Docker command that can destroy a database.
//!
//! The data that flows: `argv → operation → plan (targets with their fates) → evidence → findings →
//! verdict → action`. Who may import whom: `model` nothing of ours; `judge`, `engines`, `report` only
//! `model`; `composefile` nothing of ours; `checks` also what `engines` describes; `plan` and `inspect` also the
//! reading half of `docker`; `store` `model`; `act` all of those and the writing half of `docker`; `commands`
//! composes. `tests/architecture.rs` enforces it.

pub mod act;
pub mod cancel;
pub mod checks;
pub mod cli;
pub mod commands;
pub mod composefile;
pub mod docker;
pub mod engines;
pub mod exit;
pub mod inspect;
pub mod judge;
pub mod model;
pub mod plan;
pub mod plugin;
pub mod report;
pub mod settings;
pub mod store;
pub mod ui;

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use commands::dispatch;
use docker::environment::Environment;
use exit::Exit;
use plugin::Invocation;
use ui::Ui;

/// Runs the plugin with docker's arguments (without the program's own name).
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let invocation = Invocation::parse(&arguments);
    // Before everything else: docker asks for it at every turn.
    if invocation == Ok(Invocation::Metadata) {
        let written = std::io::stdout().write_all(plugin::METADATA.as_bytes());
        return if written.is_ok() { Exit::Done.into() } else { Exit::Failed.into() };
    }
    let ui = Ui::of_process();
    let invocation = match invocation {
        Ok(invocation) => invocation,
        Err(error) => {
            ui.fail(&error.to_string(), Some("docker --help lists docker's flags"));
            return Exit::Usage.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.fail(&format!("no threads could be started: {error}"), None);
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(dispatch::run(ui, Environment::of_process(), invocation));
    // A walk that was given up may still hold a thread; nothing waits for it.
    runtime.shutdown_background();
    exit.into()
}
