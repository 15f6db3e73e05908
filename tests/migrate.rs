//! A service's data moves into volumes on a real engine: no acknowledged write is lost, and what fails leaves everything
//! as it was.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect, and counts")]

mod support;

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use support::{
    Engine, Ran, Stack,
    home::Home,
    servers::{MARIADB, POSTGRES, REDIS, Server},
};

/// The writable layer with PGDATA moved, the layouts of 15 and 18, MariaDB, Redis, and an application's SQLite file; an
/// anonymous volume of the image's, one of the file's in each form.
const ALL: &str = "\
# the shop
services:
  pg:  # PGDATA is not where the volume is
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  pg15:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes:
      - /var/lib/postgresql/data   # nobody named it
      - ./:/project:ro
  pg18:
    image: postgres:18
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes:
      - type: volume
        target: /var/lib/postgresql
  maria:
    image: mariadb:10.11
    network_mode: none
    environment: { MARIADB_ROOT_PASSWORD: secret, MARIADB_DATABASE: shop }
  cache:
    image: redis:7
    network_mode: none
    command: [redis-server, --appendonly, 'yes', --appendfsync, always]
  app: { image: 'sqlite-app:1', network_mode: none, stop_signal: SIGKILL }
# the end
";

/// A service, the server in it, and where its data is to be mounted.
const SERVED: [(&str, &Server, &str); 5] = [
    ("pg", &POSTGRES, "/srv/pg"),
    ("pg15", &POSTGRES, "/var/lib/postgresql/data"),
    ("pg18", &POSTGRES, "/var/lib/postgresql"),
    ("maria", &MARIADB, "/var/lib/mysql"),
    ("cache", &REDIS, "/data"),
];

fn migrate(stack: &Stack<'_>, home: &Home<'_>, arguments: &[&str]) -> Ran {
    home.run_in(&stack.folder, &[&["migrate"], arguments].concat())
}

/// The volume at a place of a service's container; empty where there is none.
fn volume_at(stack: &Stack<'_>, service: &str, path: &str) -> String {
    let format = format!(
        "{{{{range .Mounts}}}}{{{{if eq .Destination \"{path}\"}}}}{{{{.Name}}}}{{{{end}}}}{{{{end}}}}"
    );
    let ran = stack.engine.docker(&["inspect", "-f", &format, &stack.container(service)]).expect(0);
    ran.stdout.trim().to_owned()
}

#[test]
fn every_kind_moves_and_no_acknowledged_write_is_lost() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, ALL);
    for (service, server, path) in SERVED {
        let container = stack.container(service);
        server.prepare_in(&container);
        let old = volume_at(&stack, service, path);
        let writer = server.write_to(&container);
        let ran = migrate(&stack, &home, &[service, "--yes"]).expect(0);
        let acknowledged = writer.acknowledged();
        let rows = server.rows_of(&container);
        let lost = acknowledged.iter().filter(|number| !rows.contains(number)).count();
        eprintln!("{service} ({}): {} acknowledged, {lost} lost", server.name, acknowledged.len());
        assert_eq!(lost, 0, "of {}: {ran:?}", acknowledged.len());
        assert_eq!(volume_at(&stack, service, path), format!("{}_{service}_data", stack.name));
        assert!(old.is_empty() || !engine.volume_exists(&old), "{old} is still there");
        assert!(!ran.stderr.contains("warn"), "compose takes the volume for another's: {ran:?}");
    }
    let app = stack.container("app");
    let notes = ["exec", &app, "sqlite3", "data/app.db", "select count(*) from notes"];
    engine.wait_for(&app, &["sh", "-c", "[ \"$(sqlite3 data/app.db 'select count(*) from notes')\" -ge 2 ]"]);
    migrate(&stack, &home, &["app", "--yes"]).expect(0);
    assert_eq!(volume_at(&stack, "app", "/app/data"), format!("{}_app_data", stack.name));
    // Its own start adds two.
    engine.wait_for(&app, &["sh", "-c", "[ \"$(sqlite3 data/app.db 'select count(*) from notes')\" = 4 ]"]);
    engine.docker(&notes).expect(0);

    let yaml = fs::read_to_string(stack.folder.join("compose.yaml")).unwrap();
    for text in [
        "# the shop\n",
        "  pg:  # PGDATA is not where the volume is\n",
        "      - pg15_data:/var/lib/postgresql/data   # nobody named it\n",
        "        source: pg18_data\n",
        "pg_data:/srv/pg",
        "app_data:/app/data",
    ] {
        assert!(yaml.contains(text), "{text}\n{yaml}");
    }
    // Compose finds nothing to do, and nothing to warn of.
    let up = stack.compose(&["up", "-d"]).expect(0);
    assert!(
        !up.stderr.contains("Recreate") && !up.stderr.contains("Started") && !up.stderr.contains("warn"),
        "{up:?}"
    );
    let again = migrate(&stack, &home, &["pg", "--yes"]).expect(0);
    assert!(again.says("there is nothing to move"), "{again:?}");
    // The containers go as they always may, and the data stays.
    stack.compose(&["down"]).expect(0);
    stack.compose(&["up", "-d", "pg", "cache"]).expect(0);
    assert!(!POSTGRES.rows_of(&stack.container("pg")).is_empty());
    assert!(!REDIS.rows_of(&stack.container("cache")).is_empty());
}

