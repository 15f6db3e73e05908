//! The protocol between docker and its CLI plugins: what docker wants of us, and how it wants the answer.
//!
//! After docker/cli `cli-plugins/`. Imports `docker::globals` only, and touches no engine: docker asks for
//! the metadata before every use, and for each `docker --help`, `docker info` and completion.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use serde::Deserialize;

use crate::docker::globals::{DockerGlobals, GlobalsError};

/// Our name as docker's subcommand.
pub const NAME: &str = "dbsafe";

/// What `docker-cli-plugin-metadata` answers.
pub const METADATA: &str = include_str!("../plugin-metadata/metadata.json");

const METADATA_COMMAND: &str = "docker-cli-plugin-metadata";
const HOOK_COMMAND: &str = "docker-cli-plugin-hooks";

/// What docker, or a person without docker, asks of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Print `METADATA`.
    Metadata,
    /// Print the help of a command; of dbsafe itself where `topic` is empty.
    Help { topic: Vec<OsString> },
    /// Print completions in cobra's format; see `completions`. The last word is the one to complete.
    Complete { words: Vec<OsString>, descriptions: bool },
    /// Answer after a docker command has run; see `HookRequest`.
    Hook { request: OsString },
    /// Do what the arguments say.
    Run { globals: DockerGlobals, arguments: Vec<OsString> },
}

impl Invocation {
    /// Reads the arguments of the process, without the program's name.
    ///
    /// Through docker they are docker's own, verbatim: its globals, our name, our arguments. Run directly, our
    /// name is missing; `docker-dbsafe -H tcp://host down` is then what `docker -H tcp://host dbsafe down` is.
    ///
    /// # Errors
    /// Where a global flag of docker lacks its value, or has a wrong one.
    pub fn parse(arguments: &[OsString]) -> Result<Self, GlobalsError> {
        if arguments.first().is_some_and(|first| first == METADATA_COMMAND) {
            return Ok(Self::Metadata);
        }
        let (globals, read) = DockerGlobals::parse_leading(arguments)?;
        let rest = arguments.get(read..).unwrap_or_default();
        let Some((word, after)) = rest.split_first() else {
            return Ok(if globals.help {
                Self::Help { topic: Vec::new() }
            } else {
                Self::Run { globals, arguments: Vec::new() }
            });
        };
        Ok(match word.to_str() {
            Some("help") => Self::Help { topic: without_name(after).to_vec() },
            Some("__complete") => Self::Complete { words: without_name(after).to_vec(), descriptions: true },
            Some("__completeNoDesc") => {
                Self::Complete { words: without_name(after).to_vec(), descriptions: false }
            }
            Some(NAME) => Self::of_ours(globals, after),
            _ => Self::of_ours(globals, rest),
        })
    }

    /// What the arguments after our name want.
    fn of_ours(globals: DockerGlobals, arguments: &[OsString]) -> Self {
        let is = |argument: &OsStr, words: &[&str]| words.iter().any(|word| argument == *word);
        match arguments {
            [first, request, ..] if first == HOOK_COMMAND => Self::Hook { request: request.clone() },
            [first, topic @ ..] if is(first, &["--help", "-h", "help"]) => {
                Self::Help { topic: topic.to_vec() }
            }
            // `docker --help dbsafe down`.
            topic if globals.help => Self::Help { topic: topic.to_vec() },
            _ => Self::Run { globals, arguments: arguments.to_vec() },
        }
    }
}

/// The words after our name, where it stands first.
fn without_name(words: &[OsString]) -> &[OsString] {
    match words {
        [first, rest @ ..] if first == NAME => rest,
        all => all,
    }
}

/// What a completion shall do beside the candidates, as cobra numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directive(pub u8);

impl Directive {
    /// Complete with file names too.
    pub const FILES: Self = Self(0);
    /// Nothing but the candidates.
    pub const NO_FILES: Self = Self(4);
}

/// Candidates with their descriptions, as cobra's completion scripts read them.
#[must_use]
pub fn completions<'a>(
    candidates: impl IntoIterator<Item = (&'a str, &'a str)>,
    descriptions: bool,
    directive: Directive,
) -> String {
    let mut text = String::new();
    for (candidate, description) in candidates {
        // A line is a candidate: a name that breaks lines would be two.
        let one_line = |text: &str| text.replace(['\n', '\r', '\t'], " ");
        text.push_str(&one_line(candidate));
        if descriptions && !description.is_empty() {
            text.push('\t');
            text.push_str(&one_line(description));
        }
        text.push('\n');
    }
    text.push_str(&format!(":{}\n", directive.0));
    text
}

