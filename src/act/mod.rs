//! What changes anything: snapshots, restores, handing over to docker. Only this part of the program acts.

mod content;
pub mod copy;
pub mod drill;
mod dump;
pub mod events;
mod fresh;
pub mod handover;
pub mod keeper;
mod layer;
pub mod migrate;
pub mod moves;
pub mod notify;
pub mod other_version;
pub mod progress;
pub mod prune;
mod recipe;
pub mod recover;
pub mod restore;
mod resume;
pub mod snapshot;
pub mod swap;
pub mod targets;
pub mod timer;
pub mod undo;
pub mod verify;