const LAYER: &str = "\
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  odd:
    image: sqlite-app:1
    network_mode: none
    stop_signal: SIGKILL
    command: [sh, -c, \"sqlite3 /etc/app.db 'create table t(a); insert into t values (1)' && exec sleep infinity\"]
  many:
    image: postgres:15
    network_mode: none
    deploy: { replicas: 2 }
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
";

/// What must be as it was.
struct Scene<'a> {
    stack: &'a Stack<'a>,
    home: &'a Home<'a>,
    yaml: String,
}

impl Scene<'_> {
    fn state(&self) -> String {
        let format = "{{.Id}} {{.State.Running}}";
        let ran = self.stack.engine.docker(&["inspect", "-f", format, &self.stack.container("db")]);
        ran.stdout.trim().to_owned()
    }

    /// Our own process, which can be signalled.
    fn start(&self) -> Child {
        let engine = self.stack.engine;
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
        command.args(["migrate", "db", "--yes"]).current_dir(&self.stack.folder);
        command.env_clear().env("PATH", engine.path()).env("HOME", self.home.path());
        command.env("DOCKER_HOST", &engine.host).env("DOCKER_CONFIG", &engine.config);
        command.env("DBSAFE_HOME", self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Interrupts a migration as soon as the container is no longer in this state.
    fn interrupted_after(&self, is_before: impl Fn(&str) -> bool) -> Option<i32> {
        let mut child = self.start();
        while is_before(&self.state()) {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap().code()
    }

    #[track_caller]
    fn is_as_before(&self, what: &str) {
        let (engine, db) = (self.stack.engine, self.stack.container("db"));
        assert!(self.state().ends_with(" true"), "{what}: {}", self.state());
        engine.wait_for_postgres(&db);
        assert_eq!(engine.psql(&db, "select sum(amount) from payments"), "350", "{what}");
        let yaml = fs::read_to_string(self.stack.folder.join("compose.yaml")).unwrap();
        assert_eq!(yaml, self.yaml, "{what}");
        assert_eq!(volume_at(self.stack, "db", "/srv/pg"), "", "{what}");
        assert_eq!(self.stack.containers().len(), 4, "{what}: {:?}", self.stack.containers());
    }
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success());
}

#[test]
fn what_fails_leaves_everything_as_it_was() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, LAYER);
    engine.fill_payments(&stack.container("db"));
    let scene = Scene { stack: &stack, home: &home, yaml: LAYER.to_owned() };
    let before = scene.state();
    let new_volume = format!("{}_db_data", stack.name);
    let untouched = |what: &str| {
        scene.is_as_before(what);
        assert_eq!(scene.state(), before, "{what}");
        assert!(!engine.volume_exists(&new_volume), "{what}");
        assert!(home.snapshots().is_empty(), "{what}");
    };

    // Asked first, and shown.
    let block = stack.dbsafe(&["down"]).expect(10);
    assert!(block.stderr.contains("docker dbsafe migrate db\n"), "{block:?}");
    let plan = migrate(&stack, &home, &["db", "--plan"]).expect(0);
    assert!(
        plan.stdout.contains("+      - db_data:/srv/pg\n") && plan.stdout.contains("+  db_data:"),
        "{plan:?}"
    );
    let asked = migrate(&stack, &home, &["db"]).expect(13);
    assert!(asked.says("docker dbsafe migrate db --yes"), "{asked:?}");
    let many = migrate(&stack, &home, &[&format!("{}-many-2", stack.name), "--yes"]).expect(1);
    assert!(many.says("runs in 2 containers"), "{many:?}");
    let odd = migrate(&stack, &home, &["odd", "--yes"]).expect(1);
    assert!(odd.says("the image has files of its own in /etc"), "{odd:?}");
    untouched("nothing was agreed to");

    // A compose file that compose refuses.
    let broken = LAYER.replacen("image: postgres:15", "image: postgres:15\n    no_such_key: 1", 1);
    stack.write("compose.yaml", &broken);
    let ran = migrate(&stack, &home, &["db", "--yes"]).expect(1);
    assert!(ran.says("compose refuses the changed compose.yaml"), "{ran:?}");
    stack.write("compose.yaml", LAYER);
    untouched("compose refuses the file");

    // One that cannot be written.
    let folder = stack.folder.to_str().unwrap();
    mount(&["--bind", folder, folder]);
    mount(&["-o", "remount,ro,bind", folder]);
    let ran = migrate(&stack, &home, &["db", "--yes"]);
    assert!(Command::new("umount").arg(folder).status().unwrap().success());
    assert!(ran.expect(1).says("cannot be written"));
    untouched("the file is read-only");

    // A server whose dump fails is not proved.
    let break_it = "set allow_system_table_mods = on; create table broken as select 1 as a;
        update pg_class set relfilenode = 999999 where relname = 'broken'";
    engine.psql(&stack.container("db"), break_it);
    migrate(&stack, &home, &["db", "--yes"]).expect(12);
    untouched("the dump fails");
    let mend = "set allow_system_table_mods = on; update pg_class set relfilenode = oid where relname = 'broken'; drop table broken";
    engine.psql(&stack.container("db"), mend);

    assert_eq!(scene.interrupted_after(|state| state.ends_with("true")), Some(130));
    untouched("interrupted while it was copied");

    // Somebody writes the file while the data is copied: theirs counts.
    let mut child = scene.start();
    while scene.state().ends_with("true") {}
    stack.write("compose.yaml", &format!("{LAYER}# mine\n"));
    assert_eq!(child.wait().unwrap().code(), Some(12));
    assert_eq!(fs::read_to_string(stack.folder.join("compose.yaml")).unwrap(), format!("{LAYER}# mine\n"));
    stack.write("compose.yaml", LAYER);
    untouched("the file changed meanwhile");

    // From here on compose has removed the old container: it is made again, with its data.
    let id = before.split(' ').next().unwrap().to_owned();
    assert_eq!(scene.interrupted_after(|state| state.starts_with(&id)), Some(130));
    scene.is_as_before("interrupted while compose was at work");

    // The file wants something else by now than what runs: what is served then is not what was there.
    let drifted = LAYER.replacen("/srv/pg", "/srv/elsewhere", 1);
    stack.write("compose.yaml", &drifted);
    let ran = migrate(&stack, &home, &["db", "--yes"]).expect(12);
    assert!(ran.says("was not moved") && ran.says("is kept for what was written then"), "{ran:?}");
    assert_eq!(fs::read_to_string(stack.folder.join("compose.yaml")).unwrap(), drifted);
    stack.write("compose.yaml", LAYER);
    scene.is_as_before("what is served is not what was there");
}
