//! What is to be written.

/// A value to write into a compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing behind the key, as in `volumes:` `pgdata:`.
    Nothing,
    /// Text; written in quotes where it would otherwise be something else.
    Text(String),
    /// A number, `true`, `false`: written as it is.
    Word(String),
    /// A list, an item a line.
    List(Vec<Self>),
    /// A list in brackets on one line, as for `test: ["CMD", "redis-cli", "ping"]`.
    Row(Vec<Self>),
    /// A mapping, in this order.
    Map(Vec<(String, Self)>),
}

impl Value {
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    #[must_use]
    pub fn word(word: impl ToString) -> Self {
        Self::Word(word.to_string())
    }

    /// A mapping.
    #[must_use]
    pub fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A list in brackets, of texts.
    #[must_use]
    pub fn row<const N: usize>(items: [&str; N]) -> Self {
        Self::Row(items.into_iter().map(Self::text).collect())
    }

    /// This value below further keys.
    pub(super) fn under(self, keys: &[&str]) -> Self {
        keys.iter().rev().fold(self, |value, key| Self::Map(vec![((*key).to_owned(), value)]))
    }
}

/// Whether a text without quotes could be taken, by some YAML reader, for something other than this text.
pub(super) fn is_ambiguous(text: &str) -> bool {
    const WORDS: &[&str] = &["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    let lower = text.to_ascii_lowercase();
    let numeric = |c: char| {
        c.is_ascii_hexdigit() || matches!(c, '+' | '-' | '.' | ':' | '_' | 'x' | 'o' | 't' | 'z' | ' ')
    };
    WORDS.contains(&lower.as_str())
        || lower.trim_start_matches(['+', '-']).starts_with(".inf")
        || lower == ".nan"
        || (lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && lower.chars().all(numeric))
}
