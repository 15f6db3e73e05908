//! The scenarios: a compose file, what happened before, a command, and what it must have destroyed. In all of
//! them `P` stands for the project's name.
#![cfg_attr(all(), allow(dead_code, reason = "every test binary uses its own part"))]

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) yaml: &'static str,
    /// Docker commands, or `edit FROM => TO` on the compose file.
    pub(crate) before: &'static [&'static str],
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) command: &'static str,
    pub(crate) expect: &'static [&'static str],
}

const PLAIN: Scenario =
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

const CHAIN: &str = "
services:
  db: { image: stateless:1, command: sleep infinity, network_mode: none, volumes: [ 'data:/d' ] }
  mid: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: [ db ] }
  web: { image: stateless:1, command: sleep infinity, network_mode: none, depends_on: [ mid ] }
volumes: { data: {} }
";

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "down",
        yaml: TWO,
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
        ..PLAIN
    },
    Scenario {
        name: "file mode does not",
        yaml: TWO,
        command: "compose down db",
        expect: &["destroyed P-db-1"],
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
        expect: &["destroyed P-db-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1", "destroyed volume P_named"],
        ..PLAIN
    },
    Scenario {
        name: "orphans by the environment",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   other:", "edit depends_on: [ db ] => labels: []"],
        environment: &[("COMPOSE_REMOVE_ORPHANS", "y")],
        command: "compose down",
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1", "destroyed P-y"],
        ..PLAIN
    },
    Scenario {
        name: "a one-off of run --rm goes with its volumes when it is stopped",
        yaml: TWO,
        before: &["compose up -d", "compose run -d --rm --name P-x db sleep infinity"],
        command: "compose down --remove-orphans",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "destroyed P-x", "destroyed P-x:/anonymous"],
        ..PLAIN
    },
    Scenario {
        name: "an inherited anonymous volume outlives down -v",
        yaml: TWO,
        before: &["compose up -d", "edit   db: =>   db:\n    labels: [ changed ]", "compose up -d"],
        command: "compose down -v",
        expect: &["destroyed P-db-1", "destroyed P-web-1", "destroyed volume P_named"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1"],
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
        expect: &["destroyed P-db-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed volume P_named"],
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
        name: "docker rm of a running container",
        before: &["run -d --name P-x --network none -v /a stateless:1"],
        command: "rm -v P-x",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "docker rm -f",
        before: &["run -d --name P-x --network none -v /a stateless:1"],
        command: "rm -f P-x",
        expect: &["destroyed P-x"],
        ..PLAIN
    },
    Scenario {
        name: "docker rm -fv, one missing, one twice",
        before: &[
            "run -d --name P-x --network none -v /a -v P_n:/n stateless:1",
            "create --name P-y --network none -v /a stateless:1",
        ],
        command: "rm -fv P-x P-missing P-y P-y",
        expect: &["destroyed P-x", "destroyed P-x:/a", "destroyed P-y", "destroyed P-y:/a"],
        ..PLAIN
    },
    Scenario {
        name: "docker rm -f of a --rm container leaves its volumes",
        before: &["run -d --rm --name P-x --network none -v /a stateless:1"],
        command: "container rm --force P-x",
        expect: &["destroyed P-x"],
        ..PLAIN
    },
    Scenario {
        name: "docker stop of a --rm container",
        before: &["run -d --rm --name P-x --network none -v /a stateless:1"],
        command: "stop P-x",
        expect: &["destroyed P-x", "destroyed P-x:/a"],
        ..PLAIN
    },
    Scenario {
        name: "docker kill of a --rm container",
        before: &["run -d --rm --name P-x --network none -v /a stateless:1"],
        command: "kill P-x",
        expect: &["destroyed P-x", "destroyed P-x:/a"],
        ..PLAIN
    },
    Scenario {
        name: "docker restart of a --rm container",
        before: &["run -d --rm --name P-x --network none -v /a stateless:1"],
        command: "restart P-x",
        expect: &["stopped P-x"],
        ..PLAIN
    },
    Scenario {
        name: "docker rm of a link",
        before: &["run -d --name P-x --network none stateless:1"],
        command: "rm -l P-x",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "borrowed volumes go with the last one",
        before: &[
            "create --name P-x --network none -v /a stateless:1",
            "create --name P-y --network none --volumes-from P-x stateless:1",
        ],
        command: "rm -v P-x P-y",
        expect: &["destroyed P-x", "destroyed P-x:/a", "destroyed P-y"],
        ..PLAIN
    },
    Scenario {
        name: "borrowed volumes stay with the first one",
        before: &[
            "create --name P-x --network none -v /a stateless:1",
            "create --name P-y --network none --volumes-from P-x stateless:1",
        ],
        command: "rm -v P-y",
        expect: &["destroyed P-y"],
        ..PLAIN
    },
    Scenario {
        name: "volume rm",
        before: &["volume create P_a", "create --name P-x --network none -v P_b:/b stateless:1"],
        command: "volume rm -f P_a P_b P_missing",
        expect: &["destroyed volume P_a"],
        ..PLAIN
    },
    Scenario {
        name: "container prune",
        before: &[
            "create --label P=1 --name P-x --network none -v /a stateless:1",
            "run -d --label P=1 --name P-y --network none stateless:1",
            "create --label P=2 --name P-z --network none stateless:1",
        ],
        command: "container prune -f --filter label=P=1",
        expect: &["destroyed P-x"],
        ..PLAIN
    },
    Scenario {
        name: "volume prune of anonymous ones",
        before: &["volume create --label P P_named"],
        command: "volume prune -f --filter label=P",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "volume prune --all",
        before: &[
            "volume create --label P P_named",
            "volume create --label P --opt type=tmpfs --opt device=tmpfs P_options",
            "volume create --label P P_used",
            "create --name P-x --network none -v P_used:/b stateless:1",
        ],
        command: "volume prune -f --all --filter label=P",
        expect: &["destroyed volume P_named"],
        ..PLAIN
    },
    Scenario {
        name: "volume prune with an old API takes named ones",
        before: &["volume create --label P P_named"],
        environment: &[("DOCKER_API_VERSION", "1.41")],
        command: "volume prune -f --filter label=P",
        expect: &["destroyed volume P_named"],
        ..PLAIN
    },
    Scenario {
        name: "system prune frees volumes first, and takes none without --volumes",
        before: &["create --label P --name P-x --network none -v /a stateless:1"],
        command: "system prune -f --filter label=P",
        expect: &["destroyed P-x"],
        ..PLAIN
    },
];

/// What Compose 2.26 does otherwise.
pub(crate) const OF_2_26: &[Scenario] = &[
    Scenario {
        name: "an unknown service in label mode takes everything",
        yaml: TWO,
        command: "compose -p P down tpyo",
        expect: &["destroyed P-db-1", "destroyed P-web-1"],
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
        expect: &["destroyed P-db-1", "destroyed P-web-1", "destroyed P-x"],
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
