//! Who may import whom, as the crate's documentation says.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room, and the rooms of ours that it may name. `docker` below means its reading half: only `act` and
/// `commands` may reach the modules of `WRITING`.
const MAY: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("engines", &["model"]),
    // The descriptions of engines: where a server keeps data, what asks it whether it is well.
    ("checks", &["model", "engines"]),
    ("judge", &["model"]),
    ("report", &["model", "ui"]),
    ("composefile", &["model"]),
    ("docker", &["model"]),
    ("plan", &["model", "docker"]),
    ("inspect", &["model", "docker", "engines"]),
    ("store", &["model"]),
    (
        "act",
        &[
            "model", "docker", "engines", "inspect", "plan", "store", "judge", "report", "cancel", "exit",
            "ui",
        ],
    ),
];
/// Parts of `docker` that change something on the engine beyond helpers of our own.
const WRITING: &[&str] = &["control"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The paths below `crate::` that a source names, each up to its second part.
fn imports(text: &str) -> BTreeSet<(String, String)> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (index, _) in code.match_indices("crate::") {
        let rest = &code[index + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // One group, as rustfmt writes it: every part at the first depth begins a path.
            let (mut depth, mut part) = (0, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
                if c == ',' && depth == 0 {
                    found.insert(split(&part));
                    part.clear();
                } else {
                    part.push(c);
                }
            }
            found.insert(split(&part));
        } else {
            found.insert(split(rest));
        }
    }
    found.into_iter().filter(|(room, _)| !room.is_empty()).collect()
}

fn split(path: &str) -> (String, String) {
    let word = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let (room, rest) = path.trim().split_once("::").unwrap_or((path.trim(), ""));
    (word(room), word(rest))
}

#[test]
fn rooms_import_only_what_they_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (room, may) in MAY {
        let mut files = Vec::new();
        sources(&root.join(room), &mut files);
        assert!(!files.is_empty(), "{room} has no source");
        for file in files {
            for (imported, part) in imports(&fs::read_to_string(&file).unwrap()) {
                let own = imported == *room;
                let writes = imported == "docker" && WRITING.contains(&part.as_str()) && *room != "act";
                if !own && (writes || !may.contains(&imported.as_str())) {
                    wrong.push(format!(
                        "{}: crate::{imported}::{part}",
                        file.strip_prefix(&root).unwrap().display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_source_is_longer_than_it_may_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 800, "{}: {lines} lines", file.display());
    }
}
