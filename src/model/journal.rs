//! What happened, for whoever asks later: one entry for each verdict and for each thing that was done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of an entry's form.
pub const JOURNAL_VERSION: u32 = 1;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A guarded command was judged; the outcome is the verdict.
    Verdict,
    /// Somebody let data go that was at risk; the outcome says how.
    Override,
    /// A snapshot was taken; the outcome is its id.
    Snapshot,
    /// Docker got the command; the outcome is its exit status.
    HandOver,
    /// A command was taken back, out of the snapshot that is the outcome.
    Undo,
    /// A snapshot was restored; the outcome is its id.
    Restore,
    /// A service's data was moved into volumes; the outcome is the snapshot of what was there.
    Migrate,
    /// Something was kept from removal.
    Protect,
    /// It may be removed again.
    Unprotect,
}

impl Event {
    /// As it stands in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Override => "override",
            Self::Snapshot => "snapshot",
            Self::HandOver => "hand-over",
            Self::Undo => "undo",
            Self::Restore => "restore",
            Self::Migrate => "migrate",
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
        }
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub version: u32,
    pub at: Timestamp,
    /// Who ran dbsafe; with sudo, who called it.
    pub user: String,
    /// The engine's address.
    pub engine: String,
    pub event: Event,
    /// The command's words, without what may be secret.
    pub command: Vec<String>,
    /// The containers and volumes that it is about, by name.
    pub targets: Vec<String>,
    pub outcome: String,
}

/// A command's words with the values of environment variables, and of flags that sound secret, taken out.
#[must_use]
pub fn without_secrets(words: &[String]) -> Vec<String> {
    let mut hide = false;
    let masked = words.iter().map(|word| {
        if std::mem::take(&mut hide) {
            return masked(word);
        }
        hide = matches!(word.as_str(), "-e" | "--env") || sounds_secret(word) && !word.contains('=');
        let carries = ["--env=", "-e"].iter().any(|flag| word.starts_with(flag));
        if carries || sounds_secret(word) { masked_value(word) } else { word.clone() }
    });
    masked.collect()
}

fn sounds_secret(word: &str) -> bool {
    let word = word.split('=').next().unwrap_or_default().to_ascii_lowercase();
    word.starts_with("--") && ["pass", "secret", "token"].iter().any(|part| word.contains(part))
}

/// `NAME=value` and a value alone.
fn masked(word: &str) -> String {
    if word.contains('=') { masked_value(word) } else { "***".to_owned() }
}

/// Keeps what stands before the last `=` of a flag, or before the first of a variable.
fn masked_value(word: &str) -> String {
    let from = if word.starts_with("--env=") { "--env=".len() } else { 0 };
    match word[from..].find('=') {
        Some(at) => format!("{}=***", &word[..from + at]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn values_of_variables_and_passwords_stay_out() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = "compose run -e A=1 --env=B=2 -eC=3 --password x --token=y -v db psql";
        let masked = "compose run -e A=*** --env=B=*** -eC=*** --password *** --token=*** -v db psql";
        assert_eq!(without_secrets(&words(line)), words(masked));
    }
}
