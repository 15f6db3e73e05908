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

const TWO_SERVERS: &str = "
services:
  pg:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  maria:
    image: mariadb:10.11
    network_mode: none
    environment: { MARIADB_ROOT_PASSWORD: secret }
";

/// A dump of one database once counted for a whole server of which nothing more was known, as it did not run.
#[test]
fn a_dump_of_one_database_does_not_cover_a_stopped_server_of_two() {
    let engine = Engine::usual();
    let stack = Stack::up(engine, TWO_SERVERS);
    let (pg, maria) = (stack.container("pg"), stack.container("maria"));
    engine.wait_for_postgres(&pg);
    engine.wait_for(&maria, &["mariadb", "-uroot", "-psecret", "-h", "127.0.0.1", "-e", "select 1"]);
    let on_pg = |database: &str, sql: &str| {
        engine.docker(&["exec", &pg, "psql", "-Xq", "-U", "postgres", "-d", database, "-c", sql]).expect(0);
    };
    for database in ["shop", "bank", "empty"] {
        on_pg("postgres", &format!("create database {database}"));
    }
    let on_maria =
        |sql: &str| engine.docker(&["exec", &maria, "mariadb", "-uroot", "-psecret", "-e", sql]).expect(0);
    for database in ["shop", "bank"] {
        on_pg(database, "create table t(id int); insert into t values (1)");
        on_maria(&format!(
            "create database `{database}-1`; create table `{database}-1`.t(id int); insert into `{database}-1`.t values (1)"
        ));
    }
    let rules =
        ["pg", "maria"].map(|name| format!("[[backup]]\nservice = \"{name}\"\nfiles = \"{name}/*\"\n"));
    stack.write(".dbsafe.toml", &rules.concat());
    let dump = |container: &str, program: &str, to: &str| {
        let made = engine.docker(&["exec", container, "sh", "-c", program]).expect(0);
        stack.write(to, &made.stdout);
    };
    let stopped = |services: &[&str]| {
        let mut words = vec!["stop"];
        words.extend(services);
        stack.compose(&words).expect(0);
        stack.dbsafe(&["compose", "rm", "-f", "-v"])
    };
    let started = || {
        stack.compose(&["start"]).expect(0);
        engine.wait_for_postgres(&pg);
        engine.wait_for(&maria, &["mariadb", "-uroot", "-psecret", "-h", "127.0.0.1", "-e", "select 1"]);
    };
    dump(&pg, "pg_dump -U postgres shop", "pg/shop.sql");
    dump(&maria, "mariadb-dump -uroot -psecret --databases shop-1", "maria/shop.sql");
    on_maria("create table `bank-1`.accounts(id int); insert into `bank-1`.accounts values (1)");
    on_maria("create view `bank-1`.all_of_it as select id from `bank-1`.accounts");
    let ran = stopped(&["pg", "maria"]).expect(10);
    assert!(ran.says("bank") && ran.says("bank-1"), "{}", ran.stderr);
    // Whose plain dump it is, its name tells.
    started();
    dump(&pg, "pg_dump -U postgres bank", "pg/bank.sql");
    dump(&maria, "mariadb-dump -uroot -psecret bank-1 accounts", "maria/bank-1.sql");
    let ran = stopped(&["maria"]).expect(10);
    assert!(ran.says("holds 1 of 2 tables"), "{}", ran.stderr);
    started();
    std::fs::remove_file(stack.folder.join("maria/bank-1.sql")).unwrap();
    dump(&maria, "mariadb-dump -uroot -psecret --databases bank-1", "maria/bank.sql");
    on_pg("postgres", "create table forgotten(id int); insert into forgotten values (1)");
    let ran = stopped(&["pg", "maria"]).expect(10);
    assert!(ran.says("the database postgres") && !ran.says("bank-1"), "{}", ran.stderr);
    started();
    on_pg("postgres", "drop table forgotten");
    on_pg("postgres", "drop database empty");
    on_pg("postgres", "checkpoint");
    // Killed, its catalogue may be behind its log: the dumps of both may miss a third.
    stack.compose(&["kill", "pg"]).expect(0);
    let ran = stopped(&["maria"]).expect(10);
    assert!(ran.says("other databases could not be told") && !ran.says("bank-1"), "{}", ran.stderr);
    started();
    dump(&pg, "pg_dumpall -U postgres", "pg/all.sql");
    std::fs::remove_file(stack.folder.join("maria/bank.sql")).unwrap();
    dump(&maria, "mariadb-dump -uroot -psecret --all-databases", "maria/all.sql");
    stack.compose(&["kill", "pg"]).expect(0);
    stopped(&["maria"]).expect(0);
}

