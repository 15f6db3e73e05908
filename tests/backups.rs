//! Other tools' backups, made by the tools themselves: each in every state, and none counts that should not.
//!
//! `DBSAFE_TABLE=1` writes the table of docs/backups.md anew.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use support::{Engine, Stack, cloud::Cloud, home::Home};

const PAGES: &str = include_str!("../docs/backups.md");

/// Runs a program of this machine; its output.
#[track_caller]
fn run(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Vec<u8> {
    let mut command = Command::new(words[0]);
    // A machine's own authorities are none of rclone's business, which refuses them.
    command.args(&words[1..]).current_dir(folder).env_remove("AWS_CA_BUNDLE").envs(variables.iter().copied());
    let output = command.output().unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Makes a file three days old.
fn age(path: &Path) {
    let old = SystemTime::now() - Duration::from_secs(3 * 86_400);
    fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
}

/// What the states of a backup are called in docs/backups.md.
const STATES: [&str; 7] =
    ["found", "stale", "other database", "truncated", "running copy", "stopped copy", "cannot be asked"];

/// A shop's database, a bank's, and files of every kind of both.
struct Bench {
    stack: Stack<'static>,
    home: Home<'static>,
    folder: tempfile::TempDir,
}

const STACK: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'pg:/var/lib/postgresql/data' ]
  bank:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: bank, POSTGRES_HOST_AUTH_METHOD: trust }
volumes: { pg: {} }
";

impl Bench {
    fn new() -> Self {
        let engine = Engine::usual();
        let stack = Stack::up(engine, STACK);
        let bench = Self { stack, home: Home::new(), folder: tempfile::tempdir().unwrap() };
        for (service, database) in [("db", "shop"), ("bank", "bank")] {
            let name = bench.stack.container(service);
            engine.wait_for_postgres(&name);
            let sql =
                "create table payments(id int primary key, amount int); insert into payments values (1, 100)";
            engine
                .docker(&["exec", &name, "psql", "-Xq", "-U", "postgres", "-d", database, "-c", sql])
                .expect(0);
            bench.dump(service, database);
            bench.copy(service, &format!("running-{database}"));
        }
        let whole = fs::read(bench.path("shop.dump")).unwrap();
        fs::create_dir_all(bench.path("cut")).unwrap();
        fs::write(bench.path("cut/shop.dump"), &whole[..whole.len() - 40]).unwrap();
        // Without a time in it: a time stamp is all that it has.
        bench.inside("db", "pg_dump -U postgres shop", "old/shop.sql");
        age(&bench.path("old/shop.sql"));
        let name = bench.stack.container("db");
        engine.docker(&["stop", &name]).expect(0);
        bench.copy("db", "stopped-shop");
        engine.docker(&["start", &name]).expect(0);
        engine.wait_for_postgres(&name);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What a program in a container writes, as a file here.
    fn inside(&self, service: &str, program: &str, to: &str) {
        let name = self.stack.container(service);
        self.stack.engine.docker(&["exec", &name, "sh", "-c", &format!("{program} > /tmp/out")]).expect(0);
        fs::create_dir_all(self.path(to).parent().unwrap()).unwrap();
        self.stack.engine.docker(&["cp", &format!("{name}:/tmp/out"), &self.text(to)]).expect(0);
    }

    fn dump(&self, service: &str, database: &str) {
        self.inside(service, &format!("pg_dump -U postgres -Fc {database}"), &format!("{database}.dump"));
    }

    /// The data directory's files, as they are at the moment.
    fn copy(&self, service: &str, to: &str) {
        let from = format!("{}:/var/lib/postgresql/data", self.stack.container(service));
        fs::create_dir_all(self.path(to)).unwrap();
        self.stack.engine.docker(&["cp", &from, &self.text(&format!("{to}/data"))]).expect(0);
    }

    /// A folder with one thing in it.
    fn only(&self, name: &str, from: &str) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        run(&folder, &["cp", "-a", &self.text(from), "."], &[]);
        folder
    }

