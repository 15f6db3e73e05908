//! The command that mends a finding, to paste.

use crate::{
    model::{
        evidence::{Evidence, Presence},
        verdict::{Finding, Severity},
    },
    report::words::quoted,
};

/// What helps against a finding on this evidence; `docker` is how the engine is reached.
#[must_use]
pub fn of(finding: &Finding, seen: Option<&Evidence>, docker: &str) -> Option<String> {
    let helps = finding.severity > Severity::Low && seen?.presence == Presence::Found;
    helps.then(|| format!("{docker} dbsafe snapshot {}", quoted(&finding.target.name)))
}
