//! Schedules on a real engine, with Debian's crontab on a spool of its own: the line that it writes does what a person
//! asked for, and other lines are not touched. There is no daemon: a shell runs the line, as cron would. And a real
//! systemd, the first process of a container, which starts a run by itself.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::mpsc,
};

use support::{
    Container, Engine, Ran, fits_schema,
    home::{Home, postgres},
    lab,
};

/// Debian's crontab in front of the PATH, in a mount namespace where the spool is a folder of the test's own.
fn crontab(home: &Home<'_>) -> String {
    let programs = home.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    let script = format!(
        "#!/bin/sh\nexec unshare --mount sh -ec 'mount -t tmpfs none /var/spool\n\
        mkdir -p /var/spool/cron/crontabs\nmount --bind {0} /var/spool/cron/crontabs\nexec {1} \"$@\"' crontab \"$@\"\n",
        spool(home).display(),
        lab(&["crontab"])
    );
    let program = programs.join("crontab");
    fs::create_dir_all(spool(home)).unwrap();
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", programs.display(), Engine::usual().path())
}

fn dbsafe(home: &Home<'_>, path: &str, arguments: &[&str]) -> Ran {
    let own = home.path().to_str().unwrap();
    let environment = [("DBSAFE_HOME", own), ("PATH", path)];
    Engine::usual().docker_in(home.path(), &[&["dbsafe"], arguments].concat(), &environment)
}

/// A web server for one request: its URL, and where what it was sent arrives.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret", listener.local_addr().unwrap());
    let (send, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut buffer) = (String::new(), [0; 4096]);
        while !request.ends_with('}') {
            let count = stream.read(&mut buffer).unwrap();
            request.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
        send.send(request).unwrap();
    });
    (url, told)
}

fn spool(home: &Home<'_>) -> PathBuf {
    home.path().join("spool")
}

/// The lines of root's crontab, but for those that its own program puts on top.
fn table(home: &Home<'_>) -> String {
    let text = fs::read_to_string(spool(home).join("root")).unwrap();
    text.lines()
        .skip_while(|line| line.starts_with("# ") && !line.contains("dbsafe"))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// Runs a schedule's line as cron does: by a shell, somewhere, with an environment of its own.
fn tick(home: &Home<'_>) -> Ran {
    let written = table(home);
    let line = written.lines().find(|line| line.contains("schedule run")).unwrap();
    let command = line.splitn(6, ' ').nth(5).unwrap().replace("\\%", "%");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &command])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/")
        .env("LOGNAME", "root");
    Ran::of(&shell.current_dir("/").output().unwrap())
}

#[test]
fn a_crontab_line_saves_records_and_retires() {
    let (home, container) = (Home::new(), postgres());
    let path = crontab(&home);
    let mine = home.path().join("mine");
    fs::write(&mine, "MAILTO=ann\n@daily something\n").unwrap();
    let program = home.path().join("programs/crontab");
    assert!(Command::new(&program).arg(&mine).status().unwrap().success());
    let add = ["schedule", &container.name, "--every", "6h", "--keep", "1", "--drill", "never"];
    let ran = dbsafe(&home, &path, &add).expect(0);
    let written = table(&home);
    assert!(written.starts_with("MAILTO=ann\n@daily something\n# dbsafe schedule"), "{written}");
    let line = written.lines().find(|line| line.contains("schedule run")).unwrap();
    assert!(ran.stdout.contains(line), "{ran:?}");
    // A second one of the same name would be a mistake.
    dbsafe(&home, &path, &add).expect(2);
    let run = || tick(&home);
    let hand_made = dbsafe(&home, &path, &["snapshot", &container.name]).expect(0).stdout;
    run().expect(0);
    let ran = run().expect(0);
    assert!(ran.stdout.contains("1 older removed"), "{ran:?}");
    assert_eq!(home.snapshots().len(), 2, "one of its own, and the one made by hand");
    let id = hand_made.split_whitespace().next().unwrap();
    assert!(home.snapshots().iter().any(|folder| folder.ends_with(id)), "{hand_made}");
    let listed = dbsafe(&home, &path, &["schedule", "ls", "--json"]).expect(0).json();
    let row = &listed["schedules"][0];
    let outcomes: Vec<&str> =
        row["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap()).collect();
    assert_eq!((outcomes, row["trouble"].is_null()), (vec!["done", "done"], true), "{listed:#}");
    // Not yet due, and so nothing happens.
    dbsafe(&home, &path, &["schedule", "run", &container.name, "--if-due"]).expect(0);
    // A drill is a part of the run whose time it is.
    let file = home.path().join("schedules").join(format!("{}.json", container.name));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"drill_every\": null", "\"drill_every\": 0")).unwrap();
    let ran = run().expect(0);
    assert!(ran.stdout.contains("1 backup restored in a drill"), "{ran:?}");

    // What fails is recorded, and said; and found where no other schedule does the work.
    let (gone, (url, told)) = (container.engine.container(&["stateless:1"]), receiver());
    let both = ["schedule", &container.name, &gone.name, "--name", "both", "--notify", &url];
    let ran = dbsafe(&home, &path, &both).expect(0);
    assert!(ran.stdout.contains("tells http://127.0.0.1") && !ran.stdout.contains("secret"), "{ran:?}");
    container.engine.docker(&["rm", "-fv", &gone.name]).expect(0);
    dbsafe(&home, &path, &["schedule", "run", "both"]).expect(2);
    let told = told.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(told.starts_with("POST /secret HTTP/1.1"), "{told}");
    assert!(told.contains("the scheduled backup both failed: there is no container"), "{told}");
    let listed = dbsafe(&home, &path, &["schedule", "ls"]).expect(0).stdout;
    assert!(listed.contains("FAILED: there is no container"), "{listed}");
    let listed = dbsafe(&home, &path, &["schedule", "ls", "--json"]).expect(0).json();
    assert!(!listed.to_string().contains("secret"), "{listed:#}");
    fits_schema(&listed, include_str!("../docs/schedule.schema.json"));
    let audit = || {
        let audit = dbsafe(&home, &path, &["audit", "--format", "json", &container.name]).expect(0).json();
        fits_schema(&audit, include_str!("../docs/audit.schema.json"));
        audit.to_string().contains("scheduled-backup-failed")
    };
    assert!(!audit());
    dbsafe(&home, &path, &["schedule", "rm", &container.name]).expect(0);
    assert!(audit());
    dbsafe(&home, &path, &["schedule", "rm", "both"]).expect(0);
    assert_eq!(table(&home), "MAILTO=ann\n@daily something\n");
}

