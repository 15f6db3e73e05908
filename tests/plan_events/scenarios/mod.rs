//! The scenarios: a compose file, what happened before, a command, and what it must have destroyed. In all of
//! them `P` stands for the project's name.
#![cfg_attr(all(), allow(dead_code, reason = "every test binary uses its own part"))]

mod docker;
mod down;
mod stop;
mod up;

use self::{docker::DOCKER, down::DOWN, stop::STOP, up::UP};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario<'a> {
    pub(crate) name: &'a str,
    pub(crate) yaml: &'a str,
    /// Docker commands, `edit FROM => TO` on the compose file, or `file NAME => TEXT`.
    pub(crate) before: &'a [&'a str],
    pub(crate) environment: &'a [(&'a str, &'a str)],
    pub(crate) command: &'a str,
    pub(crate) expect: &'a [&'a str],
}

pub(crate) const PLAIN: Scenario<'_> =
    Scenario { name: "", yaml: "", before: &["compose up -d"], environment: &[], command: "", expect: &[] };

/// Two services; one has an anonymous, a named and an external volume.
const TWO: &str = "
services:
  db:
    image: stateless:1
    command: sleep infinity
    network_mode: none
    volumes: [ '/anonymous', 'named:/named', './bind:/bind' ]
  web:
    image: stateless:1
    command: sleep infinity
    network_mode: none
    depends_on: [ db ]
volumes: { named: {} }
";

const PROFILES: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none, volumes: [ '/a' ] }
  tool: { image: stateless:1, command: sleep infinity, network_mode: none, profiles: [ tools ], volumes: [ 'tool:/t' ] }
volumes: { tool: {} }
";

const EXTERNAL: &str = "
services:
  db:
    image: stateless:1
    command: sleep infinity
    network_mode: none
    volumes: [ 'ext:/ext', 'shared:/shared' ]
volumes:
  ext: { external: true, name: PROJECT_ext }
  shared: { name: PROJECT_shared }
";

/// Two services, each on a network of its own.
const NETWORKS: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, networks: [ back ] }
  web: { image: stateless:1, command: sleep infinity, networks: [ front ] }
networks: { back: {}, front: {} }
";

/// A service whose restart restarts another.
const RESTARTS: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none }
  api: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: { db: { condition: service_started, restart: true } } }
  web: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: [ db ] }
";

/// One service that ends by itself.
const ENDS: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none }
  job: { image: stateless:1, command: 'true', network_mode: none, depends_on: [ db ] }
";

const CHAIN: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none, volumes: [ 'data:/d' ] }
  mid: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: [ db ] }
  web: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: [ mid ] }
volumes: { data: {} }
";

/// Every scenario.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario<'static>> {
    [DOWN, STOP, UP, DOCKER].into_iter().flatten()
}

/// What Compose 2.26 does otherwise.
pub(crate) const OF_2_26: &[Scenario<'_>] = &[
    Scenario {
        name: "an unknown service in label mode takes everything",
        yaml: TWO,
        command: "compose -p P down tpyo",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "detached P-db-1:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "one-offs of unknown services: running ones go",
        yaml: TWO,
        before: &[
            "compose up -d",
            "compose run -d --name P-x db sleep infinity",
            "edit   db: =>   other:",
            "edit depends_on: [ db ] => labels: []",
        ],
        command: "compose down --remove-orphans",
        expect: &[
            "destroyed P-db-1",
            "destroyed P-web-1",
            "destroyed P-x",
            "detached P-db-1:/anonymous",
            "detached P-x:/anonymous",
        ],
        ..PLAIN
    },
    Scenario {
        name: "up replaces dependants, too",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]"],
        command: "compose up -d",
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario { name: "-V forces nothing", yaml: TWO, command: "compose up -d -V", expect: &[], ..PLAIN },
];

/// Those that are also played on the other engines and with the older Compose.
pub(crate) const EVERYWHERE: &[&str] = &[
    "down",
    "down -v",
    "label mode takes dependants along",
    "file mode does not",
    "down -v of a service takes its dependencies' unused volumes",
    "--compatibility",
    "and is no orphan",
    "a volume that a stopped stranger uses stays",
    "volumes that a stranger borrows go where it never was",
    "one-offs of known services go as orphans, with their volumes",
    "a one-off of run --rm goes with its volumes when it is stopped",
    "an inherited anonymous volume outlives down -v",
    "rm -s stops them all",
    "kill takes one-offs",
    "a restart takes dependants along that say so",
    "up of what is up to date",
    "--force-recreate of one",
    "up scales down",
    "run replaces a dependency that changed",
    "docker rm -fv, one missing, one twice",
    "docker rm -f of a --rm container leaves its volumes",
    "docker stop of a --rm container",
    "volume rm",
    "container prune",
];
