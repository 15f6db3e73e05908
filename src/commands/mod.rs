//! One file per command; composes the stages.

pub mod app;
pub mod audit;
pub mod check;
mod checked;
mod completion;
pub mod config;
pub mod dispatch;
pub mod doctor;
mod doctor_checks;
mod evidence;
pub mod explain;
pub mod guard;
mod hints;
pub mod hooks;
pub mod journal;
pub mod lint;
pub mod man;
pub mod migrate;
mod project;
mod prompt;
pub mod protect;
pub mod recover;
pub mod restore;
mod save;
pub mod shell_init;
pub mod snapshot;
pub mod snapshots;
