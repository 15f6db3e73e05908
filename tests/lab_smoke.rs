//! The lab itself: every image starts and answers its own client, and takes the variables of the official
//! image whose name it bears. A test that fails here explains those that fail elsewhere.

mod support;

use support::{Engine, Stack};

fn inspect(image: &str, template: &str) -> String {
    Engine::usual()
        .docker(&["image", "inspect", "--format", template, image])
        .expect(0)
        .stdout
        .trim()
        .to_owned()
}

#[test]
fn images_are_dressed_as_the_official_ones() {
    let volumes = "{{range $path, $_ := .Config.Volumes}}{{$path}} {{end}}";
    for (image, declared) in [
        ("postgres:15", "/var/lib/postgresql/data"),
        ("postgres:18", "/var/lib/postgresql"),
        ("postgres-novolume:15", ""),
        ("mariadb:10.11", "/var/lib/mysql"),
        ("mysql:8.0", "/var/lib/mysql"),
        ("redis:7", "/data"),
        ("valkey:8", "/data"),
        ("mongo:7", "/data/configdb /data/db"),
        ("sqlite-app:1", ""),
        ("stateless:1", ""),
    ] {
        assert_eq!(inspect(image, volumes).trim(), declared, "{image}");
    }
    let environment = inspect("postgres:18", "{{range .Config.Env}}{{.}} {{end}}");
    assert!(environment.contains("PGDATA=/var/lib/postgresql/18/docker"), "{environment}");
    let environment = inspect("postgres:15", "{{range .Config.Env}}{{.}} {{end}}");
    assert!(environment.contains("PGDATA=/var/lib/postgresql/data"), "{environment}");
    for (image, port) in [("postgres:15", "5432/tcp"), ("mysql:8.0", "3306/tcp"), ("redis:7", "6379/tcp")] {
        assert!(inspect(image, "{{json .Config.ExposedPorts}}").contains(port), "{image}");
    }
}

#[test]
fn postgres_takes_its_variables_files_and_init_scripts() {
    let engine = Engine::usual();
    let stack = Stack::new(
        engine,
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD_FILE: /run/secrets/password
      POSTGRES_DB: payment_db
    volumes: [ './password:/run/secrets/password:ro', './init:/docker-entrypoint-initdb.d:ro' ]
",
    );
    stack.write("password", "it's secret\n");
    stack.write("init/1.sql", "create table payments(id int); insert into payments values (1), (2);");
    stack.write(
        "init/2.sh",
        "psql -q -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c 'insert into payments values (3)'",
    );
    stack.compose(&["up", "-d"]).expect(0);
    let name = stack.container("db");
    engine.wait_for_postgres(&name);
    let count = ["psql", "-XAtq", "-U", "shop", "-d", "payment_db", "-c", "select count(*) from payments"];
    assert_eq!(engine.docker(&[&["exec", &name], &count[..]].concat()).expect(0).stdout.trim(), "3");
    // On loopback the official image trusts everybody, too; from elsewhere it wants the password.
    let rule =
        ["exec", &name, "grep", "^host all all all scram-sha-256$", "/var/lib/postgresql/data/pg_hba.conf"];
    engine.docker(&rule).expect(0);
}

#[test]
fn postgres_without_a_password_refuses_to_start() {
    let engine = Engine::usual();
    let db = engine.container(&["postgres:15"]);
    let status = engine.docker(&["wait", &db.name]).expect(0).stdout;
    assert_eq!(status.trim(), "1");
    let logs = engine.docker(&["logs", &db.name]);
    assert!(logs.stderr.contains("password is not specified"), "{logs:?}");
}

#[test]
fn postgres_18_keeps_its_data_below_the_volume() {
    let engine = Engine::usual();
    for image in ["postgres:18", "postgres-novolume:15"] {
        let db = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", image]);
        engine.wait_for_postgres(&db.name);
        assert_eq!(engine.psql(&db.name, "select 1"), "1");
        let expected =
            if image == "postgres:18" { "/var/lib/postgresql/18/docker" } else { "/var/lib/postgresql/data" };
        assert_eq!(engine.psql(&db.name, "show data_directory"), expected);
    }
}

/// Asks MariaDB over TCP, as it answers once it is initialised.
fn mariadb(engine: &Engine, container: &str, user: &str, password: &str, sql: &str) -> String {
    let user = format!("-u{user}");
    let password = format!("-p{password}");
    let program = ["mariadb", "-h127.0.0.1", "-N", "-B", &user, &password, "-e", sql];
    engine.wait_for(container, &program);
    engine.docker(&[&["exec", container], &program[..]].concat()).expect(0).stdout.trim().to_owned()
}