    /// What is said of the shop's database, with these rules and variables.
    fn backups(&self, rules: &[String], variables: &[(&str, &str)]) -> Value {
        let container = self.stack.container("db");
        let rules: Vec<String> =
            rules.iter().map(|rule| format!("[[backup]]\ncontainer = \"{container}\"\n{rule}\n")).collect();
        let settings = self.path("config.toml");
        fs::write(&settings, rules.join("\n")).unwrap();
        let (settings, home) = (settings.display().to_string(), self.home.path().display().to_string());
        let own = [("DBSAFE_CONFIG", settings.as_str()), ("DBSAFE_HOME", home.as_str())];
        let arguments = ["dbsafe", "backups", "--format", "json", &container];
        let all = [&own, variables].concat();
        let ran = self.stack.engine.docker_in(self.folder.path(), &arguments, &all).expect(0);
        let document = ran.json();
        fits(&document);
        document["databases"][0].clone()
    }
}

#[track_caller]
fn fits(document: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../docs/backups.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{document:#}");
}

/// The row of a backup, by a part of where it is; its status and why.
#[track_caller]
fn row<'v>(database: &'v Value, tool: &str, part: &str) -> (&'v str, &'v str) {
    let rows = database["backups"].as_array().unwrap();
    let own = |row: &&Value| row["tool"] == tool && row["source"].as_str().unwrap().contains(part);
    let found = rows.iter().find(own).unwrap_or_else(|| panic!("no {tool} {part} in {database:#}"));
    (found["status"].as_str().unwrap(), found["detail"].as_str().unwrap_or_default())
}

