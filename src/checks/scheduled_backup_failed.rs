//! `scheduled-backup-failed`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    schedule::Trouble,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the last scheduled backup failed",
    why: "A backup that fails in the night is noticed on the day that it is needed, unless somebody looks. The last \
          good one grows older meanwhile.",
    bad: "docker dbsafe schedule db --every 6h",
    good: "docker dbsafe schedule db --every 6h --notify https://hooks.example/backup   # told when one fails",
    reference: "https://www.postgresql.org/docs/current/backup.html",
    data: Some(on_data),
    ..Check::documented("scheduled-backup-failed", Class::Backups, Severity::Medium)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    if let Some(Trouble::Failed { at }) = situation.seen.coverage.facts.schedule_trouble {
        let when = at.strftime("%Y-%m-%d %H:%M UTC");
        sink.raise_on(situation.seen, format!("its last scheduled backup, of {when}, failed or was cut off"))
            .remedy("docker dbsafe schedule ls");
    }
}
