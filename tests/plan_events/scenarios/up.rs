//! `compose up`, `create`, `scale`, `run`.

use super::{ENDS, NETWORKS, PLAIN, RESTARTS, Scenario, TWO};

pub(crate) const UP: &[Scenario<'_>] = &[
    Scenario { name: "up of what is up to date", yaml: TWO, command: "compose up -d", expect: &[], ..PLAIN },
    Scenario {
        name: "up after a change replaces and hands the volumes on",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose up -d",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "up of a service looks at what it needs",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose up -d web",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "and does not with --no-deps",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose up -d --no-deps web",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "a network that is described otherwise stops what is on it",
        yaml: NETWORKS,
        before: &["compose up -d", "edit back: {} => back: { internal: true }"],
        command: "compose up -d",
        expect: &["stopped P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "--no-recreate",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose up -d --no-recreate",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "create after a change",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose create",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "--force-recreate of one",
        yaml: TWO,
        command: "compose up -d --force-recreate db",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "-V",
        yaml: TWO,
        command: "compose up -d -V",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "up scales down",
        yaml: TWO,
        before: &["compose up -d --scale web=3"],
        command: "compose up -d",
        expect: &["destroyed P-web-2", "destroyed P-web-3"],
        ..PLAIN
    },
    Scenario {
        name: "scale to nothing",
        yaml: TWO,
        command: "compose scale db=0",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "scale replaces what changed",
        yaml: TWO,
        before: &["compose up -d", "edit   web: =>   web:\n    labels: [ changed ]"],
        command: "compose scale web=2",
        expect: &["destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "run replaces a dependency that changed",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose run --rm --name P-x web true",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "run --no-deps does not",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose run --rm --no-deps --name P-x web true",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "up stops who restarts with what is replaced",
        yaml: RESTARTS,
        before: &["compose up -d", "edit   db: { =>   db: { labels: [ changed ],"],
        command: "compose up -d",
        expect: &["destroyed P-db-1", "stopped P-api-1"],
        ..PLAIN
    },
    Scenario {
        name: "up --remove-orphans",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => entrypoint: []"],
        command: "compose up -d --remove-orphans",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "up with another image",
        yaml: "
services:
  db: { image: PROJECT_image, command: sleep infinity, network_mode: none, pull_policy: missing }
",
        before: &["tag stateless:1 P_image", "compose up -d", "tag redis:7 P_image"],
        command: "compose create",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "up with a volume that is described otherwise",
        yaml: TWO,
        before: &["compose up -d", "edit named: {} => named: { labels: [ changed ] }"],
        command: "compose up -d -y",
        expect: &["destroyed P-db-1", "destroyed volume P_named", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "who shares a namespace is replaced along",
        yaml: "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none }
  side: { image: stateless:1, command: sleep infinity, network_mode: 'service:db' }
",
        before: &["compose up -d", "edit   db: { =>   db: { labels: [ changed ],"],
        command: "compose up -d",
        expect: &["destroyed P-db-1", "destroyed P-side-1"],
        ..PLAIN
    },
    Scenario {
        name: "an image whose VOLUME moved",
        yaml: "
services:
  db: { image: PROJECT_image, command: sleep infinity, network_mode: none, pull_policy: missing }
",
        before: &["tag redis:7 P_image", "compose up -d", "tag stateless:1 P_image"],
        command: "compose up -d",
        expect: &["destroyed P-db-1", "detached P-db-1:/data"],
        ..PLAIN
    },
    Scenario {
        name: "a volume that is no longer in the file",
        yaml: TWO,
        before: &["compose up -d", "edit '/anonymous',  => "],
        command: "compose up -d db",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "--always-recreate-deps",
        yaml: TWO,
        command: "compose up -d --always-recreate-deps web",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "up scales down by its flag",
        yaml: TWO,
        command: "compose up -d --scale web=0",
        expect: &["destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "create --force-recreate",
        yaml: TWO,
        command: "compose create --force-recreate db",
        expect: &["destroyed P-db-1"],
        ..PLAIN
    },
    Scenario {
        name: "create --remove-orphans",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        command: "compose create --remove-orphans",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "run --remove-orphans",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        command: "compose run --rm --remove-orphans --name P-x web true",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "--abort-on-container-exit stops the others",
        yaml: ENDS,
        before: &["compose up -d db"],
        command: "compose up --abort-on-container-exit",
        expect: &["stopped P-db-1"],
        ..PLAIN
    },
];
