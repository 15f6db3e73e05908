//! Docker's own commands.

use super::{PLAIN, Scenario};

pub(crate) const DOCKER: &[Scenario<'_>] = &[
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
        expect: &["destroyed P-x", "detached P-x:/a"],
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
        expect: &["destroyed P-x", "detached P-x:/a"],
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
        expect: &["destroyed P-x", "detached P-x:/a"],
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
        expect: &["destroyed P-x", "detached P-x:/a"],
        ..PLAIN
    },
    Scenario {
        name: "volume prune takes those without a name",
        before: &["volume create --label P", "volume create --label P P_named"],
        command: "volume prune -f --filter label=P",
        expect: &["destroyed volume without a name"],
        ..PLAIN
    },
    Scenario {
        name: "system prune --volumes",
        before: &[
            "volume create --label P",
            "volume create --label P P_named",
            "volume create --label P P_used",
            "create --label P --name P-x --network none -v P_used:/u -v /a stateless:1",
        ],
        command: "system prune -f --volumes --filter label=P",
        expect: &["destroyed P-x", "destroyed volume without a name", "detached P-x:/a"],
        ..PLAIN
    },
    Scenario {
        name: "filters of docker's configuration",
        before: &[
            "create --label P --name P-x --network none stateless:1",
            "create --label P --label kept --name P-y --network none stateless:1",
            "file conf/config.json => {\"pruneFilters\": [\"label!=kept\"]}",
        ],
        environment: &[("DOCKER_CONFIG", "conf")],
        // Docker 28 honours the filter of its configuration only beside one of the opposite kind.
        command: "container prune -f --filter label=P",
        expect: &["destroyed P-x"],
        ..PLAIN
    },
    Scenario {
        name: "docker kill with a signal that ends nothing",
        before: &["run -d --name P-x --network none stateless:1 sleep infinity"],
        command: "container kill --signal=SIGHUP P-x",
        expect: &[],
        ..PLAIN
    },
    Scenario {
        name: "docker rm behind the dashes",
        before: &["create --name P-x --network none -v /a stateless:1"],
        command: "container remove --volumes=1 -- P-x -f",
        expect: &["destroyed P-x", "destroyed P-x:/a"],
        ..PLAIN
    },
    Scenario {
        name: "service rm",
        before: &[
            "swarm init --advertise-addr 127.0.0.1",
            "service create -d --name P_db --network host --mount type=volume,destination=/a stateless:1",
            "await P_db.1",
        ],
        command: "service rm P_db",
        expect: &["destroyed P_db.1", "destroyed P_db.1:/a"],
        ..PLAIN
    },
    Scenario {
        name: "stack rm",
        yaml: "
version: '3.8'
services:
  db: { image: 'stateless:1', networks: [ outside ], volumes: [ '/a', 'named:/n' ] }
networks: { outside: { external: true, name: host } }
volumes: { named: {} }
",
        before: &["swarm init --advertise-addr 127.0.0.1", "stack deploy -c compose.yaml P", "await P_db.1"],
        command: "stack down P",
        expect: &["destroyed P_db.1", "destroyed P_db.1:/a"],
        ..PLAIN
    },
    Scenario {
        name: "swarm leave",
        before: &[
            "swarm init --advertise-addr 127.0.0.1",
            "service create -d --name P_db --network host --mount type=volume,destination=/a stateless:1",
            "await P_db.1",
        ],
        command: "swarm leave --force",
        expect: &["destroyed P_db.1", "detached P_db.1:/a"],
        ..PLAIN
    },
];
