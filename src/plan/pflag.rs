//! Reads a command line as spf13/pflag does, from a table of flags. What pflag would refuse is refused here,
//! never guessed.

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `=true` and its kin.
    Bool,
    Int,
    Text,
}

/// One flag. Several may share a `name`: that is how aliases are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// What the value is looked up by.
    pub(super) name: &'static str,
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) takes: Takes,
    /// One of dbsafe's: its words are taken out of what docker gets.
    pub(super) ours: bool,
}

/// A flag of docker's.
pub(super) const fn flag(long: &'static str, short: Option<char>, takes: Takes) -> Flag {
    Flag { name: long, long, short, takes, ours: false }
}

/// A flag of ours; long only.
pub(super) const fn own(long: &'static str, takes: Takes) -> Flag {
    Flag { name: long, long, short: None, takes, ours: true }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    values: Vec<(&'static str, String)>,
    /// The words that are no flags.
    pub(super) words: Vec<String>,
    /// All arguments but our own flags.
    pub(super) forwarded: Vec<String>,
    /// How many arguments were read; fewer than all where reading stops at the first word.
    pub(super) read: usize,
    /// `-h` or `--help` was among them, and not taken back with `--help=false`.
    pub(super) help: bool,
    /// A `--` ended the flags.
    pub(super) ended: bool,
}

impl Read {
    /// The last value given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Every value given.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.values.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a boolean flag is on; `None` where it was not given. The last one wins.
    pub(super) fn given(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(parse_bool)
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.given(name).unwrap_or(false)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(parse_int)
    }
}

/// Why a command line is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("unknown flag: {0}")]
    Unknown(String),
    #[error("the flag {0} needs a value")]
    NoValue(String),
    #[error("the flag {flag} takes {what}, not {value:?}")]
    WrongValue { flag: String, what: &'static str, value: String },
}

/// Reads arguments. With `interspersed`, words and flags may mix, as in docker's and compose's commands;
/// without, reading stops at the first word, as in compose's globals.
pub(super) fn read(table: &[Flag], arguments: &[String], interspersed: bool) -> Result<Read, FlagError> {
    let mut found = Read::default();
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        if argument == "--" {
            found.forwarded.extend_from_slice(&arguments[index..]);
            found.words.extend_from_slice(&arguments[index + 1..]);
            found.ended = true;
            index = arguments.len();
            break;
        }
        if !argument.starts_with('-') || argument == "-" {
            if !interspersed {
                break;
            }
            found.words.push(argument.clone());
            found.forwarded.push(argument.clone());
            index += 1;
            continue;
        }
        let next = arguments.get(index + 1);
        let (used, ours) = match argument.strip_prefix("--") {
            Some(long) => found.long(table, long, next)?,
            None => (found.shorts(table, &argument[1..], next)?, false),
        };
        if !ours {
            found.forwarded.extend_from_slice(&arguments[index..index + used]);
        }
        index += used;
    }
    found.read = index;
    Ok(found)
}

impl Read {
    /// Reads `--name`, `--name=value` or `--name value`: how many arguments it took, and whether it is ours.
    fn long(
        &mut self,
        table: &[Flag],
        text: &str,
        next: Option<&String>,
    ) -> Result<(usize, bool), FlagError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let shown = format!("--{name}");
        let Some(flag) = table.iter().find(|flag| flag.long == name && !name.is_empty()) else {
            if name == "help" {
                let value = value.unwrap_or("true");
                let wrong =
                    || FlagError::WrongValue { flag: shown, what: "true or false", value: value.to_owned() };
                self.help = parse_bool(value).ok_or_else(wrong)?;
                return Ok((1, false));
            }
            return Err(FlagError::Unknown(shown));
        };
        let used = match (value, flag.takes) {
            (Some(value), _) => {
                self.set(flag, &shown, value)?;
                1
            }
            (None, Takes::Bool) => {
                self.set(flag, &shown, "true")?;
                1
            }
            (None, Takes::Int | Takes::Text) => {
                self.set(flag, &shown, next.ok_or_else(|| FlagError::NoValue(shown.clone()))?)?;
                2
            }
        };
        Ok((used, flag.ours))
    }

    /// Reads `-abc`, `-t5`, `-t=5` or `-t 5`.
    fn shorts(&mut self, table: &[Flag], text: &str, next: Option<&String>) -> Result<usize, FlagError> {
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let shown = format!("-{letter}");
            let Some(flag) = table.iter().find(|flag| flag.short == Some(letter)) else {
                if letter == 'h' {
                    self.help = true;
                    continue;
                }
                return Err(FlagError::Unknown(format!("{shown} in -{text}")));
            };
            // pflag: `-x=value` where more than the `=` follows.
            if let Some(value) = rest.strip_prefix('=').filter(|value| !value.is_empty()) {
                self.set(flag, &shown, value)?;
                return Ok(1);
            }
            if flag.takes == Takes::Bool {
                self.set(flag, &shown, "true")?;
                continue;
            }
            if !rest.is_empty() {
                self.set(flag, &shown, rest)?;
                return Ok(1);
            }
            self.set(flag, &shown, next.ok_or_else(|| FlagError::NoValue(shown.clone()))?)?;
            return Ok(2);
        }
        Ok(1)
    }

    fn set(&mut self, flag: &Flag, shown: &str, value: &str) -> Result<(), FlagError> {
        let what = match flag.takes {
            Takes::Bool if parse_bool(value).is_none() => "true or false",
            Takes::Int if parse_int(value).is_none() => "a whole number",
            Takes::Bool | Takes::Int | Takes::Text => {
                self.values.push((flag.name, value.to_owned()));
                return Ok(());
            }
        };
        Err(FlagError::WrongValue { flag: shown.to_owned(), what, value: value.to_owned() })
    }
}

