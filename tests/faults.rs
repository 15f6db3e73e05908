//! Faults during a snapshot, on real engines: nothing is destroyed, what ran runs again, no half snapshot is listed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at what it did not expect, and counts"
)]

mod support;

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::BuildHasher as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use support::{
    Container, Engine,
    home::{Home, postgres, postgres_on},
    lab_folder, unique, wipe,
};

#[test]
fn a_server_that_refuses_the_dump_stops_everything() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    // A table whose file is not where the catalogue says: reading it fails.
    let sql = "set allow_system_table_mods = on; create table broken as select 1 as a;
        update pg_class set relfilenode = 999999 where relname = 'broken'";
    engine.psql(&container.name, sql);
    let before = container.state();
    let ran = container.save_and_remove(&home).expect(12);
    assert!(ran.stderr.contains("nothing was destroyed"), "{ran:?}");
    container.is_as_before(&home, &before);
}

#[test]
fn a_copy_that_does_not_start_is_no_proof() {
    let (engine, home) = (Engine::usual(), Home::new());
    let network = unique("n");
    engine.docker(&["network", "create", &network]).expect(0);
    let name = unique("c");
    let script = "getent hosts $NAME || exit 9; exec docker-entrypoint.sh postgres";
    let (as_name, alias) = (format!("NAME={name}"), format!("--name={name}"));
    let mut arguments =
        vec!["run", "-d", "--network", &network, &alias, "-e", &as_name, "-e", "PGDATA=/srv/pg"];
    arguments.extend([
        "-e",
        "POSTGRES_HOST_AUTH_METHOD=trust",
        "--entrypoint",
        "sh",
        "postgres:15",
        "-c",
        script,
    ]);
    engine.docker(&arguments).expect(0);
    let container = Container { engine, name };
    engine.fill_payments(&container.name);
    let before = container.state();
    let ran = container.save_and_remove(&home).expect(12);
    assert!(ran.stderr.contains("does not come up on the copy"), "{ran:?}");
    container.is_as_before(&home, &before);
    drop(container);
    engine.docker(&["network", "rm", &network]);
}

#[test]
fn the_second_dbsafe_is_told_of_the_first() {
    let (home, container) = (Home::new(), postgres());
    let lock = fs::File::create(home.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let before = container.state();
    let ran = container.save_and_remove(&home).expect(12);
    assert!(ran.stderr.contains("in use by"), "{ran:?}");
    container.is_as_before(&home, &before);
}

#[test]
fn a_full_disk_stops_everything() {
    let (home, container) = (Home::new(), postgres());
    let small = home.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = |arguments: &[&str]| std::process::Command::new("mount").args(arguments).status().unwrap();
    assert!(mount(&["-t", "tmpfs", "-o", "size=2m", "none", small.to_str().unwrap()]).success());
    let before = container.state();
    let arguments = ["dbsafe", "rm", "-f", "--snapshot", &container.name];
    let environment = [("DBSAFE_HOME", small.to_str().unwrap())];
    let ran = Engine::usual().docker_in(home.path(), &arguments, &environment);
    let left = fs::read_dir(small.join("snapshots")).unwrap().count();
    std::process::Command::new("umount").arg(&small).status().unwrap();
    ran.expect(12);
    assert_eq!(left, 0);
    container.is_as_before(&home, &before);
}

/// Starts a removal by our own process, which can be signalled.
fn start_removal(engine: &Engine, home: &Home<'_>, container: &Container<'_>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
    command.args(["rm", "-f", "--snapshot", &container.name]);
    command.env_clear().env("PATH", engine.path()).env("HOME", home.path());
    command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config);
    command.env("DBSAFE_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn signal(child: &Child, signal: &str) {
    // It may have ended this moment.
    Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// Signals a removal once the container has stopped for the copy.
fn interrupted(home: &Home<'_>, container: &Container<'_>, name: &str) -> i32 {
    let mut child = start_removal(Engine::usual(), home, container);
    while container.state().ends_with("true") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
    }
    signal(&child, name);
    child.wait().unwrap().code().unwrap_or(-1)
}

#[test]
fn after_a_ctrl_c_everything_runs_again() {
    let (home, container) = (Home::new(), postgres());
    let before = container.state();
    assert_eq!(interrupted(&home, &container, "-INT"), 130);
    container.is_as_before(&home, &before);
}

#[test]
fn after_a_kill_everything_runs_again() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    let before = container.state();
    interrupted(&home, &container, "-KILL");
    engine.wait_for_postgres(&container.name);
    // The keeper sweeps up last of all.
    while !home.snapshots().is_empty() {
        std::thread::yield_now();
    }
    container.is_as_before(&home, &before);
}

