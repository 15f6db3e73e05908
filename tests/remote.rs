//! Copies off this host, to real object stores on loopback: what is killed goes on, what lies is found out, and what
//! comes back is what was there, row for row.

#![cfg_attr(all(), allow(clippy::unwrap_used, reason = "a test stops at what it did not expect"))]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use support::{
    Container, Engine, Ran,
    cloud::{Azure, Cloud},
    fits_schema,
    home::{Home, postgres},
};

/// A home with settings of its own, and what its commands are run with.
struct Host {
    home: Home<'static>,
    environment: Vec<(&'static str, String)>,
}

impl Host {
    fn new(cloud: &Cloud, settings: &str) -> Self {
        let home = Home::new();
        let path = home.path().join("settings.toml");
        fs::write(&path, settings).unwrap();
        let mut environment = cloud.environment();
        environment.push(("DBSAFE_CONFIG", path.to_str().unwrap().to_owned()));
        Self { home, environment }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], status: i32) -> Ran {
        self.home.run_with(arguments, &self.environment).expect(status)
    }

    /// The id of its only snapshot.
    fn id(&self) -> String {
        let folders = fs::read_dir(self.home.path().join("snapshots")).unwrap();
        let names = folders.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.path().join("uploads"));
        entries.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }
}

fn rows(container: &str) -> String {
    Engine::usual().payment_rows(container)
}

/// Parts that an upload's note says have arrived.
fn parts_of(note: &Path) -> usize {
    let json = fs::read(note).ok().and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    json.map_or(0, |json| json["parts"].as_object().map_or(0, serde_json::Map::len))
}

#[test]
fn a_killed_push_goes_on_and_a_bucket_that_lies_is_found_out() {
    let (engine, mut cloud, container) = (Engine::usual(), Cloud::start(), postgres());
    let before = rows(&container.name);
    let ballast = "head -c 50000000 /dev/urandom > /srv/pg/ballast";
    engine.docker(&["exec", &container.name, "sh", "-c", ballast]).expect(0);
    let host = Host::new(&cloud, "[remote]\nurl = \"s3://bucket/a/b\"\nauto = false\n");
    host.run(&["snapshot", "--checksum", &container.name], 0);
    let id = host.id();
    assert!(host.run(&["snapshots", "ls"], 0).stdout.contains("none"));

    cloud.order("hold 3");
    let mut push = Command::new(env!("CARGO_BIN_EXE_docker-dbsafe"))
        .args(["dbsafe", "snapshots", "push", "latest"])
        .env_clear()
        .env("PATH", engine.path())
        .env("DOCKER_HOST", &engine.host)
        .env("DBSAFE_HOME", host.home.path())
        .envs(host.environment.iter().map(|(name, value)| (*name, value.as_str())))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while host.uploads().first().is_none_or(|note| parts_of(note) < 3) {
        assert!(Instant::now() < patience, "no part arrived: {:?}", push.try_wait());
        std::thread::yield_now();
    }
    push.kill().unwrap();
    push.wait().unwrap();
    let listed = host.run(&["snapshots", "ls", "--remote"], 0);
    assert!(!listed.stdout.contains(&id), "{listed:?}");
    cloud.order("go");
    host.run(&["snapshots", "push"], 0);
    // The copy has 6 parts and some; three had arrived before the kill.
    let again: usize = cloud.order("parts").parse().unwrap();
    assert!((3..=5).contains(&again), "{again} parts were sent again");
    assert_eq!(host.uploads(), Vec::<PathBuf>::new());
    assert!(host.run(&["snapshots", "ls"], 0).stdout.contains("off this host"));
    assert!(host.run(&["snapshots", "ls", "--remote"], 0).stdout.contains(&id));
    host.run(&["snapshots", "verify", "latest", "--remote"], 0);

    // The host's own copy is lost, and the container.
    host.run(&["snapshots", "rm", "--force", &id], 0);
    let back = Container::to_come(engine);
    let to = format!("container:{}", back.name);
    let refused = host.run(&["restore", "latest", "--to", &to], 12);
    // Its environment's values never left the host of the snapshot; what is the image's own does not matter.
    let missing = "--env-file FILE, with lines NAME=VALUE, gives PGDATA, POSTGRES_HOST_AUTH_METHOD";
    assert!(refused.stderr.trim_end().ends_with(missing), "{refused:?}");
    let values = host.home.path().join("values");
    fs::write(&values, "# of the compose file\nPGDATA=/srv/pg\nPOSTGRES_HOST_AUTH_METHOD=trust\n").unwrap();
    host.run(&["restore", "latest", "--to", &to, "--env-file", values.to_str().unwrap()], 0);
    assert_eq!(rows(&back.name), before);
    host.run(&["snapshots", "rm", "--remote", &id], 1);

    let keys = cloud.order("keys");
    let key = keys.split(' ').find(|key| key.ends_with(".tar.zst")).unwrap().to_owned();
    for (lie, said) in [("flip", "its checksum differs"), ("truncate", "it has 100 bytes")] {
        cloud.order(&format!("{lie} {key}"));
        let other = Host::new(&cloud, "[remote]\nurl = \"s3://bucket/a/b\"\n");
        let verified = host.run(&["snapshots", "verify", "latest", "--remote"], 12);
        assert!(verified.stdout.contains(said), "{verified:?}");
        let pulled = other.run(&["snapshots", "pull", "latest"], 12);
        assert!(pulled.says(said), "{pulled:?}");
        assert_eq!(other.run(&["snapshots", "ls", "--json"], 0).json(), serde_json::json!([]));
        let status = if lie == "flip" { 0 } else { 12 };
        let listed = host.run(&["snapshots", "ls", "--remote"], status);
        assert_eq!(listed.stdout.contains("DAMAGED"), lie == "truncate", "{listed:?}");
        host.run(&["snapshots", "push", "latest"], 0);
        host.run(&["snapshots", "verify", "latest", "--remote"], 0);
    }
    let document = host.run(&["snapshots", "ls", "--remote", "--json"], 0).json();
    fits_schema(&document, include_str!("../docs/remote.schema.json"));
    host.run(&["snapshots", "prune", "--remote", "--keep-last", "1", "--yes"], 0);
    host.run(&["snapshots", "rm", "--remote", "--force", &id], 0);
    assert_eq!(cloud.order("keys"), "");
}

