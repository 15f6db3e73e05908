//! The command lines of compose's `up`, `create`, `scale`, `run` and `watch`. Tables after `--help` of 2.26 to 5.6
//! and their hidden flags and aliases.

use super::{
    parse::ParseError,
    parse_compose::DRY_RUN,
    pflag::{Flag, FlagError, Read, Takes, flag},
};
use crate::model::operation::{ComposeGlobals, ComposeUp, UpKind};

const fn alias(name: &'static str, long: &'static str, takes: Takes) -> Flag {
    Flag { name, long, short: None, takes, ours: false }
}

const UP: &[Flag] = &[
    flag("abort-on-container-exit", None, Takes::Bool),
    flag("abort-on-container-failure", None, Takes::Bool),
    flag("always-recreate-deps", None, Takes::Bool),
    flag("attach", None, Takes::Text),
    flag("attach-dependencies", None, Takes::Bool),
    flag("build", None, Takes::Bool),
    flag("detach", Some('d'), Takes::Bool),
    DRY_RUN,
    flag("exit-code-from", None, Takes::Text),
    flag("force-recreate", None, Takes::Bool),
    flag("menu", None, Takes::Bool),
    flag("no-attach", None, Takes::Text),
    flag("no-build", None, Takes::Bool),
    flag("no-color", None, Takes::Bool),
    flag("no-deps", None, Takes::Bool),
    flag("no-log-prefix", None, Takes::Bool),
    flag("no-recreate", None, Takes::Bool),
    flag("no-start", None, Takes::Bool),
    flag("pull", None, Takes::Text),
    flag("quiet-build", None, Takes::Bool),
    flag("quiet-pull", None, Takes::Bool),
    flag("remove-orphans", None, Takes::Bool),
    flag("renew-anon-volumes", Some('V'), Takes::Bool),
    flag("scale", None, Takes::Text),
    flag("timeout", Some('t'), Takes::Int),
    flag("timestamps", None, Takes::Bool),
    flag("wait", None, Takes::Bool),
    flag("wait-timeout", None, Takes::Int),
    flag("watch", Some('w'), Takes::Bool),
    flag("yes", Some('y'), Takes::Bool),
    alias("yes", "y", Takes::Bool),
];

const CREATE: &[Flag] = &[
    flag("build", None, Takes::Bool),
    DRY_RUN,
    flag("force-recreate", None, Takes::Bool),
    flag("no-build", None, Takes::Bool),
    flag("no-recreate", None, Takes::Bool),
    flag("pull", None, Takes::Text),
    flag("quiet-pull", None, Takes::Bool),
    flag("remove-orphans", None, Takes::Bool),
    flag("scale", None, Takes::Text),
    flag("yes", Some('y'), Takes::Bool),
    alias("yes", "y", Takes::Bool),
];

const SCALE: &[Flag] = &[
    flag("no-deps", None, Takes::Bool),
    DRY_RUN,
    // Of 1.29; later ones refuse it.
    flag("timeout", Some('t'), Takes::Int),
];

const RUN: &[Flag] = &[
    flag("build", None, Takes::Bool),
    flag("cap-add", None, Takes::Text),
    flag("cap-drop", None, Takes::Text),
    flag("detach", Some('d'), Takes::Bool),
    DRY_RUN,
    flag("entrypoint", None, Takes::Text),
    flag("env", Some('e'), Takes::Text),
    flag("env-from-file", None, Takes::Text),
    flag("interactive", Some('i'), Takes::Bool),
    flag("label", Some('l'), Takes::Text),
    alias("label", "labels", Takes::Text),
    flag("name", None, Takes::Text),
    flag("no-TTY", None, Takes::Bool),
    flag("no-deps", None, Takes::Bool),
    flag("no-tty", Some('T'), Takes::Bool),
    flag("publish", Some('p'), Takes::Text),
    flag("pull", None, Takes::Text),
    flag("quiet", Some('q'), Takes::Bool),
    flag("quiet-build", None, Takes::Bool),
    flag("quiet-pull", None, Takes::Bool),
    flag("remove-orphans", None, Takes::Bool),
    flag("rm", None, Takes::Bool),
    flag("service-ports", Some('P'), Takes::Bool),
    flag("tty", Some('t'), Takes::Bool),
    flag("use-aliases", None, Takes::Bool),
    flag("user", Some('u'), Takes::Text),
    flag("volume", Some('v'), Takes::Text),
    alias("volume", "volumes", Takes::Text),
    flag("workdir", Some('w'), Takes::Text),
];

