//! Each shell's decision against the guard's own, with the real shells; a shell that is not here is left out.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use super::*;
use crate::{docker::globals::DockerGlobals, model::operation::Operation, plan::parse::parse};

/// Lines that must cost nothing.
const STRAIGHT: &str = "
docker
docker ps
docker ps -a --format json
docker --context x ps
docker --context=x ps
docker -c x ps
docker -cx ps
docker -c=x ps
docker --context rm ps
docker -H tcp://h:1 -D --tls --tlsverify images
docker --config /z -l debug logs db
docker --log-level debug --tlscacert a --tlscert b --tlskey c info
docker --version
docker -v
docker --help
docker --context x
docker run --rm -it busybox sh
docker run busybox docker rm x
docker exec db rm -rf /tmp/x
docker build .
docker buildx build .
docker image prune -a
docker network rm n
docker rmi x
docker help rm
docker completion bash
docker __complete rm
docker __complete --context x compose down
docker container
docker container ls
docker container inspect rm
docker volume ls -q
docker volume inspect x
docker volume create x
docker system df
docker stack ls
docker service logs rm
docker swarm ca
docker plugin ls
docker dbsafe down
docker compose
docker compose ps
docker compose -f a.yaml ps
docker compose -fa.yaml logs -f
docker compose --file=a.yaml -p shop --profile down ps
docker compose --project-name rm exec db sh
docker compose --env-file down config
docker compose --verbose --compatibility --dry-run top
docker compose --parallel 4 --ansi never --progress plain pull
docker compose --version
docker compose --help
docker compose -v
docker --context x compose -p shop build
docker-compose
docker-compose ps
docker-compose -f a.yaml -p shop logs db
docker-compose --version
";

/// Lines that the guard has to see.
const GUARDED: &str = "
docker rm db
docker rm --help
docker -D rm db
docker --context ps rm db
docker --context=ps rm db
docker -Hps rm db
docker --tls=false ps
docker -Dc x rm db
docker -- rm db
docker --no-such ps
docker --context
docker --version rm db
docker --help rm
docker stop db
docker kill db
docker restart db
docker container rm db
docker container remove db
docker container prune
docker container --plan rm db
docker container frob
docker volume rm v
docker volume prune -f
docker -l debug volume remove v
docker system prune --volumes
docker stack rm s
docker service rm s
docker service update s
docker swarm leave
docker swarm init
docker plugin disable p
docker checkpoint create c x
docker frobnicate db
docker PS
docker compose down
docker compose -f a.yaml down -v
docker compose -f ps down
docker compose -p ps rm
docker compose --dry-run down
docker compose --verbose=true ps
docker compose --version down
docker compose -- ps
docker compose -- x down
docker compose up -d
docker compose create
docker compose run db
docker compose scale db=2
docker compose watch
docker compose stop
docker compose kill
docker compose restart
docker compose wait --down-project db
docker compose frobnicate
docker compose -f
docker compose --no-such ps
docker --context x compose --profile ps down
docker-compose down
docker-compose -f ps down
docker-compose -H tcp://h down
docker-compose rm
";

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

/// Whether the guard itself would hand this line over without a look, or docker refuse it.
fn guard_hands_over(line: &str) -> bool {
    let mut words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    if words.remove(0) == "docker-compose" {
        words.insert(0, OsString::from("compose"));
    }
    let Ok((_, read)) = DockerGlobals::parse(&words) else { return false };
    let rest = words[read..].iter().map(|word| word.to_str().unwrap().to_owned());
    let arguments: Vec<String> = ["guard", "--"].map(str::to_owned).into_iter().chain(rest).collect();
    matches!(parse(&arguments), Ok(parsed) if matches!(parsed.operation, Operation::Harmless { .. }))
}

