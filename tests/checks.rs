//! The checks on real compose files, as real Compose reads them: the stacks of tests/stacks, each with what a careful
//! reviewer would say of it; and a good lesson's files, from which one line is taken.
//!
//! `DBSAFE_TEST_WRITE=1` writes docs/checks.md anew.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use dbsafe::{
    checks::{self, from_compose, named_files},
    model::check::{Class, Raised},
    settings::disposable,
};
use support::Engine;

/// A check's id and the service.
type Hit = (String, String);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One stack: what it is, and what is wrong with it.
struct Stack {
    name: String,
    text: String,
    safe: bool,
    expected: BTreeSet<Hit>,
}

fn stacks() -> Vec<Stack> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("tests/stacks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap();
            let expected = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).map(|line| {
                let (check, service) = line.split_once(' ').unwrap();
                assert!(checks::check(check).is_some(), "{}: {check}", path.display());
                (check.to_owned(), service.to_owned())
            });
            Stack {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                safe: first.starts_with("# safe: "),
                expected: expected.collect(),
                text,
            }
        })
        .collect()
}

/// What compose says of a file: the model, and the same as it is written.
fn read(program: &str, text: &str) -> (serde_json::Value, serde_json::Value) {
    let config = |more: &[&str]| {
        let values = root().join("tests/stacks/values.env");
        let mut command = Command::new(program);
        command.args([
            "--env-file",
            values.to_str().unwrap(),
            "-p",
            "shop",
            "-f",
            "-",
            "config",
            "--format",
            "json",
        ]);
        command
            .args(more)
            .current_dir(std::env::temp_dir())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    (config(&[]), config(&["--no-interpolate", "--no-env-resolution"]))
}

/// Everything that the checks say of a file and nobody has accepted.
fn raised(program: &str, text: &str) -> Vec<Raised> {
    let (model, written) = read(program, text);
    let mut setups = from_compose::setups(&model, Some(&written));
    // What stands in tests/stacks/files lies beside each stack.
    for setup in &mut setups {
        for path in named_files::wanted(setup) {
            let host = named_files::on_host(setup, &path).map(PathBuf::from);
            let name = host.as_deref().and_then(Path::file_name).unwrap_or_default();
            if let Ok(bytes) = fs::read(root().join("tests/stacks/files").join(name)) {
                named_files::note(setup, path, bytes);
            }
        }
    }
    let mut raised = checks::of_setups(&setups);
    raised.retain(|raised| {
        let setup = setups.iter().find(|setup| setup.name == raised.name).unwrap();
        disposable(&setup.labels).is_none()
    });
    raised
}

fn hits(raised: &[Raised]) -> BTreeSet<Hit> {
    raised.iter().map(|raised| (raised.check.id.to_owned(), raised.name.clone())).collect()
}

/// Hits, misses and false alarms of one check.
#[derive(Default, Clone, Copy)]
struct Counts {
    hits: usize,
    missed: usize,
    false_alarms: usize,
}

#[test]
fn the_stacks_are_judged_as_a_careful_reviewer_would() {
    let program = support::compose_program("5.6");
    let stacks = stacks();
    let safe = stacks.iter().filter(|stack| stack.safe).count();
    assert!(stacks.len() >= 60 && safe * 2 >= stacks.len(), "{safe} of {} are safe", stacks.len());
    let found: Mutex<BTreeMap<String, BTreeSet<Hit>>> = Mutex::default();
    // Compose takes longer to start than to read.
    std::thread::scope(|scope| {
        for part in stacks.chunks(stacks.len().div_ceil(4)) {
            let (program, found) = (&program, &found);
            scope.spawn(move || {
                for stack in part {
                    let hits = hits(&raised(program, &stack.text));
                    found.lock().unwrap().insert(stack.name.clone(), hits);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for stack in &stacks {
        for (check, service) in stack.expected.union(&found[&stack.name]) {
            let hit = (check.clone(), service.clone());
            let id = checks::check(check).unwrap().id;
            let counts = counts.entry(id).or_default();
            match (stack.expected.contains(&hit), found[&stack.name].contains(&hit)) {
                (true, true) => counts.hits += 1,
                (true, false) => {
                    counts.missed += 1;
                    missed.push(format!("{}: `{check}` of {service}", stack.name));
                }
                (false, _) => {
                    counts.false_alarms += 1;
                    alarms.push(format!("{}: `{check}` of {service}", stack.name));
                }
            }
        }
    }
    let all = counts.values().fold(Counts::default(), |all, one| Counts {
        hits: all.hits + one.hits,
        missed: all.missed + one.missed,
        false_alarms: all.false_alarms + one.false_alarms,
    });
    assert!(alarms.is_empty(), "false alarms:\n{}", alarms.join("\n"));
    assert!(all.missed <= KNOWN_MISSES, "missed:\n{}", missed.join("\n"));
    let mut measured = format!(
        "\n## Measured\n\n\
        {} small stacks in `tests/stacks`, {safe} of them safe, each with what a careful reviewer would say of it, read by Compose 5.6.\n\
        {} of {} faults are found, with {} false alarms. Made by `DBSAFE_TEST_WRITE=1 cargo test --test checks`. Checks that\n\
        need a running engine (what is in volumes, backups, scripts) are tested on real containers instead.\n\n\
        | Check | Found | Missed | False alarms |\n|---|---|---|---|\n",
        stacks.len(),
        all.hits,
        all.hits + all.missed,
        all.false_alarms,
    );
    for check in checks::ALL.iter().filter(|check| check.setup.is_some()) {
        let Counts { hits, missed, false_alarms } = counts.get(check.id).copied().unwrap_or_default();
        measured.push_str(&format!("| `{}` | {hits} | {missed} | {false_alarms} |\n", check.id));
    }
    measured.push_str("\nMissed:\n\n");
    for line in &missed {
        measured.push_str(&format!("- {line}\n"));
    }
    measured.push_str(
        "\nThe user that `POSTGRES_USER` names may do everything, and most good projects, the lesson among them, connect as that\n\
        user: naming it would be an alarm about nearly all of them.\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"))
        .args(["dbsafe", "explain", "--format", "markdown"])
        .output()
        .unwrap();
    let page = String::from_utf8(output.stdout).unwrap() + &measured;
    compare(&root().join("docs/checks.md"), &page);
}

/// What cannot be told in a compose file alone: the user that `POSTGRES_USER` names may do everything, and most good
/// projects, the lesson among them, have no other.
const KNOWN_MISSES: usize = 1;

#[track_caller]
fn compare(path: &Path, made: &str) {
    if std::env::var_os("DBSAFE_TEST_WRITE").is_some() {
        fs::write(path, made).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(
        kept == made,
        "{} is not as it is made: DBSAFE_TEST_WRITE=1 writes it; {differs:?}",
        path.display()
    );
}

/// From a good lesson's file one line is taken, or changed, and its check alone is named, at that place.
#[test]
fn a_good_lesson_with_one_line_less_names_exactly_that_lines_check() {
    let program = support::compose_program("5.6");
    let shared: &[(&str, &str, &str, &[&str])] = &[
        ("    restart: unless-stopped\n", "", "no-restart-policy", &["restart"]),
        ("      start_period: ", "", "no-start-period", &["healthcheck", "start_period"]),
        ("      test: ", "", "no-health-check", &[]),
        ("        max-size: 10m\n", "", "unbounded-logs", &["logging", "options", "max-size"]),
        ("    mem_limit: ", "", "no-memory-limit", &["mem_limit"]),
        ("_data:/", "", "data-in-anonymous-volume", &["volumes"]),
        (
            ": { condition: service_healthy }",
            "@condition: service_started",
            "depends-on-without-health",
            &["depends_on", "*", "condition"],
        ),
        ("depends_on:\n", "@", "depends-on-without-health", &["depends_on"]),
        ("    image: ", "@untagged", "unpinned-image", &["image"]),
    ];
    for (lesson, service) in [("lesson-postgres", "db"), ("lesson-mysql", "db"), ("lesson-redis", "redis")] {
        let text = fs::read_to_string(root().join(format!("tests/stacks/{lesson}.yaml"))).unwrap();
        let text = text.replace("- pgdata:/", "- pg_data:/").replace("  pgdata:", "  pg_data:");
        let before = hits(&raised(&program, &text));
        let published = BTreeSet::from([("published-database-port".to_owned(), service.to_owned())]);
        assert_eq!(before, published, "{lesson}");
        for (line, edit, check, keys) in shared {
            let without = edited(&text, line, edit);
            let after = raised(&program, &without);
            let target = if *check == "depends-on-without-health" { "api" } else { service };
            let new: Vec<&Raised> =
                after.iter().filter(|one| one.check.id != "published-database-port").collect();
            let [one] = new.as_slice() else {
                panic!("{lesson} without {line:?}: {:?}", hits(&after));
            };
            assert_eq!((one.check.id, one.name.as_str()), (*check, target), "{lesson} without {line:?}");
            let expected: Vec<&str> = ["services", target]
                .into_iter()
                .chain(keys.iter().map(|key| if *key == "*" { service } else { *key }))
                .collect();
            assert_eq!(one.field, expected, "{lesson} without {line:?}");
        }
    }
}

/// A file without the line that has these words, or with it changed.
fn edited(text: &str, words: &str, edit: &str) -> String {
    let words = words.trim_end_matches('\n');
    let at = text.lines().position(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words:?}"));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match edit {
        "@untagged" => {
            let colon = lines[at].rfind(':').unwrap();
            lines[at].truncate(colon);
        }
        "@condition: service_started" => lines[at] = lines[at].replace("service_healthy", "service_started"),
        // The line and what is below it.
        "@" => drop(lines.drain(at..=at + 1)),
        _ => drop(lines.remove(at)),
    }
    lines.join("\n") + "\n"
}

/// A check that looks at descriptions is bad in one stack at least, and says nothing in another where it could.
#[test]
fn every_check_of_descriptions_has_a_stack() {
    let expected: BTreeSet<String> =
        stacks().into_iter().flat_map(|stack| stack.expected).map(|(check, _)| check).collect();
    for check in checks::ALL.iter().filter(|check| check.setup.is_some()) {
        assert!(expected.contains(check.id), "no stack is bad in the way of {}", check.id);
    }
    // What is only documented is raised by the guard itself.
    let silent = checks::ALL.iter().filter(|check| check.setup.is_none() && check.data.is_none());
    assert!(
        silent.clone().all(|check| check.class != Class::Setup),
        "{:?}",
        silent.map(|check| check.id).collect::<Vec<_>>()
    );
}

/// The findings of a container in an audit's document: id, and why it does not count.
fn findings(audit: &serde_json::Value, container: &str) -> BTreeMap<String, Option<String>> {
    let rows = audit["containers"].as_array().unwrap();
    let row =
        rows.iter().find(|row| row["name"] == container).unwrap_or_else(|| panic!("{container}: {audit:#}"));
    let finding = |finding: &serde_json::Value| {
        let suppressed = finding["suppressed"].as_str().map(str::to_owned);
        (finding["id"].as_str().unwrap().to_owned(), suppressed)
    };
    row["findings"].as_array().unwrap().iter().map(finding).collect()
}

#[test]
fn containers_and_their_data_are_checked_as_they_are() {
    let stack = support::Stack::new(
        Engine::usual(),
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'pg:/var/lib/postgresql/data', './init:/docker-entrypoint-initdb.d:ro' ]
    labels: { dbsafe.accept.no-memory-limit: measured elsewhere, dbsafe.accept.unpinned-image: it is pinned }
  moved:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'moved:/var/lib/postgresql/data' ]
    restart: unless-stopped
    mem_limit: 256m
    logging: { driver: local }
    healthcheck: { test: [ CMD, pg_isready ], interval: 1s, start_period: 30s }
  twin:
    image: postgres:15
    network_mode: none
    entrypoint: [ sh, -c, 'while :; do sleep 1; done', postgres ]
    stop_grace_period: 1s
    volumes: [ 'pg:/var/lib/postgresql/data' ]
    depends_on: [ db ]
  web: { image: 'stateless:1', network_mode: none }
volumes: { pg: {}, moved: {} }
",
    );
    stack.write("init/01.sql", "create table early(a int);");
    stack.write(
        ".dbsafe.toml",
        "[[accept]]\ncheck = \"no-restart-policy\"\ntarget = \"db\"\nreason = \"a laptop\"\n\
         [[backup]]\nservice = \"db\"\nfiles = \"backups/*\"\n",
    );
    stack.write("backups/shop.dump", "");
    stack.compose(&["up", "-d", "--quiet-pull"]).expect(0);
    let (engine, db) = (stack.engine, stack.container("db"));
    let fleeting =
        engine.container(&["--rm", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres-novolume:15"]);
    for name in [&db, &stack.container("moved"), &fleeting.name] {
        engine.fill_payments(name);
    }
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(stack.folder.join("init/01.sql"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    let ran = stack.dbsafe(&["audit", "--format", "json", &stack.name, &fleeting.name]).expect(0);
    assert!(ran.says("label dbsafe.accept.unpinned-image: meets nothing"), "{}", ran.stderr);
    let audit = ran.json();

    let of_db = findings(&audit, &db);
    for id in [
        "init-scripts-ignored",
        "shared-data-directory",
        "backup-empty-or-truncated",
        "no-health-check",
        "unbounded-logs",
    ] {
        assert_eq!(of_db.get(id), Some(&None), "{id}: {of_db:?}");
    }
    // What mends it does, as it stands there.
    stack.write("later.sql", "create table later(a int);");
    let rows = audit["containers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == db.as_str()).unwrap();
    let all = row["findings"].as_array().unwrap();
    let scripts = all.iter().find(|one| one["id"] == "init-scripts-ignored").unwrap();
    let line = scripts["remedy"].as_str().unwrap().replace("SCRIPT", "later.sql");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(&stack.folder);
    let output = engine.isolate(&mut shell).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    engine.psql(&db, "select * from later");
    let why = |id: &str| of_db[id].clone().unwrap_or_default();
    assert!(why("no-restart-policy").ends_with(".dbsafe.toml:1: a laptop"), "{of_db:?}");
    assert_eq!(why("no-memory-limit"), "label dbsafe.accept.no-memory-limit: measured elsewhere");
    let ids = |container: &str| findings(&audit, container).into_keys().collect::<Vec<_>>();
    assert_eq!(ids(&stack.container("moved")), ["data-directory-outside-mount", "data-in-writable-layer"]);
    let twin = ids(&stack.container("twin"));
    assert!(
        twin.contains(&"depends-on-without-health".to_owned())
            && twin.contains(&"stop-grace-too-short".to_owned()),
        "{twin:?}"
    );
    assert_eq!(ids(&stack.container("web")), Vec::<String>::new());
    assert!(ids(&fleeting.name).contains(&"auto-remove-with-data".to_owned()));

    // A good dump, and scripts as they were when the cluster was made.
    let early = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(stack.folder.join("init/01.sql"))
        .unwrap()
        .set_modified(early)
        .unwrap();
    engine.docker(&["exec", &db, "sh", "-c", "pg_dump -U postgres -Fc postgres > /tmp/dump"]).expect(0);
    let dump = stack.folder.join("backups/shop.dump");
    engine.docker(&["cp", &format!("{db}:/tmp/dump"), dump.to_str().unwrap()]).expect(0);
    stack.compose(&["rm", "-sf", "twin"]).expect(0);
    let audit = stack.dbsafe(&["audit", "--format", "json", &db]).expect(0).json();
    let of_db = findings(&audit, &db);
    assert!(of_db.contains_key("restore-not-tested"), "{of_db:?}");
    for id in ["init-scripts-ignored", "shared-data-directory", "backup-empty-or-truncated"] {
        assert!(!of_db.contains_key(id), "{id}: {of_db:?}");
    }

    stack.compose(&["rm", "-sf", "db"]).expect(0);
    let volume = format!("{}_pg", stack.name);
    let audit = stack.dbsafe(&["audit", "--format", "json", &volume]).expect(0).json();
    let ids: Vec<_> = audit["volumes"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"orphaned-volume-with-data"), "{ids:?}");
}

#[test]
fn a_file_of_options_and_a_script_in_a_container_are_read() {
    let engine = Engine::usual();
    let files = root().join("tests/stacks/files");
    let mount = |name: &str, to: &str| format!("{}:{to}:ro", files.join(name).display());
    let options = mount("redis.conf", "/etc/redis.conf");
    let redis = engine.container(&["-v", &options, "redis:7", "redis-server", "/etc/redis.conf"]);
    let usual = engine.container(&["redis:7", "redis-server"]);
    let script = mount("alive", "/usr/local/bin/alive");
    let postgres = |check: &str| {
        let environment = ["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-v", &script, "--health-cmd", check];
        engine.container(&[&environment[..], &["postgres:15"]].concat())
    };
    let (generic, good) = (postgres("alive"), postgres("pg_isready"));
    let names = [&redis.name, &usual.name, &generic.name, &good.name];
    let arguments = ["audit", "--format", "json", names[0], names[1], names[2], names[3]];
    let audit = engine.dbsafe(&arguments).expect(0).json();
    let has = |container: &str, id: &str| findings(&audit, container).contains_key(id);
    assert!(has(&redis.name, "redis-without-persistence") && !has(&usual.name, "redis-without-persistence"));
    assert!(has(&generic.name, "generic-health-check") && !has(&good.name, "generic-health-check"));
}
