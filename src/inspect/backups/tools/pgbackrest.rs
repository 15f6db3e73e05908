//! pgBackRest: `pgbackrest info --output=json`, and `pgbackrest repo-ls`, which tells whether the files of a backup
//! are all there.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    super::{
        Limits, Looked,
        ask::{Asker, Question},
    },
    walg::looked,
};
use crate::model::{
    backup::{Backup, Quality},
    coverage::{Coverage, CoverageStatus, Fault},
    evidence::Evidence,
};

const TOOL: &str = "pgbackrest";
/// Backups of which the files are counted.
const MOST_COUNTED: usize = 3;

#[derive(Deserialize)]
struct Stanza {
    name: String,
    #[serde(default)]
    backup: Vec<RawBackup>,
    #[serde(default)]
    db: Vec<RawCluster>,
    status: RawStatus,
}

#[derive(Deserialize)]
struct RawStatus {
    code: u64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct RawCluster {
    id: u64,
    #[serde(rename = "repo-key", default = "first")]
    repository: u64,
    #[serde(rename = "system-id")]
    system_id: u64,
}

#[derive(Deserialize)]
struct RawBackup {
    label: String,
    #[serde(default)]
    error: Option<bool>,
    timestamp: RawTimes,
    database: RawDatabase,
    #[serde(default)]
    info: RawInfo,
    /// Backups of which it needs files.
    #[serde(default)]
    reference: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawTimes {
    stop: i64,
}

#[derive(Deserialize)]
struct RawDatabase {
    id: u64,
    #[serde(rename = "repo-key", default = "first")]
    repository: u64,
}

#[derive(Deserialize, Default)]
struct RawInfo {
    #[serde(default)]
    repository: RawSizes,
}

#[derive(Deserialize, Default)]
struct RawSizes {
    /// Bytes that this backup alone has added.
    #[serde(default)]
    delta: u64,
}

fn first() -> u64 {
    1
}

/// What pgBackRest has of a PostgreSQL.
#[must_use]
pub fn pgbackrest(asker: &Asker, stanza: Option<&str>, seen: &Evidence, limits: &Limits) -> Looked {
    let place = asker.at();
    let mut words = vec!["pgbackrest", "--output=json", "--log-level-console=off"];
    let option = stanza.map(|stanza| format!("--stanza={stanza}"));
    words.extend(option.as_deref());
    words.push("info");
    let stanzas = match asker.text(&Question::new(&words)).and_then(|text| parse(&text)) {
        Ok(stanzas) => stanzas,
        Err(why) => return looked(vec![Backup::unknown(TOOL, place, why)]),
    };
    let mut found = Vec::new();
    for stanza in &stanzas {
        let broken = |label: &str| broken(asker, stanza, label);
        found.extend(rows(stanza, &place, seen, limits, &broken));
    }
    found.sort_by_key(|row| std::cmp::Reverse(row.at));
    if found.is_empty() {
        let told = stanzas.iter().find(|stanza| stanza.status.code != 0);
        let why = told.map_or("no backup", |stanza| stanza.status.message.as_str());
        return Looked {
            coverage: Coverage { detail: Some(format!("pgbackrest: {why}")), ..Coverage::none() },
            found,
        };
    }
    looked(found)
}

fn parse(text: &str) -> Result<Vec<Stanza>, String> {
    serde_json::from_str(text).map_err(|error| format!("pgbackrest's answer is not understood: {error}"))
}

/// The stanza's backups, judged. `broken` says why a backup's files are not all there.
fn rows(
    stanza: &Stanza,
    place: &str,
    seen: &Evidence,
    limits: &Limits,
    broken: &dyn Fn(&str) -> Result<Option<String>, String>,
) -> Vec<Backup> {
    let mut newest: Vec<&RawBackup> = stanza.backup.iter().collect();
    newest.sort_by_key(|raw| std::cmp::Reverse(raw.timestamp.stop));
    let mut counted = 0;
    let mut rows = Vec::new();
    for raw in newest {
        let source = format!("{place}{} {}", stanza.name, raw.label);
        let Ok(at) = Timestamp::from_second(raw.timestamp.stop) else { continue };
        let is_its = |cluster: &&RawCluster| {
            cluster.id == raw.database.id && cluster.repository == raw.database.repository
        };
        let cluster = stanza.db.iter().find(is_its).map(|cluster| cluster.system_id.to_string());
        let same = cluster.zip(seen.identity.as_ref()).map(|(theirs, ours)| theirs == *ours);
        let verdict = match (limits.recent(at), same) {
            (_, Some(false)) => Err(Some((Fault::OtherData, "it is of another cluster".to_owned()))),
            (Err(refused), _) => Err(Some(refused)),
            _ if raw.error == Some(true) => {
                Err(Some((Fault::Broken, "pages in it are damaged, as pgbackrest found".to_owned())))
            }
            (Ok(()), None) => Err(None),
            (Ok(()), Some(true)) if counted >= MOST_COUNTED => continue,
            (Ok(()), Some(true)) => Ok(()),
        };
        let row = match verdict {
            Err(None) => Backup::unknown(TOOL, source, "of which cluster it is cannot be told"),
            Err(Some(refused)) => {
                let whole = (refused.0 == Fault::Broken).then_some(false);
                Backup { whole, ..Backup::refused(TOOL, source, at, refused) }
            }
            Ok(()) => {
                counted += 1;
                let needed = std::iter::once(raw.label.as_str());
                let needed = needed.chain(raw.reference.iter().flatten().map(String::as_str));
                let labels: HashSet<&str> = needed.collect();
                let mut faults = labels.into_iter().map(broken);
                match faults.find(|fault| !matches!(fault, Ok(None))) {
                    None | Some(Ok(None)) => Backup {
                        whole: Some(true),
                        detail: Some("a base backup of this cluster, its files all there".to_owned()),
                        ..Backup::new(TOOL, source, Some(at), CoverageStatus::Covered)
                    },
                    Some(Err(why)) => Backup::unknown(TOOL, source, why),
                    Some(Ok(Some(why))) => Backup {
                        whole: Some(false),
                        ..Backup::refused(TOOL, source, at, (Fault::Broken, why))
                    },
                }
            }
        };
        let counts = row.status == CoverageStatus::Covered;
        rows.push(Backup { quality: Some(Quality::BaseBackup), same_data: same, ..row });
        if counts {
            break;
        }
    }
    rows
}

/// Why the files of a backup are not all there; `None` where they are.
fn broken(asker: &Asker, stanza: &Stanza, label: &str) -> Result<Option<String>, String> {
    let Some(raw) = stanza.backup.iter().find(|raw| raw.label == label) else {
        return Ok(Some(format!("the backup {label}, which it needs, is gone")));
    };
    let folder = format!("backup/{}/{label}", stanza.name);
    let repository = format!("--repo={}", raw.database.repository);
    let stanza = format!("--stanza={}", stanza.name);
    let words = ["pgbackrest", "--output=json", "--log-level-console=off", "--recurse", &repository, &stanza];
    let question = Question::new(&[&words[..], &["repo-ls", &folder]].concat());
    let listed = asker.text(&question)?;
    let bytes = bytes_of(&listed)?;
    let expected = raw.info.repository.delta;
    Ok((bytes < expected)
        .then(|| format!("files of {label} are missing or cut off: {bytes} bytes of {expected}")))
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
}

/// Bytes of the files of a backup in a listing, without what pgBackRest itself notes down.
fn bytes_of(listed: &str) -> Result<u64, String> {
    let files: BTreeMap<String, RawFile> = serde_json::from_str(listed)
        .map_err(|error| format!("pgbackrest's list of files is not understood: {error}"))?;
    let is_data = |path: &str| {
        path.starts_with("pg_data/") || path.starts_with("pg_tblspc/") || path.starts_with("bundle/")
    };
    Ok(files
        .iter()
        .filter(|(path, file)| file.kind == "file" && is_data(path))
        .map(|(_, file)| file.size)
        .sum())
}