/// Runs every line in a shell whose `docker` writes down how it was called.
fn decisions(shell: Shell, program: &str, arguments: &[&str]) -> Option<Vec<String>> {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let folder = tempfile::tempdir().unwrap();
    for name in ["docker", "docker-compose"] {
        let path = folder.path().join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\necho \"{name} $*${{DBSAFE_SHELL+ [$DBSAFE_SHELL]}}\" >>\"$CALLS\"\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let calls = folder.path().join("calls");
    let mut script = functions(shell);
    script.extend(lines(STRAIGHT).chain(lines(GUARDED)).map(|line| format!("{line}\n")));
    let path = folder.path().join("script");
    fs::write(&path, script).unwrap();
    let ran = Command::new(program)
        .args(arguments)
        .arg(format!("source '{}'", path.display()))
        .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap()))
        .env("HOME", folder.path())
        .env("CALLS", &calls)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let written = read(&calls);
    assert_eq!(written.len(), lines(STRAIGHT).chain(lines(GUARDED)).count(), "{program}: {ran:?}");
    Some(written)
}

fn read(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn every_shell_decides_as_the_guard_does() {
    let shells: [(Shell, &str, &[&str]); 3] = [
        (Shell::Bash, "bash", &["--norc", "-i", "-c"]),
        (Shell::Zsh, "zsh", &["-f", "-i", "-c"]),
        (Shell::Fish, "fish", &["--no-config", "-i", "-c"]),
    ];
    let mut seen = 0;
    for (shell, program, arguments) in shells {
        let Some(calls) = decisions(shell, program, arguments) else { continue };
        seen += 1;
        let name = shell.name();
        for (line, call) in lines(STRAIGHT).chain(lines(GUARDED)).zip(&calls) {
            let through = match line.strip_prefix("docker-compose") {
                Some(rest) => format!("docker dbsafe guard --docker-compose --{rest} [{name}]"),
                None => line.replacen("docker", "docker dbsafe guard --", 1) + &format!(" [{name}]"),
            };
            if lines(GUARDED).any(|guarded| guarded == line) {
                assert_eq!(*call, through, "{program}");
            } else {
                let marked = line.starts_with("docker dbsafe").then(|| format!("{line} [{name}]"));
                assert_eq!(*call, marked.unwrap_or_else(|| line.to_owned()), "{program}");
            }
        }
    }
    assert!(seen > 0, "there is no shell to try");
}

#[test]
fn what_goes_straight_the_guard_would_hand_over_too() {
    for line in lines(STRAIGHT) {
        assert!(guard_hands_over(line), "{line}");
    }
    // Of what goes to the guard, it hands over what only the shell could not tell.
    let known = [
        "docker rm --help",
        "docker swarm init",
        "docker --tls=false ps",
        "docker compose --verbose=true ps",
    ];
    for line in lines(GUARDED) {
        assert_eq!(guard_hands_over(line), known.contains(&line), "{line}");
    }
}

#[test]
fn a_shell_that_is_not_interactive_is_left_alone() {
    let shells: [(Shell, &str); 3] = [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")];
    for (shell, program) in shells {
        let script = format!("{}\ntype docker", functions(shell));
        let Ok(ran) = Command::new(program).args(["-c", &script]).stdin(Stdio::null()).output() else {
            continue;
        };
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(!said.contains("function"), "{program}: {said}");
    }
}

// No PowerShell runs here: only that every word is there, and no hole.
#[test]
fn no_hole_is_left_in_any_shells_text() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
        let text = functions(shell);
        assert!(!text.contains("@DOCKER") && !text.contains("@COMP") && !text.contains("@FAM"), "{text}");
        let words = harmless::COMMANDS.iter().chain(harmless::FAMILIES).chain(harmless::COMPOSE);
        for word in words.chain(harmless::MEMBERS.iter().flat_map(|(_, members)| *members)) {
            assert!(text.contains(word), "{word}");
        }
        let (opened, closed) = (text.matches(['{', '(']).count(), text.matches(['}', ')']).count());
        assert!(shell != Shell::Powershell || opened == closed, "{text}");
    }
}
