//! Containers that mean harm, on a real engine: what lies in them, and what their servers say, neither hangs the
//! guard, nor fills its memory, nor talks it into a yes. `docs/security.md` has the threats that these are for.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use support::{
    Container, Engine, Ran,
    home::{Home, postgres},
    unique,
};

/// An application's container with a real SQLite database in its layer, after a script of ill will.
fn with_a_database_and(script: &str) -> Container<'static> {
    let engine = Engine::usual();
    let all = format!(
        "set -e; mkdir -p /srv/app; {script}; sqlite3 /srv/app/app.db 'create table t(a); insert into t values (1)'; touch /ready; exec sleep infinity"
    );
    let container = engine.container(&["sqlite-app:1", "sh", "-c", &all]);
    engine.wait_for(&container.name, &["test", "-f", "/ready"]);
    container
}

/// Judged as what it is, running and stopped, with the database named; and it is still there.
fn is_found(container: &Container<'_>) {
    let engine = container.engine;
    for stop in [false, true] {
        if stop {
            engine.docker(&["kill", &container.name]).expect(0);
        }
        let ran = engine.dbsafe(&["rm", "-f", &container.name]).expect(10);
        assert!(ran.says("/srv/app"), "{ran:?}");
        assert!(engine.exists(&container.name));
    }
}

#[test]
fn pipes_sockets_devices_and_loops_of_links_are_walked_past() {
    is_found(&with_a_database_and(
        "cd /srv/app; mkfifo PG_VERSION pipe.db dump.rdb; ln -s loop loop; ln -s .. up; ln -s / root; \
         ln -s /proc/self/fd/0 in.db; mknod zero.db c 1 5; mknod full c 1 7; mknod disk b 7 0; \
         mkdir -p a/b; ln -s ../../a a/b/c; ln -s /srv/app/pipe.db base",
    ));
}

#[test]
fn a_sparse_file_of_a_tebibyte_costs_what_it_holds() {
    is_found(&with_a_database_and(
        "truncate -s 1T /srv/app/huge.db /srv/app/huge; truncate -s 1T /var/lib/huge.sqlite",
    ));
}

#[test]
fn a_hundred_thousand_files_hide_nothing() {
    is_found(&with_a_database_and(
        "mkdir /srv/many; cd /srv/many; seq 100 | xargs mkdir; \
         seq 100 | xargs -I{} sh -c 'cd {} && seq 1000 | xargs touch'",
    ));
}

#[test]
fn names_of_files_cannot_talk_to_a_terminal_or_a_shell() {
    let container = with_a_database_and(
        r#"cd /srv/app; n=$(printf 'x\033[2J\033]0;owned\007.db'); sqlite3 "$n" 'create table t(a); insert into t values (1)'
        sqlite3 '$(touch pwned);`touch pwned`.db' 'create table t(a); insert into t values (1)'"#,
    );
    let (engine, home) = (container.engine, Home::new());
    let ran = engine.dbsafe(&["rm", "-f", &container.name]).expect(10);
    assert!(!ran.stderr.contains(['\x1b', '\x07']), "{:?}", ran.stderr);
    for format in ["text", "json"] {
        let ran = home.run(&["audit", &container.name, "--format", format]).expect(0);
        assert!(!ran.stdout.contains(['\x1b', '\x07']), "{:?}", ran.stdout);
    }
    home.run(&["snapshot", &container.name]).expect(0);
    home.run(&["snapshots", "show", "latest"]).expect(0);
    for folder in [home.path().to_path_buf(), std::env::current_dir().unwrap_or_default()] {
        assert!(!folder.join("pwned").exists());
    }
    for name in std::fs::read_dir(&home.snapshots()[0]).into_iter().flatten().flatten() {
        let name = name.file_name().to_string_lossy().into_owned();
        assert!(!name.contains(['\x1b', '/', '$', '`', ';']), "{name}");
    }
}

/// Puts a program in the place of the server's own client.
fn replace_client(container: &Container<'_>, program: &str, script: &str) {
    let write = format!("f=$(command -v {program}); rm -f $f; printf '%s' \"$0\" > $f; chmod 755 $f");
    container.engine.docker(&["exec", "-u", "0", &container.name, "sh", "-c", &write, script]).expect(0);
}

fn asked(container: &Container<'_>) -> Ran {
    let ran = container.engine.dbsafe(&["rm", "-f", &container.name]);
    assert!(container.engine.exists(&container.name), "{ran:?}");
    assert!(!ran.stderr.contains(['\x1b', '\x07']), "{:?}", ran.stderr);
    ran
}