/// Runs the suite that every remote must pass on these.
fn expect_suite_passes(remotes: &str, environment: Vec<(&'static str, String)>) {
    let mut cargo = Command::new(env!("CARGO"));
    // What this test's own cargo has set would have half of everything compiled again.
    let set = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "NEXTEST"];
    for (name, _) in std::env::vars_os() {
        if set.iter().any(|beginning| name.to_string_lossy().starts_with(beginning)) {
            cargo.env_remove(name);
        }
    }
    let ran = cargo
        .args(["test", "--lib", "--", "remote::suite"])
        .envs(environment)
        .env("DBSAFE_TEST_REMOTES", remotes)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("5 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn both_stores_pass_the_suite_of_every_remote() {
    let cloud = Cloud::start();
    expect_suite_passes("s3://bucket/suite gs://bucket/suite", cloud.environment());
}

#[test]
#[ignore = "it needs Node.js, and fetches Azurite: cargo test --test remote azure -- --ignored"]
fn azure_passes_the_suite_of_every_remote() {
    let azure = Azure::start();
    expect_suite_passes("az://bucket/suite", azure.environment());
}

#[test]
fn an_encrypted_copy_follows_a_snapshot_by_itself_and_comes_back_with_its_key_only() {
    let (engine, cloud, container) = (Engine::usual(), Cloud::start(), postgres());
    let before = rows(&container.name);
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key.txt");
    let key = key.to_str().unwrap();
    let made = engine.program_in("age-keygen", keys.path(), &["-o", key], &[]).expect(0);
    let public = made.stderr.split_whitespace().last().unwrap().to_owned();
    let settings =
        format!("[remote]\nurl = \"gs://bucket/shop\"\n[encryption]\nrecipients = [\"{public}\"]\n");
    let host = Host::new(&cloud, &settings);
    let ran = host.run(&["snapshot", "--checksum", &container.name], 0);
    assert!(ran.says("whoever loses its secret key has lost these backups"), "{ran:?}");
    assert!(ran.says("encrypted,"), "{ran:?}");
    let id = host.id();
    assert!(host.run(&["snapshots", "ls"], 0).stdout.contains("off this host"));
    host.run(&["snapshots", "rm", "--force", &id], 0);

    let elsewhere = Host::new(&cloud, &settings);
    let listed = elsewhere.run(&["snapshots", "ls", "--remote"], 0);
    assert!(listed.stdout.contains("encrypted") && !listed.stdout.contains(&container.name), "{listed:?}");
    let doctor = elsewhere.home.run_with(&["doctor", "--format", "json"], &elsewhere.environment).json();
    fits_schema(&doctor, include_str!("../docs/doctor.schema.json"));
    let doctor = doctor.to_string();
    assert!(doctor.contains("gs://bucket/shop: 1 snapshot") && doctor.contains("no key is here"), "{doctor}");
    let refused = elsewhere.run(&["restore", "latest"], 1);
    assert!(refused.says("--identity FILE"), "{refused:?}");
    let back = Container::to_come(engine);
    let to = format!("container:{}", back.name);
    elsewhere.run(&["restore", "latest", "--to", &to, "--identity", key], 0);
    assert_eq!(rows(&back.name), before);
    assert!(!container.state().is_empty());

    // A copy that fails is a warning.
    let failing = Host::new(&cloud, "[remote]\nurl = \"s3://nowhere/p\"\n");
    let ran = failing.run(&["snapshot", "--checksum", &container.name], 0);
    assert!(ran.says("is on this host only"), "{ran:?}");
    assert!(failing.run(&["snapshots", "ls"], 0).stdout.contains("FAILED"));

    // age opens it, and sha256sum knows it.
    let folder = tempfile::tempdir().unwrap();
    let mounted = Host::new(&cloud, &settings.replace("gs://bucket/shop", folder.path().to_str().unwrap()));
    mounted.run(&["snapshot", "--checksum", &container.name], 0);
    let copy = folder.path().join(mounted.id());
    engine.program_in("sha256sum", &copy, &["--quiet", "-c", "SHA256SUMS"], &[]).expect(0);
    let opened = engine.program_in("age", &copy, &["-d", "-i", key, "manifest.json.age"], &[]).expect(0);
    assert!(opened.stdout.contains(&container.name), "{opened:?}");
}
