//! Looks for the backups that rules and labels tell of.
use super::Settings;
use crate::{
    commands::app::App,
    model::{evidence::Evidence, plan::Plan},
};

impl Settings {
    pub async fn cover(&self, _app: &App, _plan: &Plan, _evidence: &mut [Evidence]) {}
}
