//! Snapshots that are encrypted on this host's own disk: nothing in them is readable without the key, they are proved
//! without it, and with it everything comes back.

#![cfg_attr(all(), allow(clippy::unwrap_used, reason = "a test stops at what it did not expect"))]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use support::{
    Container, Engine, Ran, Stack, fits_schema,
    home::{Home, postgres},
};

/// What stands in every kind of data, and in no file of a snapshot.
const MARKER: &str = "zarathustras-tafelrunde";

/// A home whose snapshots are encrypted, and two keys that lie elsewhere.
struct Vault {
    home: Home<'static>,
    keys: tempfile::TempDir,
    settings: PathBuf,
}

impl Vault {
    fn new(more: &str) -> Self {
        let (home, keys) = (Home::new(), tempfile::tempdir().unwrap());
        let mut public = Vec::new();
        for name in ["own", "other"] {
            let made = Engine::usual().program_in("age-keygen", keys.path(), &["-o", name], &[]).expect(0);
            public.push(made.stderr.split_whitespace().last().unwrap().to_owned());
        }
        let settings = keys.path().join("settings.toml");
        let own = &public[0];
        let text = format!("[encryption]\nat_rest = true\nrecipients = [\"{own}\"]\n{more}\n");
        fs::write(&settings, text).unwrap();
        Self { home, keys, settings }
    }

    fn key(&self, name: &str) -> String {
        self.keys.path().join(name).to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], status: i32) -> Ran {
        self.run_in(self.home.path(), arguments, &[], status)
    }

    #[track_caller]
    fn run_with_key(&self, key: &str, arguments: &[&str], status: i32) -> Ran {
        self.run_in(self.home.path(), arguments, &[("DBSAFE_AGE_IDENTITY", &self.key(key))], status)
    }

    #[track_caller]
    fn run_in(&self, folder: &Path, arguments: &[&str], more: &[(&str, &str)], status: i32) -> Ran {
        let own = [
            ("DBSAFE_HOME", self.home.path().to_str().unwrap()),
            ("DBSAFE_CONFIG", self.settings.to_str().unwrap()),
        ];
        let arguments = [&["dbsafe"], arguments].concat();
        Engine::usual().docker_in(folder, &arguments, &[&own[..], more].concat()).expect(status)
    }

    /// What doctor says, whatever else it finds on this machine.
    fn doctor(&self, more: &[(&str, String)]) -> serde_json::Value {
        let settings = [("DBSAFE_CONFIG", self.settings.to_str().unwrap().to_owned())];
        self.home.run_with(&["doctor", "--format", "json"], &[&settings[..], more].concat()).json()
    }

    /// The only snapshot's folder.
    #[track_caller]
    fn folder(&self) -> PathBuf {
        let snapshots = self.home.snapshots();
        assert_eq!(snapshots.len(), 1, "{snapshots:?}");
        snapshots[0].clone()
    }
}