/// What docker says of a command that has run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HookRequest {
    /// The configured hook that matched, such as `volume rm`.
    pub root_cmd: String,
    /// The flags that were set, without dashes. Docker leaves the values out.
    pub flags: BTreeMap<String, String>,
    /// What the command failed with, where it did (docker 29.3 and later).
    pub command_error: String,
}

impl HookRequest {
    /// Reads a request; `None` where it is none that we understand, to which no answer is the right one.
    #[must_use]
    pub fn parse(request: &OsStr) -> Option<Self> {
        serde_json::from_str(request.to_str()?).ok()
    }
}

/// The answer to a hook: a template of docker's, with `{{flag . "name"}}` and `{{arg . 0}}`.
#[must_use]
pub fn hook_answer(template: &str) -> String {
    serde_json::json!({"Type": 0, "Template": template}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Invocation {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Invocation::parse(&arguments).unwrap()
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_metadata_is_what_docker_takes_and_names_this_version() {
        let metadata: BTreeMap<String, String> = serde_json::from_str(METADATA).unwrap();
        assert_eq!(metadata["SchemaVersion"], "0.1.0");
        assert_eq!(metadata["Version"], env!("CARGO_PKG_VERSION"));
        assert!(!metadata["Vendor"].is_empty() && !metadata["ShortDescription"].is_empty());
        assert_eq!(parse(METADATA_COMMAND), Invocation::Metadata);
    }

    #[test]
    fn dockers_globals_come_before_our_name_and_our_own_arguments_after_it() {
        for line in
            ["--context c -D dbsafe --debug down", "-Dc c dbsafe --debug down", "-D -c=c --debug down"]
        {
            let Invocation::Run { globals, arguments } = parse(line) else { panic!("{line}") };
            assert_eq!(globals.context.as_deref(), Some("c"), "{line}");
            assert!(globals.debug);
            assert_eq!(arguments.last(), Some(&OsString::from("down")), "{line}");
        }
        let Invocation::Run { globals, arguments } = parse("--context dbsafe dbsafe compose -f x down")
        else {
            panic!("a context may have our name")
        };
        assert_eq!(globals.arguments, words("--context dbsafe"));
        assert_eq!(arguments, words("compose -f x down"));
    }

    #[test]
    fn run_directly_our_name_may_be_missing() {
        for line in ["down -v", "dbsafe down -v"] {
            let Invocation::Run { arguments, .. } = parse(line) else { panic!("{line}") };
            assert_eq!(arguments, words("down -v"));
        }
        let Invocation::Run { globals, arguments } = parse("-D -p shop down") else { panic!() };
        assert_eq!((globals.arguments, arguments), (words("-D"), words("-p shop down")));
        assert!(matches!(parse(""), Invocation::Run { .. }));
    }

    #[test]
    fn every_form_of_asking_for_help_is_understood() {
        for line in [
            "dbsafe --help",
            "dbsafe -h",
            "dbsafe help",
            "--help dbsafe",
            "-h dbsafe",
            "help dbsafe",
            "--help",
        ] {
            assert_eq!(parse(line), Invocation::Help { topic: Vec::new() }, "{line}");
        }
        for line in
            ["help dbsafe down", "dbsafe help down", "--help dbsafe down", "dbsafe --help down", "help down"]
        {
            assert_eq!(parse(line), Invocation::Help { topic: words("down") }, "{line}");
        }
        // A command's own help is that command's matter.
        assert!(matches!(parse("dbsafe down --help"), Invocation::Run { .. }));
    }

    #[test]
    fn completion_and_hooks_are_told_apart_from_commands() {
        let expected = Invocation::Complete { words: words("down --sn"), descriptions: true };
        assert_eq!(parse("__complete dbsafe down --sn"), expected);
        assert!(matches!(
            parse("__completeNoDesc dbsafe d"),
            Invocation::Complete { descriptions: false, .. }
        ));
        let Invocation::Hook { request } =
            parse(r#"dbsafe docker-cli-plugin-hooks {"RootCmd":"rm","Flags":{"f":""}}"#)
        else {
            panic!()
        };
        let request = HookRequest::parse(&request).unwrap();
        assert_eq!((request.root_cmd.as_str(), request.flags.len()), ("rm", 1));
        assert_eq!(HookRequest::parse(OsStr::new("no")), None);
    }

    #[test]
    fn a_candidate_stays_on_its_line() {
        let text = completions([("a\nb", "what it is"), ("c", "")], true, Directive::NO_FILES);
        assert_eq!(text, "a b\twhat it is\nc\n:4\n");
    }
}
