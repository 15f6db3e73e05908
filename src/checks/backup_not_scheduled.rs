//! `backup-not-scheduled`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    coverage::CoverageStatus,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "nothing makes the next backup by itself",
    why: "A backup that somebody takes by hand is taken until that somebody is on holiday. Let a timer, a cron job \
          or a backup service take it.",
    bad: "docker dbsafe snapshot db                 # by hand, once",
    good: "0 3 * * * docker dbsafe snapshot db       # in a crontab",
    reference: "https://www.postgresql.org/docs/current/backup.html",
    data: Some(on_data),
    ..Check::documented("backup-not-scheduled", Class::Backups, Severity::Low)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let coverage = &situation.seen.coverage;
    if coverage.status == CoverageStatus::Covered && coverage.facts.scheduled == Some(false) {
        sink.raise_on(situation.seen, "a backup exists, and nothing makes the next one by itself");
    }
}
