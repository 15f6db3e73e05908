use super::*;
use crate::model::{
    evidence::{Contents, Location, TargetKind, TargetRef},
    plan::Fate,
};
use crate::settings::{ProjectFile, file};

fn evidence(name: &str, engine: &str, path: &str) -> Evidence {
    Evidence {
        target: TargetRef {
            kind: TargetKind::Container,
            id: name.into(),
            name: name.into(),
            project: Some("shop".into()),
            service: Some("db".into()),
        },
        engine: Some(engine.into()),
        engine_name: None,
        engine_version: None,
        location: Location::WritableLayer,
        path: path.into(),
        volume: None,
        presence: Presence::Found,
        size_bytes: None,
        contents: Contents::default(),
        last_write: None,
        running: true,
        fate: Fate::Destroyed,
        consequence: String::new(),
        identity: None,
        coverage: Coverage::none(),
    }
}

fn settings(user: &str, project: &str, trusted: bool) -> Settings {
    let parse = |path: &str, text: &str| file::parse(Path::new(path), text).unwrap();
    Settings {
        user: Some(parse("/home/a/config.toml", user)),
        projects: vec![ProjectFile { file: parse("/srv/shop/.dbsafe.toml", project), trusted }],
        here: Some(0),
        ..Settings::default()
    }
}

fn looks(settings: &Settings, evidence: &[Evidence]) -> Vec<Look> {
    settings.looks(&Plan::default(), evidence, 0)
}

const BY_CONTAINER: &str = "[[backup]]\ncontainer = \"shop-db-1\"\nfiles = \"b/*\"";

#[test]
fn rules_select_by_container_service_and_volume() {
    let seen = [evidence("shop-db-1", "postgres", "/pg")];
    let files = |base: &str| Look::Files { glob: "b/*".into(), base: base.into(), words: None };
    assert_eq!(looks(&settings("", BY_CONTAINER, false), &seen), [files("/srv/shop")]);
    assert_eq!(looks(&settings(BY_CONTAINER, "", false), &seen), [files("/home/a")]);
    assert_eq!(looks(&settings(&BY_CONTAINER.replace("-1", "-2"), "", false), &seen), []);
    // The file of the working directory, and the container is another project's: `db` may be anybody's.
    let bare = BY_CONTAINER.replace("container = \"shop-db-1\"", "service = \"db\"");
    assert_eq!(looks(&settings("", &bare, true), &seen), []);
    let whose = bare.replace("\"db\"", "\"shop/db\"");
    assert_eq!(looks(&settings("", &whose, false), &seen), [files("/srv/shop")]);
    let mut empty = seen[0].clone();
    empty.presence = Presence::Empty { why: "no tables".into() };
    assert_eq!(looks(&settings("", BY_CONTAINER, false), &[empty]), []);
}

#[test]
fn programs_are_unheard_without_trust() {
    let seen = [evidence("shop-db-1", "postgres", "/pg")];
    let rule = BY_CONTAINER.replace("files = \"b/*\"", "restic = \"/repo\"");
    assert_eq!(looks(&settings("", &rule, false), &seen), []);
    let restic = Program::Restic { repository: "/repo".into() };
    assert_eq!(looks(&settings("", &rule, true), &seen), [Look::Program(restic)]);
}

#[test]
fn files_for_several_databases_must_tell_whose_they_are() {
    let rule = "[[backup]]\nservice = \"shop/db\"\nfiles = \"*\"";
    let words_of = |evidence: &[Evidence]| match &looks(&settings("", rule, false), evidence)[..] {
        [Look::Files { words, .. }] => words.clone(),
        other => panic!("{other:?}"),
    };
    let one = evidence("shop-db-1", "postgres", "/pg");
    let replicas = [one.clone(), evidence("shop-db-2", "postgres", "/pg")];
    assert_eq!(words_of(&replicas), Some(vec!["shop-db-1".to_owned()]));
    // Another engine's files look different.
    assert_eq!(words_of(&[one, evidence("shop-db-1", "redis", "/data")]), None);
    let app = |path: &str| evidence("shop-app-1", "sqlite", path);
    let told = words_of(&[app("/srv/users.db"), app("/srv/orders.db")]);
    assert_eq!(told, Some(vec!["users".to_owned(), "users.db".to_owned()]));
    // A server's memory and its file are one.
    assert_eq!(words_of(&[evidence("r", "redis", "memory"), evidence("r", "redis", "/data")]), None);
}

#[test]
fn a_glob_without_a_file_or_with_foreign_names_covers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_age: jiff::SignedDuration::from_hours(24),
        now: jiff::Timestamp::now(),
        zone: TimeZone::UTC,
        memory: None,
        live: Live::default(),
    };
    let seen = evidence("shop-app-1", "sqlite", "/srv/users.db");
    let look = |words: Option<&[&str]>| {
        let words: Option<Vec<String>> =
            words.map(|words| words.iter().map(|word| (*word).to_owned()).collect());
        look_into_files("*.db", folder.path(), words.as_deref(), &seen, &limits).coverage
    };
    let found = look(None);
    assert_eq!(found.status, CoverageStatus::None);
    assert!(found.detail.unwrap().starts_with("no file at *.db in "));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backups/app.db");
    std::fs::write(folder.path().join("orders.db"), std::fs::read(fixture).unwrap()).unwrap();
    assert_eq!(look(None).status, CoverageStatus::Covered);
    let other = look(Some(&["users"]));
    assert!(other.status == CoverageStatus::None && other.detail.unwrap().contains("do not tell"));
    assert_eq!(look(Some(&["orders"])).status, CoverageStatus::Covered);
}
