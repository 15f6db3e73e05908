//! `scheduled-backup-overdue`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    schedule::Trouble,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a scheduled backup did not happen",
    why: "A timer that does not run says nothing: the machine was off, cron was never started, docker was upgraded \
          and its path is another one, or the user's systemd ended with the login. Only the backup that is missing shows it.",
    bad: "systemctl stop cron",
    good: "docker dbsafe schedule run db            # try it, and see what it says",
    reference: "https://www.freedesktop.org/software/systemd/man/latest/systemd.timer.html",
    data: Some(on_data),
    ..Check::documented("scheduled-backup-overdue", Class::Backups, Severity::Medium)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    if let Some(Trouble::Overdue { since }) = situation.seen.coverage.facts.schedule_trouble {
        let when = since.strftime("%Y-%m-%d %H:%M UTC");
        sink.raise_on(situation.seen, format!("a scheduled backup was due at {when}, and did not happen"))
            .remedy("docker dbsafe schedule ls");
    }
}
