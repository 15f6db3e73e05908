//! Settings: stub.
use crate::{
    commands::app::{App, Failure},
    judge::{Stance, loss_name},
    model::{
        evidence::{Evidence, Location},
        plan::Plan,
        policy::OnSurvivors,
    },
};

pub struct Settings;

impl Settings {
    pub fn load(_app: &App) -> Result<Self, Failure> {
        Ok(Self)
    }
    pub fn load_for(_app: &App, _plan: &Plan) -> Result<Self, Failure> {
        Ok(Self)
    }
    pub async fn cover(&self, _app: &App, _plan: &Plan, _evidence: &mut [Evidence]) {}
    pub fn stance(&self, _plan: &Plan, seen: &Evidence, accepted: &[String]) -> Stance {
        let name = loss_name(seen);
        let matches = |given: &String| {
            given == name
                || seen.location != Location::NamedVolume
                    && (*given == seen.target.name || seen.target.service.as_ref() == Some(given))
        };
        let accepted =
            accepted.iter().find(|given| matches(given)).map(|given| format!("--accept-loss {given}"));
        Stance { accepted, on_survivors: OnSurvivors::Warn }
    }
    pub fn notes(&self, evidence: &[Evidence], accepted: &[String]) -> Vec<String> {
        accepted
            .iter()
            .filter(|name| {
                !evidence.iter().any(|seen| {
                    loss_name(seen) == name.as_str()
                        || seen.target.name == **name
                        || seen.target.service.as_ref() == Some(name)
                })
            })
            .map(|name| format!("--accept-loss {name}: nothing at risk has this name"))
            .collect()
    }
}
