//! What is protected stays, whatever the flags, until a person types its name on a terminal.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use support::{
    Engine, Stack,
    home::{Home, postgres},
    unique,
};

/// Runs `docker dbsafe …` on a terminal, types a line once it asks, and returns the status and what it said.
fn on_a_terminal(home: &Home<'_>, words: &str, asks: &str, line: &str) -> (i32, String) {
    let engine = Engine::usual();
    let program = env!("CARGO_BIN_EXE_docker-dbsafe");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{program} {words}"), "/dev/null"]);
    command
        .env("DOCKER_HOST", &engine.host)
        .env("DOCKER_CONFIG", &engine.config)
        .env("NO_COLOR", "1")
        .env("PATH", engine.path());
    command.env("DBSAFE_HOME", home.path()).env("TERM", "xterm");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut said, mut byte) = (String::new(), [0]);
    let mut stdout = child.stdout.take().unwrap();
    while !said.contains(asks) {
        stdout.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    child.stdin.take().unwrap().write_all(format!("{line}\r").as_bytes()).unwrap();
    stdout.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code().unwrap(), said)
}

fn type_at_unprotect(home: &Home<'_>, name: &str, line: &str) -> i32 {
    on_a_terminal(home, &format!("unprotect {name}"), "to let it be removed", line).0
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

/// Docker 28 passes over label filters of its configuration where the command line has none (20.10 and 26.1 honour
/// them): what docker itself would run is judged with what they would spare, and our own list leaves that alone.
#[test]
fn prune_filters_of_dockers_configuration_spare_what_they_say() {
    let engine = Engine::start("28-prune", "5.6");
    let home = Home::on(&engine);
    let write = "sqlite3 /srv/app.db 'create table t(a); insert into t values (1)'";
    engine
        .docker(&[
            "run",
            "--name",
            "kept",
            "--label",
            "keep",
            "--network",
            "none",
            "sqlite-app:1",
            "sh",
            "-c",
            write,
        ])
        .expect(0);
    engine.docker(&["create", "--name", "other", "--network", "none", "stateless:1"]).expect(0);
    let config =
        std::fs::read_to_string(engine.config.join("config.json")).unwrap_or_else(|_| "{}".to_owned());
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["pruneFilters"] = serde_json::json!(["label!=keep"]);
    std::fs::write(engine.config.join("config.json"), config.to_string()).unwrap();
    let checked = home.run(&["guard", "--check", "--", "container", "prune", "-f"]);
    home.run(&["container", "prune", "-f"]).expect(0);
    assert!(engine.exists("kept") && !engine.exists("other"));
    engine.docker(&["container", "prune", "-f"]).expect(0);
    if !engine.exists("kept") {
        checked.expect(10);
    }
}

#[test]
fn a_one_time_code_is_good_once_and_for_what_it_was_given() {
    let (home, container, other) = (Home::new(), postgres(), postgres());
    let name = &container.name;
    std::fs::write(home.path().join("config.toml"), "[policy]\naccept_loss = \"terminal\"\n").unwrap();
    let config = home.path().join("config.toml");
    let run = |arguments: &[&str]| {
        let environment =
            [("DBSAFE_HOME", home.path().to_str().unwrap()), ("DBSAFE_CONFIG", config.to_str().unwrap())];
        Engine::usual().docker_in(home.path(), &[&["dbsafe"], arguments].concat(), &environment)
    };
    run(&["rm", "-f", name, "--accept-loss", name]).expect(10);
    run(&["allow", "--", "rm", "-f", name]).expect(10);
    let give = || {
        let (status, said) =
            on_a_terminal(&home, &format!("allow -- rm -f {name}"), "to lose what is in it", name);
        assert_eq!(status, 0, "{said}");
        said.split_once("--code ").unwrap().1.split_whitespace().next().unwrap().to_owned()
    };
    let code = give();
    run(&["rm", "-f", &other.name, "--code", &code]).expect(10);
    let ran = run(&["rm", "-f", name, "--code", &code]).expect(10);
    assert!(ran.says("the code is not good for this"), "{ran:?}");
    assert_eq!(container.sum(), "350");
    let code = give();
    run(&["guard", "--code", &code, "--", "rm", "-f", name]).expect(0);
    assert_eq!((container.state(), other.sum()), (String::new(), "350".to_owned()));
}
