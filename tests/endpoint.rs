//! Which engine is meant, compared with the answers of the real docker client. Needs no engine.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, Output},
};

use dbsafe::docker::{endpoint, environment::Environment, globals::DockerGlobals};

/// Flags and variables, and nothing else: what docker says of them, we say too.
const CASES: &[(&str, &[(&str, &str)])] = &[
    ("", &[]),
    ("", &[("DOCKER_HOST", "")]),
    ("", &[("DOCKER_HOST", "tcp://127.0.0.1:4000")]),
    ("", &[("DOCKER_HOST", "127.0.0.1:4000")]),
    ("", &[("DOCKER_HOST", " tcp://127.0.0.1 ")]),
    ("", &[("DOCKER_HOST", "unix:///tmp/env.sock"), ("DOCKER_CONTEXT", "far")]),
    ("", &[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "far")]),
    ("", &[("DOCKER_CONTEXT", "")]),
    ("", &[("DOCKER_CONTEXT", "default")]),
    ("", &[("DOCKER_CONTEXT", "nowhere")]),
    ("", &[("DOCKER_TLS", "1")]),
    ("", &[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CONTEXT", "default")]),
    ("--tls", &[("DOCKER_CONTEXT", "default")]),
    ("--tls=false", &[("DOCKER_TLS", "1"), ("DOCKER_CONTEXT", "default")]),
    ("--tlsverify=false", &[("DOCKER_CONTEXT", "default")]),
    ("--context far", &[]),
    ("--context=far", &[("DOCKER_HOST", "unix:///tmp/env.sock")]),
    ("-c near", &[("DOCKER_CONTEXT", "far")]),
    ("-cnear", &[]),
    ("-c=near", &[]),
    ("-Dc near", &[]),
    ("-c default", &[("DOCKER_HOST", "unix:///tmp/env.sock")]),
    ("-c default", &[]),
    ("-c nowhere", &[]),
    ("-c engineless", &[]),
    ("-c near -H unix:///tmp/x", &[]),
    ("-H unix:///tmp/flag.sock", &[("DOCKER_HOST", "unix:///tmp/env.sock")]),
    ("-Hunix:///tmp/flag.sock", &[("DOCKER_CONTEXT", "far")]),
    ("-H=unix:///tmp/flag.sock", &[]),
    ("--host unix:///tmp/flag.sock", &[]),
    ("-H unix://", &[]),
    ("-H tcp://", &[]),
    ("-H :5000", &[]),
    ("-H [::1]:5000", &[]),
    ("-H tcp://[::1]", &[]),
    ("-H tcp://h:5000/base", &[]),
    ("-H http://h:5000", &[]),
    ("-H tcp://h:port", &[]),
    ("-H ssh://user@far", &[]),
    ("-H unix:///tmp/a -H unix:///tmp/b", &[]),
    ("--config OTHER", &[]),
    ("--config=OTHER", &[("DOCKER_CONTEXT", "far")]),
];

fn docker(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("docker");
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", folder).env("DOCKER_CONFIG", folder).envs(variables.iter().copied());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[test]
fn the_engine_is_the_one_that_docker_would_use() {
    if which::which("docker").is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for folder in [&folder, &other] {
        // Without it, docker does not even name an engine that speaks TLS.
        std::fs::write(folder.path().join("ca.pem"), "").unwrap();
    }
    for (name, host) in
        [("near", "unix:///tmp/near.sock"), ("far", "ssh://user@far"), ("engineless", "unix:///x")]
    {
        let made =
            docker(folder.path(), &["context", "create", name, "--docker", &format!("host={host}")], &[]);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let meta = folder.path().join("contexts/meta").join(endpoint::context_id("engineless")).join("meta.json");
    assert!(meta.exists(), "docker names the folder otherwise");
    std::fs::write(meta, r#"{"Name":"engineless","Metadata":{},"Endpoints":{}}"#).unwrap();

    for current in ["", "near", "default", "nowhere"] {
        let config =
            if current.is_empty() { "{}".to_owned() } else { format!(r#"{{"currentContext":"{current}"}}"#) };
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        for (line, variables) in CASES {
            let line = line.replace("OTHER", &other.path().to_string_lossy());
            let words: Vec<&str> = line.split_whitespace().collect();
            let ours = ours(folder.path(), &words, variables);
            let theirs = theirs(folder.path(), &words, variables);
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{current:?} {line} {variables:?}"),
                (Err(_), Err(_)) => {}
                _ => panic!("{current:?} {line} {variables:?}: ours {ours:?}, docker's {theirs:?}"),
            }
        }
    }
}

/// The context's name and the engine's address.
fn ours(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Result<(String, String), String> {
    let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
    let (globals, _read) = DockerGlobals::parse(&arguments).map_err(|error| error.to_string())?;
    let environment = Environment::default().with("HOME", folder).with("DOCKER_CONFIG", folder);
    let environment = variables.iter().fold(environment, |known, (name, value)| known.with(name, *value));
    let found = endpoint::resolve_here(&globals, &environment).map_err(|error| error.to_string())?;
    Ok((found.context, found.host))
}

fn theirs(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Result<(String, String), String> {
    let ask = |question: &[&str]| {
        let answer = docker(folder, &[words, question].concat(), variables);
        if answer.status.success() { Ok(text(&answer.stdout)) } else { Err(text(&answer.stderr)) }
    };
    let name = ask(&["context", "show"])?;
    let host = ask(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", &name])?;
    if host.is_empty() || host == "<no value>" { Err("no engine".to_owned()) } else { Ok((name, host)) }
}
