//! `backup-not-scheduled`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    coverage::CoverageStatus,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "nothing makes the next backup by itself",
    why: "A backup that somebody takes by hand is taken until that somebody is on holiday. Let a timer, a cron job \
          or a backup service take it. A backup counts as made by hand where its tool does not run any more, and a \
          snapshot where it is the only one, or a guarded command took it, and no schedule is of its data.",
    bad: "docker dbsafe snapshot db                 # by hand, once",
    good: "docker dbsafe schedule db --every 24h",
    reference: "https://www.postgresql.org/docs/current/backup.html",
    data: Some(on_data),
    ..Check::documented("backup-not-scheduled", Class::Backups, Severity::Low)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let coverage = &situation.seen.coverage;
    if coverage.status == CoverageStatus::Covered && coverage.facts.scheduled == Some(false) {
        let message = "a backup exists, and nothing makes the next one by itself, as far as is known";
        sink.raise_on(situation.seen, message)
            .remedy(format!("docker dbsafe schedule {} --every 24h", situation.seen.target.name));
    }
}