#[test]
fn what_a_timer_saves_is_copied_as_the_folder_where_it_was_scheduled_says() {
    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let (home, container) = (Home::new(), postgres());
    let path = crontab(&home);
    let (project, mounted) = (home.path().join("shop"), home.path().join("mounted"));
    fs::create_dir_all(&project).unwrap();
    fs::create_dir_all(&mounted).unwrap();
    let file = project.join(".dbsafe.toml");
    fs::write(&file, format!("[remote]\nurl = {:?}\n", mounted.display())).unwrap();
    let sum = Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split(' ').next().unwrap().to_owned();
    let trust = serde_json::json!({ "files": { fs::canonicalize(&file).unwrap().to_str().unwrap(): sum } });
    fs::write(home.path().join("trust.json"), trust.to_string()).unwrap();
    let own = home.path().to_str().unwrap();
    let environment = [("DBSAFE_HOME", own), ("PATH", &path), ("DBSAFE_AGE_RECIPIENTS", RECIPIENT)];
    let add = ["dbsafe", "schedule", &container.name, "--keep", "1", "--drill", "never"];
    let ran = Engine::usual().docker_in(&project, &add, &environment).expect(0);
    assert!(ran.stdout.contains("there all stay, until docker dbsafe snapshots prune --remote"), "{ran:?}");
    tick(&home).expect(0);
    let ran = tick(&home).expect(0);
    assert!(ran.stdout.contains("1 of them stay at the remote: docker dbsafe snapshots prune"), "{ran:?}");
    assert_eq!(home.snapshots().len(), 1);
    let copies: Vec<PathBuf> = fs::read_dir(&mounted).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(copies.len(), 2, "{copies:?}");
    // Who asked for encryption when it was scheduled has asked for it of every run.
    let files = copies.iter().flat_map(|copy| fs::read_dir(copy).unwrap());
    let names = files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut open: Vec<String> = names.filter(|name| !name.ends_with(".age")).collect();
    open.sort();
    assert_eq!(open, ["SHA256SUMS", "SHA256SUMS", "envelope.json", "envelope.json"]);
    // The folder that said so is gone.
    fs::remove_dir_all(&project).unwrap();
    tick(&home).expect(0);
    let listed = dbsafe(&home, &path, &["schedule", "ls"]).expect(0).stdout;
    let listed = listed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(listed.contains("is gone, and with it the settings"), "{listed}");
    dbsafe(&home, &path, &["schedule", "rm", &container.name]).expect(0);
}

