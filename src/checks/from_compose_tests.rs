use std::time::Duration;

use serde_json::json;

use super::*;

fn one(service: Value) -> Setup {
    setups(&json!({"name": "shop", "services": {"db": service}}), None).remove(0)
}

#[test]
fn a_model_is_read_in_its_long_form() {
    let model = json!({
        "name": "shop",
        "services": {"db": {
            "image": "postgres:15", "command": null, "restart": "always", "mem_limit": "536870912",
            "environment": {"POSTGRES_PASSWORD": "hunter2", "PGDATA": "/x", "NOTHING": null},
            "healthcheck": {"test": ["CMD-SHELL", "pg_isready -U $${POSTGRES_USER}"], "start_period": "1m30s"},
            "ports": [{"target": 5432, "published": "5433", "host_ip": "127.0.0.1", "protocol": "tcp"}],
            "volumes": [
                {"type": "volume", "source": "pg", "target": "/var/lib/postgresql/data/"},
                {"type": "bind", "source": "/srv/init", "target": "/docker-entrypoint-initdb.d", "read_only": true},
                {"type": "volume", "target": "/anonymous"},
            ],
            "tmpfs": ["/run:size=64m"],
            "depends_on": {"other": {"condition": "service_healthy", "required": true}},
            "stop_grace_period": "1m0s",
        }},
        "volumes": {"pg": {"name": "shop_pg", "driver_opts": {"type": "nfs"}}},
    });
    let written = json!({"services": {"db": {"environment": {
        "POSTGRES_PASSWORD": "${POSTGRES_PASSWORD:?}", "PGDATA": "/x"
    }}}});
    let setup = setups(&model, Some(&written)).remove(0);
    assert_eq!(setup.engine.as_deref(), Some("postgres"));
    assert_eq!(setup.health.test.as_deref().unwrap()[1], "pg_isready -U ${POSTGRES_USER}");
    assert_eq!(setup.health.start_period, Some(Duration::from_secs(90)));
    assert_eq!(setup.memory_limit, Some(536_870_912));
    assert_eq!(setup.stop_grace, Some(Duration::from_secs(60)));
    let literal: Vec<_> = setup.environment.iter().map(|v| (v.name.as_str(), v.literal())).collect();
    assert_eq!(literal, [("NOTHING", None), ("PGDATA", Some("/x")), ("POSTGRES_PASSWORD", None)]);
    let mounts: Vec<_> = setup.mounts.iter().map(|m| (m.kind, m.target.as_str(), m.read_only)).collect();
    assert_eq!(
        mounts,
        [
            (MountKind::NamedVolume, "/var/lib/postgresql/data", false),
            (MountKind::Bind, "/docker-entrypoint-initdb.d", true),
            (MountKind::AnonymousVolume, "/anonymous", false),
            (MountKind::Tmpfs, "/run", false),
        ]
    );
    assert_eq!(setup.mounts[0].options["type"], "nfs");
    assert_eq!((setup.ports[0].host_ip.as_str(), setup.ports[0].target), ("127.0.0.1", 5432));
    assert_eq!(setup.depends_on[0].condition, "service_healthy");
}

#[test]
fn a_file_as_it_is_written_is_read_too() {
    let setup = one(json!({
        "image": "postgres:${TAG:-15}", "command": "postgres -c shared_buffers=1GB", "mem_limit": "1g",
        "environment": ["POSTGRES_PASSWORD=a$$b", "INHERITED"],
        "ports": ["127.0.0.1:5433:5432", "9000", "8000-8001:8000-8001/udp"],
        "volumes": ["pg:/var/lib/postgresql/data", "./init:/docker-entrypoint-initdb.d:ro", "/x"],
        "depends_on": ["other"], "healthcheck": {"test": "pg_isready"},
        "labels": ["a=b"], "deploy": {"restart_policy": {"condition": "on-failure"}},
    }));
    assert_eq!(setup.image.as_deref(), Some("postgres:15"));
    assert_eq!(setup.value("POSTGRES_PASSWORD"), Some("a$b"));
    assert_eq!(setup.environment[0].literal(), None);
    let ports: Vec<_> =
        setup.ports.iter().map(|p| (p.host_ip.as_str(), p.published.as_deref(), p.target)).collect();
    assert_eq!(ports, [("127.0.0.1", Some("5433"), 5432), ("", None, 9000), ("", Some("8000-8001"), 8000)]);
    assert_eq!(setup.mounts[1].source.as_deref(), Some("./init"));
    assert!(setup.mounts[1].read_only && setup.mounts[2].kind == MountKind::AnonymousVolume);
    assert_eq!(
        (setup.depends_on[0].condition.as_str(), setup.labels["a"].as_str()),
        ("service_started", "b")
    );
    assert_eq!(setup.restart.as_deref(), Some("on-failure"));
    assert_eq!(setup.health.test.unwrap(), ["CMD-SHELL", "pg_isready"]);
}

#[test]
fn variables_take_their_defaults() {
    for (text, expanded) in [
        ("${A:-x}y", "xy"),
        ("$A/b", "/b"),
        ("${A:?say - it}", ""),
        ("$$HOME", "$HOME"),
        ("${A:-${B:-c}}", "c"),
        ("${A", ""),
        ("cost: 5$", "cost: 5"),
    ] {
        assert_eq!(expand(text), expanded, "{text}");
    }
}

#[test]
fn what_is_no_server_of_a_database_is_not_taken_for_one() {
    let engine = |service: Value| one(service).engine;
    assert_eq!(engine(json!({"image": "postgres:15", "command": ["pg_dump", "shop"]})), None);
    assert_eq!(
        engine(
            json!({"image": "postgres:15", "entrypoint": ["sh", "-c"], "command": ["pg_dump -U postgres"]})
        ),
        None
    );
    assert_eq!(
        engine(json!({"image": "prodrigestivill/postgres-backup-local", "volumes": ["b:/backups"]})),
        None
    );
    assert_eq!(engine(json!({"image": "nginx", "environment": {"POSTGRES_PASSWORD": "x"}})), None);
    assert_eq!(engine(json!({"build": ".", "volumes": ["x:/data"]})), None);
    let built = json!({"build": "./db", "volumes": ["x:/var/lib/postgresql/data"]});
    assert_eq!(engine(built).as_deref(), Some("postgres"));
    assert_eq!(
        engine(json!({"image": "redis", "command": "redis-server --save ''"})).as_deref(),
        Some("redis")
    );
}
