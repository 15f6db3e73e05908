//! With programs of our own in the place of docker and compose.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// Prints its arguments, one to a line, and then what we told it in its environment.
const ECHO: &str =
    "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND|$DBSAFE_DEPTH\"\n";

fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn globals(words: &[&str]) -> DockerGlobals {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    DockerGlobals::parse(&words).unwrap().0
}

fn lines(output: &NestedOutput) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn the_docker_that_called_us_comes_before_the_one_on_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let on_path = program(folder.path(), "docker", ECHO);
    let other = program(folder.path(), "docker-29", ECHO);
    let path = folder.path().as_os_str();
    assert_eq!(choose(Some(other.as_os_str()), path, None), Some(other));
    assert_eq!(choose(Some(OsStr::new("docker")), path, None), Some(on_path.clone()));
    assert_eq!(choose(None, path, None), Some(on_path));
}

#[test]
fn while_completing_the_original_command_is_ourselves_and_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let docker = program(folder.path(), "docker", ECHO);
    let own = program(folder.path(), "docker-dbsafe", ECHO);
    assert_eq!(choose(Some(own.as_os_str()), folder.path().as_os_str(), Some(&own)), Some(docker));
}

#[test]
fn a_link_named_docker_to_ourselves_is_no_docker() {
    let folder = tempfile::tempdir().unwrap();
    let own = program(folder.path(), "plugin", ECHO).canonicalize().unwrap();
    std::os::unix::fs::symlink(&own, folder.path().join("docker")).unwrap();
    assert_eq!(choose(None, folder.path().as_os_str(), Some(&own)), None);
}

#[test]
fn a_docker_that_calls_us_again_and_again_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "docker", ECHO);
    let environment = Environment::default().with("PATH", folder.path());
    assert!(DockerProgram::find(&globals(&[]), &environment.clone().with(DEPTH, "1")).is_ok());
    let error = DockerProgram::find(&globals(&[]), &environment.with(DEPTH, "4")).unwrap_err();
    assert!(matches!(error, ProgramError::Recursion));
}

#[tokio::test]
async fn a_nested_docker_gets_our_globals_and_its_output_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "docker", ECHO);
    let environment = Environment::default().with("PATH", folder.path());
    let docker = DockerProgram::find(&globals(&["-H", "tcp://h", "-D"]), &environment).unwrap();
    let output = docker.output(&["ps", "-a"], Duration::from_secs(60)).await.unwrap();
    assert_eq!(lines(&output), ["-H", "tcp://h", "-D", "ps", "-a", "|1"]);
}

#[tokio::test]
async fn compose_is_called_as_docker_calls_it_from_the_first_folder_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let docker = program(folder.path(), "docker", ECHO);
    let config = folder.path().join("config");
    let in_config = program(&config.join("cli-plugins"), "docker-compose", ECHO);
    let words = ["--config", config.to_str().unwrap()];
    let environment = Environment::default().with("PATH", folder.path());
    let found = DockerProgram::find(&globals(&words), &environment).unwrap();
    let compose = found.compose(&environment).unwrap();
    assert_eq!(compose.path(), in_config);
    let output = compose.output(&["config", "-q"], Duration::from_secs(60)).await.unwrap();
    let told = format!("{}|1", docker.display());
    assert_eq!(lines(&output), [words[0], words[1], "compose", "config", "-q", &told]);

    let extra = program(&folder.path().join("extra"), "docker-compose", ECHO);
    let json = serde_json::json!({"cliPluginsExtraDirs": [folder.path().join("extra")]});
    std::fs::write(config.join("config.json"), json.to_string()).unwrap();
    assert_eq!(found.compose(&environment).unwrap().path(), extra);
}

#[tokio::test]
async fn what_was_on_our_standard_input_can_be_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "docker", "#!/bin/sh\nexec /bin/cat\n");
    let environment = Environment::default().with("PATH", folder.path());
    let docker = DockerProgram::find(&globals(&[]), &environment).unwrap();
    // More than a pipe holds, in both directions.
    let input = vec![b'x'; 1 << 20];
    let output = docker.output_with_input(&["-f", "-"], &input, Duration::from_secs(60)).await.unwrap();
    assert_eq!(output.stdout, input);
}
