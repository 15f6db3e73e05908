//! One settings file, read strictly: what is not understood is an error that names file, line and key, as a
//! misspelt key would leave data less guarded than its author believes.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::age;
use crate::{
    model::policy::{AcceptLoss, Acceptance, BackupRule, BackupSource, Mode, OnSurvivors, Program, Selector},
    store::{remote::Address, seal::Recipients},
};

/// A value and the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T> {
    pub value: T,
    pub line: usize,
}

/// A settings file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsFile {
    pub path: PathBuf,
    /// SHA-256 of the content, hexadecimal: what trust is given to.
    pub sha256: String,
    pub mode: Option<Set<Mode>>,
    pub max_backup_age: Option<Set<SignedDuration>>,
    pub on_survivors: Option<Set<OnSurvivors>>,
    pub accept_loss: Option<Set<AcceptLoss>>,
    pub backups: Vec<Set<BackupRule>>,
    pub accepts: Vec<Set<Acceptance>>,
    /// Where copies of snapshots go.
    pub remote: Option<Set<String>>,
    /// Whether a copy follows each snapshot by itself.
    pub remote_auto: Option<Set<bool>>,
    /// The age keys that copies are encrypted for.
    pub recipients: Option<Set<Vec<String>>>,
    /// The file of the secret key, where it is on this host.
    pub identity: Option<Set<PathBuf>>,
    /// Whether snapshots are encrypted on this host's disk, too.
    pub at_rest: Option<Set<bool>>,
}

/// What is wrong with a file, and on which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Problem {
    pub line: usize,
    pub what: String,
}

const TOP: &[&str] = &["policy", "backup", "remote", "encryption", "accept"];
const POLICY: &[&str] = &["max_backup_age", "on_survivors", "mode", "accept_loss"];
const SELECTORS: &[&str] = &["service", "volume", "container"];
const SOURCES: &[&str] =
    &["files", "restic", "borg", "kopia", "pgbackrest", "walg", "rclone", "object", "command"];
const REMOTE: &[&str] = &["url", "auto"];
const ENCRYPTION: &[&str] = &["recipients", "identity", "at_rest"];
const ACCEPT: &[&str] = &["check", "target", "reason"];

