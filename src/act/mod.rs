//! What changes anything: snapshots, restores, handing over to docker. Only this part of the program acts.

pub mod copy;
pub mod handover;
pub mod progress;