#[test]
fn a_schedule_of_one_engine_says_nothing_of_a_namesake_on_another() {
    let (home, container) = (Home::new(), postgres());
    let other = Engine::start("28-schedules", "5.6");
    let run = ["run", "-d", "--network", "none", "--name", &container.name];
    let server = ["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"];
    other.docker(&[&run[..], &server].concat()).expect(0);
    other.fill_payments(&container.name);
    let path = crontab(&home);
    // Of a container that goes, and so its run fails.
    let gone = container.engine.container(&["stateless:1"]);
    dbsafe(&home, &path, &["schedule", &container.name, &gone.name]).expect(0);
    container.engine.docker(&["rm", "-fv", &gone.name]).expect(0);
    dbsafe(&home, &path, &["schedule", "run", &container.name]).expect(2);
    let audited = |engine: &Engine| {
        let own = home.path().to_str().unwrap();
        let words = ["dbsafe", "audit", "--format", "json", &container.name];
        let ran = engine.docker_in(home.path(), &words, &[("DBSAFE_HOME", own)]).expect(0);
        fits_schema(&ran.json(), include_str!("../docs/audit.schema.json"));
        (
            ran.stdout.contains("payments") || ran.stdout.contains("postgres"),
            ran.stdout.contains("scheduled-backup-failed"),
        )
    };
    assert_eq!((audited(Engine::usual()), audited(&other)), ((true, true), (true, false)));
    other.docker(&["rm", "-fv", &container.name]).expect(0);
    dbsafe(&home, &path, &["schedule", "rm", &container.name]).expect(0);
}

#[test]
fn without_a_timer_there_is_one_sentence_and_nothing_is_left() {
    let (home, container) = (Home::new(), postgres());
    let ran = dbsafe(&home, "/nonexistent", &["schedule", &container.name]);
    assert!(ran.status != 0, "{ran:?}");
    assert!(!home.path().join("schedules").join(format!("{}.json", container.name)).exists());
}

/// A host whose first process is systemd, with docker, dbsafe and the engine's socket in it.
fn host_with_systemd(engine: &Engine) -> Container<'_> {
    let docker = engine
        .program_in("sh", std::path::Path::new("/"), &["-c", "command -v docker"], &[])
        .expect(0)
        .stdout;
    let socket = engine.host.strip_prefix("unix://").unwrap();
    let plugin = env!("CARGO_BIN_EXE_docker-dbsafe");
    let host = engine.container(&[
        "--privileged",
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/tmp",
        "-v",
        &format!("{socket}:/var/run/docker.sock"),
        "-v",
        &format!("{}:/usr/local/bin/docker:ro", docker.trim()),
        "-v",
        &format!("{plugin}:/usr/libexec/docker/cli-plugins/docker-dbsafe:ro"),
        "dbsafe-lab/systemd",
    ]);
    engine.wait_for(&host.name, &["systemctl", "is-system-running"]);
    host
}

#[test]
fn a_timer_of_systemd_starts_a_run() {
    let engine = Engine::usual_with("systemd");
    let (container, host) = (postgres(), host_with_systemd(engine));
    let inside = |words: &[&str]| {
        let home = ["exec", "-e", "DBSAFE_HOME=/srv/store", &host.name];
        engine.docker(&[&home, words].concat()).expect(0).stdout.trim().to_owned()
    };
    let said =
        inside(&["docker", "dbsafe", "schedule", &container.name, "--every", "15m", "--drill", "never"]);
    assert!(said.contains("OnCalendar="), "{said}");
    let unit = format!("dbsafe-{}", container.name);
    let timer = format!("{unit}.timer");
    let next = inside(&["systemctl", "show", "--property=NextElapseUSecRealtime", "--value", &timer]);
    assert!(!next.is_empty(), "it will come");
    // The same timer, but now.
    let soon = format!(
        "mkdir /run/systemd/system/{timer}.d\n\
         printf '[Timer]\\nOnActiveSec=1s\\nAccuracySec=1s\\n' >/run/systemd/system/{timer}.d/soon.conf\n\
         systemctl daemon-reload\nsystemctl restart {timer}\n"
    );
    inside(&["sh", "-ec", &soon]);
    let done = format!(
        "until docker dbsafe schedule ls --json | grep -Eq '\"outcome\": \"(done|failed)'; do sleep 1; done\n\
         systemctl show --property=Result --value {unit}.service"
    );
    assert_eq!(inside(&["timeout", "120", "sh", "-c", &done]), "success");
    let listed: serde_json::Value =
        serde_json::from_str(&inside(&["docker", "dbsafe", "schedule", "ls", "--json"])).unwrap();
    let run = &listed["schedules"][0]["runs"][0];
    assert_eq!(run["outcome"], "done", "{listed:#}");
    let snapshot = run["snapshot"].as_str().unwrap();
    assert!(inside(&["docker", "dbsafe", "snapshots", "ls"]).contains(snapshot));
    inside(&["docker", "dbsafe", "schedule", "rm", &container.name]);
    assert_eq!(inside(&["find", "/etc/systemd", "-name", "dbsafe-*"]), "");
}