const ONE_SERVER: &str = "
services:
  pg:
    image: postgres:15
    environment: { POSTGRES_PASSWORD: secret, PGDATA: /srv/pg }
";

/// A dump of some tables once counted for a stopped server, and large objects alone for nothing at all.
#[test]
fn what_a_stopped_server_holds_is_read_from_its_catalogue() {
    let engine = Engine::usual();
    let stack = Stack::up(engine, ONE_SERVER);
    let pg = stack.container("pg");
    engine.wait_for_postgres(&pg);
    stack.write(".dbsafe.toml", "[[backup]]\nservice = \"pg\"\nfiles = \"dumps/*\"\n");
    let on = |database: &str, sql: &str| {
        engine.docker(&["exec", &pg, "psql", "-Xq", "-U", "postgres", "-d", database, "-c", sql]).expect(0);
    };
    let dump = |program: &str, to: &str| {
        let made = engine.docker(&["exec", &pg, "sh", "-c", program]).expect(0);
        stack.write(to, &made.stdout);
    };
    let stopped = || {
        stack.compose(&["stop"]).expect(0);
        stack.dbsafe(&["down"])
    };
    let started = || {
        stack.compose(&["start"]).expect(0);
        engine.wait_for_postgres(&pg);
    };
    // An extension's table is made by it, and is in no dump.
    let extension = "cd /usr/share/postgresql/15/extension && \
        printf 'default_version = 1\\nrelocatable = true\\n' > theirs.control && \
        echo 'create table theirs(id int)' > theirs--1.sql";
    engine.docker(&["exec", "-u", "root", &pg, "sh", "-c", extension]).expect(0);
    on("postgres", "create database shop");
    on("shop", "create extension theirs");
    on("shop", "create table a(id serial primary key, note text); insert into a(note) values ('x')");
    on("shop", "create table b(id int) partition by range (id)");
    on("shop", "create table b1 partition of b for values from (0) to (9); insert into b values (1)");
    on("shop", "begin; create table taken_back(id int); rollback");
    on("shop", "create table dropped(id int); drop table dropped");
    on("shop", "begin; drop table a; rollback");

    dump("pg_dump -U postgres -t a shop", "dumps/shop.sql");
    let ran = stopped().expect(10);
    assert!(ran.says("shop: 3 tables") && ran.says("holds 1 of 3 tables"), "{}", ran.stderr);
    started();
    dump("pg_dump -U postgres shop", "dumps/shop.sql");
    // Rewritten, its catalogue lies in other files.
    on("shop", "vacuum full pg_class, pg_depend");
    let ran = stopped().expect(0);
    assert!(!ran.says("postgres"), "{}", ran.stderr);

    stack.compose(&["up", "-d"]).expect(0);
    let pg = stack.container("pg");
    engine.wait_for_postgres(&pg);
    let on = |sql: &str| {
        engine.docker(&["exec", &pg, "psql", "-Xq", "-U", "postgres", "-c", sql]).expect(0);
    };
    on("select lo_from_bytea(0, 'a picture')");
    let blocked = || {
        let ran = stack.dbsafe(&["down"]).expect(10);
        assert!(ran.says("1 large object"), "{}", ran.stderr);
    };
    blocked();
    stack.compose(&["stop"]).expect(0);
    blocked();
    stack.compose(&["start"]).expect(0);
    engine.wait_for_postgres(&pg);
    let all = engine.docker(&["exec", &pg, "pg_dump", "-U", "postgres", "--no-blobs"]).expect(0);
    stack.write("dumps/postgres.sql", &all.stdout);
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("none that counts"), "{}", ran.stderr);
    let all = engine.docker(&["exec", &pg, "pg_dump", "-U", "postgres"]).expect(0);
    stack.write("dumps/postgres.sql", &all.stdout);
    stack.compose(&["stop"]).expect(0);
    stack.dbsafe(&["down"]).expect(0);
}