/// What a state must be called, and a part of why.
fn expected(state: &str) -> (&'static str, &'static [&'static str]) {
    match state {
        "found" => ("covered", &["whole", "of this cluster"]),
        "stale" => ("stale", &["too old"]),
        "other database" => ("stale", &["another", "does not say that it is of"]),
        "truncated" => ("stale", &["cut off", "missing"]),
        "running copy" => ("stale", &["a running server"]),
        "stopped copy" => ("covered", &["had stopped"]),
        _ => ("undetermined", &[""]),
    }
}

/// The table: each tool's line, filled as the tests find it.
#[derive(Default)]
struct Table(Vec<(String, Vec<&'static str>)>);

impl Table {
    /// Notes what was found, and stops at what should not be.
    #[track_caller]
    fn note(&mut self, database: &Value, tool: &str, state: &'static str, part: &str) {
        let own = row(database, tool, part);
        let (status, why) = expected(state);
        assert!(own.0 == status && why.iter().any(|why| own.1.contains(why)), "{tool}, {state}: {own:?}");
        if !self.0.iter().any(|(name, _)| name == tool) {
            self.0.push((tool.to_owned(), Vec::new()));
        }
        let line = self.0.iter_mut().find(|(name, _)| name == tool).unwrap();
        line.1.push(state);
    }

    fn text(&self) -> String {
        let word = |states: &[&str], state: &str| {
            if !states.contains(&state) {
                "–"
            } else if expected(state).0 == "covered" {
                "**counts**"
            } else {
                "no"
            }
        };
        let mut text = format!("| | {} |\n|---|{}\n", STATES.join(" | "), "---|".repeat(STATES.len()));
        for (tool, states) in &self.0 {
            let cells: Vec<&str> = STATES.iter().map(|state| word(states, state)).collect();
            text.push_str(&format!("| {tool} | {} |\n", cells.join(" | ")));
        }
        text
    }

    /// The page's table must be this one.
    fn is_in_the_page(&self, name: &str) {
        let (begin, end) = (format!("<!-- {name} -->\n"), "<!-- end -->");
        let (_, rest) = PAGES.split_once(&begin).unwrap();
        let (old, _) = rest.split_once(end).unwrap();
        if std::env::var_os("DBSAFE_TABLE").is_some() {
            let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/backups.md");
            let now = fs::read_to_string(&page).unwrap();
            fs::write(
                page,
                now.replace(&format!("{begin}{old}{end}"), &format!("{begin}{}{end}", self.text())),
            )
            .unwrap();
            return;
        }
        assert_eq!(old, self.text(), "the table of docs/backups.md is not what was found");
    }
}

const PASSWORD: (&str, &str) = ("RESTIC_PASSWORD", "wrong-would-not-do");

/// A restic repository with one snapshot.
fn restic(bench: &Bench, name: &str, from: &str, more: &[&str]) -> String {
    let repository = bench.text(&format!("restic-{name}"));
    let own = [PASSWORD, ("RESTIC_REPOSITORY", repository.as_str())];
    run(bench.folder.path(), &["restic", "init", "-q"], &own);
    run(bench.folder.path(), &[&["restic", "backup", "-q", from], more].concat(), &own);
    format!("restic = {repository:?}")
}

fn borg(bench: &Bench, name: &str, from: &str, more: &[&str]) -> String {
    let repository = bench.text(&format!("borg-{name}"));
    let own = [("BORG_REPO", repository.as_str()), ("BORG_PASSPHRASE", "p")];
    run(bench.folder.path(), &["borg", "init", "-e", "repokey"], &own);
    run(bench.folder.path(), &[&["borg", "create"], more, &["::one", from]].concat(), &own);
    format!("borg = {repository:?}")
}

/// Cuts off the largest file below a folder.
fn cut(folder: &Path) {
    let listed = run(folder, &["find", ".", "-type", "f", "-path", "*data*", "-printf", "%s %p\n"], &[]);
    let listed = String::from_utf8(listed).unwrap();
    let size = |line: &&str| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    let largest = listed.lines().max_by_key(size).unwrap();
    let path = folder.join(largest.split_once(' ').unwrap().1);
    let mut mode = fs::metadata(&path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a repository's own file, in a test's folder")]
    mode.set_readonly(false);
    fs::set_permissions(&path, mode).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(size(&largest) / 2).unwrap();
}

/// A program that answers as kopia 0.17 does, from a folder in place of its configuration file; answers the folder
/// that it is in.
fn answers_of_kopia(bench: &Bench) -> PathBuf {
    let programs = bench.path("bin");
    fs::create_dir_all(&programs).unwrap();
    let script = "#!/bin/sh\nshift\nfolder=$1; shift\ncase $1 in\n  snapshot) cat \"$folder/list\" ;;\n  ls) cat \"$folder/ls\" ;;\n  show) cat \"$folder/content\" ;;\nesac\n";
    fs::write(programs.join("kopia"), script).unwrap();
    run(&programs, &["chmod", "755", "kopia"], &[]);
    let now = jiff::Timestamp::now();
    for (state, content, at) in [
        ("found", "shop.dump", now.to_string()),
        ("stale", "shop.dump", "2020-01-01T00:00:00.5Z".to_owned()),
        ("other", "bank.dump", now.to_string()),
        ("truncated", "cut/shop.dump", now.to_string()),
    ] {
        let folder = bench.path(&format!("kopia-{state}"));
        fs::create_dir_all(&folder).unwrap();
        let list = format!(
            r#"[{{"id":"5d3f0c1a9b7e","source":{{"host":"h","userName":"root","path":"/srv/backups"}},"description":"","startTime":"{at}","endTime":"{at}","stats":{{"totalSize":4256}},"rootEntry":{{"name":"backups","type":"d","mode":"0755","mtime":"{at}","obj":"k8c1f2","summ":{{"size":4256,"files":1}}}}}}]"#
        );
        fs::write(folder.join("list"), list).unwrap();
        let wall = now.strftime("%Y-%m-%d %H:%M:%S UTC");
        let ls = format!("-rw-r--r--         4256 {wall} 4d1c0b5f7a6e                       shop.dump\n");
        fs::write(folder.join("ls"), ls).unwrap();
        fs::copy(bench.path(content), folder.join("content")).unwrap();
    }
    programs
}

/// Where the header of `pg_dump -Fc` (1.14) has the year, less 1900: behind 11 bytes, the compression and five numbers
/// of five bytes each, and the year's sign.
const YEAR_OF_DUMP: usize = 42;

/// Uploads what is in a folder.
fn put(bench: &Bench, cloud: &Cloud, folder: &str, to: &str) {
    let path = bench.stack.engine.path();
    let endpoint = format!("http://127.0.0.1:{}", cloud.s3_port);
    let variables = [
        ("PATH", path.as_str()),
        ("RCLONE_S3_PROVIDER", "Other"),
        ("RCLONE_S3_ENDPOINT", endpoint.as_str()),
        ("RCLONE_S3_ACCESS_KEY_ID", "test"),
        ("RCLONE_S3_SECRET_ACCESS_KEY", "test"),
    ];
    run(bench.folder.path(), &["rclone", "copy", folder, &format!(":s3:{to}")], &variables);
}

#[test]
fn each_tools_backups_in_every_state() {
    let bench = Bench::new();
    let at = |name: &str| bench.path(name);
    let text = |name: &str| bench.text(name);
    let mut rules = Vec::new();
    // Files by a glob.
    for (state, from) in [
        ("found", "shop.dump"),
        ("stale", "old/shop.sql"),
        ("other", "bank.dump"),
        ("truncated", "cut/shop.dump"),
    ] {
        bench.only(&format!("files-{state}"), from);
        rules.push(format!("files = \"{}/*\"", text(&format!("files-{state}"))));
    }
    fs::create_dir_all(at("files-running")).unwrap();
    run(&at("running-shop"), &["tar", "-czf", &text("files-running/shop.tar.gz"), "data"], &[]);
    rules.push(format!("files = \"{}/*\"", text("files-running")));
    fs::create_dir_all(at("files-cannot")).unwrap();
    fs::write(at("files-cannot/shop.dump.xz"), b"\xfd7zXZ\0\0").unwrap();
    rules.push(format!("files = \"{}/*\"", text("files-cannot")));
    // restic: the second of the truncated ones is whole in itself, and its repository is not.
    rules.push(restic(&bench, "found", &text("shop.dump"), &[]));
    rules.push(restic(&bench, "stale", &text("shop.dump"), &["--time", "2020-01-01 00:00:00"]));
    rules.push(restic(&bench, "refreshed", &text("old/shop.sql"), &[]));
    rules.push(restic(&bench, "other", &text("bank.dump"), &[]));
    rules.push(restic(&bench, "foreign", &text("running-bank"), &[]));
    rules.push(restic(&bench, "truncated", &text("cut/shop.dump"), &[]));
    rules.push(restic(&bench, "damaged", &text("shop.dump"), &[]));
    cut(&at("restic-damaged"));
    rules.push(restic(&bench, "running", &text("running-shop"), &[]));
    rules.push(restic(&bench, "stopped", &text("stopped-shop"), &[]));
    rules.push(format!("restic = {:?}", text("restic-nowhere")));
    // borg.
    rules.push(borg(&bench, "found", "shop.dump", &[]));
    rules.push(borg(&bench, "stale", "shop.dump", &["--timestamp", "2020-01-01T00:00:00"]));
    rules.push(borg(&bench, "other", "bank.dump", &[]));
    rules.push(borg(&bench, "truncated", "cut/shop.dump", &[]));
    rules.push(borg(&bench, "damaged", "shop.dump", &[]));
    cut(&at("borg-damaged"));
    rules.push(borg(&bench, "running", "running-shop", &[]));
    rules.push(borg(&bench, "stopped", "stopped-shop", &[]));
    rules.push(format!("borg = {:?}", text("borg-nowhere")));
    // rclone, on a remote that is a folder.
    for state in ["found", "stale", "other", "truncated"] {
        rules.push(format!("rclone = \":local:{}\"", text(&format!("files-{state}"))));
    }
    rules.push(format!("rclone = \":local:{}\"", text("files-running")));
    rules.push("rclone = \"nowhere:backups\"".to_owned());
    // Objects, put into a real S3 by rclone; each is as young as its upload, so that the stale one says it itself.
    let cloud = Cloud::start();
    let mut old = fs::read(at("shop.dump")).unwrap();
    old[YEAR_OF_DUMP] -= 6;
    fs::create_dir_all(at("files-old")).unwrap();
    fs::write(at("files-old/shop.dump"), old).unwrap();
    for state in ["found", "old", "other", "truncated", "running"] {
        put(&bench, &cloud, &text(&format!("files-{state}")), &format!("bucket/{state}"));
        rules.push(format!("object = \"s3://bucket/{state}\""));
    }
    rules.push("object = \"s3://nowhere/found\"".to_owned());
    // A command has only its word.
    let command = |name: &str, does: &str| format!("command = \"{does} # {name}\"");
    rules.push(command("it-is-found", "date -u +%s"));
    rules.push(command("it-is-stale", "echo 2020-01-01T00:00:00Z"));
    rules.push(command("it-cannot", "exit 1"));
    // kopia, as it answers.
    let kopia = answers_of_kopia(&bench);
    let states = ["found", "stale", "other", "truncated", "cannot"];
    rules.extend(states.map(|state| format!("kopia = {:?}", text(&format!("kopia-{state}")))));
    let path = format!("{}:{}", kopia.display(), bench.stack.engine.path());
    let own = cloud.environment();
    let mut variables = vec![PASSWORD, ("BORG_PASSPHRASE", "p"), ("PATH", path.as_str())];
    variables.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    let found = bench.backups(&rules, &variables);
    let mut table = Table::default();
    for (tool, states) in [
        (
            "pg_dump",
            vec![
                ("found", "files-found"),
                ("other database", "files-other"),
                ("truncated", "files-truncated"),
            ],
        ),
        ("file", vec![("stale", "files-stale"), ("cannot be asked", "files-cannot")]),
        ("tar", vec![("running copy", "files-running")]),
        (
            "restic",
            vec![
                ("found", "restic-found"),
                ("stale", "restic-stale"),
                ("stale", "restic-refreshed"),
                ("other database", "restic-other"),
                ("other database", "restic-foreign"),
                ("truncated", "restic-truncated"),
                ("running copy", "restic-running"),
                ("stopped copy", "restic-stopped"),
                ("cannot be asked", "restic-damaged"),
                ("cannot be asked", "restic-nowhere"),
            ],
        ),
        (
            "borg",
            vec![
                ("found", "borg-found"),
                ("stale", "borg-stale"),
                ("other database", "borg-other"),
                ("truncated", "borg-truncated"),
                ("running copy", "borg-running"),
                ("stopped copy", "borg-stopped"),
                ("cannot be asked", "borg-damaged"),
                ("cannot be asked", "borg-nowhere"),
            ],
        ),
        (
            "rclone",
            vec![
                ("found", "files-found"),
                ("stale", "files-stale"),
                ("other database", "files-other"),
                ("truncated", "files-truncated"),
                ("running copy", "files-running"),
                ("cannot be asked", "nowhere"),
            ],
        ),
        (
            "object",
            vec![
                ("found", "bucket/found"),
                ("stale", "bucket/old"),
                ("other database", "bucket/other"),
                ("truncated", "bucket/truncated"),
                ("running copy", "bucket/running"),
                ("cannot be asked", "nowhere"),
            ],
        ),
        (
            "kopia",
            vec![
                ("found", "kopia-found"),
                ("stale", "kopia-stale"),
                ("other database", "kopia-other"),
                ("truncated", "kopia-truncated"),
                ("cannot be asked", "kopia-cannot"),
            ],
        ),
    ] {
        for (state, part) in states {
            table.note(&found, tool, state, part);
        }
    }
    assert_eq!(row(&found, "command", "it-is-found"), ("covered", "by the command's word"));
    assert_eq!(row(&found, "command", "it-is-stale").0, "stale");
    assert_eq!(row(&found, "command", "it-cannot").0, "undetermined");
    table.is_in_the_page("by rules");
}

/// A server with pgBackRest, a second cluster in the same container, and a backup of each.
const PGBACKREST: &str = "
services:
  db:
    image: dbsafe-lab/pgbackrest
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'pg:/var/lib/postgresql/data' ]
volumes: { pg: {} }
";

#[test]
fn base_backups_in_the_databases_own_container_are_found_and_matched_by_their_cluster() {
    let engine = Engine::usual_with("pgbackrest");
    let stack = Stack::up(engine, PGBACKREST);
    let (db, home) = (stack.container("db"), Home::new());
    engine.fill_payments(&db);
    let inside = |script: &str| {
        engine.docker(&["exec", "-u", "postgres", &db, "sh", "-ec", script]).expect(0);
    };
    let look = |more: &[&str]| {
        let document = home.run(&[&["backups", "--format", "json", &db], more].concat()).expect(0).json();
        fits(&document);
        document["databases"][0].clone()
    };
    engine.docker(&["exec", &db, "mkdir", "-p", "/srv/other"]).expect(0);
    engine.docker(&["exec", &db, "chown", "postgres", "/srv/other", "/var/lib/pgbackrest"]).expect(0);
    inside(
        "initdb -D /srv/other >/dev/null
         pg_ctl -D /srv/other -o '-p 5433 -c archive_mode=on -c archive_command=\"pgbackrest --stanza=other archive-push %p\"' -w start >/dev/null
         for stanza in main other; do pgbackrest --stanza=$stanza stanza-create; done
         pgbackrest --stanza=other --type=full backup
         pg_ctl -D /srv/other -m fast stop >/dev/null",
    );
    let mut table = Table::default();
    let found = look(&[]);
    table.note(&found, "pgbackrest", "other database", "other ");
    assert_eq!(found["coverage"]["status"], "stale", "{found:#}");
    inside("pgbackrest --stanza=main --type=full backup");
    let found = look(&[]);
    table.note(&found, "pgbackrest", "found", "main ");
    assert_eq!(found["coverage"]["status"], "covered", "{found:#}");
    // What stands between a person and `down -v` says it, too.
    assert_eq!(
        stack.dbsafe(&["down", "-v", "--plan", "--format", "json"]).expect(0).json()["verdict"],
        "allow"
    );
    // A project that wants a fresher one.
    fs::write(home.path().join("config.toml"), "[policy]\nmax_backup_age = \"1s\"\n").unwrap();
    let settings = home.path().join("config.toml").display().to_string();
    let own = home.path().display().to_string();
    let variables = [("DBSAFE_CONFIG", settings.as_str()), ("DBSAFE_HOME", own.as_str())];
    let arguments = ["dbsafe", "backups", "--format", "json", &db];
    let strict = engine.docker_in(home.path(), &arguments, &variables).expect(0).json();
    table.note(&strict["databases"][0], "pgbackrest", "stale", "main ");
    inside(
        "cd /var/lib/pgbackrest/backup/main/*F/pg_data/base && f=$(find . -type f -size +8k | head -1) && truncate -s 100 \"$f\"",
    );
    table.note(&look(&[]), "pgbackrest", "truncated", "main ");
    engine.docker(&["exec", &db, "sh", "-c", "echo nonsense > /etc/pgbackrest.conf"]).expect(0);
    table.note(&look(&[]), "pgbackrest", "cannot be asked", "");
    // WAL-G as it answers: of another cluster, of this one, too old, and not at all.
    let identity = found["identity"].as_str().unwrap();
    let now = jiff::Timestamp::now();
    let backup = |name: &str, at: &str, cluster: &str| {
        format!(
            r#"{{"backup_name":"{name}","time":"{at}","wal_file_name":"000000010000000000000004","storage_name":"default","start_time":"{at}","finish_time":"{at}","date_fmt":"%Y-%m-%dT%H:%M:%S.%fZ","hostname":"db","data_dir":"/var/lib/postgresql/data","pg_version":150006,"start_lsn":67108904,"finish_lsn":67109176,"is_permanent":false,"system_identifier":{cluster},"uncompressed_size":31457280,"compressed_size":4194304}}"#
        )
    };
    let answers = [
        ("other database", backup("base_1", &now.to_string(), "7000000000000000001")),
        ("stale", backup("base_2", "2020-01-01T00:00:00Z", identity)),
        ("found", backup("base_3", &now.to_string(), identity)),
    ];
    let wal_g = |script: &str| {
        let file = home.path().join("wal-g");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        run(home.path(), &["chmod", "755", "wal-g"], &[]);
        engine.docker(&["cp", file.to_str().unwrap(), &format!("{db}:/usr/local/bin/wal-g")]).expect(0);
    };
    for (state, answer) in answers {
        wal_g(&format!("cat <<'end'\n[{answer}]\nend"));
        table.note(&look(&[]), "wal-g", state, "base_");
    }
    wal_g("echo 'ERROR: storage is not configured' >&2; exit 1");
    table.note(&look(&[]), "wal-g", "cannot be asked", "");
    table.is_in_the_page("inside");
}

/// Containers of backup tools: the lab's, under their names.
const KEEPERS: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust }
    labels: { docker-volume-backup.stop-during-backup: 'true' }
    volumes: [ 'pg:/var/lib/postgresql/data' ]
  bank:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_DB: bank, POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'bank:/var/lib/postgresql/data' ]
  archives:
    image: offen/docker-volume-backup:v2
    network_mode: none
    command: sleep infinity
    volumes: [ 'pg:/backup/pg:ro', 'bank:/backup/bank:ro', 'archive:/archive' ]
  dumps:
    image: prodrigestivill/postgres-backup-local:15
    network_mode: none
    command: sleep infinity
    environment: { POSTGRES_HOST: db, POSTGRES_DB: shop }
    volumes: [ 'dumps:/backups' ]
  snapshots:
    image: restic/restic:0.14
    network_mode: none
    command: sleep infinity
    environment: { RESTIC_REPOSITORY: /repo, RESTIC_PASSWORD: p }
    volumes: [ 'pg:/data/pg:ro' ]
volumes: { pg: {}, bank: {}, archive: {}, dumps: {} }
";

#[test]
fn containers_that_keep_backups_are_found_and_what_they_made_is_read() {
    let engine = Engine::usual();
    for name in
        ["offen/docker-volume-backup:v2", "prodrigestivill/postgres-backup-local:15", "restic/restic:0.14"]
    {
        engine.docker(&["tag", "stateless:1", name]).expect(0);
    }
    let (stack, home) = (Stack::up(engine, KEEPERS), Home::new());
    let (db, bank) = (stack.container("db"), stack.container("bank"));
    let (archives, dumps, snapshots) =
        (stack.container("archives"), stack.container("dumps"), stack.container("snapshots"));
    for (name, database) in [(&db, "shop"), (&bank, "bank")] {
        engine.wait_for_postgres(name);
        let sql =
            "create table payments(id int primary key, amount int); insert into payments values (1, 100)";
        engine.docker(&["exec", name, "psql", "-Xq", "-U", "postgres", "-d", database, "-c", sql]).expect(0);
    }
    let look = |container: &str| {
        let document = home.run(&["backups", "--format", "json", container]).expect(0).json();
        fits(&document);
        document["databases"][0].clone()
    };
    let sh = |container: &str, script: &str| {
        engine.docker(&["exec", container, "sh", "-ec", script]).expect(0);
    };
    let nothing = look(&db);
    // A keeper without its program cannot be asked: that is not to have none.
    assert_eq!(nothing["coverage"]["status"], "undetermined", "{nothing:#}");
    let mut table = Table::default();
    let tool = "docker-volume-backup";
    sh(&archives, "tar -czf /archive/backup-1.tar.gz /backup/pg");
    let found = look(&db);
    table.note(&found, tool, "running copy", "backup-1");
    assert_eq!(found["coverage"]["status"], "stale", "{found:#}");
    // An archive of the shop's alone is none of the bank's.
    table.note(&look(&bank), tool, "other database", "backup-1");
    sh(&archives, "head -c 100000 /archive/backup-1.tar.gz > /archive/backup-2.tar.gz");
    sh(&archives, "touch -d '3 days ago' /archive/backup-1.tar.gz");
    table.note(&look(&db), tool, "truncated", "backup-2");
    sh(&archives, "rm /archive/backup-2.tar.gz; head -c 5000 /dev/urandom > /archive/backup-3.tar.gz.gpg");
    let found = look(&db);
    table.note(&found, tool, "stale", "backup-1");
    table.note(&found, tool, "cannot be asked", "backup-3");
    sh(&archives, "rm /archive/backup-3.tar.gz.gpg");
    // restic in a container, asked there.
    let restic = fs::canonicalize(which("restic")).unwrap();
    engine.docker(&["cp", restic.to_str().unwrap(), &format!("{snapshots}:/usr/bin/restic")]).expect(0);
    table.note(&look(&db), "restic", "cannot be asked", &snapshots);
    sh(&snapshots, "restic init -q && restic backup -q /data");
    table.note(&look(&db), "restic", "running copy", "/data/pg");
    table.note(&look(&db), tool, "stale", "backup-1");
    // As docker-volume-backup does with what has its label.
    engine.docker(&["stop", &db]).expect(0);
    sh(&archives, "tar -czf /archive/backup-4.tar.gz /backup");
    sh(&snapshots, "restic backup -q /data");
    engine.docker(&["start", &db]).expect(0);
    engine.wait_for_postgres(&db);
    let found = look(&db);
    table.note(&found, tool, "stopped copy", "backup-4");
    table.note(&found, "restic", "stopped copy", "/data/pg");
    assert_eq!(found["coverage"]["status"], "covered", "{found:#}");
    // The bank's server ran meanwhile: the same archive has a running copy of it.
    assert_eq!(look(&bank)["coverage"]["status"], "stale");
    sh(&archives, "rm /archive/*");
    // Dumps under the names that the tool gives them.
    let tool = "postgres-backup-local";
    engine.docker(&["exec", &db, "createdb", "-U", "postgres", "shop-test"]).expect(0);
    let dump = |name: &str, database: &str, cut: &str| {
        let script = format!("pg_dump -U postgres {database} | gzip {cut} > /tmp/{name}");
        sh(&db, &script);
        let here = home.path().join(name);
        engine.docker(&["cp", &format!("{db}:/tmp/{name}"), here.to_str().unwrap()]).expect(0);
        engine.docker(&["cp", here.to_str().unwrap(), &format!("{dumps}:/backups/{name}")]).expect(0);
    };
    dump("shop-test-20260110-120000.sql.gz", "shop", "");
    dump("shop-20260110-130000.sql.gz", "shop", "| head -c 400");
    dump("shop-20260110-140000.sql.gz", "shop", "");
    dump("shop-20260110-150000.sql.xz", "shop", "-dc 2>/dev/null || true; printf '\\375\\067zXZ\\000'");
    sh(&dumps, "touch -d '3 days ago' /backups/shop-20260110-140000.sql.gz");
    let found = look(&db);
    for (state, part) in [
        ("other database", "shop-test-20260110"),
        ("truncated", "shop-20260110-130000"),
        ("stale", "shop-20260110-140000"),
        ("cannot be asked", "shop-20260110-150000"),
    ] {
        table.note(&found, tool, state, part);
    }
    dump("shop-20260110-160000.sql.gz", "shop", "");
    table.note(&look(&db), tool, "found", "shop-20260110-160000");
    // A container that does not run is read without its programs.
    engine.docker(&["stop", "-t", "0", &dumps]).expect(0);
    table.note(&look(&db), tool, "found", "shop-20260110-160000");
    assert!(look(&bank)["backups"].as_array().unwrap().iter().all(|row| row["tool"] != tool));
    table.is_in_the_page("containers");
}

fn which(program: &str) -> String {
    let found = run(Path::new("/"), &["sh", "-c", &format!("command -v {program}")], &[]);
    String::from_utf8(found).unwrap().trim().to_owned()
}

/// The stack of the story, and its recipes as they are written.
const STORY: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_DB: payment_db, POSTGRES_HOST_AUTH_METHOD: trust }
  redis: { image: 'redis:7', network_mode: none }
