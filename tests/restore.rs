//! Restores on a real engine: beside what is there, in its place, and by hand.

mod support;

use support::{
    Container, Engine, Stack,
    home::{Home, postgres},
    unique,
};

#[test]
fn a_database_is_loaded_out_of_a_dump_beside_the_old_one() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    engine.psql(&container.name, "delete from payments");
    let arguments = ["restore", "latest", "--database", "postgres", "--as", "back"];
    home.run(&arguments).expect(0);
    assert_eq!(engine.psql_in(&container.name, "back", "select sum(amount) from payments"), "350");
    home.run(&arguments).expect(12);
}

#[test]
fn odd_files_of_a_volume_come_back_as_they_were() {
    let (engine, home) = (Engine::usual(), Home::new());
    let (volume, copy) = (unique("v"), unique("v"));
    let mount = format!("{volume}:/v");
    let make = r#"cd /v && mkdir -p d/e && chmod 2750 d && chown 70:71 d/e && chmod 000 d/e
        echo one > 'odd "name'; ln 'odd "name' hard; ln -s /etc/passwd soft; ln -s ../../.. up; mkfifo pipe
        printf x > "$(printf 'line\nbreak')"; echo y > "$(printf 'byte\377')"; : > empty; chmod 4755 empty
        long=$(printf 'n%.0s' $(seq 200)); mkdir -p $long/$long; echo deep > $long/$long/$long
        truncate -s 3M sparse; printf end >> sparse; touch -d '2001-02-03 04:05:06' hard; chown 999:1000 sparse"#;
    engine
        .docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "--entrypoint",
            "sh",
            "debian:bookworm",
            "-c",
            make,
        ])
        .expect(0);
    home.run(&["snapshot", &volume]).expect(0);
    home.run(&["restore", "latest", "--to", &format!("volume:{copy}")]).expect(0);
    let list = "cd /v && find . -printf '%P %y %m %U:%G %n %s %l %T@\\n' | sed 's/\\.[0-9]*$//' | sort; find . -type f -exec cksum {} + | sort";
    let listed = |name: &str| {
        let mount = format!("{name}:/v");
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "--entrypoint",
            "sh",
            "debian:bookworm",
            "-c",
            list,
        ];
        engine.docker(&run).expect(0).stdout
    };
    assert_eq!(listed(&volume), listed(&copy));
    // What exists is not written to.
    home.run(&["restore", "latest", "--to", &format!("volume:{copy}")]).expect(12);
    engine.docker(&["volume", "rm", &volume, &copy]);
}

