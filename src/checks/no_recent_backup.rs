//! `no-recent-backup`: the guard's own judgement raises it.

use crate::model::{
    check::{Check, Class},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "no recent backup of this data is known",
    why: "The data is where it outlives its container, and nothing but that volume has it: a slip with -v, a dying \
          disk, a bad migration end it. A backup counts when it is whole, younger than `max_backup_age` (24 hours \
          unless set), and of this data. Tell where backups are with `[[backup]]` in .dbsafe.toml, or take a \
          snapshot.",
    bad: "docker dbsafe audit                       # medium: shop-db-1, backups: none found",
    good: "docker dbsafe snapshot db                 # or, in .dbsafe.toml:
[[backup]]
service = \"db\"
files = \"backups/*.dump\"",
    reference: "https://www.postgresql.org/docs/current/backup.html",
    ..Check::documented("no-recent-backup", Class::Backups, Severity::Medium)
};
