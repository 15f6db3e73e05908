//! The checks: one file each, with its documentation. Pure: descriptions and evidence in, findings out. Imports
//! `model` and the descriptions of `engines`.

pub mod from_compose;
pub mod from_container;
mod kind;
pub mod named_files;
mod place;
mod redis;
mod values;

mod auto_remove_with_data;
mod backup_empty_or_truncated;
mod backup_not_scheduled;
mod backup_only_on_this_host;
mod data_directory_on_network_or_desktop_mount;
mod data_directory_outside_mount;
mod data_in_anonymous_volume;
mod data_in_memory_only;
mod data_in_removed_volume;
mod data_in_tmpfs;
mod data_in_writable_layer;
mod depends_on_without_health;
mod evicting_durable_data;
mod file_copy_of_a_running_database;
mod files_in_removed_volume;
mod generic_health_check;
mod hard_coded_secret;
mod init_scripts_ignored;
mod memory_limit_below_maxmemory;
mod no_health_check;
mod no_memory_limit;
mod no_recent_backup;
mod no_restart_policy;
mod no_start_period;
mod orphaned_volume_with_data;
mod published_database_port;
mod redis_without_persistence;
mod restore_not_tested;
mod root_as_application_user;
mod scheduled_backup_failed;
mod scheduled_backup_overdue;
mod shared_data_directory;
mod stop_grace_too_short;
mod unbounded_logs;
mod undetermined;
mod unpinned_image;

use crate::model::{
    check::{Check, Look, Raised, Sink, Situation},
    setup::Setup,
};

/// Every check, by class.
pub static ALL: &[&Check] = &[
    &data_in_writable_layer::CHECK,
    &data_in_anonymous_volume::CHECK,
    &data_in_tmpfs::CHECK,
    &data_in_memory_only::CHECK,
    &data_in_removed_volume::CHECK,
    &files_in_removed_volume::CHECK,
    &data_directory_outside_mount::CHECK,
    &auto_remove_with_data::CHECK,
    &orphaned_volume_with_data::CHECK,
    &shared_data_directory::CHECK,
    &data_directory_on_network_or_desktop_mount::CHECK,
    &undetermined::CHECK,
    &no_recent_backup::CHECK,
    &backup_empty_or_truncated::CHECK,
    &backup_only_on_this_host::CHECK,
    &backup_not_scheduled::CHECK,
    &scheduled_backup_failed::CHECK,
    &scheduled_backup_overdue::CHECK,
    &restore_not_tested::CHECK,
    &file_copy_of_a_running_database::CHECK,
    &unpinned_image::CHECK,
    &no_health_check::CHECK,
    &generic_health_check::CHECK,
    &no_start_period::CHECK,
    &depends_on_without_health::CHECK,
    &hard_coded_secret::CHECK,
    &published_database_port::CHECK,
    &no_memory_limit::CHECK,
    &memory_limit_below_maxmemory::CHECK,
    &no_restart_policy::CHECK,
    &unbounded_logs::CHECK,
    &redis_without_persistence::CHECK,
    &evicting_durable_data::CHECK,
    &root_as_application_user::CHECK,
    &init_scripts_ignored::CHECK,
    &stop_grace_too_short::CHECK,
];

/// The check of this id.
#[must_use]
pub fn check(id: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.id == id).copied()
}

/// What the descriptions of a project's services show. In the order of services, then checks.
#[must_use]
pub fn of_setups(project: &[Setup]) -> Vec<Raised> {
    let mut found = Vec::new();
    for setup in project {
        for &check in ALL {
            if let Some(look) = check.setup {
                look(&Look { setup, project }, &mut Sink::new(check, &mut found));
            }
        }
    }
    found
}

/// What one body of data shows.
#[must_use]
pub fn of_data(situation: &Situation<'_>) -> Vec<Raised> {
    let mut found = Vec::new();
    for &check in ALL {
        if let Some(look) = check.data {
            look(situation, &mut Sink::new(check, &mut found));
        }
    }
    found
}

#[cfg(test)]
mod tests;
