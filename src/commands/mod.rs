//! One file per command; composes the stages.

pub mod app;
pub mod audit;
pub mod guard;
mod prompt;
