//! The guard on a real engine with real databases: what would be lost is never lost, and what is safe passes.

mod support;

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
};

use support::{Engine, Stack, unique};

const LAYER: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
";

/// A stack whose Postgres has the story's table.
fn with_payments(yaml: &str) -> Stack<'static> {
    let stack = Stack::up(Engine::usual(), yaml);
    stack.engine.fill_payments(&stack.container("db"));
    stack
}

/// Asserts that both rows are still there, and the container runs untouched.
#[track_caller]
fn payments_are_there(stack: &Stack<'_>) {
    assert_eq!(stack.engine.psql(&stack.container("db"), "select sum(amount) from payments"), "350");
}

#[test]
fn the_story_postgres_in_the_writable_layer_is_not_lost() {
    let stack = with_payments(LAYER);
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert_eq!(ran.stdout, "");
    for text in [
        "would destroy data",
        &stack.container("db"),
        "PostgreSQL 15",
        "1 table, 2 rows",
        "/srv/pg",
        "nothing was touched",
    ] {
        assert!(ran.says(text), "{text}: {}", ran.stderr);
    }
    payments_are_there(&stack);
}

#[test]
fn json_says_the_same() {
    let stack = with_payments(LAYER);
    let json = stack.dbsafe(&["down", "--format", "json"]).expect(10).json();
    assert_eq!(json["verdict"], "block");
    assert_eq!(json["exit"], serde_json::json!({"by": "dbsafe", "status": 10}));
    let evidence =
        json["evidence"].as_array().unwrap().iter().find(|e| e["presence"]["status"] == "found").unwrap();
    assert_eq!(
        (&evidence["location"], &evidence["path"], &evidence["engine"]),
        (&"writable-layer".into(), &"/srv/pg".into(), &"postgres".into())
    );
    assert_eq!(json["plan"][0]["fate"], "destroyed");
}

#[test]
fn an_anonymous_volume_is_detached_by_down_and_destroyed_by_down_v() {
    let stack = with_payments(
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
",
    );
    let json = stack.dbsafe(&["down", "--format=json"]).expect(10).json();
    assert_eq!(json["findings"][0]["id"], "data-in-anonymous-volume");
    assert_eq!(json["findings"][0]["severity"], "high");
    let json = stack.dbsafe(&["down", "-v", "--format=json"]).expect(10).json();
    assert_eq!(json["findings"][0]["severity"], "critical");
    payments_are_there(&stack);
}

const NAMED: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'pg:/var/lib/postgresql/data' ]
volumes: { pg: {} }
";

#[test]
fn a_named_volume_survives_down_with_one_line_and_is_guarded_from_down_v() {
    let stack = with_payments(NAMED);
    for arguments in [["down", "-v"], ["down", "-vt5"], ["down", "--volumes=1"]] {
        stack.dbsafe(&arguments).expect(10);
    }
    let project = stack.name.clone();
    stack.dbsafe(&["-p", &project, "down", "-v"]).expect(10);
    payments_are_there(&stack);
    // Nothing goes by a stop: no word, every day.
    let ran = stack.dbsafe(&["compose", "stop"]).expect(0);
    assert!(!ran.stderr.contains("dbsafe:"), "{}", ran.stderr);
    let ran = stack.dbsafe(&["down", "--volumes=false", "-t", "20"]).expect(0);
    let ours: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("dbsafe:")).collect();
    assert_eq!(ours.len(), 1, "{}", ran.stderr);
    assert!(ours[0].contains(&format!("{project}_pg")) && ours[0].contains("none found"), "{}", ours[0]);
    assert!(stack.containers().is_empty());
    // Without a container, too.
    let volume = format!("{project}_pg");
    let ran = stack.engine.dbsafe(&["volume", "rm", &volume]).expect(10);
    assert!(ran.stderr.contains("PostgreSQL"), "{}", ran.stderr);
    assert!(stack.engine.volume_exists(&volume));
    stack.engine.dbsafe(&["volume", "rm", &volume, "--accept-loss", &volume]).expect(0);
    assert!(!stack.engine.volume_exists(&volume));
}

#[test]
fn label_mode_works_from_another_folder() {
    let stack = with_payments(LAYER);
    stack.engine.dbsafe(&["-p", &stack.name, "down"]).expect(10);
    stack.engine.dbsafe(&["compose", "-p", &stack.name.to_uppercase(), "down"]);
    payments_are_there(&stack);
}

