//! Drills of what lies in other tools' repositories and buckets, by the tools themselves: what comes back is said to, what
//! does not is not, and nothing that was fetched is left.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Container, Engine, cloud::Cloud, fits_schema, home::Home};

/// Longer than anything takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const PASSWORD: (&str, &str) = ("RESTIC_PASSWORD", "right");
const PASSPHRASE: (&str, &str) = ("BORG_PASSPHRASE", "p");

/// A shop's database, a home, and a folder for files of it.
struct Shop {
    database: Container<'static>,
    home: Home<'static>,
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let environment = ["-e", "POSTGRES_DB=shop", "-e", "POSTGRES_HOST_AUTH_METHOD=trust"];
        let database = Engine::usual().container(&[&environment[..], &["postgres:15"]].concat());
        Engine::usual().wait_for_postgres(&database.name);
        let shop = Self { database, home: Home::new(), folder: tempfile::tempdir().unwrap() };
        shop.psql("create table payments(id int primary key, amount int)");
        shop.psql("insert into payments select n, n from generate_series(1, 250) n");
        shop
    }

    fn psql(&self, sql: &str) {
        Engine::usual().psql_in(&self.database.name, "shop", sql);
    }

    fn text(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A dump as a file of the folder's.
    fn dump(&self, options: &str, to: &str) -> PathBuf {
        let (engine, name) = (Engine::usual(), &self.database.name);
        let script = format!("pg_dump -U postgres {options} shop > /tmp/out");
        engine.docker(&["exec", name, "sh", "-c", &script]).expect(0);
        engine.docker(&["cp", &format!("{name}:/tmp/out"), &self.text(to)]).expect(0);
        self.folder.path().join(to)
    }

    /// The data directory's files, as they are at the moment.
    fn copy(&self, to: &str) {
        fs::create_dir_all(self.folder.path().join(to)).unwrap();
        let from = format!("{}:/var/lib/postgresql/data", self.database.name);
        Engine::usual().docker(&["cp", &from, &self.text(&format!("{to}/data"))]).expect(0);
    }

    fn rule(&self, rules: &[&str]) {
        let name = &self.database.name;
        let rules: Vec<String> =
            rules.iter().map(|rule| format!("[[backup]]\ncontainer = '{name}'\n{rule}\n")).collect();
        fs::write(self.folder.path().join("config.toml"), rules.join("\n")).unwrap();
    }

    fn variables(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [
            ("DBSAFE_CONFIG", self.text("config.toml")),
            ("DBSAFE_HOME", self.home.path().display().to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
    }

    fn run(&self, words: &[&str], status: i32, more: &[(&str, &str)]) -> Value {
        let variables = self.variables(more);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let words = [&["dbsafe"], words, &["--format", "json", &self.database.name]].concat();
        Engine::usual().docker_in(self.folder.path(), &words, &variables).expect(status).json()
    }

    /// The drills of the database: result, source, detail. Nothing that was fetched is left then.
    #[track_caller]
    fn drill(&self, status: i32, more: &[(&str, &str)]) -> Vec<(String, String, String)> {
        let document = self.run(&["drill"], status, more);
        fits_schema(&document, include_str!("../docs/drill.schema.json"));
        let left = fs::read_dir(self.home.path().join("transient"));
        assert_eq!(left.map_or(0, Iterator::count), 0, "what was fetched is left");
        let text = |drill: &Value, key: &str| drill[key].as_str().unwrap_or_default().to_owned();
        let drills = document["drills"].as_array().unwrap().iter();
        drills.map(|drill| (text(drill, "result"), text(drill, "source"), text(drill, "detail"))).collect()
    }

    /// What `backups` tells.
    fn backups(&self, more: &[(&str, &str)]) -> Value {
        let document = self.run(&["backups"], 0, more);
        fits_schema(&document, include_str!("../docs/backups.schema.json"));
        document["databases"][0].clone()
    }

    /// A restic repository with what these are, each a snapshot.
    fn restic(&self, name: &str, from: &[&str]) -> String {
        let repository = self.text(name);
        let own = [PASSWORD, ("RESTIC_REPOSITORY", repository.as_str())];
        if !self.folder.path().join(name).exists() {
            run(self.folder.path(), &["restic", "init", "-q"], &own);
        }
        for from in from {
            run(self.folder.path(), &["restic", "backup", "-q", from], &own);
        }
        format!("restic = {repository:?}")
    }

    fn borg(&self, name: &str, from: &str) -> String {
        let repository = self.text(name);
        let own = [PASSPHRASE, ("BORG_REPO", repository.as_str())];
        run(self.folder.path(), &["borg", "init", "-e", "repokey"], &own);
        run(self.folder.path(), &["borg", "create", "::one", from], &own);
        format!("borg = {repository:?}")
    }
}

/// Runs a program of this machine.
#[track_caller]
fn run(folder: &Path, words: &[&str], variables: &[(&str, &str)]) {
    let mut command = Command::new(words[0]);
    // A machine's own authorities are none of rclone's business, which refuses them.
    command.args(&words[1..]).current_dir(folder).env_remove("AWS_CA_BUNDLE").envs(variables.iter().copied());
    let output = command.output().unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The only drill; its source and detail.
#[track_caller]
fn only(told: Vec<(String, String, String)>, result: &str) -> (String, String) {
    assert!(told.len() == 1 && told[0].0 == result, "not one that {result}: {told:?}");
    let (_, source, detail) = told.into_iter().next().unwrap();
    (source, detail)
}

/// The row of `backups` that a drill is of.
#[track_caller]
fn row<'v>(known: &'v Value, source: &str) -> &'v Value {
    let mut rows = known["backups"].as_array().unwrap().iter();
    rows.find(|row| row["source"] == source).unwrap_or_else(|| panic!("no {source} in {known:#}"))
}

#[test]
fn a_dump_in_restic_is_fetched_and_restored() {
    let shop = Shop::new();
    shop.dump("-Fc", "shop.dump");
    shop.rule(&[&shop.restic("restic", &["shop.dump"])]);
    let (source, detail) = only(shop.drill(0, &[PASSWORD]), "proved");
    assert!(detail.starts_with("1 tables, 250 rows"), "{detail}");
    // It is the backup that counts, and the drill is known as its.
    let known = shop.backups(&[PASSWORD]);
    assert_eq!(row(&known, &source)["status"], "covered");
    assert!(!known["coverage"]["tested_at"].is_null(), "{known:#}");
    // A wrong password: nothing is known of it.
    let (_, detail) = only(shop.drill(12, &[("RESTIC_PASSWORD", "wrong")]), "unverified");
    assert!(detail.contains("restic says") && detail.contains("wrong password"), "{detail}");
}

#[test]
fn a_dump_that_is_cut_off_fails_and_others_dumps_are_none_of_the_datas() {
    let shop = Shop::new();
    let whole = fs::read(shop.dump("-Fc", "shop.dump")).unwrap();
    let borg = shop.borg("borg", "shop.dump");
    shop.rule(&[&borg]);
    // Somebody else's, cut off, in the same repository.
    fs::write(shop.folder.path().join("bank.dump"), &whole[..100]).unwrap();
    let own = [PASSPHRASE, ("BORG_REPO", &shop.text("borg"))];
    run(shop.folder.path(), &["borg", "create", "::two", "bank.dump"], &own);
    let (source, detail) = only(shop.drill(0, &[PASSPHRASE]), "proved");
    assert!(
        source.ends_with(" one shop.dump") && detail.starts_with("1 tables, 250 rows"),
        "{source} {detail}"
    );
    // Its own.
    fs::write(shop.folder.path().join("shop.dump"), &whole[..whole.len() - 40]).unwrap();
    run(shop.folder.path(), &["borg", "create", "::three", "shop.dump"], &own);
    let (source, _) = only(shop.drill(12, &[PASSPHRASE]), "failed");
    assert!(source.ends_with(" three shop.dump"), "{source}");
}

#[test]
fn a_whole_dump_that_breaks_in_its_restore_counts_no_longer() {
    let shop = Shop::new();
    let plain = shop.dump("", "shop.sql");
    let sql = fs::read_to_string(&plain).unwrap().replace("\n17\t17\n", "\n17\tseventeen\n");
    fs::write(&plain, sql).unwrap();
    shop.rule(&[&shop.borg("borg", "shop.sql")]);
    let before = shop.backups(&[PASSPHRASE]);
    let (source, detail) = only(shop.drill(12, &[PASSPHRASE]), "failed");
    assert!(detail.contains("invalid input syntax"), "{detail}");
    assert_eq!(row(&before, &source)["status"], "covered");
    let known = shop.backups(&[PASSPHRASE]);
    let row = row(&known, &source);
    assert_eq!((&row["status"], &row["fault"]), (&"stale".into(), &"unproved".into()), "{row:#}");
    assert_eq!(known["drill"]["result"], "failed");
}

#[test]
fn the_files_of_a_server_that_ran_prove_nothing() {
    let shop = Shop::new();
    shop.copy("running");
    shop.rule(&[&shop.restic("restic", &["running"])]);
    let (_, detail) = only(shop.drill(12, &[PASSWORD]), "unverified");
    assert!(detail.contains("1 table, 250 rows") && detail.contains("its server ran while"), "{detail}");
}

/// The data directory of the shop's server, stopped in order; it runs again.
fn stopped(shop: &Shop) -> PathBuf {
    let (engine, name) = (Engine::usual(), &shop.database.name);
    engine.docker(&["stop", name]).expect(0);
    shop.copy("stopped");
    engine.docker(&["start", name]).expect(0);
    engine.wait_for_postgres(name);
    shop.folder.path().join("stopped/data")
}

#[test]
fn a_data_directory_in_restic_is_put_under_a_server_and_started() {
    let shop = Shop::new();
    stopped(&shop);
    shop.rule(&[&shop.restic("restic", &["stopped"])]);
    let (_, detail) = only(shop.drill(0, &[PASSWORD]), "proved");
    assert!(detail.contains("1 table, 250 rows"), "{detail}");
}

#[test]
fn a_data_directory_in_borg_is_started_unless_something_is_amiss() {
    let shop = Shop::new();
    let data = stopped(&shop);
    shop.rule(&[&shop.borg("borg", "stopped/data")]);
    let (_, detail) = only(shop.drill(0, &[PASSPHRASE]), "proved");
    assert!(detail.contains("1 table, 250 rows"), "{detail}");
    // What a link in it stands for was not backed up.
    std::os::unix::fs::symlink("/etc", data.join("pg_tblspc/16400")).unwrap();
    shop.rule(&[&shop.borg("linked", "stopped/data")]);
    let (_, detail) = only(shop.drill(12, &[PASSPHRASE]), "unverified");
    assert!(detail.contains("symbolic link"), "{detail}");
    // And one that no server starts on.
    fs::remove_file(data.join("pg_tblspc/16400")).unwrap();
    fs::remove_dir_all(data.join("pg_xact")).unwrap();
    shop.rule(&[&shop.borg("broken", "stopped/data")]);
    let (_, detail) = only(shop.drill(12, &[PASSPHRASE]), "failed");
    assert!(detail.contains("does not come up on the copy"), "{detail}");
}

#[test]
fn objects_and_files_of_a_remote_are_fetched_and_restored() {
    let shop = Shop::new();
    shop.dump("-Fc", "shop.dump");
    let cloud = Cloud::start();
    let own = cloud.environment();
    let mut variables: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let endpoint = format!("http://127.0.0.1:{}", cloud.s3_port);
    variables.extend([
        ("RCLONE_S3_PROVIDER", "Other"),
        ("RCLONE_S3_ENDPOINT", endpoint.as_str()),
        ("RCLONE_S3_ACCESS_KEY_ID", "test"),
        ("RCLONE_S3_SECRET_ACCESS_KEY", "test"),
    ]);
    run(shop.folder.path(), &["rclone", "copy", "shop.dump", ":s3:bucket/shop"], &variables);
    for rule in ["object = 's3://bucket/shop'", "rclone = ':s3:bucket/shop'"] {
        shop.rule(&[rule]);
        let (source, detail) = only(shop.drill(0, &variables), "proved");
        assert!(
            source.contains("shop.dump") && detail.starts_with("1 tables, 250 rows"),
            "{source} {detail}"
        );
    }
    // A bucket that is not there is no failure of a backup.
    shop.rule(&["object = 's3://nowhere/shop'"]);
    let (source, _) = only(shop.drill(12, &variables), "unverified");
    assert!(source.contains("nowhere"), "{source}");
    // The newest wins, wherever it is.
    let newer = shop.dump("-Fc", "newer.dump");
    shop.rule(&["object = 's3://bucket/shop'", &format!("files = {:?}", newer.display().to_string())]);
    let (source, _) = only(shop.drill(0, &variables), "proved");
    assert!(source.ends_with("newer.dump"), "{source}");
}

/// A restic that stops in the middle of what it hands out for the second time; the folder that it is in.
fn stalling(shop: &Shop) -> String {
    let programs = shop.folder.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    let found = Command::new("sh").args(["-c", "command -v restic"]).output().unwrap().stdout;
    let restic = String::from_utf8(found).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *' dump '*) ;; *) exec {real} \"$@\";; esac\nif [ -e {marker} ]; then {real} \"$@\" | head -c 1000; exec sleep 600; fi\n: > {marker}\nexec {real} \"$@\"\n",
        real = restic.trim(),
        marker = shop.text("marker"),
    );
    fs::write(programs.join("restic"), script).unwrap();
    run(&programs, &["chmod", "755", "restic"], &[]);
    programs.display().to_string()
}

