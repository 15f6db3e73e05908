//! One file per command; composes the stages.

pub mod app;
pub mod audit;
pub mod check;
mod completion;
pub mod config;
pub mod dispatch;
pub mod doctor;
mod doctor_checks;
pub mod drill;
mod evidence;
pub mod guard;
mod hints;
pub mod hooks;
pub mod journal;
pub mod man;
pub mod migrate;
mod project;
mod prompt;
pub mod protect;
pub mod recover;
pub mod restore;
mod save;
pub mod schedule;
mod scheduled;
pub mod shell_init;
pub mod snapshot;
pub mod snapshots;
