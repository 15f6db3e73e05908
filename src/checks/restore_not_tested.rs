//! `restore-not-tested`.

use jiff::SignedDuration;

use crate::model::{
    check::{Check, Class, Sink, Situation},
    coverage::CoverageStatus,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "nobody has restored a backup of this in 30 days",
    why: "A backup that was never restored is a hope: the format, the version, the roles or the encryption key may \
          be wrong, and that shows on the day when it counts. Restore it into a scratch server, and compare. \
          Snapshots are proved this way when they are taken.",
    bad: "ls -l backups/                            # they are there; are they good?",
    good: "docker dbsafe snapshot db                 # restored into a scratch server, compared table by table",
    reference: "https://www.postgresql.org/docs/current/backup-dump.html#BACKUP-DUMP-RESTORE",
    data: Some(on_data),
    ..Check::documented("restore-not-tested", Class::Backups, Severity::Low)
};

/// A restore that was proved longer ago says little about today's backups.
const PROVED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let coverage = &situation.seen.coverage;
    if coverage.status != CoverageStatus::Covered {
        return;
    }
    let message = match coverage.facts.tested_at {
        None => "its backup was never restored, as far as is known".to_owned(),
        Some(at) if situation.now.duration_since(at) > PROVED_FOR => {
            let days = situation.now.duration_since(at).as_hours() / 24;
            format!("the last restore that was proved is {days} days ago")
        }
        Some(_) => return,
    };
    sink.raise_on(situation.seen, message);
}
