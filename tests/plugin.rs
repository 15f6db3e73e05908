//! The plugin protocol, spoken by the real docker client. Needs no engine.
//!
//! Where a test is about what the library makes of docker's calls, this test program itself is the plugin:
//! a script in `cli-plugins` starts it as the test `as_plugin`, which says what it understood.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    ffi::OsString,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    process::{Child, Command, Output, Stdio},
};

use dbsafe::{
    act::handover::run_docker,
    cancel::Cancellation,
    docker::{environment::Environment, globals::DockerGlobals, program::DockerProgram},
    plugin::{Invocation, METADATA},
};

const WORDS: &str = "DBSAFE_TEST_WORDS";
const REPORT: &str = "DBSAFE_TEST_REPORT";

/// A docker configuration of its own, with a plugin in it; `None` where there is no docker to test with.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// With the program as it is delivered.
    fn delivered() -> Option<Self> {
        let scene = Self::empty()?;
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_docker-dbsafe"), scene.plugin()).unwrap();
        Some(scene)
    }

    /// With `as_plugin` of this file.
    fn observed() -> Option<Self> {
        let scene = Self::empty()?;
        let metadata = scene.folder.path().join("metadata.json");
        std::fs::write(&metadata, METADATA).unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = docker-cli-plugin-metadata ] && exec cat '{}'\n\
             {WORDS}=$(printf '%s\\n' \"$@\") exec '{}' --exact as_plugin --ignored --nocapture\n",
            metadata.display(),
            std::env::current_exe().unwrap().display()
        );
        std::fs::write(scene.plugin(), script).unwrap();
        std::fs::set_permissions(scene.plugin(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(scene)
    }

    fn empty() -> Option<Self> {
        which::which("docker").ok()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cli-plugins")).unwrap();
        Some(Self { folder })
    }

    fn plugin(&self) -> std::path::PathBuf {
        self.folder.path().join("cli-plugins/docker-dbsafe")
    }

    fn report(&self) -> std::path::PathBuf {
        self.folder.path().join("report")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.folder.path()).env("DOCKER_CONFIG", self.folder.path());
        command.env(REPORT, self.report()).stdin(Stdio::null());
        command
    }

    fn docker(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What `as_plugin` understood of this command line.
    fn understood(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.docker(&words);
        std::fs::read_to_string(self.report()).unwrap()
    }
}

