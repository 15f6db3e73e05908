//! Docker's global flags, which stand before the plugin's name: `docker --context c -D dbsafe down`.
//!
//! Read as pflag reads them (docker/cli `cli/flags/options.go`, spf13/pflag `flag.go`): `--context=c`,
//! `-cX`, `-c=X`, `-Dc X`, `--tls=false`. They are kept verbatim too, for every docker that we start.

use std::ffi::{OsStr, OsString};

/// Docker's globals, as typed and as understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerGlobals {
    /// Exactly as typed, for nested docker calls.
    pub arguments: Vec<OsString>,
    /// `--config`: the folder of docker's configuration. An empty value is as good as none.
    pub config: Option<OsString>,
    /// `-c`, `--context`.
    pub context: Option<String>,
    /// `-H`, `--host`; docker allows one.
    pub hosts: Vec<String>,
    /// `--tls`; `None` where it was not given.
    pub tls: Option<bool>,
    /// `--tlsverify`. Given at all, even as `false`, it turns TLS on.
    pub tls_verify: Option<bool>,
    /// `-D`, `--debug`.
    pub debug: bool,
    /// `-h`, `--help`.
    pub help: bool,
    /// `-v`, `--version`.
    pub version: bool,
}

/// Why docker's globals could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobalsError {
    #[error("unknown docker flag: {0}")]
    Unknown(String),
    #[error("docker's flag {0} needs a value")]
    NoValue(String),
    #[error("docker's flag {flag} takes true or false, not {value:?}")]
    NotBoolean { flag: String, value: String },
    #[error("an argument of docker is not valid UTF-8: {0}")]
    NotText(String),
}

/// Which flag a word names, and whether it takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Config,
    Context,
    Host,
    /// Takes a value that does not decide which engine is meant.
    OtherValue,
    Debug,
    Help,
    Tls,
    TlsVerify,
    Version,
}

/// Every flag of docker's: its long name, its letter.
const FLAGS: &[(&str, Option<char>, Flag)] = &[
    ("config", None, Flag::Config),
    ("context", Some('c'), Flag::Context),
    ("host", Some('H'), Flag::Host),
    ("log-level", Some('l'), Flag::OtherValue),
    ("tlscacert", None, Flag::OtherValue),
    ("tlscert", None, Flag::OtherValue),
    ("tlskey", None, Flag::OtherValue),
    ("debug", Some('D'), Flag::Debug),
    ("help", Some('h'), Flag::Help),
    ("tls", None, Flag::Tls),
    ("tlsverify", None, Flag::TlsVerify),
    ("version", Some('v'), Flag::Version),
];

/// Docker's flags as they are spelled: the long name, the letter, and whether a value follows.
pub fn spellings() -> impl Iterator<Item = (&'static str, Option<char>, bool)> {
    FLAGS.iter().map(|(long, short, flag)| (*long, *short, flag.takes_value()))
}

impl Flag {
    fn long(name: &str) -> Option<Self> {
        FLAGS.iter().find(|(long, _, _)| *long == name).map(|(_, _, flag)| *flag)
    }

    fn short(letter: char) -> Option<Self> {
        FLAGS.iter().find(|(_, short, _)| *short == Some(letter)).map(|(_, _, flag)| *flag)
    }

    fn takes_value(self) -> bool {
        matches!(self, Self::Config | Self::Context | Self::Host | Self::OtherValue)
    }
}

impl DockerGlobals {
    /// Reads the flags at the beginning of `arguments`, up to the first word that is none.
    /// Answers how many arguments were read; a `--` that ends the flags is one of them.
    ///
    /// # Errors
    /// Where docker would refuse them too.
    pub fn parse(arguments: &[OsString]) -> Result<(Self, usize), GlobalsError> {
        let (globals, read, stopped_by) = Self::read_all(arguments)?;
        stopped_by.map_or(Ok((globals, read)), Err)
    }

    /// As `parse`, but a flag that docker does not know ends the globals: without docker before us, it is one
    /// of ours.
    ///
    /// # Errors
    /// Where a flag of docker lacks its value or has a wrong one.
    pub fn parse_leading(arguments: &[OsString]) -> Result<(Self, usize), GlobalsError> {
        Self::read_all(arguments).map(|(globals, read, _stopped_by)| (globals, read))
    }

