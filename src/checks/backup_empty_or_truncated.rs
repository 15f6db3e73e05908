//! `backup-empty-or-truncated`.

use crate::model::{
    check::{Check, Class, Sink, Situation},
    coverage::{CoverageStatus, Fault},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "the newest backup is empty, or breaks off",
    why: "A dump script that ignores exit statuses writes an empty or cut file and calls it a success; the last \
          good one is overwritten or rotated away. Each file is read to its end: magic, trailer, checksums. Let \
          the script fail where the dump fails (`set -o pipefail`), and write to a temporary name first.",
    bad: "pg_dump shop | gzip > backup.sql.gz       # exit status: gzip's",
    good: "pg_dump -Fc -f backup.dump.part shop && mv backup.dump.part backup.dump",
    reference: "https://www.postgresql.org/docs/current/app-pgdump.html",
    data: Some(on_data),
    ..Check::documented("backup-empty-or-truncated", Class::Backups, Severity::High)
};

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let coverage = &situation.seen.coverage;
    if coverage.status == CoverageStatus::Covered || coverage.facts.fault != Some(Fault::Broken) {
        return;
    }
    let source = coverage.source.as_deref().unwrap_or("its newest backup");
    let why = coverage.detail.as_deref().unwrap_or("it is not whole");
    sink.raise_on(situation.seen, format!("{source}: {why}"))
        .remedy(format!("docker dbsafe snapshot {}", situation.seen.target.name));
}
