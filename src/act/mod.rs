//! What changes anything: handing over to docker. Only this part of the program acts.

pub mod events;
pub mod handover;
