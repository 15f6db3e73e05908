//! `backup-only-on-this-host`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    coverage::CoverageStatus,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the only backups lie on the machine of the data",
    why: "A disk that dies, a machine that is stolen or encrypted by somebody else takes data and backups \
          together. Keep a copy elsewhere: `[remote]` in the settings sends snapshots to a bucket.",
    bad: "files = \"backups/*.dump\"                  # on the same disk",
    good: "[remote]
url = \"s3://bucket/prefix\"",
    reference: "https://www.cisa.gov/sites/default/files/publications/data_backup_options.pdf",
    data: Some(on_data),
    ..Check::documented("backup-only-on-this-host", Class::Backups, Severity::Medium)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let coverage = &situation.seen.coverage;
    if coverage.status == CoverageStatus::Covered && coverage.facts.off_host == Some(false) {
        let is_snapshot = coverage.source.as_deref().is_some_and(|source| source.starts_with("snapshot "));
        // Another tool's backups are not ours to send.
        let first = format!("docker dbsafe snapshot {}\n", situation.seen.target.name);
        let first = if is_snapshot { "" } else { first.as_str() };
        sink.raise_on(situation.seen, "its backup lies on the same machine, and no copy elsewhere is known")
            .remedy(format!("{first}docker dbsafe snapshots push"));
    }
}