/// What a command writes to its standard output, with this file as its input.
fn piped(program: &str, arguments: &[&str], input: Vec<u8>) -> (bool, Vec<u8>) {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut sink = child.stdin.take().unwrap();
    // What refuses its input hangs up.
    let writing = std::thread::spawn(move || drop(sink.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    (output.status.success(), output.stdout)
}

/// Whether the marker stands in it. grep is faster than a test.
fn is_marked(content: &[u8]) -> bool {
    piped("grep", &["-qaF", MARKER], content.to_vec()).0
}

fn rows(container: &str) -> String {
    Engine::usual().payment_rows(container)
}

/// A Postgres in its writable layer, a Redis in memory, a MariaDB in a volume, and an application's SQLite file.
const SHOP: &str = "
services:
  db:
    image: postgres:15
    networks: [back]
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust, WORD: zarathustras-tafelrunde }
  cache:
    image: redis:7
    networks: [back]
    command: [redis-server, --save, '']
  ledger:
    image: mariadb:10.11
    networks: [back]
    environment: { MARIADB_ROOT_PASSWORD: secret, MARIADB_DATABASE: shop }
    volumes: [ledger:/var/lib/mysql]
  app: { image: 'sqlite-app:1', network_mode: none, stop_signal: SIGKILL }
networks: { back: }
volumes: { ledger: }
";

#[test]
fn no_file_of_a_project_is_readable_without_the_key_that_brings_it_all_back() {
    let (engine, vault) = (Engine::usual(), Vault::new(""));
    let stack = Stack::up(engine, SHOP);
    let [db, cache, ledger, app] = ["db", "cache", "ledger", "app"].map(|name| stack.container(name));
    engine.fill_payments(&db);
    engine.psql(&db, &format!("create table words as select '{MARKER}' as word"));
    let before = rows(&db);
    let maria = ["mariadb", "-h127.0.0.1", "-uroot", "-psecret", "shop", "-Ne"];
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let sql = format!("create table t(a text); insert into t values ('{MARKER}')");
    engine.docker(&[&["exec", &ledger], &maria[..], &[&sql]].concat()).expect(0);
    engine.wait_for(&cache, &["redis-cli", "set", "key", MARKER]);
    let sql = format!("create table words(a); insert into words values ('{MARKER}')");
    engine.docker(&["exec", &app, "sqlite3", "/app/data/app.db", &sql]).expect(0);

    // The offer says what it takes to take the command back.
    let offered = vault.run_in(&stack.folder, &["down", "-v"], &[], 10);
    assert!(offered.says("no key is here: undo needs --identity FILE"), "{offered:?}");
    let saved = vault.run_in(&stack.folder, &["down", "-v", "--snapshot"], &[], 0);
    assert!(saved.says("snapshots are encrypted for age1"), "{saved:?}");
    assert!(saved.says("whoever loses its secret key has lost these backups"), "{saved:?}");
    assert!(saved.stderr.contains("proved"), "{saved:?}");
    assert_eq!(stack.containers(), Vec::<String>::new());

    let folder = vault.folder();
    let (mut sealed, mut plain) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".age") { sealed.push(path) } else { plain.push(name) }
    }
    plain.sort();
    assert_eq!(plain, ["SHA256SUMS", "manifest.json", "outcome.json"]);
    assert!(sealed.len() >= 8, "{sealed:?}");
    for name in &plain {
        assert!(!is_marked(&fs::read(folder.join(name)).unwrap()), "{name}");
    }
    let mut found = 0;
    for path in &sealed {
        let content = fs::read(path).unwrap();
        assert!(content.starts_with(b"age-encryption.org/v1\n"), "{path:?}");
        assert!(!is_marked(&content), "{path:?}");
        for (program, arguments) in [("zstd", "-dcq"), ("tar", "-t")] {
            let (opened, inside) = piped(program, &[arguments], content.clone());
            assert!(!opened && inside.is_empty(), "{path:?}");
        }
        // `age -d` opens it, with the recipient's key and no other.
        let with = |key: &str| piped("age", &["-d", "-i", &vault.key(key)], content.clone());
        assert!(!with("other").0);
        let (opened, mut inside) = with("own");
        assert!(opened, "{path:?}");
        if inside.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let (whole, unpacked) = piped("zstd", &["-dcq"], inside);
            assert!(whole, "{path:?}");
            inside = unpacked;
        }
        found += usize::from(is_marked(&inside));
    }
    // The copies, the dumps that are not in a form of their own, and the environment.
    assert!(found >= 5, "{found}");
    engine.program_in("sha256sum", &folder, &["--quiet", "-c", "SHA256SUMS"], &[]).expect(0);
    let manifest = fs::metadata(folder.join("manifest.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&manifest.permissions()) & 0o777, 0o600);
    let document = vault.run(&["snapshots", "ls", "--format", "json"], 0).json();
    fits_schema(&document, include_str!("../docs/snapshots.schema.json"));
    assert!(vault.run(&["snapshots", "show", "latest"], 0).stdout.contains("encrypted  for age1"));

    // Without the key, and with another's: a sentence, and nothing was done.
    let nothing = || {
        assert_eq!(stack.containers(), Vec::<String>::new());
        assert!(!engine.volume_exists(&format!("{}_ledger", stack.name)));
    };
    let refused = vault.run_in(&stack.folder, &["undo"], &[], 12);
    assert!(refused.says("cannot be opened: it is encrypted, and no identity is at hand"), "{refused:?}");
    assert!(refused.says("export DBSAFE_AGE_IDENTITY=FILE"), "{refused:?}");
    nothing();
    let refused = vault.run_in(&stack.folder, &["undo", "--identity", &vault.key("other")], &[], 12);
    assert!(refused.says("it is encrypted for others than the identity in"), "{refused:?}");
    nothing();

    vault.run_in(&stack.folder, &["undo", "--identity", &vault.key("own")], &[], 0);
    assert_eq!(rows(&db), before);
    engine.wait_for(&ledger, &[&maria[..], &["select 1"]].concat());
    let asked = engine.docker(&[&["exec", &ledger], &maria[..], &["select a from t"]].concat());
    assert_eq!(asked.stdout.trim(), MARKER);
    assert_eq!(engine.docker(&["exec", &cache, "redis-cli", "get", "key"]).stdout.trim(), MARKER);
    let sql = "select a from words";
    let asked = engine.docker(&["exec", &app, "sqlite3", "/app/data/app.db", sql]).expect(0);
    assert_eq!(asked.stdout.trim(), MARKER);
}

#[test]
fn every_way_back_takes_the_key_and_changes_nothing_without_it() {
    let (engine, vault, container) = (Engine::usual(), Vault::new(""), postgres());
    let before = rows(&container.name);
    let saved = vault.run(&["snapshot", &container.name], 0);
    assert!(saved.stdout.contains("proved") && saved.stdout.contains("holds the same"), "{saved:?}");
    assert!(saved.says("nobody on this host can open or restore them"), "{saved:?}");
    // Said once, and what is said by doctor stays.
    let doctor = vault.doctor(&[]);
    fits_schema(&doctor, include_str!("../docs/doctor.schema.json"));
    assert!(doctor.to_string().contains("no key is here: if it is lost, every snapshot is lost"), "{doctor}");
    let keyed = |key: &str| vault.doctor(&[("DBSAFE_AGE_IDENTITY", vault.key(key))]).to_string();
    assert!(keyed("own").contains("the identity here opens it"));
    assert!(keyed("other").contains("it is encrypted for others than the identity in"));
    assert!(vault.run(&["config"], 0).stdout.contains("encrypted at rest"));

    let (state, loaded, other) = (container.state(), Container::to_come(engine), Container::to_come(engine));
    let (to, of_image) = (format!("container:{}", loaded.name), format!("container:{}", other.name));
    let ways: [&[&str]; 6] = [
        &["restore", "latest", "--to", &to],
        &["restore", "latest", "--to", &of_image, "--image", "postgres:15"],
        &["restore", "latest", "--database", "postgres", "--as", "back"],
        &["restore", "latest"],
        &["snapshots", "verify", "latest"],
        &["restore", "latest", "--swap"],
    ];
    let id = vault.folder().file_name().unwrap().to_string_lossy().into_owned();
    let label = format!("label=dbsafe.restored-from={id}");
    let restored = || engine.docker(&["volume", "ls", "-q", "--filter", &label]).expect(0).stdout;
    let unproved = || !vault.folder().join("verification.json").exists();
    for way in ways {
        let refused = vault.run(way, 12);
        assert!(refused.says("it is encrypted, and no identity is at hand"), "{way:?} {refused:?}");
        let refused = vault.run_with_key("other", way, 12);
        assert!(refused.says("it is encrypted for others than the identity in"), "{way:?} {refused:?}");
        assert_eq!((container.state(), restored()), (state.clone(), String::new()), "{way:?}");
        assert!(!engine.exists(&loaded.name) && !engine.exists(&other.name) && unproved(), "{way:?}");
    }
    // A drill says so of it, and tells of the others.
    let drilled = vault.run(&["drill", &container.name], 12);
    assert!(drilled.stdout.contains("no identity is at hand") && unproved(), "{drilled:?}");
    // What lies there is compared without a key.
    let verified = vault.run(&["snapshots", "verify", "latest", "--checksum"], 0);
    assert!(verified.stdout.contains("without their key they were not opened"), "{verified:?}");

    // The last is of its own.
    for way in &ways[..5] {
        vault.run_with_key("own", way, 0);
    }
    assert_eq!(rows(&loaded.name), before);
    assert_eq!(rows(&other.name), before);
    assert_eq!(engine.psql_in(&container.name, "back", "select sum(amount) from payments"), "350");
    for volume in restored().lines() {
        // Those of containers go with them.
        engine.docker(&["volume", "rm", volume]);
    }
}

#[test]
fn what_a_swap_takes_away_is_encrypted_too_and_a_flipped_byte_is_seen_without_a_key() {
    let (engine, vault, container) = (Engine::usual(), Vault::new(""), postgres());
    let before = rows(&container.name);
    vault.run(&["snapshot", "--checksum", &container.name], 0);
    engine.psql(&container.name, "delete from payments");
    vault.run_with_key("own", &["restore", "latest", "--swap"], 0);
    assert_eq!(rows(&container.name), before);
    assert_eq!(vault.home.snapshots().len(), 2);
    for folder in vault.home.snapshots() {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names = names.map(|name| name.to_string_lossy().into_owned());
        assert!(names.all(|name| name.ends_with(".age") || name.ends_with(".json") || name == "SHA256SUMS"));
    }
    // One byte of an encrypted file is enough.
    let newest = vault.run(&["snapshots", "ls", "--json"], 0).json()[0].clone();
    let folder = vault.home.path().join("snapshots").join(newest["id"].as_str().unwrap());
    let path = folder.join(newest["items"][0]["artifacts"][0]["file"].as_str().unwrap());
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&path, content).unwrap();
    assert!(
        vault
            .run(&["snapshots", "verify", "latest", "--checksum"], 12)
            .stdout
            .contains("its checksum differs")
    );
}

