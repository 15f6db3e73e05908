//! `compose down`, in all its forms.

use super::{CHAIN, ENDS, EXTERNAL, PLAIN, PROFILES, Scenario, TWO};

pub(crate) const DOWN: &[Scenario<'_>] = &[
    Scenario {
        name: "down",
        yaml: TWO,
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "down -v",
        yaml: TWO,
        command: "compose down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "down -v of stopped containers",
        yaml: TWO,
        before: &["compose up -d", "compose stop"],
        command: "compose down --volumes=1 -t 3",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "the last word on volumes wins",
        yaml: TWO,
        command: "compose down -v --volume=false",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "label mode by -p",
        yaml: TWO,
        command: "compose -p P down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "label mode takes dependants along",
        yaml: TWO,
        command: "compose -p P down db",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "file mode does not",
        yaml: TWO,
        command: "compose down db",
        expect: &["destroyed P-db-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "file mode with -p and -f",
        yaml: TWO,
        command: "compose -p P -f compose.yaml down db -v",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/anonymous", "destroyed volume P_named"],
        ..PLAIN
    },
    Scenario {
        name: "services between two that are named go, too",
        yaml: CHAIN,
        command: "compose down web db",
        expect: &["destroyed P-db-1", "destroyed P-mid-1", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "down -v of a service takes its dependencies' unused volumes",
        yaml: CHAIN,
        before: &["compose up -d", "rm -f P-db-1"],
        command: "compose down -v web",
        expect: &["destroyed P-web-1", "destroyed volume P_data"],
        ..PLAIN
    },
    Scenario {
        name: "--compatibility",
        yaml: TWO,
        command: "compose --compatibility down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario { name: "--dry-run", yaml: TWO, command: "compose down -v --dry-run", expect: &[], ..PLAIN },
    Scenario {
        name: "a service of no enabled profile stays",
        yaml: PROFILES,
        before: &["compose --profile tools up -d"],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/a"],
        ..PLAIN
    },
    Scenario {
        name: "and is no orphan",
        yaml: PROFILES,
        before: &["compose --profile tools up -d"],
        command: "compose down --remove-orphans",
        expect: &["destroyed P-db-1", "detached P-db-1:/a"],
        ..PLAIN
    },
    Scenario {
        name: "named, it goes",
        yaml: PROFILES,
        before: &["compose --profile tools up -d"],
        command: "compose down tool -v",
        expect: &["destroyed P-tool-1", "destroyed volume P_tool"],
        ..PLAIN
    },
    Scenario {
        name: "a profile in the environment",
        yaml: PROFILES,
        before: &["compose --profile tools up -d"],
        environment: &[("COMPOSE_PROFILES", "tools")],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/a", "destroyed P-tool-1", "destroyed volume P_tool"],
    },
    Scenario {
        name: "external volumes stay, and a name is enough for others",
        yaml: EXTERNAL,
        before: &["volume create P_ext", "volume create P_shared", "compose up -d -y"],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed volume P_shared"],
        ..PLAIN
    },
    Scenario {
        name: "a volume that a stopped stranger uses stays",
        yaml: TWO,
        before: &["compose up -d", "create --name P-x --network none -v P_named:/n stateless:1"],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed P-db-1:/anonymous", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "volumes that a stranger borrows stay, once it was started",
        yaml: TWO,
        before: &["compose up -d", "run --name P-x --network none --volumes-from P-db-1 stateless:1 true"],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "volumes that a stranger borrows go where it never was",
        yaml: TWO,
        before: &["compose up -d", "create --name P-x --network none --volumes-from P-db-1 stateless:1"],
        command: "compose down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "orphans go without their volumes",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        command: "compose down -v --remove-orphans",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-web-1",
            "destroyed volume P_named",
            "detached P-db-1:/anonymous",
        ],
        ..PLAIN
    },
    Scenario {
        name: "orphans by the environment",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        environment: &[("COMPOSE_REMOVE_ORPHANS", "y")],
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
    },
    Scenario {
        name: "orphans stay without the flag",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        command: "compose down",
        expect: &["destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "one-offs stay",
        yaml: TWO,
        before: &["compose up -d", "compose run -d --name P-x db sleep infinity"],
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "one-offs of known services go as orphans, with their volumes",
        yaml: TWO,
        before: &[
            "compose up -d",
            "compose run -d --name P-x db sleep infinity",
            "compose run --name P-y db true",
        ],
        command: "compose down -v --remove-orphans",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed P-x",
            "destroyed P-x:/anonymous",
            "destroyed P-y",
            "destroyed P-y:/anonymous",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "one-offs of unknown services: ended ones go",
        yaml: TWO,
        before: &[
            "compose up -d",
            "compose run -d --name P-x db sleep infinity",
            "compose run --name P-y db true",
            "edit   db: =>   other:",
            "edit depends_on: [ db ] => labels: []",
        ],
        command: "compose down --remove-orphans",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-web-1",
            "destroyed P-y",
            "detached P-db-1:/anonymous",
            "detached P-y:/anonymous",
        ],
        ..PLAIN
    },
    Scenario {
        name: "a one-off of run --rm goes with its volumes when it is stopped",
        yaml: TWO,
        before: &["compose up -d", "compose run -d --rm --name P-x db sleep infinity"],
        command: "compose down --remove-orphans",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-web-1",
            "destroyed P-x",
            "destroyed P-x:/anonymous",
            "detached P-db-1:/anonymous",
        ],
        ..PLAIN
    },
    Scenario {
        name: "an inherited anonymous volume outlives down -v",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]", "compose up -d"],
        command: "compose down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-web-1",
            "destroyed volume P_named",
            "detached P-db-1:/anonymous",
        ],
        ..PLAIN
    },
    Scenario {
        name: "an unknown service in label mode",
        yaml: TWO,
        command: "compose -p P down tpyo",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "paused containers",
        yaml: TWO,
        before: &["compose up -d", "compose pause db"],
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "created, never started",
        yaml: TWO,
        before: &["compose create"],
        command: "compose down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/anonymous",
            "destroyed P-web-1",
            "destroyed volume P_named",
        ],
        ..PLAIN
    },
    Scenario {
        name: "orphans by the .env file",
        yaml: TWO,
        before: &[
            "compose up -d",
            "edit   db: =>   other:",
            "edit depends_on: [ db ] => labels: []",
            "file .env => COMPOSE_REMOVE_ORPHANS=true",
        ],
        command: "compose down",
        expect: &["destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "several files by the environment",
        yaml: TWO,
        before: &[
            "file more.yaml => services: { more: { image: 'stateless:1', network_mode: none, command: sleep infinity, volumes: [ 'more:/m' ] } }\nvolumes: { more: {} }\n",
            "compose up -d",
        ],
        environment: &[("COMPOSE_FILE", "compose.yaml:more.yaml")],
        command: "compose down -v more",
        expect: &["destroyed P-more-1", "destroyed volume P_more"],
    },
    Scenario {
        name: "several files by the .env file",
        yaml: TWO,
        before: &[
            "file .env => COMPOSE_FILE=compose.yaml:more.yaml",
            "file more.yaml => services: { more: { image: 'stateless:1', network_mode: none, command: sleep infinity, volumes: [ 'more:/m' ] } }\nvolumes: { more: {} }\n",
            "compose up -d",
        ],
        command: "compose down -v more",
        expect: &["destroyed P-more-1", "destroyed volume P_more"],
        ..PLAIN
    },
    Scenario {
        name: "a file that includes another, and extends a service of it",
        yaml: "
include: [ part.yaml ]
services:
  web: { extends: { file: part.yaml, service: db }, volumes: [ 'own:/own' ] }
volumes: { own: {}, part: {} }
",
        before: &[
            "file part.yaml => services: { db: { image: 'stateless:1', network_mode: none, command: sleep infinity, volumes: [ 'part:/p', '/a' ] } }\nvolumes: { part: {} }\n",
            "compose up -d",
        ],
        command: "compose down -v",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-db-1:/a",
            "destroyed P-web-1",
            "destroyed P-web-1:/a",
            "destroyed volume P_own",
            "destroyed volume P_part",
        ],
        ..PLAIN
    },
    Scenario {
        name: "wait --down-project",
        yaml: ENDS,
        before: &["compose up -d"],
        command: "compose wait --down-project job",
        expect: &["destroyed P-db-1", "destroyed P-job-1"],
        ..PLAIN
    },
];