";

const RECIPES: &str = "
mkdir -p backups
docker compose exec -T db pg_dump -U postgres -F c payment_db > backups/payment_db_$(date +%Y%m%d).dump
docker compose exec -T redis redis-cli BGSAVE
until docker compose exec -T redis redis-cli INFO persistence | grep -q rdb_bgsave_in_progress:0; do :; done
docker compose cp redis:/data/dump.rdb backups/redis_$(date +%Y%m%d).rdb
";

#[test]
fn the_storys_own_recipes_are_recognised_without_any_settings() {
    let stack = Stack::up(Engine::usual(), STORY);
    let (db, redis) = (stack.container("db"), stack.container("redis"));
    stack.engine.wait_for_postgres(&db);
    let sql = "create table payments(id int primary key, amount int); insert into payments values (1, 100)";
    stack
        .engine
        .docker(&["exec", &db, "psql", "-Xq", "-U", "postgres", "-d", "payment_db", "-c", sql])
        .expect(0);
    stack.engine.wait_for(&redis, &["redis-cli", "ping"]);
    stack.engine.docker(&["exec", &redis, "redis-cli", "mset", "a", "1", "b", "2"]).expect(0);
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says("backups: none found"), "{}", ran.stderr);
    stack.engine.program_in("sh", &stack.folder, &["-ec", RECIPES], &[]).expect(0);
    let document =
        stack.engine.docker_in(&stack.folder, &["dbsafe", "backups", "--format", "json", &stack.name], &[]);
    let document = document.expect(0).json();
    fits(&document);
    assert_eq!(document["summary"]["not_covered"], 0, "{document:#}");
    let ran = stack.dbsafe(&["down", "-v", "--plan"]).expect(0);
    assert!(ran.stdout.contains("it would go through"), "{}", ran.stdout);
    // Cut off, it is named, and why it does not count.
    let dump = fs::read_dir(stack.folder.join("backups")).unwrap().map(|entry| entry.unwrap().path());
    let dump = dump.into_iter().find(|path| path.extension().is_some_and(|end| end == "dump")).unwrap();
    let whole = fs::read(&dump).unwrap();
    fs::write(&dump, &whole[..whole.len() - 40]).unwrap();
    let ran = stack.dbsafe(&["down", "-v"]).expect(10);
    assert!(ran.says("none that counts") && ran.says("cut off") && ran.says("payment_db_"), "{}", ran.stderr);
    let shown = stack.dbsafe(&["backups", &stack.name]).expect(0).stdout;
    assert!(shown.contains("no backup that counts:") && shown.contains(&db), "{shown}");
}
