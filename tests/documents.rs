//! What `--format json` prints is what the schemas in docs/ say.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{
    Engine, Stack,
    home::{Home, postgres},
};

#[track_caller]
fn fits(document: &serde_json::Value, schema: &str) {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

#[test]
fn documents_fit_their_schemas() {
    let stack = Stack::up(
        Engine::usual(),
        "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
  app: { image: 'sqlite-app:1', network_mode: none }
  web: { image: 'stateless:1', network_mode: none, volumes: [ 'files:/files' ] }
volumes: { files: {} }
",
    );
    stack.engine.fill_payments(&stack.container("db"));
    stack.engine.wait_for(&stack.container("web"), &["sh", "-c", "echo text > /files/note"]);
    let guard = include_str!("../docs/guard.schema.json");
    fits(&stack.dbsafe(&["down", "-v", "--format", "json"]).expect(10).json(), guard);
    fits(&stack.dbsafe(&["down", "--plan", "--format", "json"]).expect(0).json(), guard);
    let audit = stack.engine.dbsafe(&["audit", "--format", "json", &stack.name]).expect(0).json();
    fits(&audit, include_str!("../docs/audit.schema.json"));
    let accept = ["down", "-v", "--format", "json", "--accept-loss", "db", "--accept-loss", "app"];
    let done = stack.dbsafe(&accept).expect(0).json();
    fits(&done, guard);
    assert_eq!(done["exit"], serde_json::json!({"by": "docker", "status": 0}));
}

#[test]
fn the_list_of_snapshots_and_the_checks_fit_theirs() {
    let (home, container) = (Home::new(), postgres());
    let schema = include_str!("../docs/snapshots.schema.json");
    let list = || home.run(&["snapshots", "ls", "--format", "json"]).expect(0).json();
    let none = list();
    fits(&none, schema);
    assert_eq!(none["snapshots"], serde_json::json!([]));
    home.run(&["snapshot", &container.name]).expect(0);
    let listed = list();
    fits(&listed, schema);
    assert_eq!(listed["snapshots"][0]["verification"]["result"], "proved");
    // As it was before there was a format.
    let bare = home.run(&["snapshots", "ls", "--json"]).expect(0).json();
    assert_eq!(bare, listed["snapshots"]);
    let schema = include_str!("../docs/explain.schema.json");
    let all = home.run(&["explain", "--format", "json"]).expect(0).json();
    fits(&all, schema);
    let count = all["checks"].as_array().map_or(0, Vec::len);
    assert_eq!(count, dbsafe::checks::ALL.len());
    let one = home.run(&["explain", "no-recent-backup", "--format", "json"]).expect(0).json();
    fits(&one, schema);
    assert_eq!(one["checks"][0]["id"], "no-recent-backup");
}
