use super::*;

/// The docker commands of a line, as text: `_` for a word with an unknown part, `*` for any number of words.
fn docker(line: &str) -> Vec<String> {
    let shown = |step: Step| match step {
        Step::Docker(command) => {
            let words = command.words.iter().map(|word| match word.known {
                Known::Whole => word.text.as_str(),
                Known::Partly => "_",
                Known::Nothing => "*",
            });
            Some(words.collect::<Vec<_>>().join(" "))
        }
        Step::Unknown(_) => Some("unknown".to_owned()),
        Step::Folder(_) | Step::Export(..) | Step::Enter | Step::Leave => None,
    };
    match steps(line) {
        Ok(steps) => steps.into_iter().filter_map(shown).collect(),
        Err(_) => vec!["not understood".to_owned()],
    }
}

#[test]
fn every_docker_command_of_a_line_is_found() {
    for (line, found) in [
        ("docker rm -f db", &["rm -f db"][..]),
        ("cd /srv && docker compose down -v || true", &["compose down -v"]),
        ("docker stop db; docker rm db", &["stop db", "rm db"]),
        ("docker ps -q | xargs docker rm -f", &["ps -q", "rm -f *"]),
        ("docker rm -f $(docker ps -aq)", &["ps -aq", "rm -f *"]),
        ("docker rm -f `docker ps -aq`", &["ps -aq", "rm -f *"]),
        ("docker volume rm \"$NAME\"", &["volume rm _"]),
        ("for c in a b; do docker rm -f $c; done", &["rm -f *"]),
        ("if true; then docker compose down; fi", &["compose down"]),
        ("sudo -u root FOO=1 /usr/bin/docker volume prune -af", &["volume prune -af"]),
        ("FOO=1 command docker rm db 2>/dev/null >&2", &["rm db"]),
        ("timeout -k 5 30 nice -n 5 docker rm db", &["rm db"]),
        ("bash -lc 'docker rm db && echo ok'", &["rm db"]),
        ("sh -c \"docker rm $X\"", &["unknown"]),
        ("eval docker rm db", &["rm db"]),
        ("(docker rm db)", &["rm db"]),
        ("{ docker rm db; }", &["rm db"]),
        ("do\"ck\"er rm 'd b'", &["rm d b"]),
        ("docker rm db # docker rm other", &["rm db"]),
        ("docker rm \\\n db", &["rm db"]),
        ("docker-compose down", &["down"]),
        ("ssh host docker rm db", &["unknown"]),
        ("python3 -c 'import os; os.system(\"docker rm db\")'", &["unknown"]),
        ("find . -name x -exec docker rm {} +", &["unknown"]),
        ("bash <<EOF\ndocker rm db\nEOF", &["rm db"]),
        ("cat > x <<'EOF'\ndocker rm db\nEOF\ndocker ps", &["ps"]),
        ("diff <(docker ps) <(docker images)", &["ps", "images"]),
        ("$RUN docker rm db", &["unknown"]),
        ("echo 'docker rm db", &["not understood"]),
        ("docker rm {a,b}", &["rm *"]),
        ("docker rm a*", &["rm *"]),
    ] {
        assert_eq!(docker(line), found, "{line}");
    }
}

#[test]
fn what_only_speaks_of_docker_runs_nothing() {
    for line in [
        "echo docker rm db",
        "git commit -m 'docker down'",
        "grep -r docker .",
        "ls # docker rm",
        "apt install docker.io",
    ] {
        assert!(docker(line).is_empty(), "{line}");
    }
}

#[test]
fn folders_and_variables_are_known_where_they_are_written_out() {
    assert_eq!(steps("cd /srv/shop && ls").unwrap()[0], Step::Folder(Some("/srv/shop".to_owned())));
    assert_eq!(steps("cd \"$HOME\"").unwrap()[0], Step::Folder(None));
    let set = steps("DOCKER_HOST=tcp://a docker rm db").unwrap();
    let Step::Docker(command) = &set[0] else { panic!("{set:?}") };
    assert_eq!(command.environment, [("DOCKER_HOST".to_owned(), Some("tcp://a".to_owned()))]);
    assert_eq!(steps("export A=$B").unwrap()[0], Step::Export("A".to_owned(), None));
    assert_eq!(steps("A=1; docker ps").unwrap()[0], Step::Export("A".to_owned(), Some("1".to_owned())));
}