/// Reads a file's text. Relative globs start at the file's folder.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(path: &Path, text: &str) -> Result<SettingsFile, Problem> {
    let reader = Reader { text, folder: path.parent().unwrap_or(Path::new(".")) };
    let root = DeTable::parse(text).map_err(|error| Problem {
        line: error.span().map_or(1, |span| reader.line(span.start)),
        what: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut file = SettingsFile {
        path: path.to_owned(),
        sha256: fingerprint(text.as_bytes()),
        ..SettingsFile::default()
    };
    let root = reader.entries(root.get_ref(), "a settings file", TOP)?;
    for (key, value) in root {
        match key {
            "policy" => reader.policy(value, &mut file)?,
            "backup" => {
                for table in reader.tables(value, "backup")? {
                    file.backups.push(reader.backup(table)?);
                }
            }
            "accept" => {
                for table in reader.tables(value, "accept")? {
                    file.accepts.push(reader.accept(table)?);
                }
            }
            "encryption" => reader.encryption(value, &mut file)?,
            _ => reader.remote(value, &mut file)?,
        }
    }
    Ok(file)
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn fingerprint(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

type Value<'a> = Spanned<DeValue<'a>>;

struct Reader<'t> {
    text: &'t str,
    folder: &'t Path,
}

impl<'t> Reader<'t> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn problem(&self, value: &Value<'_>, what: impl Into<String>) -> Problem {
        Problem { line: self.line(value.span().start), what: what.into() }
    }

    /// A table's entries; a key that is not known is a problem.
    fn entries<'v>(
        &self,
        table: &'v DeTable<'t>,
        place: &str,
        known: &[&str],
    ) -> Result<Vec<(&'v str, &'v Value<'t>)>, Problem> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let line = self.line(key.span().start);
                let what = format!("{place} has no key {name:?}; {}", suggestion(name, known));
                return Err(Problem { line, what });
            }
            entries.push((name, value));
        }
        Ok(entries)
    }

    fn table<'v>(&self, value: &'v Value<'t>, name: &str) -> Result<&'v DeTable<'t>, Problem> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.problem(value, format!("{name} must be a table, written [{name}]"))),
        }
    }

    fn tables<'v>(&self, value: &'v Value<'t>, name: &str) -> Result<Vec<&'v Value<'t>>, Problem> {
        match value.get_ref() {
            DeValue::Array(array) => Ok(array.iter().collect()),
            _ => {
                Err(self.problem(value, format!("{name} must be a list of tables, each written [[{name}]]")))
            }
        }
    }

    fn text<'v>(&self, value: &'v Value<'t>, key: &str) -> Result<&'v str, Problem> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.trim(),
            _ => return Err(self.problem(value, format!("{key} must be a text in quotes"))),
        };
        if text.is_empty() {
            return Err(self.problem(value, format!("{key} is empty")));
        }
        Ok(text)
    }

    fn switch(&self, value: &Value<'t>, key: &str) -> Result<Set<bool>, Problem> {
        match value.get_ref() {
            DeValue::Boolean(on) => Ok(self.set(value, *on)),
            _ => Err(self.problem(value, format!("{key} is true or false"))),
        }
    }

    fn set<T>(&self, at: &Value<'_>, value: T) -> Set<T> {
        Set { value, line: self.line(at.span().start) }
    }

    fn word<T>(
        &self,
        value: &Value<'t>,
        key: &str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Set<T>>, Problem> {
        let text = self.text(value, key)?;
        let parsed = parse(text).ok_or_else(|| {
            self.problem(value, format!("{key} is one of {}, not {text:?}", words.join(", ")))
        })?;
        Ok(Some(self.set(value, parsed)))
    }

    fn policy(&self, value: &Value<'t>, file: &mut SettingsFile) -> Result<(), Problem> {
        for (key, value) in self.entries(self.table(value, "policy")?, "[policy]", POLICY)? {
            match key {
                "mode" => file.mode = self.word(value, key, Mode::WORDS, Mode::parse)?,
                "on_survivors" => {
                    file.on_survivors = self.word(value, key, OnSurvivors::WORDS, OnSurvivors::parse)?;
                }
                "accept_loss" => {
                    file.accept_loss = self.word(value, key, AcceptLoss::WORDS, AcceptLoss::parse)?;
                }
                _ => {
                    let age = age::parse(self.text(value, key)?);
                    let age = age.map_err(|what| self.problem(value, format!("{key}: {what}")))?;
                    file.max_backup_age = Some(self.set(value, age));
                }
            }
        }
        Ok(())
    }

    fn backup(&self, value: &Value<'t>) -> Result<Set<BackupRule>, Problem> {
        let known: Vec<&str> = SELECTORS.iter().chain(SOURCES).copied().collect();
        let (mut selectors, mut sources) = (Vec::new(), Vec::new());
        for (key, entry) in self.entries(self.table(value, "backup")?, "[[backup]]", &known)? {
            // Both know by themselves where their backups are.
            match (key, entry.get_ref()) {
                ("kopia", DeValue::Boolean(true)) => {
                    sources.push(BackupSource::Program(Program::Kopia { configuration: None }));
                    continue;
                }
                ("walg", DeValue::Boolean(true)) => {
                    sources.push(BackupSource::Program(Program::WalG));
                    continue;
                }
                ("walg", _) => return Err(self.problem(entry, "walg can only be true")),
                ("kopia", DeValue::String(_)) => {}
                ("kopia", _) => return Err(self.problem(entry, "kopia is true, or a configuration file")),
                _ => {}
            }
            let text = self.text(entry, key)?.to_owned();
            match key {
                "service" => selectors.push(Selector::Service(text)),
                "volume" => selectors.push(Selector::Volume(text)),
                "container" => selectors.push(Selector::Container(text)),
                "files" => {
                    fast_glob::validate(&text)
                        .map_err(|error| self.problem(entry, format!("files is no glob: {error}")))?;
                    sources.push(BackupSource::Files { glob: text, base_folder: self.folder.to_owned() });
                }
                _ => sources.push(BackupSource::Program(match key {
                    "restic" => Program::Restic { repository: text },
                    "kopia" => Program::Kopia { configuration: Some(text) },
                    "borg" => Program::Borg { repository: text },
                    "rclone" => Program::Rclone { remote: text },
                    "pgbackrest" => Program::PgBackRest { stanza: text },
                    "object" => Program::Object { url: text },
                    _ => Program::Command { line: text },
                })),
            }
        }
        let one_of = |count: usize, keys: &[&str]| match count {
            1 => Ok(()),
            0 => Err(self.problem(value, format!("[[backup]] needs one of {}", keys.join(", ")))),
            _ => Err(self.problem(value, format!("[[backup]] takes only one of {}", keys.join(", ")))),
        };
        one_of(selectors.len(), SELECTORS)?;
        one_of(sources.len(), SOURCES)?;
        match (selectors.pop(), sources.pop()) {
            (Some(selector), Some(source)) => Ok(self.set(value, BackupRule { selector, source })),
            _ => Err(self.problem(value, "[[backup]] is incomplete")),
        }
    }

    fn accept(&self, value: &Value<'t>) -> Result<Set<Acceptance>, Problem> {
        let (mut check, mut target, mut reason) = (None, None, None);
        for (key, entry) in self.entries(self.table(value, "accept")?, "[[accept]]", ACCEPT)? {
            let text = Some(self.text(entry, key)?.to_owned());
            match key {
                "check" => check = text,
                "target" => target = text,
                _ => reason = text,
            }
        }
        match (check, target, reason) {
            (Some(check), Some(target), Some(reason)) => {
                Ok(self.set(value, Acceptance { check, target, reason }))
            }
            _ => Err(self.problem(value, "[[accept]] needs check, target and reason")),
        }
    }

    fn remote(&self, value: &Value<'t>, file: &mut SettingsFile) -> Result<(), Problem> {
        for (key, entry) in self.entries(self.table(value, "remote")?, "[remote]", REMOTE)? {
            if key == "auto" {
                file.remote_auto = Some(self.switch(entry, key)?);
                continue;
            }
            let url = self.text(entry, key)?;
            Address::parse(url).map_err(|error| self.problem(entry, error.to_string()))?;
            file.remote = Some(self.set(entry, url.to_owned()));
        }
        if file.remote.is_none() {
            return Err(self.problem(value, "[remote] needs url"));
        }
        Ok(())
    }

    fn encryption(&self, value: &Value<'t>, file: &mut SettingsFile) -> Result<(), Problem> {
        for (key, entry) in self.entries(self.table(value, "encryption")?, "[encryption]", ENCRYPTION)? {
            if key == "at_rest" {
                file.at_rest = Some(self.switch(entry, key)?);
                continue;
            }
            if key == "identity" {
                file.identity = Some(self.set(entry, self.folder.join(self.text(entry, key)?)));
                continue;
            }
            let DeValue::Array(array) = entry.get_ref() else {
                return Err(self.problem(entry, "recipients must be a list: [\"age1…\"]"));
            };
            let keys = array.iter().map(|key| self.text(key, "a recipient").map(str::to_owned));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            Recipients::parse(&keys).map_err(|error| self.problem(entry, error.to_string()))?;
            file.recipients = Some(self.set(entry, keys));
        }
        Ok(())
    }
}

/// The known key that was probably meant, or all of them.
pub(crate) fn suggestion(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((steps, meant)) if steps <= 2.max(name.chars().count() / 3) => format!("did you mean {meant}?"),
        _ => format!("it knows {}", known.join(", ")),
    }
}

/// Insertions, removals and replacements from one word to the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, own) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(*own != letter);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
