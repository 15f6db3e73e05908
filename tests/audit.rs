//! The audit's formats, and the audit on a terminal left open, on a real engine.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Container, Engine, home::postgres, unique};

const PATIENCE: Duration = Duration::from_secs(60);

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

/// An engine's socket under a name that can be taken away, and docker's context for it.
struct Door<'a> {
    engine: &'a Engine,
    context: String,
    link: PathBuf,
}

impl<'a> Door<'a> {
    fn new(engine: &'a Engine, folder: &Path) -> Self {
        let context = unique("door");
        let link = folder.join("docker.sock");
        let door = Self { engine, context, link };
        door.open();
        let host = format!("host=unix://{}", door.link.display());
        engine.docker(&["context", "create", &door.context, "--docker", &host]).expect(0);
        door
    }

    fn open(&self) {
        symlink(self.engine.host.strip_prefix("unix://").unwrap(), &self.link).unwrap();
    }

    fn shut(&self) {
        fs::remove_file(&self.link).unwrap();
    }
}

#[test]
fn several_engines_tell_which_is_meant_in_every_form() {
    let (container, folder) = (postgres(), tempfile::tempdir().unwrap());
    let engine = container.engine;
    let door = Door::new(engine, folder.path());
    let away = unique("away");
    let host = format!("host=unix://{}/nothing.sock", folder.path().display());
    engine.docker(&["context", "create", &away, "--docker", &host]).expect(0);
    let audit = |format: &str| {
        let arguments = ["--context", &door.context, "--context", &away, "--format", format, &container.name];
        let ran = engine.dbsafe(&[&["audit"], &arguments[..]].concat()).expect(1);
        assert!(!ran.stderr.contains("looking"), "a progress line in a pipe: {ran:?}");
        ran
    };
    let json = audit("json").json();
    assert_eq!(json["engines"][0]["context"], door.context.as_str());
    assert_eq!(json["engines"][1]["context"], away.as_str());
    assert!(json["engines"][1]["error"].is_string() && json["engines"][0].get("error").is_none(), "{json:#}");
    assert_eq!(json["containers"][0]["context"], door.context.as_str());
    let remedy = format!("docker --context {} dbsafe snapshot {}", door.context, container.name);
    for format in ["text", "markdown", "html"] {
        let out = audit(format).stdout;
        assert!(out.contains(&away) && out.contains("not audited"), "{format}: {out}");
        assert!(out.contains(&remedy), "{format}: {out}");
    }
    let sarif = audit("sarif").json();
    let run = &sarif["runs"][0]["invocations"][0];
    assert_eq!(run["executionSuccessful"], false);
    let notice = run["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(notice.contains(&away), "{notice}");
}

/// A docker command on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open(engine: &Engine, line: &str) -> Self {
        let mut command = Command::new("script");
        command.args([
            "-qec",
            &format!("stty rows 40 cols 100; docker {line}; s=$?; stty -a; exit $s"),
            "/dev/null",
        ]);
        let mut child = engine
            .isolate(&mut command)
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let seen = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { child, keys, seen }
    }

    /// Waits until the terminal shows a text, and forgets what came until now.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        let start = Instant::now();
        loop {
            let mut seen = self.seen.lock().unwrap();
            if seen.contains(text) {
                seen.clear();
                return;
            }
            let screen = seen.rsplit("\x1b[H").next().unwrap_or_default().to_owned();
            drop(seen);
            assert!(start.elapsed() < PATIENCE, "{text:?} is not in {screen:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    /// The exit status, and what came since the last wait.
    #[track_caller]
    fn end(mut self) -> (i32, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it goes on: {:?}", self.seen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        };
        // The reader comes to the end by itself, right after.
        std::thread::sleep(Duration::from_millis(200));
        let seen = self.seen.lock().unwrap().clone();
        (status.code().unwrap_or(-1), seen)
    }
}

#[test]
fn a_terminal_left_open_is_drawn_anew_and_survives_its_engine() {
    let (container, folder) = (postgres(), tempfile::tempdir().unwrap());
    let engine = container.engine;
    let door = Door::new(engine, folder.path());
    let line = format!("--context {} dbsafe audit --watch=1 {}", door.context, container.name);
    let mut terminal = Terminal::open(engine, &line);
    terminal.wait_for(&container.name);
    terminal.wait_for("1 critical");
    door.shut();
    terminal.wait_for("not known since");
    terminal.wait_for("does not answer");
    door.open();
    terminal.wait_for("1 critical");
    engine.psql(
        &container.name,
        "drop table payments; create table others(a int); insert into others values (1)",
    );
    terminal.wait_for("1 table, 1 row");
    // It ends while it waits and while it looks.
    terminal.press(b"r");
    terminal.press(b"q");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen:?}");
    let after = seen.split("\x1b[?1049l").nth(1).unwrap();
    assert!(seen.contains("\x1b[?25h") && after.contains(" echo ") && after.contains(" icanon"), "{seen:?}");
}