#[test]
fn mariadb_and_mysql_take_their_variables_and_files() {
    let engine = Engine::usual();
    for (image, prefix) in [("mariadb:10.11", "MARIADB"), ("mysql:8.0", "MYSQL")] {
        let stack = Stack::new(
            engine,
            &format!(
                "
services:
  db:
    image: {image}
    network_mode: none
    environment:
      {prefix}_ROOT_PASSWORD_FILE: /run/secrets/root
      {prefix}_DATABASE: shop
      {prefix}_USER: clerk
      {prefix}_PASSWORD: tea
    volumes: [ './root:/run/secrets/root:ro', './init:/docker-entrypoint-initdb.d:ro' ]
"
            ),
        );
        stack.write("root", "kettle\n");
        stack.write("init/1.sql", "create table payments(id int); insert into payments values (1), (2);");
        stack.compose(&["up", "-d"]).expect(0);
        let name = stack.container("db");
        assert_eq!(mariadb(engine, &name, "clerk", "tea", "select count(*) from shop.payments"), "2");
        assert_eq!(mariadb(engine, &name, "root", "kettle", "select 1"), "1");
    }
}

#[test]
fn redis_and_valkey_answer_and_save() {
    let engine = Engine::usual();
    for (image, client) in [("redis:7", "redis-cli"), ("valkey:8", "valkey-cli")] {
        let cache = engine.container(&[image]);
        engine.wait_for(&cache.name, &[client, "set", "key", "value"]);
        engine.docker(&["exec", &cache.name, client, "save"]).expect(0);
        engine.docker(&["exec", &cache.name, "test", "-s", "/data/dump.rdb"]).expect(0);
        let flags = engine.container(&[image, "--save", "", "--appendonly", "yes"]);
        // Flags alone are the server's in both images.
        engine.wait_for(&flags.name, &[client, "ping"]);
    }
}

#[test]
fn mongo_has_the_files_that_the_guard_knows_it_by() {
    let engine = Engine::usual();
    let volume = engine.container(&["mongo:7"]);
    engine.wait_for(&volume.name, &["test", "-s", "/data/db/mongod.lock"]);
    let ran = engine.dbsafe(&["rm", "-fv", &volume.name]).expect(10);
    assert!(ran.stderr.contains("MongoDB"), "{}", ran.stderr);
    // Moved away from the volume that the image declares, which is then an empty decoy.
    let moved = engine.container(&["mongo:7", "mongod", "--dbpath", "/srv/mongo"]);
    engine.wait_for(&moved.name, &["test", "-s", "/srv/mongo/mongod.lock"]);
    let json = engine.dbsafe(&["rm", "-f", &moved.name, "--format", "json"]).expect(10).json();
    let found = json["evidence"].as_array().unwrap().iter().find(|e| e["path"] == "/srv/mongo").unwrap();
    assert_eq!(found["location"], "writable-layer");
}

#[test]
fn the_applications_start() {
    let engine = Engine::usual();
    let app = engine.container(&["sqlite-app:1"]);
    engine.wait_for(&app.name, &["sqlite3", "/app/data/app.db", "select count(*) from notes"]);
    let web = engine.container(&["stateless:1"]);
    engine.wait_for(&web.name, &["test", "-s", "/var/log/app.log"]);
}

#[test]
fn a_blocked_command_changes_nothing_that_the_engine_would_tell_of() {
    let engine = Engine::usual();
    let app = engine.container(&["sqlite-app:1"]);
    engine.wait_for(&app.name, &["test", "-s", "/app/data/app.db"]);
    let since = engine.time();
    engine.dbsafe(&["rm", "-f", &app.name]).expect(10);
    let events = engine.events_since(&since, &app.name);
    let reading = |event: &&String| event.starts_with("exec_") || *event == "top";
    let changed: Vec<&String> = events.iter().filter(|event| !reading(event)).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
fn every_compose_of_the_lab_runs() {
    for (version, answer) in [("5.6", "5.6"), ("2.26", "2.26")] {
        let ran = Engine::start("28", version).docker(&["compose", "version", "--short"]).expect(0);
        assert!(ran.stdout.trim().trim_start_matches('v').starts_with(answer), "{ran:?}");
    }
}