#[test]
fn rm_by_name_and_prefix_forced_or_stopped() {
    let stack = with_payments(LAYER);
    let name = stack.container("db");
    let id = stack.engine.docker(&["inspect", "-f", "{{.Id}}", &name]).expect(0).stdout;
    for arguments in [["rm", "-f", &name], ["rm", "-fv", &id[..12]], ["rm", "--force=true", &id[..8]]] {
        stack.engine.dbsafe(&arguments).expect(10);
    }
    stack.engine.dbsafe(&["container", "remove", "--force", &id[..8]]).expect(10);
    // Docker itself refuses a running one: its own message and status.
    let ran = stack.engine.dbsafe(&["rm", &name]).expect(1);
    assert!(ran.says("cannot remove container"), "{}", ran.stderr);
    payments_are_there(&stack);
    stack.engine.docker(&["stop", &name]).expect(0);
    stack.engine.dbsafe(&["rm", &name]).expect(10);
    stack.dbsafe(&["compose", "rm", "-f"]).expect(10);
    stack.engine.docker(&["start", &name]).expect(0);
    stack.engine.wait_for_postgres(&name);
    payments_are_there(&stack);
    stack.dbsafe(&["compose", "rm", "-sf"]).expect(10);
    stack.dbsafe(&["compose", "rm", "-f"]).expect(0);
    payments_are_there(&stack);
}

#[test]
fn a_volume_of_another_project_is_guarded_by_its_name() {
    let owner = with_payments(NAMED);
    owner.compose(&["down"]).expect(0);
    let volume = format!("{}_pg", owner.name);
    let thief = Stack::up(
        owner.engine,
        &format!(
            "
services:
  web: {{ image: 'stateless:1', network_mode: none, volumes: [ 'theirs:/mnt' ] }}
volumes: {{ theirs: {{ name: {volume} }} }}
"
        ),
    );
    let ran = thief.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.stderr.contains(&volume), "{}", ran.stderr);
    assert!(owner.engine.volume_exists(&volume));
}

#[test]
fn redis_in_memory_is_seen_and_an_empty_one_is_not_asked_about() {
    let engine = Engine::usual();
    let ram = engine.container(&["redis:7", "redis-server", "--save", "", "--appendonly", "no"]);
    engine.wait_for(&ram.name, &["redis-cli", "ping"]);
    engine.dbsafe(&["rm", "-fv", &ram.name, "--plan"]).expect(0);
    engine.docker(&["exec", &ram.name, "redis-cli", "set", "k", "v"]).expect(0);
    let ran = engine.dbsafe(&["rm", "-fv", &ram.name]).expect(10);
    assert!(ran.says("1 key"), "{}", ran.stderr);
    engine.docker(&["exec", &ram.name, "redis-cli", "flushall"]).expect(0);
    engine.dbsafe(&["rm", "-fv", &ram.name]).expect(0);
}

#[test]
fn redis_on_a_named_volume_loses_its_last_writes_to_a_kill_and_none_to_a_stop() {
    let engine = Engine::usual();
    let volume = unique("v");
    let mount = format!("{volume}:/data");
    let redis = engine.container(&["-v", &mount, "redis:7"]);
    engine.wait_for(&redis.name, &["redis-cli", "ping"]);
    engine.docker(&["exec", &redis.name, "redis-cli", "set", "k", "v"]).expect(0);
    let ran = engine.dbsafe(&["rm", "-f", &redis.name]).expect(10);
    assert!(ran.says("1 write since its last save"), "{}", ran.stderr);
    engine.docker(&["exec", &redis.name, "redis-cli", "save"]).expect(0);
    engine.dbsafe(&["rm", "-f", &redis.name]).expect(0);
    engine.docker(&["volume", "rm", &volume]);
}

#[test]
fn sqlite_in_an_application_is_found() {
    let engine = Engine::usual();
    let stack = Stack::up(engine, "services: { app: { image: 'sqlite-app:1', network_mode: none } }\n");
    engine.wait_for(&stack.container("app"), &["test", "-s", "/app/data/app.db"]);
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.stderr.contains("/app/data/app.db"), "{}", ran.stderr);
    engine
        .docker(&["exec", &stack.container("app"), "sqlite3", "/app/data/app.db", "drop table notes; vacuum"])
        .expect(0);
    stack.dbsafe(&["down", "-t", "0"]).expect(0);
}

