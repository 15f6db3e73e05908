//! `compose rm`, `stop`, `kill`, `restart`.

use super::{PLAIN, PROFILES, RESTARTS, Scenario, TWO};

pub(crate) const STOP: &[Scenario<'_>] = &[
    Scenario {
        name: "rm of stopped containers only",
        yaml: TWO,
        before: &["compose up -d", "compose stop web"],
        command: "compose rm -f",
        expect: &["destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "rm -s stops them all",
        yaml: TWO,
        command: "compose rm -sfv",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/anonymous", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "rm of a service, in label mode",
        yaml: TWO,
        command: "compose -p P rm -s -f db",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "rm of one of no profile",
        yaml: PROFILES,
        before: &["compose --profile tools up -d", "compose --profile tools stop"],
        command: "compose rm -fv",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/a"],
        ..PLAIN
    },
    Scenario {
        name: "stop",
        yaml: TWO,
        before: &["compose up -d", "compose run -d --name P-x db sleep infinity"],
        command: "compose stop",
        expect: &["stopped P-db-1", "stopped P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "stop of one that stands",
        yaml: TWO,
        before: &["compose up -d", "compose stop db"],
        command: "compose stop db",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "kill takes one-offs",
        yaml: TWO,
        before: &["compose up -d", "compose run -d --name P-x db sleep infinity"],
        command: "compose kill db",
        expect: &["stopped P-db-1", "stopped P-x"],
        ..PLAIN
    },
    Scenario {
        name: "kill in label mode",
        yaml: TWO,
        command: "compose -p P kill",
        expect: &["stopped P-db-1", "stopped P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "a restart takes dependants along that say so",
        yaml: RESTARTS,
        command: "compose restart -t 1 db",
        expect: &["stopped P-api-1", "stopped P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "a restart in label mode",
        yaml: RESTARTS,
        command: "compose -p P restart db",
        expect: &["stopped P-api-1", "stopped P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "a restart without dependants",
        yaml: RESTARTS,
        command: "compose restart --no-deps db",
        expect: &["stopped P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "a signal that ends nothing",
        yaml: TWO,
        command: "compose kill -s HUP",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "kill takes orphans along",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        command: "compose kill --remove-orphans",
        expect: &["stopped P-db-1", "stopped P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "rm -a",
        yaml: TWO,
        before: &["compose up -d", "compose run --name P-x db true", "compose stop"],
        command: "compose rm -f -a",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
];