#[test]
fn a_server_that_lies_that_floods_or_that_never_ends_is_at_risk() {
    for lie in [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\necho 0\n",
        "#!/bin/sh\nprintf '\\033[2J\\033]0;nothing here\\007\\n'\n",
        "#!/bin/sh\nexec yes 'T|0|0|0|0'\n",
        "#!/bin/sh\nexec sleep infinity\n",
        "#!/bin/sh\nhead -c 400000000 /dev/zero\n",
    ] {
        let container = postgres();
        replace_client(&container, "psql", lie);
        asked(&container).expect(10);
    }
}

#[test]
fn a_name_of_another_project_or_a_label_of_ours_is_no_way_past() {
    let engine = Engine::usual();
    // A container that calls itself a helper of ours, or another's, is a container like any other to a person.
    let name = unique("c");
    let label = "com.docker.compose.project=../../etc";
    let container = engine.container(&[
        "--label",
        label,
        "--label",
        "dbsafe.helper=0123456789ab-0123456789ab-1-0123456789abcdef",
        "--label",
        "com.docker.compose.service=\x1b[2Jdb",
        "-e",
        "PGDATA=/srv/pg",
        "-e",
        "POSTGRES_HOST_AUTH_METHOD=trust",
        "--hostname",
        &name,
        "postgres:15",
    ]);
    engine.fill_payments(&container.name);
    let home = Home::new();
    let ran = home.run(&["rm", "-f", &container.name]).expect(10);
    assert!(!ran.stderr.contains('\x1b'), "{:?}", ran.stderr);
    home.run(&["rm", "-f", "--snapshot", &container.name]).expect(0);
    assert!(home.snapshots()[0].starts_with(home.path()));
    home.run(&["undo"]).expect(0);
    assert_eq!(container.sum(), "350");
}

#[test]
fn an_image_does_not_say_that_its_data_is_disposable() {
    let engine = Engine::usual();
    let (bare, image) = (unique("c"), unique("i"));
    engine.docker(&["create", "--name", &bare, "sqlite-app:1"]).expect(0);
    engine.docker(&["commit", "-c", "LABEL dbsafe.policy=disposable", &bare, &image]).expect(0);
    engine.docker(&["rm", &bare]).expect(0);
    let write = "mkdir -p /srv/app; sqlite3 /srv/app/app.db 'create table t(a); insert into t values (1)'";
    let script = format!("{write}; exec sleep infinity");
    let run = |labels: &[&str]| {
        let container = engine.container(&[labels, &[&image, "sh", "-c", &script]].concat());
        engine.wait_for(&container.name, &["test", "-f", "/srv/app/app.db"]);
        container
    };
    let (by_image, by_person) = (run(&[]), run(&["--label", "dbsafe.policy=guard"]));
    for container in [&by_image, &by_person] {
        engine.dbsafe(&["rm", "-f", &container.name]).expect(10);
    }
    drop((by_image, by_person));
    engine.docker(&["rmi", &image]).expect(0);
}

/// All files and folders below one, itself included.
fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_path_buf()];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(everything_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// What every process on this machine was started with; containers' processes are among them.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

#[test]
fn a_snapshot_and_its_secrets_are_for_its_owner_alone() {
    const SECRET: &str = "tr0ub4dor-and-3";
    let (engine, home) = (Engine::usual(), Home::new());
    let password = format!("MARIADB_ROOT_PASSWORD={SECRET}");
    let container = engine.container(&["-e", &password, "-e", "MARIADB_DATABASE=shop", "mariadb:10.11"]);
    let user = format!("MYSQL_PWD={SECRET}");
    let sql = "create table if not exists t (a int); insert into t values (1)";
    let ready =
        ["exec", "-e", &user, &container.name, "mariadb", "-h127.0.0.1", "-uroot", "shop", "-Ne", sql];
    while engine.docker(&ready).status != 0 {
        std::thread::yield_now();
    }
    // As careless an umask as there is.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 000; exec docker dbsafe snapshot \"$0\"", &container.name]);
    let mut child =
        engine.isolate(&mut command).env("DBSAFE_HOME", home.path().join("store")).spawn().unwrap();
    let mut seen = String::new();
    while child.try_wait().unwrap().is_none() {
        seen.push_str(&command_lines());
    }
    assert!(child.wait().unwrap().success());
    assert!(seen.contains("dbsafe") && !seen.contains(SECRET), "a password stood on a command line");
    for path in everything_below(&home.path().join("store")) {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, wanted, "{}", path.display());
        let is_for_secrets = path.file_name().is_some_and(|name| name == "env.secret");
        if metadata.is_file() && !is_for_secrets {
            let content = fs::read(&path).unwrap();
            let holds = content.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
            assert!(!holds, "{}", path.display());
        }
    }
}