/// `dev/` at a container's root holds devices; in a volume it is whatever somebody named so.
#[test]
fn a_folder_of_a_volume_that_is_named_like_a_systems_is_searched() {
    let engine = Engine::usual();
    let yaml = "
services:
  web: { image: 'stateless:1', network_mode: none, command: sleep infinity, volumes: [ 'data:/data' ] }
volumes: { data: {} }
";
    let stack = Stack::up(engine, yaml);
    let web = stack.container("web");
    engine.docker(&["exec", &web, "mkdir", "-p", "/data/dev"]).expect(0);
    fill_sqlite(engine, &web, "/data/dev/app.db");
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says("SQLite") && ran.says("app.db"), "{}", ran.stderr);
    stack.compose(&["rm", "-sf"]).expect(0);
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says("SQLite") && ran.says("app.db"), "{}", ran.stderr);
}

/// Two containers with a folder each of one volume were taken for two with the same data: what covered one
/// covered both.
#[test]
fn folders_of_one_volume_are_different_data() {
    let engine = Engine::usual();
    let yaml = "
services:
  one: &app
    image: stateless:1
    network_mode: none
    command: sleep infinity
    volumes: [ { type: volume, source: shared, target: /data, volume: { subpath: one } } ]
  two:
    <<: *app
    volumes: [ { type: volume, source: shared, target: /data, volume: { subpath: two } } ]
volumes: { shared: { name: PROJECT } }
";
    let volume = unique("shared");
    let stack = Stack::new(engine, &yaml.replace("PROJECT", &volume));
    stack.compose(&["create", "--no-recreate"]);
    let mount = format!("{volume}:/all");
    engine
        .docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "stateless:1",
            "mkdir",
            "/all/one",
            "/all/two",
        ])
        .expect(0);
    stack.compose(&["up", "-d"]).expect(0);
    let one = stack.container("one");
    for service in ["one", "two"] {
        fill_sqlite(engine, &stack.container(service), "/data/app.db");
    }
    stack.write(".dbsafe.toml", "[[backup]]\nservice = \"one\"\nfiles = \"one/*\"\n");
    engine.docker(&["exec", &one, "sqlite3", "/data/app.db", ".backup /tmp/copy.db"]).expect(0);
    std::fs::create_dir_all(stack.folder.join("one")).unwrap();
    let to = stack.folder.join("one/app.db");
    engine.docker(&["cp", &format!("{one}:/tmp/copy.db"), to.to_str().unwrap()]).expect(0);
    engine.docker(&["exec", &one, "rm", "/tmp/copy.db"]).expect(0);
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says(&stack.container("two")) && !ran.says(&one), "{}", ran.stderr);
}

/// A stop mostly saves what Redis has in memory.
#[test]
fn a_redis_that_is_set_not_to_save_at_a_stop_loses_its_writes() {
    let engine = Engine::usual();
    let yaml = "
services:
  cache:
    image: redis:7
    network_mode: none
    command: redis-server --save 3600 100 --shutdown-on-sigterm nosave
    volumes: [ 'data:/data' ]
  saving:
    image: redis:7
    network_mode: none
    command: redis-server --save 3600 100
    volumes: [ 'saving:/data' ]
volumes: { data: {}, saving: {} }
";
    let stack = Stack::up(engine, yaml);
    for service in ["cache", "saving"] {
        let name = stack.container(service);
        engine.wait_for(&name, &["redis-cli", "set", "order", "1"]);
    }
    let ran = stack.dbsafe(&["compose", "stop"]).expect(10);
    assert!(ran.says("set not to save at a stop"), "{}", ran.stderr);
    stack.dbsafe(&["compose", "stop", "saving"]).expect(0);
    // A signal that it has no answer to saves nothing, either.
    stack.compose(&["start", "saving"]).expect(0);
    let name = stack.container("saving");
    engine.wait_for(&name, &["redis-cli", "set", "order", "2"]);
    stack.dbsafe(&["kill", "-s", "QUIT", &name]).expect(10);
}
