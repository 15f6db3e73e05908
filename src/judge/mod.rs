//! Pure: evidence and a person's wishes in, findings and a verdict out. Imports `model` alone.

pub mod origin;

use crate::model::{
    coverage::CoverageStatus,
    evidence::{Evidence, Location, Presence},
    plan::{Fate, Plan},
    policy::OnSurvivors,
    verdict::{Finding, Severity, Verdict},
};

/// What a person wishes for one body of data, after flags, labels and settings were weighed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stance {
    /// Why its loss is fine (`disposable`, accepted by name), where it is.
    pub accepted: Option<String>,
    pub on_survivors: OnSurvivors,
}

/// What judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Worst first.
    pub findings: Vec<Finding>,
    pub verdict: Verdict,
}

/// The name under which the loss of this data is accepted: the volume's where it has one of its own, else
/// the container's.
#[must_use]
pub fn loss_name(evidence: &Evidence) -> &str {
    match (&evidence.volume, evidence.location) {
        (Some(volume), Location::NamedVolume) => volume,
        _ => &evidence.target.name,
    }
}

/// Judges what a command would do.
#[must_use]
pub fn judge(plan: &Plan, evidence: &[Evidence], stance: impl Fn(&Evidence) -> Stance) -> Judgement {
    let mut findings = Vec::new();
    let mut verdict = if plan.undetermined.is_empty() { Verdict::Allow } else { Verdict::Undetermined };
    for seen in evidence {
        let stance = stance(seen);
        let Some((id, severity, message)) = weigh(seen, stance.on_survivors) else { continue };
        let says = if stance.accepted.is_some() {
            Verdict::Allow
        } else if id == UNDETERMINED {
            Verdict::Undetermined
        } else {
            match severity {
                Severity::Critical | Severity::High => Verdict::Block,
                Severity::Medium if stance.on_survivors == OnSurvivors::Block && seen.engine.is_some() => {
                    Verdict::Block
                }
                Severity::Medium => Verdict::Warn,
                Severity::Low | Severity::None => Verdict::Allow,
            }
        };
        verdict = worse(verdict, says);
        let target = seen.target.clone();
        findings.push(Finding {
            id: id.to_owned(),
            severity,
            target,
            path: seen.path.clone(),
            message,
            remedy: None,
            suppressed: stance.accepted,
        });
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.target.cmp(&b.target)));
    Judgement { findings, verdict }
}

/// Whether a finding is about this evidence.
#[must_use]
pub fn is_about(finding: &Finding, evidence: &Evidence) -> bool {
    finding.target == evidence.target && finding.path == evidence.path
}

/// The id of what could not be known.
pub const UNDETERMINED: &str = "undetermined";

/// The id of the finding that this evidence would make, where it makes one.
#[must_use]
pub fn check_id(seen: &Evidence) -> &'static str {
    let goes = seen.fate >= Fate::Detached;
    match (goes, seen.location) {
        _ if matches!(seen.presence, Presence::Undetermined { .. }) => UNDETERMINED,
        _ if seen.engine.is_none() => "files-in-removed-volume",
        (false, _) => "no-recent-backup",
        (true, Location::WritableLayer) => "data-in-writable-layer",
        (true, Location::AnonymousVolume) => "data-in-anonymous-volume",
        (true, Location::Tmpfs) => "data-in-tmpfs",
        (true, Location::Memory) => "data-in-memory-only",
        (true, Location::NamedVolume | Location::BindMount) => "data-in-removed-volume",
    }
}

/// Id, severity and message of what one piece of evidence means; `None` where it means nothing.
fn weigh(seen: &Evidence, on_survivors: OnSurvivors) -> Option<(&'static str, Severity, String)> {
    let goes = seen.fate >= Fate::Detached;
    match &seen.presence {
        Presence::Empty { .. } => return None,
        Presence::Undetermined { cause } => {
            return goes
                .then(|| (UNDETERMINED, Severity::Critical, format!("could not be determined: {cause}")));
        }
        Presence::Found => {}
    }
    if seen.engine.is_none() {
        // Files of no database: worth a line where a named volume goes.
        let named = seen.location == Location::NamedVolume && seen.fate == Fate::Destroyed;
        let severity = if named { Severity::Medium } else { Severity::Low };
        return goes.then(|| {
            ("files-in-removed-volume", severity, "holds files of no database that we know".to_owned())
        });
    }
    let covered = seen.coverage.status == CoverageStatus::Covered;
    let severity = match seen.fate {
        _ if covered => Severity::None,
        Fate::Destroyed => Severity::Critical,
        Fate::Detached => Severity::High,
        Fate::Stopped | Fate::Survives if on_survivors == OnSurvivors::Ignore => Severity::Low,
        Fate::Stopped | Fate::Survives => Severity::Medium,
    };
    let id = check_id(seen);
    let message = match (goes, covered) {
        (true, true) => "goes, and a recent backup of it exists",
        (true, false) => "goes, and no recent backup of it is known",
        (false, true) => "stays, and a recent backup of it exists",
        (false, false) => "stays, and no recent backup of it is known",
    };
    Some((id, severity, message.to_owned()))
}

