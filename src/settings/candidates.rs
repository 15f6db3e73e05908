//! The backup files that rules and labels tell of, for whoever wants to restore one.

use std::path::PathBuf;

use super::{Settings, cover::Look};
use crate::{
    inspect::backups,
    model::{evidence::Evidence, plan::Plan},
};

impl Settings {
    /// The files that may be backups of one body of data. Blocks. What cannot be listed is left out: `audit` and
    /// `backups` say so.
    #[must_use]
    pub fn backup_files(&self, plan: &Plan, evidence: &[Evidence], index: usize) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for look in self.looks(plan, evidence, index) {
            let Look::Files { glob, base, words } = look else { continue };
            let mut files = backups::matching(&glob, &base).unwrap_or_default();
            if let Some(words) = words {
                files.retain(|path| words.iter().any(|word| backups::names(path, word)));
            }
            found.extend(files);
        }
        found.sort();
        found.dedup();
        found
    }
}
