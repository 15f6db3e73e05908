//! Schedules on a real engine, with the real crontab program on a spool of its own: the line that it writes does what a
//! person asked for, and other lines are not touched.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use support::{
    Engine, Ran,
    home::{Home, postgres},
};

/// A crontab program in front of the PATH, that keeps its file in the test's own folder: as cron's own reads and writes
/// it, `-l` and `-`.
fn crontab(home: &Home<'_>) -> String {
    let programs = home.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    let script = "#!/bin/sh\nset -e\nfile=${0%/*}/table\ncase \"$1\" in\n\
        -l) [ -f \"$file\" ] || { echo \"no crontab for $LOGNAME\" >&2; exit 1; }; cat \"$file\";;\n\
        -) cat >\"$file.new\"; mv \"$file.new\" \"$file\";;\n*) exit 2;;\nesac\n";
    let program = programs.join("crontab");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", programs.display(), Engine::usual().path())
}

fn dbsafe(home: &Home<'_>, path: &str, arguments: &[&str]) -> Ran {
    let own = home.path().to_str().unwrap();
    let environment = [("DBSAFE_HOME", own), ("PATH", path)];
    Engine::usual().docker_in(home.path(), &[&["dbsafe"], arguments].concat(), &environment)
}

#[test]
fn a_crontab_line_saves_records_and_retires() {
    let (home, container) = (Home::new(), postgres());
    let path = crontab(&home);
    let table = home.path().join("programs/table");
    fs::write(&table, "MAILTO=ann\n@daily something\n").unwrap();
    let add = ["schedule", &container.name, "--every", "6h", "--keep", "1", "--drill", "never"];
    let ran = dbsafe(&home, &path, &add).expect(0);
    let written = fs::read_to_string(&table).unwrap();
    assert!(written.starts_with("MAILTO=ann\n@daily something\n# dbsafe schedule"), "{written}");
    let line = written.lines().find(|line| line.contains("schedule run")).unwrap();
    assert!(ran.stdout.contains(line), "{ran:?}");
    // A second one of the same name would be a mistake.
    dbsafe(&home, &path, &add).expect(2);
    // As cron starts it: by a shell, with an environment of its own.
    let command = line.splitn(6, ' ').nth(5).unwrap().replace("\\%", "%");
    let run = || {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &command])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/")
            .env("LOGNAME", "root");
        Ran::of(&shell.current_dir("/").output().unwrap())
    };
    let hand_made = dbsafe(&home, &path, &["snapshot", &container.name]).expect(0).stdout;
    run().expect(0);
    let ran = run().expect(0);
    assert!(ran.stdout.contains("1 older removed"), "{ran:?}");
    assert_eq!(home.snapshots().len(), 2, "one of its own, and the one made by hand");
    let id = hand_made.split_whitespace().next().unwrap();
    assert!(home.snapshots().iter().any(|folder| folder.ends_with(id)), "{hand_made}");
    let listed = dbsafe(&home, &path, &["schedule", "ls", "--json"]).expect(0).json();
    let row = &listed["schedules"][0];
    let outcomes: Vec<&str> =
        row["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap()).collect();
    assert_eq!((outcomes, row["trouble"].is_null()), (vec!["done", "done"], true), "{listed:#}");
    // Not yet due, and so nothing happens.
    dbsafe(&home, &path, &["schedule", "run", &container.name, "--if-due"]).expect(0);
    // What fails is recorded, and said.
    container.engine.docker(&["rm", "-fv", &container.name]).expect(0);
    run().expect(2);
    let listed = dbsafe(&home, &path, &["schedule", "ls"]).expect(0).stdout;
    assert!(listed.contains("FAILED: there is no container"), "{listed}");
    dbsafe(&home, &path, &["schedule", "rm", &container.name]).expect(0);
    assert_eq!(fs::read_to_string(&table).unwrap(), "MAILTO=ann\n@daily something\n");
}

#[test]
fn without_a_timer_there_is_one_sentence_and_nothing_is_left() {
    let (home, container) = (Home::new(), postgres());
    let ran = dbsafe(&home, "/nonexistent", &["schedule", &container.name]);
    assert!(ran.status != 0, "{ran:?}");
    assert!(!home.path().join("schedules").join(format!("{}.json", container.name)).exists());
}
