//! Data in places where nobody looks first: each of these once passed for safe.

mod support;

use support::{Engine, Stack, unique};

const SLEEPS: &[&str] = &["stateless:1", "sleep", "infinity"];

/// Makes a small SQLite database in a container.
fn fill_sqlite(engine: &Engine, container: &str, path: &str) {
    let sql = "create table notes(text); insert into notes values (1);";
    engine.docker(&["exec", container, "sqlite3", path, sql]).expect(0);
}

/// A volume of two folders, of which the only container shows an empty one.
#[test]
fn a_volume_of_which_only_a_folder_is_mounted_is_searched_whole() {
    let engine = Engine::usual();
    let stack = Stack::new(
        engine,
        "
services:
  web:
    image: stateless:1
    network_mode: none
    command: sleep infinity
    volumes: [ { type: volume, source: shared, target: /web, volume: { subpath: web } } ]
volumes: { shared: { name: PROJECT_shared } }
"
        .replace("PROJECT", &unique("hidden"))
        .as_str(),
    );
    let model = stack.compose(&["config", "--format", "json"]).expect(0).json();
    let volume = model["volumes"]["shared"]["name"].as_str().unwrap().to_owned();
    stack.compose(&["create"]).expect(0);
    let mount = format!("{volume}:/all");
    let script = "mkdir /all/web /all/db && sqlite3 /all/db/app.db 'create table notes(text)'";
    engine
        .docker(&["run", "--rm", "--network", "none", "-v", &mount, "stateless:1", "sh", "-c", script])
        .expect(0);
    stack.compose(&["up", "-d"]).expect(0);
    let json = stack.dbsafe(&["down", "-v", "--format", "json"]).expect(10).json();
    assert!(json.to_string().contains("/db/app.db"), "{json:#}");
    // A folder of the volume may also lie under another mount.
    let container = unique("c");
    let (all, web) = (format!("{volume}:/all"), "/all/db");
    stack.compose(&["down", "-t", "0"]).expect(0);
    engine
        .docker(&[
            "create",
            "--name",
            &container,
            "--network",
            "none",
            "-v",
            &all,
            "--tmpfs",
            web,
            "stateless:1",
        ])
        .expect(0);
    engine.docker(&["rm", "-v", &container]).expect(0);
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn a_tablespace_outside_of_its_cluster_is_data() {
    let engine = Engine::usual();
    let volume = unique("pgdata");
    let mount = format!("{volume}:/var/lib/postgresql/data");
    let container = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-v", &mount, "postgres:15"]);
    engine.wait_for_postgres(&container.name);
    let name = &container.name;
    engine.docker(&["exec", name, "install", "-d", "-o", "postgres", "/ts"]).expect(0);
    engine.psql(name, "create tablespace fast location '/ts'");
    engine.psql(name, "create table sums tablespace fast as select generate_series(1, 9)");
    // The cluster outlives it on its volume, and is of no use without the tablespace.
    let json = engine.dbsafe(&["rm", "-f", "--format", "json", name]).expect(10).json();
    assert!(json["evidence"].to_string().contains("postgres-tablespace"), "{json:#}");
    // A database that was made a template holds data like any other.
    engine.psql(name, "create database tpl is_template true");
    let only =
        ["exec", name, "psql", "-XAtq", "-U", "postgres", "-d", "tpl", "-c", "create table kept(id int)"];
    engine.docker(&only).expect(0);
    engine.psql(name, "drop table sums");
    engine.psql(name, "drop tablespace fast");
    engine.docker(&["stop", name]).expect(0);
    engine.docker(&["start", name]).expect(0);
    engine.wait_for_postgres(name);
    drop(container);
    engine.docker(&["volume", "rm", &volume]);
}

/// Kafka's data are files named `*.log`, which nobody opens in a layer that the engine lists by itself.
#[test]
fn kafka_in_a_layer_that_the_engine_lists_is_not_empty() {
    let engine = Engine::start("28c", "5.6");
    let container = engine.container(SLEEPS);
    let script = "mkdir -p /srv/kafka/orders-0 && cd /srv/kafka && \
        printf 'version=1\\ncluster.id=x\\nnode.id=1\\n' > meta.properties && \
        touch recovery-point-offset-checkpoint replication-offset-checkpoint log-start-offset-checkpoint && \
        echo data > orders-0/00000000000000000000.log";
    engine.docker(&["exec", &container.name, "sh", "-c", script]).expect(0);
    let ran = engine.dbsafe(&["rm", "-f", &container.name]).expect(10);
    assert!(ran.says("Kafka"), "{}", ran.stderr);
}

#[test]
fn a_paused_containers_memory_is_not_taken_for_empty() {
    let engine = Engine::usual();
    let container = engine.container(&[&["--tmpfs", "/work"], SLEEPS].concat());
    fill_sqlite(engine, &container.name, "/work/app.db");
    engine.dbsafe(&["stop", &container.name]).expect(10);
    engine.docker(&["pause", &container.name]).expect(0);
    engine.dbsafe(&["stop", &container.name]).expect(11);
}

#[test]
fn a_database_among_shared_files_is_data() {
    let engine = Engine::usual();
    let container = engine.container(SLEEPS);
    engine.docker(&["exec", &container.name, "mkdir", "-p", "/usr/share/nginx/html"]).expect(0);
    fill_sqlite(engine, &container.name, "/usr/share/nginx/html/visits.db");
    engine.dbsafe(&["rm", "-f", &container.name]).expect(10);
}

/// The backup of one database lets go that one, and no other in the same place.
#[test]
fn a_backed_up_database_hides_no_other_beside_it() {
    let engine = Engine::usual();
    let stack = Stack::up(
        engine,
        "
services:
  app:
    image: redis:7
    network_mode: none
    command: redis-server --dir /tmp --save ''
    labels: { dbsafe.backup: 'copies/*' }
",
    );
    let name = stack.container("app");
    engine.wait_for(&name, &["redis-cli", "set", "key", "1"]);
    engine.docker(&["exec", &name, "redis-cli", "save"]).expect(0);
    stack.write("copies/.keep", "");
    let copy = stack.folder.join("copies/dump.rdb");
    engine.docker(&["cp", &format!("{name}:/tmp/dump.rdb"), copy.to_str().unwrap()]).expect(0);
    stack.dbsafe(&["down", "--plan"]).expect(0);
    fill_sqlite(engine, &name, "/tmp/app.db");
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("SQLite"), "{}", ran.stderr);
}
