//! Flags against the real parsers: what docker and compose take we take, for any flags in any order. Whether docker
//! takes a line is told without an engine: it complains of the flags before it looks for one.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::process::Command;

use dbsafe::plan::parse;
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use support::{chance::config, client, compose_program};

/// What the real program says where it does not understand its words.
const COMPLAINTS: &[&str] = &[
    "unknown flag",
    "unknown shorthand flag",
    "bad flag syntax",
    "invalid argument",
    "flag needs an argument",
    "invalid --scale",
    "invalid syntax",
    "unknown command",
    "is not a docker command",
    "flags in the group",
    "Conflicting options",
    "invalid filter",
    "bad format of filter",
];

/// What it says where names are missing or too many, or flags do not go together. Nothing is lost by a command that
/// it then refuses.
const OF_THE_WHOLE: &[&str] = &[
    "requires at least",
    "requires exactly",
    "accepts no arguments",
    "no such service",
    "incompatible",
    "cannot be used together",
    "cannot be combined",
];

struct Family {
    /// The words before the flags.
    command: &'static str,
    flags: &'static [&'static str],
}

const DOCKER: &[Family] = &[
    Family {
        command: "rm",
        flags: &[
            "-f",
            "-v",
            "-l",
            "-fv",
            "-vf",
            "--force",
            "--volumes=false",
            "--volumes=1",
            "--link",
            "-f=true",
            "-x",
        ],
    },
    Family { command: "volume rm", flags: &["-f", "--force", "--force=0", "-ff", "-v", "--forc"] },
    Family {
        command: "stop",
        flags: &[
            "-t5",
            "-t=5",
            "-t",
            "5",
            "--time",
            "--time=-1",
            "--timeout=3",
            "-s",
            "-sTERM",
            "--signal=KILL",
        ],
    },
    Family { command: "kill", flags: &["-s", "-sHUP", "--signal", "HUP", "--signal=9"] },
    Family {
        command: "container prune",
        flags: &["-f", "--force", "--filter", "--filter=label=x", "label!=y", "until=24h", "-a"],
    },
    Family {
        command: "volume prune",
        flags: &["-f", "-a", "-af", "--all=false", "--filter=label=x", "--filter", "all=1"],
    },
    Family {
        command: "system prune",
        flags: &["-f", "-a", "--volumes", "--volumes=0", "-af", "--filter=until=1h", "--filter"],
    },
];

const COMPOSE: &[Family] = &[
    Family {
        command: "down",
        flags: &[
            "-v",
            "--volumes",
            "-vt5",
            "-t",
            "5",
            "-t5",
            "--rmi",
            "all",
            "--rmi=local",
            "--remove-orphans",
            "--timeout=1",
            "--volumes=false",
            "-z",
            "--vol",
        ],
    },
    Family {
        command: "rm",
        flags: &["-f", "-s", "-v", "-fsv", "--stop", "--force", "--volumes=0", "-a", "-q"],
    },
    Family { command: "stop", flags: &["-t", "3", "-t3", "--timeout", "--timeout=x"] },
    Family { command: "kill", flags: &["-s", "-sTERM", "--signal=KILL", "--remove-orphans", "TERM"] },
    Family {
        command: "up",
        flags: &[
            "-d",
            "-V",
            "-y",
            "--force-recreate",
            "--no-recreate",
            "--remove-orphans",
            "--scale",
            "db=2",
            "--scale=db=0",
            "-dV",
            "--renew-anon-volumes=false",
            "--no-deps",
            "--wait",
            "-t9",
            "--attach",
        ],
    },
];

/// Words after a command: flags of its own and of nobody's, names, and the dashes that end the flags.
fn words(flags: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    const COMMON: &[&str] = &["--", "db", "web", "-", "--nobody", "-", "=", "-=", "--=x"];
    let word = prop_oneof![6 => select(flags), 2 => select(COMMON)];
    vec(word.prop_map(str::to_owned), 0..6)
}

/// Whether the real program understands the words; `None` where it complains of something else.
fn takes(
    program: &str,
    before: &[&str],
    words: &[String],
    folder: &std::path::Path,
) -> (Option<bool>, String) {
    let mut command = Command::new(program);
    command.args(before).args(words).current_dir(folder).env_clear().env("HOME", folder);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").env("PATH", std::env::var("PATH").unwrap());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let complains = |of: &[&str]| of.iter().any(|complaint| said.contains(complaint));
    let taken = if complains(OF_THE_WHOLE) { None } else { Some(!complains(COMPLAINTS)) };
    (taken, said)
}

fn compare(families: &'static [Family], program: &str, is_compose: bool) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("compose.yaml"),
        "services: { db: { image: none }, web: { image: none } }\n",
    )
    .unwrap();
    for family in families {
        let before: Vec<&str> = family.command.split(' ').collect();
        let outcome = TestRunner::new(config(24, file!())).run(&words(family.flags), |words| {
            let (taken, said) = takes(program, &before, &words, folder.path());
            let door: Vec<String> = ["guard", "--"]
                .into_iter()
                .chain(is_compose.then_some("compose"))
                .chain(before.iter().copied())
                .map(str::to_owned)
                .chain(words.iter().cloned())
                .collect();
            let ours = parse::parse(&door);
            prop_assert!(
                taken != Some(true) || ours.is_ok(),
                "{} {words:?} is taken there ({said}) and refused here: {:?}",
                family.command,
                ours.err()
            );
            prop_assert!(
                taken != Some(false) || ours.is_err(),
                "{} {words:?} is refused there and taken here: {said}",
                family.command
            );
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    }
}

#[test]
fn docker_and_we_take_the_same_flags() {
    compare(DOCKER, &client("28"), false);
}

#[test]
fn compose_and_we_take_the_same_flags() {
    compare(COMPOSE, &compose_program("5.6"), true);
}