/// Signals removals at random instants of their work. Whatever came of it, the rows are there: in the container that
/// runs, or by `undo`.
fn at_random_instants(name: &str, count: u32) {
    let (home, container) = (Home::new(), postgres());
    let start = Instant::now();
    container.save_and_remove(&home).expect(0);
    let whole = start.elapsed();
    home.run(&["undo"]).expect(0);
    for round in 0..count {
        assert_eq!(container.sum(), "350");
        // The instant is what the test is about: any part of a run, from its start to a little past its end.
        let random = u16::try_from(RandomState::new().hash_one(round) % 1000).unwrap();
        let share = f64::from(random) / 900.0;
        let instant = whole.mul_f64(share);
        let mut child = start_removal(Engine::usual(), &home, &container);
        std::thread::sleep(instant);
        signal(&child, name);
        let status = child.wait().unwrap();
        // Put back by the keeper, or docker has the command and goes on.
        let patience = Instant::now();
        while container.state().ends_with("false") {
            assert!(patience.elapsed() < Duration::from_secs(60), "it was not put back");
        }
        let gone = container.state().is_empty();
        eprintln!(
            "{name} after {} of {} ms: {status}, {}",
            instant.as_millis(),
            whole.as_millis(),
            if gone { "removed" } else { "runs" }
        );
        let listed = home.run(&["snapshots", "ls"]).expect(0);
        for line in listed.stdout.lines().skip(1) {
            let id = line.split_whitespace().next().unwrap();
            home.run(&["snapshots", "verify", "--checksum", id]).expect(0);
        }
        if gone {
            home.run(&["undo"]).expect(0);
        }
    }
    assert_eq!(container.sum(), "350");
}

#[test]
fn nothing_is_lost_by_a_kill_at_any_instant() {
    at_random_instants("-KILL", 10);
}

#[test]
fn nothing_is_lost_by_a_ctrl_c_at_any_stage() {
    at_random_instants("-INT", 6);
}

#[test]
fn a_wrong_password_stops_everything() {
    let (engine, home) = (Engine::usual(), Home::new());
    let environment = ["-e", "MARIADB_ROOT_PASSWORD=first", "-e", "MARIADB_DATABASE=shop", "mariadb:10.11"];
    let container = engine.container(&environment);
    let sql = |password: &str, sql: &str| {
        let password = format!("-p{password}");
        let program =
            ["exec", &container.name, "mariadb", "-h127.0.0.1", "-uroot", &password, "shop", "-Ne", sql];
        engine.docker(&program)
    };
    engine.wait_for(
        &container.name,
        &["mariadb", "-h127.0.0.1", "-uroot", "-pfirst", "shop", "-e", "select 1"],
    );
    sql("first", "create table t(a int); insert into t values (350)").expect(0);
    // What the environment says is no longer true, and no other account without a password is there.
    sql("first", "alter user root@localhost identified by 'second', root@'%' identified by 'second'")
        .expect(0);
    sql("second", "drop user if exists mysql@localhost, 'mariadb.sys'@localhost").expect(0);
    let before = container.state();
    let ran = container.save_and_remove(&home).expect(12);
    assert!(ran.says("Access denied"), "{ran:?}");
    assert_eq!(container.state(), before);
    assert_eq!(home.snapshots().len(), 0);
    assert_eq!(sql("second", "select a from t").expect(0).stdout.trim(), "350");
}

/// An engine of its own, as it gets hurt: first its disk is full, then it is killed.
#[test]
fn an_engine_that_fails_midway_destroys_nothing() {
    wipe("28-faults");
    let data = lab_folder().join("28-faults/data");
    fs::create_dir_all(&data).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4g", "none"]).arg(&data).status().unwrap();
    assert!(mounted.success());
    let engine = &Engine::start("28-faults", "5.6");
    let (home, container) = (Home::on(engine), postgres_on(engine));
    let before = container.state();

    let filler = data.join("filler");
    let free = Command::new("df").args(["--output=avail", "-B1"]).arg(&data).output().unwrap();
    let free: u64 = String::from_utf8_lossy(&free.stdout).lines().last().unwrap().trim().parse().unwrap();
    let filled =
        Command::new("fallocate").args(["-l", &(free - (12 << 20)).to_string()]).arg(&filler).status();
    assert!(filled.unwrap().success());
    let ran = container.save_and_remove(&home).expect(12);
    assert!(ran.says("no space left on device"), "{ran:?}");
    container.is_as_before(&home, &before);
    fs::remove_file(&filler).unwrap();

    let child = start_removal(engine, &home, &container);
    while container.state().ends_with("true") {}
    let pid = fs::read_to_string(lab_folder().join("28-faults/started")).unwrap();
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    // Its pid file would keep the next one from starting for as long as nobody has reaped it.
    fs::remove_file(lab_folder().join("28-faults/pid")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert!(said.contains(&format!("{} could not be started again", container.name)), "{said}");
    assert!(said.contains("it is started again in the background"), "{said}");
    assert_eq!(home.snapshots().len(), 0);
    let again = Engine::start("28-faults", "5.6");
    assert_eq!(again.host, engine.host);
    assert_eq!(container.sum(), "350");
    // The next run takes away what this one could not.
    container.save_and_remove(&home).expect(0);
    let left = engine.docker(&["ps", "-aq", "--filter", "label=dbsafe.helper"]).expect(0);
    assert_eq!(left.stdout, "");
    home.run(&["undo"]).expect(0);
    assert_eq!(container.sum(), "350");
    drop(container);
    wipe("28-faults");
}