/// Not a test: this program as a plugin. `run` as the first argument hands over what follows it.
#[test]
#[ignore = "docker starts it"]
fn as_plugin() {
    let Ok(words) = std::env::var(WORDS) else { return };
    let words: Vec<OsString> = words.lines().map(OsString::from).collect();
    let invocation = Invocation::parse(&words).unwrap();
    match invocation {
        Invocation::Run { globals, arguments } if arguments.first().is_some_and(|first| first == "run") => {
            end(hand_over(&globals, &arguments[1..]));
        }
        other => std::fs::write(std::env::var_os(REPORT).unwrap(), format!("{other:?}")).unwrap(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn hand_over(globals: &DockerGlobals, arguments: &[OsString]) -> u8 {
    let environment = Environment::of_process();
    let cancellation = Cancellation::listen(&environment).unwrap();
    let docker = DockerProgram::find(globals, &environment).unwrap();
    run_docker(&docker, arguments, &cancellation).await.unwrap().status()
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the test harness knows no other status than 0 and 101"
)]
fn end(status: u8) {
    std::process::exit(status.into());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn docker_takes_the_metadata_and_lists_the_plugin() {
    let Some(scene) = Scene::delivered() else { return };
    let asked = Command::new(scene.plugin()).arg("docker-cli-plugin-metadata").output().unwrap();
    assert!(asked.status.success());
    assert_eq!(text(&asked.stdout), include_str!("../plugin-metadata/metadata.json"));
    let help = text(&scene.docker(&["--help"]).stdout);
    let line = help.lines().find(|line| line.trim_start().starts_with("dbsafe")).unwrap_or_default();
    assert!(line.contains("Run Docker commands without destroying a database"), "{help}");
    let listed = scene.docker(&["info", "--format", "{{json .ClientInfo.Plugins}}"]);
    let plugins: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ours = plugins.as_array().unwrap().iter().find(|plugin| plugin["Name"] == "dbsafe").unwrap();
    assert_eq!(ours["Err"], serde_json::Value::Null, "{ours}");
    assert_eq!(ours["Version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn whatever_the_form_of_dockers_flags_the_library_understands_the_same() {
    let Some(scene) = Scene::observed() else { return };
    for line in [
        "--context default -D dbsafe --plan down",
        "--context=default --debug dbsafe --plan down",
        "-c default -D dbsafe --plan down",
        "-cdefault -D dbsafe --plan down",
        "-c=default -D dbsafe --plan down",
        "-Dc default dbsafe --plan down",
        "-Dcdefault dbsafe --plan down",
    ] {
        let understood = scene.understood(line);
        let expected = "context: Some(\"default\")";
        assert!(understood.starts_with("Run") && understood.contains(expected), "{line}: {understood}");
        assert!(understood.contains("debug: true"), "{line}: {understood}");
        assert!(understood.ends_with("arguments: [\"--plan\", \"down\"] }"), "{line}: {understood}");
    }
    // `--config` does not travel in the environment.
    let words = format!("--config {} dbsafe down", scene.folder.path().display());
    assert!(scene.understood(&words).contains("config: Some("));
}

#[test]
fn docker_asks_for_help_in_many_ways() {
    let Some(scene) = Scene::observed() else { return };
    for line in ["dbsafe --help", "dbsafe -h", "help dbsafe", "--help dbsafe", "dbsafe help"] {
        assert_eq!(scene.understood(line), "Help { topic: [] }", "{line}");
    }
    assert_eq!(scene.understood("help dbsafe down"), "Help { topic: [\"down\"] }");
}

#[test]
fn docker_asks_for_completions_with_an_empty_last_word() {
    let Some(scene) = Scene::observed() else { return };
    scene.docker(&["__complete", "dbsafe", "down", "--sn"]);
    let understood = std::fs::read_to_string(scene.report()).unwrap();
    assert_eq!(understood, "Complete { words: [\"down\", \"--sn\"], descriptions: true }");
}

#[test]
fn the_status_of_the_docker_that_was_handed_over_to_is_the_status_of_all() {
    let Some(scene) = Scene::observed() else { return };
    for line in [
        &["context", "show"][..],
        &["rm", "--no-such-flag"],
        &["no-such-command"],
        &["context", "use", "none"],
    ] {
        let plain = scene.docker(line);
        let handed_over = scene.docker(&[&["dbsafe", "run"][..], line].concat());
        assert_eq!(handed_over.status.code(), plain.status.code(), "{line:?}");
        assert_eq!(text(&handed_over.stderr), text(&plain.stderr), "{line:?}");
        assert!(text(&handed_over.stdout).ends_with(&text(&plain.stdout)), "{line:?}");
    }
}

#[test]
fn a_docker_that_only_closes_the_plugins_socket_still_cancels_what_runs() {
    let Some(scene) = Scene::observed() else { return };
    let status = cancelled(&scene, |outer| {
        // Docker alone, and not its process group: with its output no terminal, it tells the plugin by the
        // socket and by nothing else.
        let id = rustix::process::Pid::from_child(outer);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    });
    // docker/cli 28: terminated by SIGTERM.
    assert_eq!(status, Some(143));
}

/// Cancels while the docker that was handed over to waits for an engine that never answers.
fn cancelled(scene: &Scene, cancel: impl FnOnce(&Child)) -> Option<i32> {
    let socket = scene.folder.path().join("engine.sock");
    let engine = UnixListener::bind(&socket).unwrap();
    let host = format!("unix://{}", socket.display());
    let mut command = scene.command(&["-H", &host, "dbsafe", "run", "ps"]);
    let mut outer = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = engine.accept().unwrap();
    cancel(&outer);
    let status = outer.wait().unwrap();
    drop(connection);
    status.code()
}
