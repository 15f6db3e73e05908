//! The audit's formats, and the audit on a terminal left open, on a real engine.

mod support;

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use serde_json::Value;
use support::{Container, home::postgres};

/// A database whose name would like to be markup, and a table in it.
const NAME: &str = "<script>alert(1)</script>|`x`";

fn hostile() -> Container<'static> {
    let container = postgres();
    let engine = container.engine;
    engine.psql(&container.name, &format!("create database \"{NAME}\""));
    let create =
        ["exec", &container.name, "psql", "-U", "postgres", "-d", NAME, "-c", "create table t(a int)"];
    engine.docker(&create).expect(0);
    container
}

fn audit(container: &Container<'_>, format: &str) -> String {
    container.engine.dbsafe(&["audit", &container.name, "--format", format, "--checks"]).expect(0).stdout
}

#[test]
fn sarif_passes_the_published_schema_and_names_the_container() {
    let container = hostile();
    let document: Value = serde_json::from_str(&audit(&container, "sarif")).unwrap();
    let schema = include_str!("fixtures/sarif/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let results = document["runs"][0]["results"].as_array().unwrap();
    let about = |id: &str| results.iter().find(|result| result["ruleId"] == id);
    let lost = about("data-in-writable-layer").unwrap();
    assert_eq!(lost["locations"][0]["logicalLocations"][0]["name"], container.name);
    assert_eq!(lost["level"], "error");
    assert!(about("no-health-check").is_some(), "{results:#?}");
    // Every rule that is meant is described.
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(document["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

#[test]
fn the_page_stands_by_itself_and_no_name_becomes_markup() {
    let container = hostile();
    let page = audit(&container, "html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains(&container.name), "{page}");
    let lower = page.to_lowercase();
    for foreign in ["<script", "http://", "https://", "src=", "url(", "@import", "<link"] {
        assert!(!lower.contains(foreign), "{foreign} in {page}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    let remedy = format!("docker dbsafe snapshot {}", container.name);
    assert!(page.contains(&remedy), "{page}");
}

#[test]
fn markdown_is_a_table_whatever_names_say() {
    let container = hostile();
    let text = audit(&container, "markdown");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 3 && text.contains("data-in-writable-layer"), "{text}");
    for row in rows {
        let columns = row.replace("\\|", "").matches('|').count();
        assert_eq!(columns, 7, "{row}");
    }
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn a_terminal_left_open_shows_it_again_until_it_is_ended() {
    let container = postgres();
    let engine = container.engine;
    let ran = engine.dbsafe(&["audit", "--watch"]).expect(2);
    assert!(ran.says("--watch is for a terminal"), "{ran:?}");
    let program = env!("CARGO_BIN_EXE_docker-dbsafe");
    let mut command = Command::new("script");
    let line = format!("stty rows 24 cols 100; {program} audit --watch=1 {}", container.name);
    command.args(["-qec", &line, "/dev/null"]);
    engine.isolate(&mut command).env("TERM", "xterm");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    let drawn = |said: &[u8]| String::from_utf8_lossy(said).matches("again every 1 s").count();
    while drawn(&said) < 2 {
        stdout.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    assert!(String::from_utf8_lossy(&said).contains("data-in-writable-layer"));
    // What goes is seen to go.
    engine.docker(&["rm", "-fv", &container.name]).expect(0);
    while !String::from_utf8_lossy(&said).contains("no container, service, project or volume is named") {
        stdout.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    input.write_all(b"\x03").unwrap();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_engine_that_does_not_answer_is_said_to_be_beside_those_that_do() {
    let container = postgres();
    let engine = container.engine;
    for (name, host) in [("near", engine.host.as_str()), ("far", "unix:///nowhere/docker.sock")] {
        let host = format!("host={host}");
        engine.docker(&["context", "create", name, "--docker", &host]).expect(0);
    }
    let ran = engine.dbsafe(&["audit", "--context", "near", "--context", "far", &container.name]).expect(1);
    assert!(ran.stdout.contains("engine near") && ran.stdout.contains("not audited"), "{ran:?}");
    assert!(ran.stdout.contains("data-in-writable-layer"), "{ran:?}");
    for name in ["near", "far"] {
        engine.docker(&["context", "rm", name]).expect(0);
    }
}