#[test]
fn a_database_in_tmpfs_is_lost_by_a_stop() {
    let stack = with_payments(
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    tmpfs: [ '/var/lib/postgresql/data' ]
",
    );
    let json = stack.dbsafe(&["down", "--format=json"]).expect(10).json();
    assert_eq!(json["findings"][0]["id"], "data-in-tmpfs");
    stack.dbsafe(&["compose", "stop"]).expect(10);
    payments_are_there(&stack);
}

#[test]
fn a_memory_file_system_that_cannot_be_listed_is_not_taken_for_empty() {
    let script = "sqlite3 $0/app.db 'create table t(a); insert into t values (1)'; rm /bin/tar /usr/bin/find; exec sleep infinity";
    let run = |folder| {
        let container =
            Engine::usual().container(&["--tmpfs", folder, "sqlite-app:1", "sh", "-c", script, folder]);
        Engine::usual().wait_for(
            &container.name,
            &["sh", "-c", &format!("[ -f {folder}/app.db ] && [ ! -f /bin/tar ]")],
        );
        container
    };
    let (data, scratch) = (run("/data"), run("/run/app"));
    let ran = Engine::usual().docker(&["dbsafe", "stop", "-t", "0", &data.name]).expect(11);
    assert!(ran.says("/data is in memory"), "{}", ran.stderr);
    Engine::usual().docker(&["dbsafe", "stop", "-t", "0", &scratch.name]).expect(0);
}