/// Of two verdicts the one that lets less through. Data known to be at risk is worse than not knowing.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Allow => 0,
        Verdict::Warn => 1,
        Verdict::Undetermined => 2,
        Verdict::Block => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        coverage::Coverage,
        evidence::{Contents, TargetKind, TargetRef},
    };

    fn evidence(location: Location, fate: Fate, presence: Presence) -> Evidence {
        Evidence {
            target: TargetRef {
                kind: TargetKind::Container,
                id: "1".into(),
                name: "shop-db-1".into(),
                project: Some("shop".into()),
                service: Some("db".into()),
            },
            engine: Some("postgres".into()),
            engine_name: Some("PostgreSQL".into()),
            engine_version: None,
            location,
            path: "/srv/pg".into(),
            volume: Some("shop_pg".into()).filter(|_| location == Location::NamedVolume),
            presence,
            size_bytes: None,
            contents: Contents::default(),
            last_write: None,
            running: true,
            fate,
            consequence: String::new(),
            identity: None,
            coverage: Coverage::none(),
        }
    }

    fn guard(_: &Evidence) -> Stance {
        Stance { accepted: None, on_survivors: OnSurvivors::Warn }
    }

    fn verdict(evidence: Evidence) -> Verdict {
        judge(&Plan::default(), &[evidence], guard).verdict
    }

    #[test]
    fn what_goes_blocks_and_what_stays_warns() {
        use Location::{AnonymousVolume, Memory, NamedVolume, Tmpfs, WritableLayer};
        for location in [WritableLayer, AnonymousVolume, NamedVolume, Tmpfs, Memory] {
            assert_eq!(
                verdict(evidence(location, Fate::Destroyed, Presence::Found)),
                Verdict::Block,
                "{location:?}"
            );
        }
        assert_eq!(verdict(evidence(AnonymousVolume, Fate::Detached, Presence::Found)), Verdict::Block);
        assert_eq!(verdict(evidence(NamedVolume, Fate::Survives, Presence::Found)), Verdict::Warn);
        let empty = Presence::Empty { why: "no tables".into() };
        assert_eq!(verdict(evidence(WritableLayer, Fate::Destroyed, empty)), Verdict::Allow);
    }

    #[test]
    fn not_knowing_is_not_safe_and_known_risk_is_worse() {
        let unknown = Presence::Undetermined { cause: "no answer".into() };
        let unknown = evidence(Location::Memory, Fate::Destroyed, unknown);
        assert_eq!(verdict(unknown.clone()), Verdict::Undetermined);
        let found = evidence(Location::WritableLayer, Fate::Destroyed, Presence::Found);
        assert_eq!(judge(&Plan::default(), &[found, unknown], guard).verdict, Verdict::Block);
        let incomplete = Plan { undetermined: vec!["unknown Compose".into()], ..Plan::default() };
        assert_eq!(judge(&incomplete, &[], guard).verdict, Verdict::Undetermined);
    }

    #[test]
    fn a_recent_backup_or_an_accepted_loss_lets_it_through_and_stays_visible() {
        let mut covered = evidence(Location::WritableLayer, Fate::Destroyed, Presence::Found);
        covered.coverage.status = CoverageStatus::Covered;
        assert_eq!(verdict(covered.clone()), Verdict::Allow);
        covered.coverage.status = CoverageStatus::Undetermined;
        assert_eq!(verdict(covered.clone()), Verdict::Block);
        let judged = judge(&Plan::default(), &[covered], |_| Stance {
            accepted: Some("--accept-loss shop-db-1".into()),
            on_survivors: OnSurvivors::Warn,
        });
        assert_eq!(judged.verdict, Verdict::Allow);
        assert_eq!((judged.findings.len(), judged.findings[0].severity), (1, Severity::Critical));
    }

    #[test]
    fn a_named_volume_is_accepted_by_its_own_name() {
        assert_eq!(loss_name(&evidence(Location::NamedVolume, Fate::Destroyed, Presence::Found)), "shop_pg");
        assert_eq!(
            loss_name(&evidence(Location::WritableLayer, Fate::Destroyed, Presence::Found)),
            "shop-db-1"
        );
    }
}
