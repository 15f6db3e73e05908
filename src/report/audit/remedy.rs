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

/// A remedy whose commands reach the engine that it is about.
#[must_use]
pub fn by(remedy: &str, docker: &str) -> String {
    let line = |line: &str| match line.strip_prefix("docker ") {
        Some(rest) => format!("{docker} {rest}"),
        None => line.to_owned(),
    };
    remedy.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::by;

    #[test]
    fn a_checks_commands_reach_the_engine_that_was_audited() {
        let far = "docker --context far";
        let two = "docker dbsafe snapshot db\ndocker dbsafe snapshots push";
        assert_eq!(by(two, far), format!("{far} dbsafe snapshot db\n{far} dbsafe snapshots push"));
        assert_eq!(by("docker stop db", far), "docker --context far stop db");
        assert_eq!(by("give it a volume of its own", far), "give it a volume of its own");
        assert_eq!(by(two, "docker"), two);
    }
}