/// Go's `strconv.ParseBool`.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with base 0: decimal, `0x`, `0o`, `0b` and a leading zero for octal.
fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_str() {
        _ if lower.starts_with("0x") => (16, &lower[2..]),
        _ if lower.starts_with("0o") => (8, &lower[2..]),
        _ if lower.starts_with("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // Rust's parser takes a sign of its own, which after ours would be a second one.
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    valid.then(|| i64::from_str_radix(digits, radix).ok()).flatten().map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] = &[
        flag("volumes", Some('v'), Takes::Bool),
        Flag { name: "volumes", long: "volume", short: None, takes: Takes::Bool, ours: false },
        flag("timeout", Some('t'), Takes::Int),
        flag("rmi", None, Takes::Text),
        own("accept-loss", Takes::Text),
        own("plan", Takes::Bool),
    ];

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn ok(line: &str) -> Read {
        read(TABLE, &words(line), true).unwrap()
    }

    #[test]
    fn booleans_in_all_their_forms() {
        for line in ["-v", "--volumes", "--volume", "-v=true", "--volumes=1", "-v=false -v", "db -v", "-vt5"]
        {
            assert!(ok(line).is_on("volumes"), "{line}");
        }
        for line in ["", "-v=false", "--volumes=0", "-v --volumes=F", "-- -v", "-v=0"] {
            assert!(!ok(line).is_on("volumes"), "{line}");
        }
    }

    #[test]
    fn values_glued_and_apart() {
        for line in ["-t5", "-t 5", "-t=5", "--timeout=5", "--timeout 5", "-vt5", "-vt 5", "-t 7 -t 0x5"] {
            assert_eq!(ok(line).int("timeout"), Some(5), "{line}");
        }
        assert_eq!(ok("-t -1").int("timeout"), Some(-1));
        assert_eq!(ok("-t 010").int("timeout"), Some(8));
    }

    #[test]
    fn what_pflag_refuses_is_refused() {
        for line in [
            "-x",
            "--unknown",
            "-t",
            "-t five",
            "--volumes=yes",
            "--rmi",
            "-vx",
            "--timeout=",
            "-t 08",
            "---v",
        ] {
            assert!(read(TABLE, &words(line), true).is_err(), "{line}");
        }
    }

    #[test]
    fn our_flags_are_taken_out_and_values_are_not_mistaken_for_them() {
        let found = ok("--plan -v --accept-loss db --rmi --plan api -- --plan");
        assert_eq!(found.forwarded, words("-v --rmi --plan api -- --plan"));
        assert_eq!(found.words, words("api --plan"));
        assert_eq!(found.texts("accept-loss"), ["db"]);
        assert!(found.is_on("plan"));
    }

    #[test]
    fn globals_end_at_the_first_word() {
        let found = read(TABLE, &words("-t 5 down -v"), false).unwrap();
        assert_eq!((found.read, found.is_on("volumes")), (2, false));
    }

    #[test]
    fn help_is_seen_among_flags_but_not_after_the_dashes() {
        assert!(ok("-vh").help && ok("--help").help);
        assert!(!ok("-- --help").help);
        assert!(!ok("--help=false -v").help && !ok("--help --help=0").help);
        assert!(
            read(TABLE, &words("--help=perhaps"), true).is_err()
                && read(TABLE, &words("-h=false"), true).is_err()
        );
    }
}