    /// The globals, how many arguments were read, and the unknown flag that ended them, if one did.
    fn read_all(arguments: &[OsString]) -> Result<(Self, usize, Option<GlobalsError>), GlobalsError> {
        let mut globals = Self::default();
        let mut index = 0;
        let mut stopped_by = None;
        while let Some(argument) = arguments.get(index) {
            if !argument.as_encoded_bytes().starts_with(b"-") || argument == "-" {
                break;
            }
            if argument == "--" {
                index += 1;
                break;
            }
            // `-Dx` may fail at its second letter: then its first does not count either.
            let before = globals.clone();
            match globals.read(argument, arguments.get(index + 1)) {
                Ok(read) => index += read,
                Err(unknown @ GlobalsError::Unknown(_)) => {
                    globals = before;
                    stopped_by = Some(unknown);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        globals.arguments =
            arguments.iter().take(index).filter(|argument| *argument != "--").cloned().collect();
        Ok((globals, index, stopped_by))
    }

    /// Reads one argument, with its value where that stands in the next one; answers how many were read.
    fn read(&mut self, argument: &OsStr, next: Option<&OsString>) -> Result<usize, GlobalsError> {
        let text = as_text(argument)?;
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let flag = Flag::long(name).ok_or_else(|| GlobalsError::Unknown(format!("--{name}")))?;
            let spelled = format!("--{name}");
            return match value {
                Some(value) => self.set(flag, &spelled, OsStr::new(value)).map(|()| 1),
                None if flag.takes_value() => {
                    let value = next.ok_or_else(|| GlobalsError::NoValue(spelled.clone()))?;
                    self.set(flag, &spelled, value).map(|()| 2)
                }
                None => self.set(flag, &spelled, OsStr::new("true")).map(|()| 1),
            };
        }
        let mut letters = text.trim_start_matches('-').chars();
        while let Some(letter) = letters.next() {
            let spelled = format!("-{letter}");
            let flag = Flag::short(letter).ok_or_else(|| GlobalsError::Unknown(spelled.clone()))?;
            let rest = letters.as_str();
            // pflag's order: `-x=value`, then a flag that needs none, then `-xvalue`, then the next argument.
            if let Some(value) = rest.strip_prefix('=').filter(|value| !value.is_empty()) {
                return self.set(flag, &spelled, OsStr::new(value)).map(|()| 1);
            }
            if !flag.takes_value() {
                self.set(flag, &spelled, OsStr::new("true"))?;
                continue;
            }
            if !rest.is_empty() {
                return self.set(flag, &spelled, OsStr::new(rest)).map(|()| 1);
            }
            let value = next.ok_or_else(|| GlobalsError::NoValue(spelled.clone()))?;
            return self.set(flag, &spelled, value).map(|()| 2);
        }
        Ok(1)
    }

    fn set(&mut self, flag: Flag, spelled: &str, value: &OsStr) -> Result<(), GlobalsError> {
        match flag {
            Flag::Config => self.config = Some(value.to_owned()),
            Flag::Context => self.context = Some(as_text(value)?.to_owned()),
            Flag::Host => self.hosts.push(as_text(value)?.to_owned()),
            Flag::OtherValue => {}
            Flag::Debug => self.debug = boolean(spelled, value)?,
            Flag::Help => self.help = boolean(spelled, value)?,
            Flag::Tls => self.tls = Some(boolean(spelled, value)?),
            Flag::TlsVerify => self.tls_verify = Some(boolean(spelled, value)?),
            Flag::Version => self.version = boolean(spelled, value)?,
        }
        Ok(())
    }
}

fn as_text(text: &OsStr) -> Result<&str, GlobalsError> {
    text.to_str().ok_or_else(|| GlobalsError::NotText(text.to_string_lossy().into_owned()))
}

/// What Go's `strconv.ParseBool` takes.
fn boolean(flag: &str, value: &OsStr) -> Result<bool, GlobalsError> {
    match value.to_str() {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        _ => Err(GlobalsError::NotBoolean {
            flag: flag.to_owned(),
            value: value.to_string_lossy().into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(DockerGlobals, usize), GlobalsError> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        DockerGlobals::parse(&arguments)
    }

    #[test]
    fn every_form_of_pflag_names_the_same_context() {
        for line in ["--context X dbsafe", "--context=X dbsafe", "-c X dbsafe", "-cX dbsafe", "-c=X dbsafe"] {
            let (globals, read) = parse(line).unwrap();
            assert_eq!(globals.context.as_deref(), Some("X"), "{line}");
            assert_eq!(globals.arguments.len(), read, "{line}");
            assert_eq!(read, line.split_whitespace().count() - 1, "{line}");
        }
        let (globals, read) = parse("-Dc X dbsafe").unwrap();
        assert!(globals.debug);
        assert_eq!((globals.context.as_deref(), read), (Some("X"), 2));
    }

    #[test]
    fn a_boolean_takes_its_value_only_after_an_equals_sign() {
        let (globals, read) = parse("--tls=false --tlsverify dbsafe").unwrap();
        assert_eq!((globals.tls, globals.tls_verify, read), (Some(false), Some(true), 2));
        assert!(matches!(parse("--tls=maybe"), Err(GlobalsError::NotBoolean { .. })));
    }

    #[test]
    fn reading_ends_at_the_first_word_and_after_two_dashes() {
        assert_eq!(parse("-D down -v").unwrap().1, 1);
        let (globals, read) = parse("-D -- down").unwrap();
        assert_eq!((globals.arguments.len(), read), (1, 2));
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        assert_eq!(parse("--contxt=x"), Err(GlobalsError::Unknown("--contxt".to_owned())));
        assert_eq!(parse("-Dx"), Err(GlobalsError::Unknown("-x".to_owned())));
        assert_eq!(parse("-H"), Err(GlobalsError::NoValue("-H".to_owned())));
    }
}
