//! Whatever JSON an engine answers, a command is judged, refused or undetermined: no panic, no hang, no unbounded memory.
//!
//! The answers are those of a real engine, with parts taken away or replaced: only a stand-in gives such. More at length:
//! `PROPTEST_CASES=10000 cargo test --test hostile_engine`.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use support::chance::config;

/// The parts of an engine's answers that are asked for, each by what its path begins with.
const ANSWERS: [(&str, &str); 5] = [
    ("/version", include_str!("fixtures/engine/version.json")),
    ("/containers/json", include_str!("fixtures/engine/containers.json")),
    ("/containers/", include_str!("fixtures/engine/container.json")),
    ("/volumes/", include_str!("fixtures/engine/volume.json")),
    ("/volumes", include_str!("fixtures/engine/volumes.json")),
];

const COMMANDS: [&[&str]; 6] = [
    &["audit", "--format", "json"],
    &["rm", "--plan", "-f", "-v", "shop-db-1"],
    &["volume", "rm", "--plan", "shop_data"],
    &["volume", "prune", "--plan", "-af"],
    &["container", "prune", "--plan", "-f"],
    &["system", "prune", "--plan", "--volumes", "-af"],
];

/// Which of the answers is another, and how.
type Change = (usize, Index, Value);

fn odd_value() -> impl Strategy<Value = Value> {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("\u{1b}[2J\u{0}"),
        json!("../../etc"),
        json!("9999-99-99T99:99:99Z"),
        json!("-262143-01-01T00:00:00Z"),
        json!("a".repeat(100_000)),
        json!([]),
        json!({}),
        json!([null, [], {}]),
        json!({ "": null, "Name": 1 }),
        deep,
    ];
    prop_oneof![
        select(values.to_vec()),
        any::<String>().prop_map(Value::String),
        any::<i64>().prop_map(|n| json!(n))
    ]
}

/// Every place in a value, outermost first.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let below = |name: &str| format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| places(item, &below(&index.to_string()), found));
        }
        Value::Object(items) => items.iter().for_each(|(name, item)| places(item, &below(name), found)),
        _ => {}
    }
}

fn answers(changes: &[Change]) -> Vec<(&'static str, Vec<u8>)> {
    let spoil = |(index, (path, whole)): (usize, &(&'static str, &str))| {
        let mut value: Value = serde_json::from_str(whole).unwrap();
        for (_, at, odd) in changes.iter().filter(|(which, ..)| *which == index) {
            let mut found = Vec::new();
            places(&value, "", &mut found);
            *value.pointer_mut(&found[at.index(found.len())]).unwrap() = odd.clone();
        }
        (*path, value.to_string().into_bytes())
    };
    ANSWERS.iter().enumerate().map(spoil).collect()
}

/// Answers requests until the connection ends.
fn serve(stream: UnixStream, answers: &Mutex<Vec<(&'static str, Vec<u8>)>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            let value = line.to_ascii_lowercase();
            length = value.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        let asks_for_files = path.contains("/archive") || path.contains("/changes");
        let answer = answers.lock().unwrap().iter().find(|(start, _)| path.starts_with(start)).cloned();
        let (status, body) = match answer.filter(|_| !asks_for_files && !path.contains("/top")) {
            Some((_, body)) => ("200 OK", body),
            None => ("404 Not Found", br#"{"message":"no such thing"}"#.to_vec()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)?;
    }
}

/// Runs a command against the engine at a socket, with no more memory than a tool may want.
fn run(socket: &Path, home: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let limited = "ulimit -v 4000000; exec timeout 60 \"$0\" dbsafe \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_docker-dbsafe")]).args(arguments);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let output = command.env("DBSAFE_HOME", home).env("DOCKER_CONFIG", home).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn odd_json_of_an_engine_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine");
    let listener = UnixListener::bind(&socket).unwrap();
    let current = Arc::new(Mutex::new(answers(&[])));
    let serving = Arc::clone(&current);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&serving);
            // It ends with its connection; a client that went away is no news.
            std::thread::spawn(move || serve(stream, &answers).unwrap_or_default());
        }
    });
    let home = folder.path().join("home");
    let (status, told) = run(&socket, &home, &["audit", "--format", "json"]);
    assert!(matches!(status, Some(0 | 14)), "the whole answers are understood: {status:?} {told}");
    let change = (0..ANSWERS.len(), any::<Index>(), odd_value());
    let mut runner = TestRunner::new(config(150, file!()));
    runner
        .run(&(vec(change, 1..6), select(&COMMANDS[..])), |(changes, command)| {
            *current.lock().unwrap() = answers(&changes);
            let (status, told) = run(&socket, &home, command);
            prop_assert!(matches!(status, Some(0 | 1 | 10 | 11)), "{status:?} {command:?}: {told}");
            prop_assert!(!told.contains("panicked") && !told.contains('\u{1b}'), "{told}");
            Ok(())
        })
        .unwrap();
}
