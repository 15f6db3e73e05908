//! WAL-G: `wal-g backup-list --json --detail`, in the database's own container, where its settings are.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::{
    Limits, Looked,
    ask::{Asker, Question},
};
use crate::model::{
    backup::{Backup, Quality},
    coverage::{Coverage, CoverageStatus, Fault},
    evidence::Evidence,
};

const TOOL: &str = "wal-g";

#[derive(Deserialize)]
struct RawBackup {
    backup_name: String,
    time: Option<Timestamp>,
    finish_time: Option<Timestamp>,
    system_identifier: Option<u64>,
    compressed_size: Option<i64>,
}

/// What WAL-G has of a PostgreSQL. A backup is in its list once it was uploaded to its end.
#[must_use]
pub fn walg(asker: &Asker, seen: &Evidence, limits: &Limits) -> Looked {
    let place = asker.at();
    let answer = asker.text(&Question::new(&["wal-g", "backup-list", "--json", "--detail"]));
    let listed = answer.and_then(|text| parse(&text));
    let found = match listed {
        Ok(listed) => rows(&listed, &place, seen, limits),
        Err(why) => vec![Backup::unknown(TOOL, place, why)],
    };
    looked(found)
}

/// The best of what was found.
pub(super) fn looked(found: Vec<Backup>) -> Looked {
    let of = |status| found.iter().find(|row: &&Backup| row.status == status);
    let best = of(CoverageStatus::Covered).or(of(CoverageStatus::Undetermined)).or(found.first());
    Looked { coverage: best.map_or_else(Coverage::none, Backup::coverage), found }
}

fn parse(text: &str) -> Result<Vec<RawBackup>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let listed: Option<Vec<RawBackup>> =
        serde_json::from_str(text).map_err(|error| format!("wal-g's answer is not understood: {error}"))?;
    Ok(listed.unwrap_or_default())
}

fn rows(listed: &[RawBackup], place: &str, seen: &Evidence, limits: &Limits) -> Vec<Backup> {
    let mut rows: Vec<Backup> = listed.iter().map(|raw| row(raw, place, seen, limits)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows
}

fn row(raw: &RawBackup, place: &str, seen: &Evidence, limits: &Limits) -> Backup {
    let source = format!("{place}{}", raw.backup_name);
    let Some(at) = raw.finish_time.or(raw.time) else {
        return Backup::unknown(TOOL, source, "it has no time");
    };
    let same = match (raw.system_identifier, &seen.identity) {
        (Some(theirs), Some(ours)) => Some(theirs.to_string() == *ours),
        _ => None,
    };
    let judged = match (limits.recent(at), same) {
        (_, Some(false)) => Err((Fault::OtherData, "it is of another cluster".to_owned())),
        (Err(refused), _) => Err(refused),
        _ if raw.compressed_size == Some(0) => Err((Fault::Broken, "it is empty".to_owned())),
        (Ok(()), None) => return Backup::unknown(TOOL, source, "of which cluster it is cannot be told"),
        (Ok(()), Some(true)) => Ok("a base backup of this cluster".to_owned()),
    };
    let new = match judged {
        Err(refused) => Backup::refused(TOOL, source, at, refused),
        Ok(detail) => {
            let detail = Some(detail);
            Backup { detail, ..Backup::new(TOOL, source, Some(at), CoverageStatus::Covered) }
        }
    };
    Backup { quality: Some(Quality::BaseBackup), same_data: same, ..new }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = r#"[{"backup_name":"base_000000010000000000000004","time":"2026-01-10T12:00:05Z","wal_file_name":"000000010000000000000004","storage_name":"default","start_time":"2026-01-10T12:00:00.1Z","finish_time":"2026-01-10T12:00:04.9Z","date_fmt":"%Y-%m-%dT%H:%M:%S.%fZ","hostname":"db","data_dir":"/var/lib/postgresql/data","pg_version":150006,"start_lsn":67108904,"finish_lsn":67109176,"is_permanent":false,"system_identifier":7412345678901234567,"uncompressed_size":31457280,"compressed_size":4194304}]"#;
        let found = parse(text).unwrap();
        assert_eq!(found[0].system_identifier, Some(7_412_345_678_901_234_567));
        assert!(
            parse("").unwrap().is_empty() && parse("null").unwrap().is_empty() && parse("ERROR").is_err()
        );
    }
}
