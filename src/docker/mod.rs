//! The Docker engine: which one, how to reach it, and what it says. Imports `model` and nothing else of ours.

pub mod archive;
pub mod caller;
pub mod client_config;
mod compose_version;
mod connector;
pub mod control;
pub mod dial;
pub mod endpoint;
pub mod engine;
pub mod environment;
pub mod error;
pub mod events;
pub mod exec;
pub mod globals;
mod identity;
pub mod processes;
pub mod program;
pub mod scratch;
pub mod swarm;
pub mod tar_stream;
pub mod unchanged;