const WATCH: &[Flag] = &[
    DRY_RUN,
    flag("no-up", None, Takes::Bool),
    flag("prune", None, Takes::Bool),
    flag("quiet", None, Takes::Bool),
];

/// Which of the commands a word is, and its flags.
pub(super) fn table(command: &str) -> Option<(UpKind, &'static [Flag])> {
    Some(match command {
        "up" => (UpKind::Up, UP),
        "create" => (UpKind::Create, CREATE),
        "scale" => (UpKind::Scale, SCALE),
        "run" => (UpKind::Run, RUN),
        "watch" => (UpKind::Watch, WATCH),
        _ => return None,
    })
}

/// What was asked for. `words` are the arguments that are no flags.
pub(super) fn operation(
    how: UpKind,
    globals: ComposeGlobals,
    found: &Read,
    words: &[String],
) -> Result<ComposeUp, ParseError> {
    let mut scale = counts(&found.texts("scale"))?;
    let services = match how {
        UpKind::Scale => {
            scale = counts(words)?;
            scale.iter().map(|(service, _)| service.clone()).collect()
        }
        // What follows is the command to run.
        UpKind::Run => words.iter().take(1).cloned().collect(),
        UpKind::Up | UpKind::Create | UpKind::Watch => words.to_vec(),
    };
    Ok(ComposeUp {
        globals,
        how,
        services,
        force_recreate: found.is_on("force-recreate"),
        // `watch --no-up` leaves everything as it is until something changes.
        no_recreate: found.is_on("no-recreate") || found.is_on("no-up"),
        always_recreate_deps: found.is_on("always-recreate-deps"),
        renew_volumes: found.is_on("renew-anon-volumes"),
        no_deps: found.is_on("no-deps"),
        remove_orphans: found.given("remove-orphans"),
        scale,
        timeout: found.int("timeout"),
        build: found.is_on("build") || how == UpKind::Watch,
        pull: found.text("pull").map(str::to_owned).filter(|policy| policy != "policy"),
        assume_yes: found.is_on("yes"),
        watch: found.is_on("watch"),
        ends_together: found.is_on("abort-on-container-exit")
            || found.is_on("abort-on-container-failure")
            || found.text("exit-code-from").is_some_and(|service| !service.is_empty()),
    })
}

/// `SERVICE=NUMBER`, as compose takes it.
fn counts(words: &[String]) -> Result<Vec<(String, usize)>, ParseError> {
    let read = |word: &String| {
        let (service, count) = word.split_once('=')?;
        Some((service.to_owned(), count.parse().ok()?))
    };
    let wrong = |word: &String| ParseError::Flag {
        command: "compose scale".to_owned(),
        error: FlagError::WrongValue {
            flag: "--scale".to_owned(),
            what: "SERVICE=NUMBER",
            value: word.clone(),
        },
    };
    words.iter().map(|word| read(word).ok_or_else(|| wrong(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::operation::Operation, plan::parse::parse};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn up(line: &str) -> (ComposeUp, Vec<String>) {
        let parsed = parse(&words(line)).unwrap();
        match parsed.operation {
            Operation::ComposeUp(up) => (up, parsed.docker_arguments),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn up_with_its_flags() {
        let (found, forwarded) = up("compose up -dV --plan --scale web=3 --pull=always db -t 5 --y");
        assert!(found.renew_volumes && found.assume_yes && !found.force_recreate);
        assert_eq!((found.scale, found.services), (vec![("web".to_owned(), 3)], words("db")));
        assert_eq!((found.pull.as_deref(), found.timeout), (Some("always"), Some(5)));
        assert_eq!(forwarded, words("compose up -dV --scale web=3 --pull=always db -t 5 --y"));
    }

    #[test]
    fn what_run_runs_is_not_read() {
        let (found, forwarded) = up("compose run --rm --plan db psql --plan -f x --no-deps");
        assert_eq!((found.services, found.no_deps), (words("db"), false));
        assert_eq!(forwarded, words("compose run --rm db psql --plan -f x --no-deps"));
        let (found, _) = up("compose run --no-deps -- db sh");
        assert_eq!((found.services, found.no_deps), (words("db"), true));
    }

    #[test]
    fn scale_names_services_and_counts() {
        let (found, _) = up("compose scale web=2 db=0");
        assert_eq!(found.scale, [("web".to_owned(), 2), ("db".to_owned(), 0)]);
        assert_eq!(found.services, words("web db"));
        for line in ["compose scale web", "compose scale web=many", "compose up --scale web=-1"] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}
