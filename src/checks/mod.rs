//! The checks: one file each, with its documentation. Pure: descriptions and evidence in, findings out. Imports
//! `model` and the descriptions of `engines`.

pub mod from_compose;
mod kind;
mod values;

mod no_health_check;

use crate::model::{
    check::{Check, Look, Raised, Sink, Situation},
    setup::Setup,
};

/// Every check, by class and id.
pub static ALL: &[&Check] = &[&no_health_check::CHECK];

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
