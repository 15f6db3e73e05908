//! What other tools say of their backups: one file per tool, each the words to ask it and the reading of its answer.

pub(super) mod borg;
pub(super) mod command;
pub mod fetch;
mod holding;
pub(super) mod kopia;
pub(super) mod pgbackrest;
pub(super) mod rclone;
pub(super) mod repository;
pub(super) mod restic;
pub(super) mod walg;

pub use self::{
    borg::Borg,
    command::command,
    holding::{Holding, holdings, wanted},
    kopia::Kopia,
    pgbackrest::pgbackrest,
    rclone::Rclone,
    repository::{Entry, Repository, Snapshot, look},
    restic::Restic,
    walg::walg,
};
