//! What is protected stays, whatever the flags, until a person types its name on a terminal.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use support::{Engine, Stack, home::Home, unique};

/// Runs `docker dbsafe unprotect NAME` on a terminal, types a line, and returns the status.
fn type_at_unprotect(home: &Home<'_>, name: &str, line: &str) -> i32 {
    let engine = Engine::usual();
    let program = env!("CARGO_BIN_EXE_docker-dbsafe");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{program} unprotect {name}"), "/dev/null"]);
    command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config).env("NO_COLOR", "1");
    command.env("DBSAFE_HOME", home.path()).env("TERM", "xterm");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut said, mut byte) = (String::new(), [0]);
    let mut stdout = child.stdout.take().unwrap();
    while !said.contains("to let it be removed") {
        stdout.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    child.stdin.take().unwrap().write_all(format!("{line}\r").as_bytes()).unwrap();
    stdout.read_to_string(&mut said).unwrap();
    child.wait().unwrap().code().unwrap()
}

#[test]
fn no_flag_removes_what_is_protected_and_its_typed_name_lets_it_go() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(
        engine,
        "services: { db: { image: 'stateless:1', network_mode: none, volumes: ['data:/data'] } }\nvolumes: { data: }",
    );
    let (name, volume) = (stack.container("db"), format!("{}_data", stack.name));
    home.run(&["protect", "no-such-thing"]).expect(1);
    home.run(&["protect", &volume]).expect(0);
    assert!(home.run(&["protect"]).expect(0).stdout.contains(&volume));
    for flags in [&["-v"][..], &["-v", "--accept-loss", &volume], &["-v", "--snapshot"]] {
        let ran = home.run_in(&stack.folder, &[&["down"], flags].concat()).expect(10);
        assert!(ran.says(&format!("{volume} is protected, and no flag lets it go")), "{ran:?}");
        assert!(ran.says(&format!("docker dbsafe unprotect {volume}")), "{ran:?}");
    }
    assert!(engine.exists(&name) && engine.volume_exists(&volume));
    let json = home.run_in(&stack.folder, &["down", "-v", "--format", "json"]).expect(10).json();
    assert_eq!((&json["verdict"], &json["findings"][0]["id"]), (&"block".into(), &"protected".into()));
    // What does not take the volume goes on as ever.
    home.run_in(&stack.folder, &["down"]).expect(0);
    home.run(&["volume", "rm", "-f", &volume]).expect(10);
    home.run(&["unprotect", &volume]).expect(13);
    assert_eq!(type_at_unprotect(&home, &volume, "another name"), 13);
    home.run(&["volume", "rm", &volume]).expect(10);
    assert_eq!(type_at_unprotect(&home, &volume, &volume), 0);
    home.run(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn a_prune_spares_what_is_protected() {
    let (engine, home, label) = (Engine::usual(), Home::new(), unique("l"));
    let create = |more: &str| {
        let arguments = ["create", "--network", "none", "--label", &label, "--label", more, "stateless:1"];
        engine.docker(&arguments).expect(0).stdout.trim().to_owned()
    };
    let (by_hand, by_label, neither) = (create("a"), create("dbsafe.protect=true"), create("b"));
    home.run(&["protect", &by_hand]).expect(0);
    let filter = format!("label={label}");
    let ran = home.run(&["container", "prune", "-f", "--filter", &filter]).expect(0);
    assert!(ran.stdout.contains(&neither) && !ran.stdout.contains(&by_hand), "{ran:?}");
    assert!(ran.says("is protected and stays"), "{ran:?}");
    assert!(engine.exists(&by_hand) && engine.exists(&by_label) && !engine.exists(&neither));
    home.run(&["rm", "-f", &by_label, "--accept-loss", &by_label]).expect(10);
    engine.docker(&["rm", &by_hand, &by_label]).expect(0);
}