/// A drill that is in the middle of its fetch.
fn fetching(shop: &Shop, programs: &str) -> Child {
    let _ = fs::remove_file(shop.folder.path().join("marker"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"));
    command.args(["dbsafe", "drill", &shop.database.name]).current_dir(shop.folder.path());
    Engine::usual().isolate(&mut command).envs(shop.variables(&[PASSWORD]));
    let path = format!("{programs}:{}", Engine::usual().path());
    let child = command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let is_fetching = || {
        let entries = fs::read_dir(shop.home.path().join("transient")).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| fs::metadata(entry.path().join("dump")).is_ok_and(|file| file.len() > 0))
    };
    while !is_fetching() {
        assert!(start.elapsed() < PATIENCE, "nothing is fetched");
        std::thread::yield_now();
    }
    child
}

#[test]
fn what_was_fetched_goes_when_the_drill_is_given_up_and_after_a_kill() {
    let shop = Shop::new();
    shop.dump("-Fc", "shop.dump");
    shop.rule(&[&shop.restic("restic", &["shop.dump"])]);
    let programs = stalling(&shop);
    let left = || fs::read_dir(shop.home.path().join("transient")).map_or(0, Iterator::count);
    let signal = |child: &mut Child, signal: &str| {
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap()
    };
    let mut child = fetching(&shop, &programs);
    assert!(!signal(&mut child, "-INT").success());
    assert_eq!(left(), 0);
    let mut child = fetching(&shop, &programs);
    signal(&mut child, "-KILL");
    assert_eq!(left(), 1);
    // The next run takes that away before all else.
    shop.rule(&[]);
    assert_eq!(shop.drill(12, &[])[0].2, "there is no backup to restore");
}
