//! Plain data that the stages hand to each other. Imports nothing of ours.

pub mod backup;
pub mod check;
pub mod container;
pub mod coverage;
pub mod drill;
pub mod evidence;
pub mod journal;
pub mod manifest;
pub mod operation;
pub mod origin;
pub mod plan;
pub mod policy;
pub mod schedule;
pub mod setup;
pub mod swarm;
pub mod verdict;