#[test]
fn a_snapshot_is_readable_by_hand() {
    let (home, container) = (Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    let folder = &home.snapshots()[0];
    let shell = |script: &str| {
        let ran = std::process::Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    shell("sha256sum -c --quiet SHA256SUMS");
    assert!(shell("zstd -dc *-data-*.tar.zst | tar -t").contains("pg/PG_VERSION"));
    assert!(shell("head -c 5 *.dump").contains("PGDMP"));
    assert!(!shell("cat manifest.json").contains("POSTGRES_HOST_AUTH_METHOD=trust"));
}

#[test]
fn a_container_is_restored_beside_the_old_one() {
    let (engine, home, container) = (Engine::usual(), Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    engine.psql(&container.name, "delete from payments");
    let copy = Container { engine, name: unique("c") };
    let to = format!("container:{}", copy.name);
    home.run(&["restore", "latest", "--to", &to]).expect(0);
    assert_eq!(copy.sum(), "350");
    assert_eq!(engine.psql(&container.name, "select count(*) from payments"), "0");
    let ran = home.run(&["restore", "latest", "--to", &to]).expect(12);
    assert!(ran.says("there is a container"), "{ran:?}");
    assert_eq!(copy.sum(), "350");
}

const SWAPPED: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [data:/var/lib/postgresql/data, uploads:/uploads]
volumes: { data: , uploads: }
";

#[test]
fn a_snapshot_takes_the_place_of_what_is_there_and_that_comes_back_the_same_way() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, SWAPPED);
    let name = stack.container("db");
    engine.fill_payments(&name);
    engine.docker(&["exec", &name, "sh", "-c", "echo first > /uploads/file"]).expect(0);
    home.run_in(&stack.folder, &["snapshot", "db"]).expect(0);
    engine.psql(&name, "update payments set amount = 1");
    engine.docker(&["exec", &name, "sh", "-c", "echo second > /uploads/file"]).expect(0);
    let ran = home.run(&["restore", "latest", "--swap"]).expect(0);
    let sum = || {
        engine.wait_for_postgres(&name);
        engine.psql(&name, "select sum(amount) from payments")
    };
    let file = || engine.docker(&["exec", &name, "cat", "/uploads/file"]).expect(0).stdout;
    assert_eq!((sum(), file()), ("350".to_owned(), "first\n".to_owned()));
    let id = engine.docker(&["inspect", "-f", "{{.Id}}", &name]).stdout;
    stack.compose(&["up", "-d"]).expect(0);
    assert_eq!(
        engine.docker(&["inspect", "-f", "{{.Id}}", &name]).stdout,
        id,
        "compose made a new container"
    );
    let back = ran.stdout.lines().last().unwrap().split_once("docker dbsafe ").unwrap().1.to_owned();
    home.run(&back.split_whitespace().collect::<Vec<_>>()).expect(0);
    assert_eq!((sum(), file()), ("2".to_owned(), "second\n".to_owned()));
}

#[test]
fn a_service_is_the_one_of_the_folder() {
    let (engine, home) = (Engine::usual(), Home::new());
    let (stack, other) = (Stack::up(engine, TWO), Stack::up(engine, TWO));
    home.run_in(&stack.folder, &["snapshot", "twin"]).expect(0);
    let listed = home.run(&["snapshots", "ls"]).expect(0).stdout;
    assert!(listed.contains(&stack.name) && !listed.contains(&other.name), "{listed}");
    let ran = home.run(&["snapshot", "twin"]).expect(2);
    assert!(ran.says("several projects have a service") && ran.says(&other.name), "{ran:?}");
}

const TWO: &str = "
services: { twin: { image: 'stateless:1', network_mode: none, volumes: ['data:/data'] } }
volumes: { data: }
";

#[test]
fn what_another_container_uses_is_not_swapped() {
    let (engine, home) = (Engine::usual(), Home::new());
    let stack = Stack::up(engine, SWAPPED);
    let name = stack.container("db");
    engine.fill_payments(&name);
    home.run_in(&stack.folder, &["snapshot", "db"]).expect(0);
    let mount = format!("{}_uploads:/u", stack.name);
    let other = engine.container(&["-v", &mount, "stateless:1"]);
    let ran = home.run(&["restore", "latest", "--swap"]).expect(12);
    assert!(ran.says(&format!("{} uses volume {}_uploads", other.name, stack.name)), "{ran:?}");
    assert_eq!(engine.psql(&name, "select sum(amount) from payments"), "350");
}

#[test]
fn a_damaged_snapshot_takes_nothings_place() {
    let (home, container) = (Home::new(), postgres());
    home.run(&["snapshot", &container.name]).expect(0);
    let before = container.state();
    let file = home.file("-data-");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    home.run(&["restore", "latest", "--swap"]).expect(12);
    assert_eq!((container.state(), container.sum()), (before, "350".to_owned()));
}

#[test]
fn a_recreated_namesake_is_not_covered() {
    let (engine, home, volume) = (Engine::usual(), Home::new(), unique("v"));
    let mount = format!("{volume}:/v");
    let fill = |text: &str| {
        let script =
            format!("echo 'create table t(a); insert into t values (1); -- {text}' | sqlite3 /v/app.db");
        let run = ["run", "--rm", "--network", "none", "-v", &mount, "sqlite-app:1", "sh", "-c", &script];
        engine.docker(&run).expect(0);
    };
    fill("one");
    home.run(&["volume", "rm", &volume]).expect(10);
    home.run(&["snapshot", &volume]).expect(0);
    // Covered now: it goes without a word of danger.
    home.run(&["volume", "rm", &volume]).expect(0);
    fill("two");
    home.run(&["volume", "rm", &volume]).expect(10);
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

#[test]
fn retention_shows_its_plan_and_keeps_the_last_proved_of_everything() {
    let (home, container) = (Home::new(), postgres());
    for _ in 0..3 {
        home.run(&["snapshot", &container.name]).expect(0);
    }
    let kept = home.snapshots();
    let ran = home.run(&["snapshots", "prune", "--keep-last", "1"]);
    assert_eq!(home.snapshots().len(), 3, "without --yes it only shows: {ran:?}");
    home.run(&["snapshots", "prune", "--keep-last", "1", "--yes"]).expect(0);
    assert_eq!(home.snapshots().len(), 1);
    assert!(kept.contains(&home.snapshots()[0]));
}
