//! Real engines for the tests: started by the test run itself, with the lab's images in them. Nothing here
//! can reach an engine that somebody uses.
#![cfg_attr(all(), allow(dead_code, clippy::unwrap_used, reason = "every test binary uses its own part"))]

pub(crate) mod api;
pub(crate) mod chance;
pub(crate) mod cloud;
pub(crate) mod home;
pub(crate) mod proxy;
pub(crate) mod servers;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a server may take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn lab_folder() -> PathBuf {
    std::env::var_os("DBSAFE_LAB").map_or_else(|| root().join("target/lab"), PathBuf::from)
}

/// Asserts that a document is what a schema of docs/ says.
#[track_caller]
pub(crate) fn fits_schema(document: &serde_json::Value, schema: &str) {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

pub(crate) fn lab(arguments: &[&str]) -> String {
    let output = Command::new(root().join("tests/lab/engine"))
        .args(arguments)
        .output()
        .expect("the lab's script runs");
    assert!(output.status.success(), "lab {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Ends one of the lab's engines and deletes all that it had.
pub(crate) fn wipe(name: &str) {
    lab(&["wipe", name]);
}

/// Refuses any engine that the lab did not start: its socket lies in the lab's own folder, and the process
/// that the lab noted down serves it.
fn only_of_the_lab(host: &str, name: &str) {
    let ending = format!("/{name}/docker.sock");
    let ours = host.starts_with("unix:///") && host.ends_with(&ending);
    assert!(ours, "{host} is not an engine of the lab");
    let folder = fs::canonicalize(lab_folder()).unwrap().join(name);
    let process = fs::read_to_string(folder.join("pid")).expect("the lab notes its engines' processes");
    let words = fs::read(format!("/proc/{}/cmdline", process.trim())).expect("the lab's engine runs");
    assert!(String::from_utf8_lossy(&words).contains(host), "{host} is served by another process");
}

/// The path of a docker client of an engine's time.
pub(crate) fn client(version: &str) -> String {
    lab(&["client", version])
}

/// The path of a compose.
pub(crate) fn compose_program(version: &str) -> String {
    lab(&["compose", version])
}

/// What a command wrote, and its status.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Whether a text was said to people, wherever its lines were broken.
    pub(crate) fn says(&self, text: &str) -> bool {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        words(&self.stderr).contains(&words(text))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// How an engine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Socket,
    /// Over tcp on loopback, with certificates of both sides.
    Tls,
    /// By an sshd on loopback.
    Ssh,
}

/// One engine of the lab, with a docker configuration of its own.
pub(crate) struct Engine {
    pub(crate) host: String,
    pub(crate) config: PathBuf,
    pub(crate) home: PathBuf,
    client: String,
    /// What docker needs to know of the connection, beside the host.
    connection: Vec<(&'static str, String)>,
    /// `1.29` is the program `docker-compose`; the plugin is then the latest one.
    pub(crate) compose_version: String,
    programs: PathBuf,
}

impl Engine {
    /// Engine 28.5 with Compose 5.6, as most tests use it.
    pub(crate) fn usual() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(|| Self::start("28", "5.6"))
    }

    /// The usual engine, with one more image in it: `dbsafe-lab/NAME`.
    pub(crate) fn usual_with(image: &str) -> &'static Self {
        let engine = Self::usual();
        lab(&["more", "28", image]);
        engine
    }

    /// Starts an engine, or joins the one that another test of this run started.
    pub(crate) fn start(name: &str, compose: &str) -> Self {
        Self::over(name, compose, Way::Socket)
    }

    /// As `start`, reached in this way.
    pub(crate) fn over(name: &str, compose: &str, way: Way) -> Self {
        // The certificates come first: an engine has them from its start.
        let reached = match way {
            Way::Socket => None,
            Way::Tls => Some(lab(&["tls", name])),
            Way::Ssh => Some(lab(&["ssh", name])),
        };
        let socket = lab(&["images", name]);
        only_of_the_lab(&socket, name);
        let (host, needed) = match &reached {
            Some(line) => line.split_once(' ').unwrap(),
            None => (socket.as_str(), ""),
        };
        let host = host.to_owned();
        let connection = match way {
            Way::Tls => vec![("DOCKER_TLS_VERIFY", "1".to_owned()), ("DOCKER_CERT_PATH", needed.to_owned())],
            Way::Socket | Way::Ssh => Vec::new(),
        };
        let client = lab(&["client"]);
        let folder = lab_folder().join(format!("config-{name}-{compose}-{}", std::process::id()));
        let plugins = folder.join("cli-plugins");
        fs::create_dir_all(&plugins).unwrap();
        let link = |from: &Path, to: &str| {
            let to = plugins.join(to);
            let _ = fs::remove_file(&to);
            std::os::unix::fs::symlink(from, to).unwrap();
        };
        link(Path::new(env!("CARGO_BIN_EXE_docker-dbsafe")), "docker-dbsafe");
        let is_old = compose == "1.29";
        link(Path::new(&lab(&["compose", if is_old { "5.6" } else { compose }])), "docker-compose");
        // What stands on the PATH before everything else: `docker-compose` of this version.
        let programs = folder.join("bin");
        fs::create_dir_all(&programs).unwrap();
        let program = programs.join("docker-compose");
        let _ = fs::remove_file(&program);
        std::os::unix::fs::symlink(lab(&["compose", compose]), program).unwrap();
        if way == Way::Ssh {
            let ssh = programs.join("ssh");
            let _ = fs::remove_file(&ssh);
            std::os::unix::fs::symlink(Path::new(needed).join("ssh"), ssh).unwrap();
        }
        Self {
            compose_version: compose.to_owned(),
            programs,
            host,
            connection,
            home: folder.join("home"),
            config: folder,
            client,
        }
    }

    fn run(&self, command: &mut Command) -> Ran {
        Ran::of(&self.isolate(command).output().unwrap())
    }

    /// Lets a command see this engine and nothing of the caller's.
    pub(crate) fn isolate<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", &self.home)
            .env("DOCKER_HOST", &self.host)
            .envs(self.connection.iter().map(|(name, value)| (name, value)))
            .env("DOCKER_CONFIG", &self.config)
            .env("DBSAFE_HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
    }

    /// The caller's PATH, with the lab's docker and `docker-compose` in front: a machine may have none.
    pub(crate) fn path(&self) -> String {
        let docker = Path::new(&self.client).parent().unwrap().display();
        format!("{}:{docker}:{}", self.programs.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// A docker command that goes on by itself, its output kept for the end.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&std::env::temp_dir(), arguments);
        self.isolate(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A docker command, not yet run, in a folder.
    pub(crate) fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.args(arguments).current_dir(folder);
        command
    }

    pub(crate) fn docker(&self, arguments: &[&str]) -> Ran {
        self.run(&mut self.command(&std::env::temp_dir(), arguments))
    }

    pub(crate) fn docker_in(&self, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(folder, arguments);
        Ran::of(&self.isolate(&mut command).envs(environment.iter().copied()).output().unwrap())
    }

    /// Another program of the PATH, in a folder.
    pub(crate) fn program_in(
        &self,
        program: &str,
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        Ran::of(&self.isolate(&mut command).envs(environment.iter().copied()).output().unwrap())
    }

    /// `docker dbsafe …`.
    pub(crate) fn dbsafe(&self, arguments: &[&str]) -> Ran {
        self.docker(&[&["dbsafe"], arguments].concat())
    }

    pub(crate) fn exists(&self, container: &str) -> bool {
        self.docker(&["container", "inspect", container]).status == 0
    }

    pub(crate) fn volume_exists(&self, volume: &str) -> bool {
        self.docker(&["volume", "inspect", volume]).status == 0
    }

    /// Helper containers that look into a volume. `tests/run` sees to it that no other is left, either.
    pub(crate) fn helpers_on(&self, volume: &str) -> String {
        let volume = format!("volume={volume}");
        self.docker(&["ps", "-aq", "--filter", "label=dbsafe.helper", "--filter", &volume]).stdout
    }

    /// The engine's clock, for [`Self::events_since`].
    pub(crate) fn time(&self) -> String {
        let time = self.docker(&["info", "--format", "{{.SystemTime}}"]).expect(0).stdout;
        time.trim().to_owned()
    }

    /// What the engine says happened to a container since a time, oldest first: `kill`, `die`, `destroy`, ….
    pub(crate) fn events_since(&self, since: &str, container: &str) -> Vec<String> {
        let filter = format!("container={container}");
        let until = self.time();
        let format = "{{.Action}}";
        let arguments =
            ["events", "--since", since, "--until", &until, "--filter", &filter, "--format", format];
        self.docker(&arguments).expect(0).stdout.lines().map(str::to_owned).collect()
    }

    /// Runs a container that is removed, with its volumes, when the guard is dropped.
    pub(crate) fn container(&self, arguments: &[&str]) -> Container<'_> {
        let name = unique("c");
        let all = [&["run", "-d", "--network", "none", "--name", &name], arguments].concat();
        self.docker(&all).expect(0);
        Container { engine: self, name }
    }

    /// Waits until a program in a container succeeds.
    pub(crate) fn wait_for(&self, container: &str, program: &[&str]) {
        let start = Instant::now();
        loop {
            let ran = self.docker(&[&["exec", container], program].concat());
            if ran.status == 0 {
                return;
            }
            if start.elapsed() > PATIENCE {
                let logs = self.docker(&["logs", container]);
                panic!("{container} is not ready: {ran:?}\n{}\n{}", logs.stdout, logs.stderr);
            }
            std::thread::yield_now();
        }
    }

    /// Waits for a Postgres to take connections over TCP, as it does once it is initialised.
    pub(crate) fn wait_for_postgres(&self, container: &str) {
        self.wait_for(container, &["pg_isready", "-q", "-h", "127.0.0.1"]);
    }

    /// Runs SQL as the superuser.
    #[track_caller]
    pub(crate) fn psql(&self, container: &str, sql: &str) -> String {
        self.psql_in(container, "postgres", sql)
    }

    /// As `psql`, in another database.
    #[track_caller]
    pub(crate) fn psql_in(&self, container: &str, database: &str, sql: &str) -> String {
        let arguments = ["exec", container, "psql", "-XAtq", "-U", "postgres", "-d", database, "-c", sql];
        self.docker(&arguments).expect(0).stdout.trim().to_owned()
    }

    /// The story's table, with its two rows.
    pub(crate) fn fill_payments(&self, container: &str) {
        self.wait_for_postgres(container);
        self.psql(container, "create table payments(id int primary key, amount int); insert into payments values (1, 100), (2, 250)");
    }

    /// How many rows the story's table has, and a digest of them.
    pub(crate) fn payment_rows(&self, container: &str) -> String {
        self.wait_for_postgres(container);
        self.psql(
            container,
            "select count(*), md5(string_agg(payments::text, ',' order by payments::text)) from payments",
        )
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.config);
    }
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn keeps_the_scene() -> bool {
    std::env::var_os("DBSAFE_TEST_KEEP").is_some()
}

/// A container that goes when it is dropped.
pub(crate) struct Container<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) name: String,
}

impl<'a> Container<'a> {
    /// A name for a container that a command will make; it is removed as the others are.
    pub(crate) fn to_come(engine: &'a Engine) -> Self {
        Self { engine, name: unique("c") }
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if !keeps_the_scene() {
            self.engine.docker(&["rm", "-fv", &self.name]);
        }
    }
}

/// A compose project in a folder of its own; all of it goes when it is dropped.
pub(crate) struct Stack<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl<'a> Stack<'a> {
    /// Writes the compose file and starts the project.
    pub(crate) fn up(engine: &'a Engine, yaml: &str) -> Self {
        let stack = Self::new(engine, yaml);
        stack.compose(&["up", "-d", "--quiet-pull"]).expect(0);
        stack
    }

    /// Writes the compose file.
    pub(crate) fn new(engine: &'a Engine, yaml: &str) -> Self {
        let name = unique("p");
        let folder = lab_folder().join("stacks").join(&name);
        fs::create_dir_all(&folder).unwrap();
        let stack = Self { engine, name, folder };
        stack.write("compose.yaml", yaml);
        stack
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `docker compose …` in the project's folder.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Ran {
        self.engine.docker_in(&self.folder, &[&["compose"], arguments].concat(), &[])
    }

    /// `docker dbsafe …` in the project's folder.
    pub(crate) fn dbsafe(&self, arguments: &[&str]) -> Ran {
        self.engine.docker_in(&self.folder, &[&["dbsafe"], arguments].concat(), &[])
    }

    /// The name of a service's first container.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.name)
    }

    /// The containers of the project, sorted.
    pub(crate) fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let listed =
            self.engine.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).expect(0).stdout;
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if keeps_the_scene() {
            return;
        }
        for name in self.containers() {
            self.engine.docker(&["rm", "-fv", &name]);
        }
        self.compose(&["down", "-v", "--remove-orphans", "-t", "0"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}