#[test]
fn mysql_and_mariadb_are_counted() {
    let engine = Engine::usual();
    for (image, variable) in
        [("mysql:8.0", "MYSQL_ROOT_PASSWORD"), ("mariadb:10.11", "MARIADB_ROOT_PASSWORD")]
    {
        let secret = format!("{variable}=s3cret");
        let database = variable.replace("ROOT_PASSWORD", "DATABASE=shop");
        let db = engine.container(&["-e", &secret, "-e", &database, image]);
        engine.wait_for(&db.name, &["mariadb", "-h127.0.0.1", "-uroot", "-ps3cret", "-e", "select 1"]);
        engine.dbsafe(&["rm", "-f", &db.name, "--plan"]).expect(0);
        let sql = "create table shop.orders(id int); insert into shop.orders values (1), (2), (3)";
        engine.docker(&["exec", &db.name, "mariadb", "-uroot", "-ps3cret", "-e", sql]).expect(0);
        let ran = engine.dbsafe(&["rm", "-fv", &db.name]).expect(10);
        assert!(ran.says("shop: 1 table, 3 rows"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"));
    }
}

#[test]
fn a_postgres_that_does_not_answer_is_still_at_risk() {
    let engine = Engine::usual();
    let db = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.fill_payments(&db.name);
    engine.docker(&["exec", &db.name, "sh", "-c", "chmod 000 /usr/lib/postgresql/15/bin/psql /usr/bin/psql"]);
    engine.docker(&["pause", &db.name]).expect(0);
    let ran = engine.dbsafe(&["rm", "-fv", &db.name]).expect(10);
    assert!(ran.says("did not say"), "{}", ran.stderr);
    engine.docker(&["unpause", &db.name]).expect(0);
}

#[test]
fn a_mount_on_the_parent_path_does_not_hold_the_data() {
    let engine = Engine::usual();
    let volume = unique("v");
    let parent = format!("{volume}:/var/lib/postgresql");
    let old = engine.container(&["-v", &parent, "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.fill_payments(&old.name);
    let ran = engine.dbsafe(&["rm", "-f", &old.name]).expect(10);
    assert!(ran.says("anonymous volume"), "{}", ran.stderr);
    drop(old);
    // With the layout of 18, that mount is right, and the old path is the wrong one.
    let right = engine.container(&["-v", &parent, "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:18"]);
    engine.fill_payments(&right.name);
    engine.docker(&["stop", &right.name]).expect(0);
    engine.dbsafe(&["rm", &right.name]).expect(0);
    let child = format!("{volume}:/var/lib/postgresql/data");
    let wrong = engine.container(&["-v", &child, "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:18"]);
    engine.fill_payments(&wrong.name);
    let ran = engine.dbsafe(&["rm", "-f", &wrong.name]).expect(10);
    assert!(ran.says("anonymous volume"), "{}", ran.stderr);
    drop(wrong);
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn what_is_safe_passes_without_a_word() {
    let stack = Stack::up(
        Engine::usual(),
        "
services:
  web: { image: 'stateless:1', network_mode: none }
  empty: { image: 'stateless:1', network_mode: none, volumes: [ '/cache', 'named:/named' ] }
  fresh:
    image: redis:7
    network_mode: none
volumes: { named: {} }
",
    );
    stack.engine.wait_for(&stack.container("web"), &["test", "-s", "/var/log/app.log"]);
    stack.engine.wait_for(&stack.container("fresh"), &["redis-cli", "ping"]);
    let ran = stack.dbsafe(&["down", "-v", "-t", "1"]).expect(0);
    let ours: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("dbsafe")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(stack.containers().is_empty());
}

#[test]
fn a_fresh_cluster_without_a_table_is_empty_and_that_is_said() {
    let stack = Stack::up(Engine::usual(), LAYER);
    stack.engine.wait_for_postgres(&stack.container("db"));
    let ran = stack.dbsafe(&["down", "--plan"]).expect(0);
    assert!(ran.stdout.contains("empty"), "{}", ran.stdout);
    stack.engine.docker(&["stop", &stack.container("db")]).expect(0);
    stack.dbsafe(&["down"]).expect(0);
}

#[test]
fn orphans_one_offs_and_profiles() {
    let engine = Engine::usual();
    let yaml = LAYER.to_owned() + "  job: { image: 'stateless:1', network_mode: none, profiles: [ jobs ] }\n";
    let stack = with_payments(&yaml);
    stack.write("compose.yaml", "services: { web: { image: 'stateless:1', network_mode: none } }\n");
    // The database is now an orphan.
    stack.dbsafe(&["down"]).expect(0);
    assert!(engine.exists(&stack.container("db")));
    stack.dbsafe(&["down", "--remove-orphans"]).expect(10);
    let ran = engine.docker_in(&stack.folder, &["dbsafe", "down"], &[("COMPOSE_REMOVE_ORPHANS", "1")]);
    assert_eq!(ran.status, 10, "{}", ran.stderr);
    payments_are_there(&stack);
}

#[test]
fn bad_input_is_one_clear_sentence_and_touches_nothing() {
    let engine = Engine::usual();
    let stack = with_payments(LAYER);
    let empty = stack.folder.join("nothing/here");
    std::fs::create_dir_all(&empty).unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["down", "--no-such-flag"], 2, "unknown flag: --no-such-flag"),
        (&["down", "-t", "soon"], 2, "whole number"),
        (&["-f", "missing.yaml", "down"], 1, "missing.yaml"),
        (&["down", "no-such-service"], 1, "no-such-service"),
        (&["frobnicate"], 2, "does not stand in front of"),
        (&["down", "--format", "yaml"], 2, "text or json"),
    ];
    for (arguments, status, text) in cases {
        let ran = stack.dbsafe(arguments);
        assert_eq!(ran.status, *status, "{arguments:?}: {}", ran.stderr);
        assert!(ran.says(text), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.lines().count() <= 3, "{}", ran.stderr);
    }
    let ran = engine.docker(&["-H", "unix:///nowhere/docker.sock", "dbsafe", "rm", "x"]).expect(1);
    assert!(ran.stderr.contains("/nowhere/docker.sock"), "{}", ran.stderr);
    payments_are_there(&stack);
}

#[test]
fn names_with_escape_sequences_do_not_reach_the_terminal() {
    let engine = Engine::usual();
    let db = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.fill_payments(&db.name);
    engine.psql(&db.name, "create database \"ev\x1b[2Jil\x1b]0;x\x07\"");
    engine
        .docker(&[
            "exec",
            &db.name,
            "psql",
            "-U",
            "postgres",
            "-d",
            "ev\x1b[2Jil\x1b]0;x\x07",
            "-c",
            "create table t(a int)",
        ])
        .expect(0);
    let ran = engine.dbsafe(&["rm", "-fv", &db.name]).expect(10);
    assert!(ran.stderr.contains("il"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains('\x07'), "{:?}", ran.stderr);
}

#[test]
fn the_audit_lists_what_is_at_risk_and_dangling_volumes() {
    let stack = with_payments(NAMED);
    let layer = with_payments(LAYER);
    stack.compose(&["down"]).expect(0);
    let volume = format!("{}_pg", stack.name);
    let ran = layer.engine.dbsafe(&["audit", &layer.name, &volume]).expect(0);
    assert!(ran.stdout.contains(&layer.container("db")) && ran.stdout.contains(&volume), "{}", ran.stdout);
    let json = layer.engine.dbsafe(&["audit", "--format", "json", &layer.name]).expect(0).json();
    assert_eq!(json["containers"][0]["risk"], "critical");
    assert_eq!(json["containers"][0]["database"], "postgres");
    layer.engine.dbsafe(&["audit", &layer.name, "--fail-on", "high"]).expect(14);
    layer.engine.dbsafe(&["audit", "no-such-thing"]).expect(2);
}

#[test]
fn with_an_accepted_loss_the_command_is_dockers_own() {
    let stack = with_payments(LAYER);
    stack.dbsafe(&["down", "--accept-loss", "somebody-else"]).expect(10);
    let name = stack.container("db");
    let ran = stack.dbsafe(&["down", "--accept-loss", &name]).expect(0);
    assert!(ran.stderr.contains("Removed"), "{}", ran.stderr);
    assert!(stack.containers().is_empty());
}

#[test]
fn a_recent_whole_dump_of_this_database_lets_it_pass_and_no_other_does() {
    let stack = with_payments(LAYER);
    let name = stack.container("db");
    stack.write(".dbsafe.toml", "[[backup]]\nservice = \"db\"\nfiles = \"backups/*\"\n");
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("no file matches") || ran.says("none found"), "{}", ran.stderr);
    let dump = |program: &str, to: &str| {
        let file = stack.folder.join("backups").join(to);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let inside = format!("{program} > /tmp/dump");
        stack.engine.docker(&["exec", &name, "sh", "-c", &inside]).expect(0);
        stack.engine.docker(&["cp", &format!("{name}:/tmp/dump"), file.to_str().unwrap()]).expect(0);
        std::fs::read(&file).unwrap()
    };
    let whole = dump("pg_dump -U postgres -Fc postgres", "shop.dump");
    let ran = stack.dbsafe(&["down", "--plan"]).expect(0);
    assert!(ran.stdout.contains("backup:") && ran.stdout.contains("go through"), "{}", ran.stdout);
    // Cut off, of another database, too old, empty.
    stack.write("backups/shop.dump", "");
    stack.dbsafe(&["down"]).expect(10);
    std::fs::write(stack.folder.join("backups/shop.dump"), &whole[..whole.len() - 40]).unwrap();
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("cut off"), "{}", ran.stderr);
    stack.engine.docker(&["exec", &name, "createdb", "-U", "postgres", "other"]).expect(0);
    dump("pg_dump -U postgres -Fc other", "shop.dump");
    stack.dbsafe(&["down"]).expect(10);
    dump("pg_dump -U postgres postgres", "shop.dump");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(48 * 3600);
    let file = std::fs::File::options().write(true).open(stack.folder.join("backups/shop.dump")).unwrap();
    file.set_modified(old).unwrap();
    stack.dbsafe(&["down"]).expect(10);
    // Longer ages loosen, so a project's file cannot ask for them by itself.
    stack.write(
        ".dbsafe.toml",
        "[policy]\nmax_backup_age = \"7d\"\nmode = \"disposable\"\n[[backup]]\nservice = \"db\"\nfiles = \"backups/*\"\n",
    );
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.stderr.contains("trust"), "{}", ran.stderr);
    stack.write(".dbsafe.toml", "[policy]\nmax_backup_agee = \"7d\"\n");
    let ran = stack.dbsafe(&["down"]).expect(2);
    assert!(ran.stderr.contains(".dbsafe.toml") && ran.stderr.contains("max_backup_age"), "{}", ran.stderr);
    payments_are_there(&stack);
}

#[test]
fn a_backup_of_one_database_says_nothing_of_another_beside_it() {
    let stack = with_payments(BESIDE);
    let engine = stack.engine;
    let file = |service: &str, path: &str| {
        let sql = "create table notes(id); insert into notes values (1)";
        let name = stack.container(service);
        engine
            .docker(&[
                "exec",
                &name,
                "sh",
                "-c",
                &format!("mkdir -p $(dirname {path}); sqlite3 {path} '{sql}'"),
            ])
            .expect(0);
    };
    stack.write(".dbsafe.toml", "[[backup]]\nservice = \"db\"\nfiles = \"backups/*\"\n[[backup]]\nservice = \"named\"\nfiles = \"backups/*\"\n");
    std::fs::create_dir_all(stack.folder.join("backups")).unwrap();
    for service in ["db", "named"] {
        let name = stack.container(service);
        if service == "named" {
            engine.fill_payments(&name);
        }
        engine
            .docker(&["exec", &name, "pg_dump", "-U", "postgres", "-Fc", "-f", "/dump", "postgres"])
            .expect(0);
        let to = stack.folder.join(format!("backups/{service}.dump"));
        engine.docker(&["cp", &format!("{name}:/dump"), to.to_str().unwrap()]).expect(0);
        engine.docker(&["exec", &name, "rm", "/dump"]).expect(0);
    }
    let plan = stack.dbsafe(&["down", "-v", "--plan"]).expect(0);
    assert!(plan.stdout.contains("go through"), "{}", plan.stdout);
    file("db", "/app/notes.db");
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("/app/notes.db"), "{}", ran.stderr);
    engine.docker(&["exec", &stack.container("db"), "rm", "/app/notes.db"]).expect(0);
    file("named", "/srv/data/notes.db");
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says("notes.db") && !ran.says("payment"), "{}", ran.stderr);
    payments_are_there(&stack);
}

