//! What a repository holds of a body of data, with all that is needed to have it.

use std::{cell::RefCell, path::Path};

use super::{
    super::{BackupFile, Limits, Whole},
    repository::{Entry, LookedInto, Repository, Snapshot, look_noting},
};
use crate::model::{
    backup::{Backup, Quality},
    coverage::{CoverageStatus, Fault},
    evidence::Evidence,
};

/// Something that may be restored, or why nothing is known of it.
#[derive(Debug, Clone)]
pub struct Holding {
    /// As it is told of.
    pub backup: Backup,
    /// What was read of it; `None` where it could not be.
    pub file: Option<BackupFile>,
    /// What it is in the repository; `None` where the repository could not be asked at all.
    pub place: Option<(Snapshot, Entry)>,
    /// Of the wanted databases, those that it is of.
    pub of: Vec<Option<String>>,
}

impl Holding {
    /// A place that could not be asked.
    #[must_use]
    pub fn unknown(backup: Backup) -> Self {
        Self { backup, file: None, place: None, of: Vec::new() }
    }

    /// Whether it is a copy of files that were in use, as far as is known.
    #[must_use]
    pub fn is_running_copy(&self) -> bool {
        self.backup.quality == Some(Quality::RunningCopy)
    }
}

/// The databases of which there must be a backup; `None` stands for all that a server has.
#[must_use]
pub fn wanted(seen: &Evidence) -> Vec<Option<String>> {
    let has_names = matches!(seen.engine.as_deref(), Some("postgres" | "mysql" | "mariadb"));
    let live = seen.contents.databases.iter().filter(|database| has_names && database.may_hold_something());
    let wanted: Vec<Option<String>> = live.map(|database| Some(database.name.clone())).collect();
    if wanted.is_empty() { vec![None] } else { wanted }
}

/// What a repository holds of a body of data, newest first: what counts, what was meant to, and what could not be told.
/// Blocks.
#[must_use]
pub fn holdings(
    repository: &dyn Repository,
    words: &[String],
    seen: &Evidence,
    limits: &Limits,
) -> Vec<Holding> {
    let noted = RefCell::default();
    let looked = look_noting(repository, words, seen, limits, &noted);
    let noted = noted.into_inner();
    let wanted = wanted(seen);
    let mut found = Vec::new();
    for backup in looked.found {
        let Some(into) = noted.iter().find(|into| into.source == backup.source) else {
            // That it could not be asked is worth a word; that it has nothing of this data is not.
            if backup.status == CoverageStatus::Undetermined {
                found.push(Holding::unknown(backup));
            }
            continue;
        };
        let of: Vec<_> = wanted
            .iter()
            .filter(|want| is_of(&backup, into, seen, want, wanted.len() == 1))
            .cloned()
            .collect();
        if !of.is_empty() {
            let place = Some((into.snapshot.clone(), into.entry.clone()));
            found.push(Holding { file: into.file.clone(), place, of, backup });
        }
    }
    found.sort_by_key(|holding| std::cmp::Reverse(holding.backup.at));
    found
}

/// Whether something is of a database: because it counts, or because it was meant to.
fn is_of(backup: &Backup, into: &LookedInto, seen: &Evidence, want: &Option<String>, is_only: bool) -> bool {
    let counts = backup.status == CoverageStatus::Covered;
    if into.entry.is_folder {
        // Whose files they are was compared before anything else.
        let is_running = backup.quality == Some(Quality::RunningCopy)
            && backup.status == CoverageStatus::Stale
            && backup.fault.is_none();
        return counts || is_running;
    }
    let is_other = backup.fault == Some(Fault::OtherData) || backup.same_data == Some(false);
    let engine = seen.engine.as_deref().unwrap_or_default();
    let is_of_engine =
        into.file.as_ref().and_then(|file| file.format).is_none_or(|format| format.is_of(engine));
    if is_other || !is_of_engine && !counts {
        return false;
    }
    let path = Path::new(&into.entry.path);
    let by_name = match want {
        Some(name) => {
            into.claim.database.as_ref() == Some(name) || super::super::names(path, name) && is_only
        }
        None => into.claim.ours,
    };
    let databases = into.file.as_ref().map_or(&[][..], |file| &file.databases);
    let says = |name: &String| databases.iter().any(|dumped| dumped.name.as_ref() == Some(name));
    let says_nothing = databases.iter().all(|dumped| dumped.name.is_none());
    let is_whole = into.file.as_ref().is_some_and(|file| file.whole == Whole::Yes);
    match want {
        Some(name) => {
            says(name) || says_nothing && (by_name || into.claim.ours && is_only || counts && is_only)
        }
        // It counts, or might, were it whole or the server asked what it has.
        None => counts || by_name && (!is_whole || backup.status == CoverageStatus::Undetermined),
    }
}