#[test]
fn a_move_into_a_volume_needs_no_key() {
    let (engine, vault) = (Engine::usual(), Vault::new(""));
    let stack = Stack::up(
        engine,
        "services:\n  db:\n    image: postgres:15\n    network_mode: none\n    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }\n",
    );
    let db = stack.container("db");
    engine.fill_payments(&db);
    let before = rows(&db);
    vault.run_in(&stack.folder, &["migrate", "db", "--yes"], &[], 0);
    assert_eq!(rows(&stack.container("db")), before);
    assert!(vault.home.file("-data-").to_string_lossy().ends_with(".tar.zst.age"));
}

#[test]
fn a_copy_off_the_host_is_what_lies_here_and_comes_back_as_it_was() {
    let (engine, remote) = (Engine::usual(), tempfile::tempdir().unwrap());
    let url = remote.path().to_str().unwrap();
    let (vault, container) = (Vault::new(&format!("[remote]\nurl = \"{url}\"")), postgres());
    let before = rows(&container.name);
    let saved = vault.run(&["snapshot", "--checksum", &container.name], 0);
    // Once, and not again for the copy.
    assert_eq!(saved.stderr.matches("whoever loses its secret key").count(), 1, "{saved:?}");
    assert!(saved.says("encrypted,"), "{saved:?}");
    let folder = vault.folder();
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let names = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let sealed: Vec<String> = names(&folder).into_iter().filter(|name| name.ends_with(".age")).collect();
    for name in &sealed {
        let (here, there) = (folder.join(name), remote.path().join(&id).join(name));
        assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap(), "{name}");
    }
    let there = names(&remote.path().join(&id));
    assert!(there.iter().all(|name| !name.ends_with(".age.age")), "{there:?}");
    assert!(there.contains(&"manifest.json.age".to_owned()) && !there.contains(&"manifest.json".to_owned()));
    // Nothing is left to send.
    assert!(vault.run(&["snapshots", "push"], 0).stdout.contains("0 B sent"));
    vault.run(&["snapshots", "verify", "latest", "--remote"], 0);

    // The host's own copy is lost.
    vault.run(&["snapshots", "rm", "--force", &id], 0);
    assert!(vault.run(&["snapshots", "pull", &id], 1).says("--identity FILE"));
    vault.run_with_key("own", &["snapshots", "pull", &id], 0);
    let back: Vec<String> =
        names(&vault.folder()).into_iter().filter(|name| name.ends_with(".age")).collect();
    assert_eq!(back, sealed);
    let restored = Container::to_come(engine);
    let to = format!("container:{}", restored.name);
    vault.run(&["restore", &id, "--to", &to], 12);
    vault.run(&["restore", &id, "--to", &to, "--identity", &vault.key("own")], 0);
    assert_eq!(rows(&restored.name), before);

    // Whoever else the settings name by now: what is encrypted already is for whom it was.
    let settings = fs::read_to_string(&vault.settings).unwrap();
    let other = fs::read_to_string(vault.keys.path().join("other")).unwrap();
    let other = other.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let own = settings.split('"').nth(1).unwrap().to_owned();
    fs::write(&vault.settings, settings.replace(&own, &other)).unwrap();
    let pushed = vault.run(&["snapshots", "push"], 0);
    assert!(pushed.says("copied as is, and not for the recipients of the settings"), "{pushed:?}");
}

#[test]
fn who_wants_it_and_names_nobody_is_told_before_anything_is_done() {
    let (vault, container) = (Vault::new(""), postgres());
    fs::write(&vault.settings, "[encryption]\nat_rest = true\n").unwrap();
    let state = container.state();
    for arguments in [&["snapshot", &container.name][..], &["rm", "-f", "-v", "--snapshot", &container.name]]
    {
        let refused = vault.run(arguments, 2);
        assert!(
            refused.says("at_rest is set, and no recipients who could open the snapshots"),
            "{refused:?}"
        );
        container.is_as_before(&vault.home, &state);
    }
    let doctor = vault.doctor(&[]).to_string();
    assert!(doctor.contains("no recipients who could open the snapshots"), "{doctor}");
}