/// One cluster in the writable layer, one in a folder of a named volume.
const BESIDE: &str = "
services:
  db: &db
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, PGDATA: /srv/pg }
  named:
    <<: *db
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, PGDATA: /srv/data/pg }
    volumes: [ 'data:/srv/data' ]
volumes: { data: }
";

#[test]
fn a_disposable_stack_goes_silently_and_stays_visible_in_the_audit() {
    let yaml = LAYER.replace(
        "    network_mode: none\n",
        "    network_mode: none\n    labels: { dbsafe.policy: disposable }\n",
    );
    let stack = with_payments(&yaml);
    let ran = stack.engine.dbsafe(&["audit", &stack.name]).expect(0);
    assert!(ran.stdout.contains(&stack.container("db")), "{}", ran.stdout);
    stack.dbsafe(&["down"]).expect(0);
}

#[test]
fn an_interrupt_midway_leaves_nothing_behind() {
    let engine = Engine::usual();
    let volume = unique("v");
    // Large enough that looking through it takes seconds, and sparse so that it takes no disk.
    let mount = format!("{volume}:/data");
    let filler = engine.container(&["-v", &mount, "stateless:1", "truncate", "-s", "20G", "/data/blob"]);
    engine.docker(&["wait", &filler.name]).expect(0);
    drop(filler);
    let mut child = engine.spawn(&["dbsafe", "volume", "rm", &volume]);
    while engine.helpers_on(&volume).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(engine.helpers_on(&volume), "");
    assert!(engine.volume_exists(&volume));
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn an_empty_cluster_hides_nothing_that_lies_beside_it() {
    let engine = Engine::usual();
    let volume = unique("v");
    let mount = format!("{volume}:/var/lib/postgresql/data");
    let db = engine.container(&["-v", &mount, "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.wait_for_postgres(&db.name);
    engine.docker(&["stop", &db.name]).expect(0);
    drop(db);
    let mount = format!("{volume}:/v");
    let script = "mkdir /v/zz && sqlite3 /v/zz/app.db 'create table t(a); insert into t values (1)'";
    let writer = engine.container(&["-v", &mount, "sqlite-app:1", "sh", "-c", script]);
    engine.docker(&["wait", &writer.name]).expect(0);
    drop(writer);
    let ran = engine.dbsafe(&["volume", "rm", &volume]).expect(10);
    assert!(ran.stderr.contains("app.db"), "{}", ran.stderr);
    let mount = format!("{volume}:/v");
    let cleaner = engine.container(&["-v", &mount, "sqlite-app:1", "rm", "-r", "/v/zz"]);
    engine.docker(&["wait", &cleaner.name]).expect(0);
    drop(cleaner);
    engine.dbsafe(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn saved_and_taken_back_and_a_proved_snapshot_counts_for_this_data_alone() {
    let stack = with_payments(LAYER);
    let home = stack.folder.join("home");
    let environment = [("DBSAFE_HOME", home.to_str().unwrap())];
    let dbsafe = |arguments: &[&str]| {
        stack.engine.docker_in(&stack.folder, &[&["dbsafe"], arguments].concat(), &environment)
    };
    let ran = dbsafe(&["down", "--snapshot"]).expect(0);
    assert!(ran.stderr.contains("proved"), "{}", ran.stderr);
    assert!(stack.containers().is_empty());
    dbsafe(&["undo"]).expect(0);
    stack.engine.wait_for_postgres(&stack.container("db"));
    payments_are_there(&stack);
    let again = stack.compose(&["up", "-d"]).expect(0);
    assert!(!again.stderr.contains("Recreate"), "{}", again.stderr);
    // The snapshot is fresh, proved, and of this cluster: nothing is lost any more.
    let plan = dbsafe(&["down", "--plan"]).expect(0);
    assert!(
        plan.stdout.contains("backup: snapshot") && plan.stdout.contains("go through"),
        "{}",
        plan.stdout
    );
    // A flipped byte, and it does not count.
    let folder = std::fs::read_dir(home.join("snapshots")).unwrap().next().unwrap().unwrap().path();
    let dump = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let dump = dump.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "dump")).unwrap();
    let mut bytes = std::fs::read(&dump).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&dump, bytes).unwrap();
    dbsafe(&["down"]).expect(10);
    // Nor does it count for another cluster in the same place.
    stack.compose(&["down"]).expect(0);
    stack.compose(&["up", "-d"]).expect(0);
    stack.engine.fill_payments(&stack.container("db"));
    let ran = dbsafe(&["down"]).expect(10);
    assert!(ran.stderr.contains("none found"), "{}", ran.stderr);
}

#[test]
fn a_file_in_shared_memory_is_lost_with_its_container() {
    let engine = Engine::usual();
    let script = "sqlite3 /dev/shm/state 'create table t(a); insert into t values (1)'; exec sleep 1000";
    let app = engine.container(&["--entrypoint", "sh", "sqlite-app:1", "-c", script]);
    engine.wait_for(&app.name, &["test", "-s", "/dev/shm/state"]);
    let ran = engine.dbsafe(&["stop", &app.name]).expect(10);
    assert!(ran.says("/dev/shm"), "{ran:?}");
    engine.docker(&["exec", &app.name, "rm", "/dev/shm/state"]).expect(0);
    engine.dbsafe(&["rm", "-f", &app.name]).expect(0);
}

#[test]
fn a_prune_takes_what_was_judged_and_nothing_that_came_later() {
    let engine = Engine::usual();
    let label = unique("l");
    let filter = format!("label={label}");
    let create = || {
        let ran = engine.docker(&["create", "--network", "none", "--label", &label, "stateless:1"]).expect(0);
        ran.stdout.trim().to_owned()
    };
    let volume =
        || engine.docker(&["volume", "create", "--label", &label]).expect(0).stdout.trim().to_owned();
    // The question is asked when all is judged: what is made while it waits was not.
    let answered = |arguments: &[&str], answer: &str, meanwhile: &dyn Fn() -> String| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
        command
            .args(arguments)
            .args(["--filter", &filter])
            .env("DOCKER_HOST", &engine.host)
            .env("PATH", engine.path());
        command.env("DOCKER_CONFIG", &engine.config).env("DBSAFE_HOME", &engine.home);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        let mut stdout = child.stdout.take().unwrap();
        while !said.ends_with(b"[y/N] ") {
            stdout.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        let late = meanwhile();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success(), "{rest}");
        (late, rest)
    };
    let judged = create();
    let (late, said) = answered(&["container", "prune"], "n\n", &create);
    assert_eq!(said, "");
    assert!(engine.exists(&judged) && engine.exists(&late));
    let (later, said) = answered(&["container", "prune"], "y\n", &create);
    assert!(
        said.starts_with("Deleted Containers:\n") && said.contains(&judged) && said.contains(&late),
        "{said}"
    );
    assert!(said.ends_with("\n\nTotal reclaimed space: 0B\n"), "{said}");
    assert!(!engine.exists(&judged) && !engine.exists(&late) && engine.exists(&later));
    engine.docker(&["rm", &later]).expect(0);
    let judged = volume();
    let (late, said) = answered(&["volume", "prune"], "y\n", &volume);
    assert_eq!(said, format!("Deleted Volumes:\n{judged}\n\nTotal reclaimed space: 0B\n"));
    assert!(!engine.volume_exists(&judged) && engine.volume_exists(&late));
    engine.docker(&["volume", "rm", &late]).expect(0);
}
