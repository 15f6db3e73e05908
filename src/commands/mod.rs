//! One file per command; composes the stages.

pub mod app;
pub mod audit;
mod completion;
pub mod config;
pub mod dispatch;
pub mod guard;
mod prompt;
pub mod restore;
mod save;
pub mod snapshot;
pub mod snapshots;
