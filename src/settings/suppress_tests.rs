use std::path::Path;

use super::*;
use crate::{
    model::{
        evidence::TargetRef,
        plan::{Ending, Fate, PlannedContainer},
        verdict::Severity,
    },
    settings::{ProjectFile, file},
};

fn container(labels: &[(&str, &str)]) -> Container {
    let own = [(label::PROJECT, "shop"), (label::SERVICE, "db"), (label::WORKING_DIR, "/srv/shop")];
    let labels = own.iter().chain(labels).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Container { labels: labels.collect(), ..Container::sample("1", "shop-db-1") }
}

fn settings(project: &str, trusted: bool) -> Settings {
    let file = file::parse(Path::new("/srv/shop/.dbsafe.toml"), project).unwrap();
    Settings {
        projects: vec![ProjectFile { file, trusted }],
        folders: [("/srv/shop".into(), Some(0))].into(),
        ..Settings::default()
    }
}

fn finding(id: &str, container: &Container) -> Finding {
    Finding {
        id: id.to_owned(),
        severity: Severity::Low,
        target: TargetRef::of_container(container),
        path: String::new(),
        message: String::new(),
        remedy: None,
        suppressed: None,
    }
}

fn accept(check: &str, target: &str) -> String {
    format!("[[accept]]\ncheck = {check:?}\ntarget = {target:?}\nreason = \"development\"\n")
}

#[test]
fn a_projects_file_accepts_its_set_up_by_itself_and_its_data_only_once_trusted() {
    let db = container(&[]);
    let port = finding("published-database-port", &db);
    let own = settings(&accept("published-database-port", "db"), false);
    assert_eq!(own.accepts_setup(&db, &port).as_deref(), Some("/srv/shop/.dbsafe.toml:1: development"));
    assert_eq!(own.projects[0].ignored(), []);
    let data = settings(&accept("data-in-writable-layer", "db"), false);
    assert_eq!(data.projects[0].ignored().len(), 1);
    let other = settings(&accept("published-database-port", "cache"), false);
    assert_eq!(other.accepts_setup(&db, &port), None);
    let mut elsewhere = settings(&accept("published-database-port", "db"), true);
    elsewhere.folders.clear();
    assert_eq!(elsewhere.accepts_setup(&db, &port), None);
}

#[test]
fn a_label_needs_a_reason() {
    let name = "dbsafe.accept.no-health-check";
    let with = |reason: &str| {
        let db = container(&[(name, reason)]);
        settings("", false).accepts_setup(&db, &finding("no-health-check", &db))
    };
    assert_eq!(
        with("an exporter watches").as_deref(),
        Some("label dbsafe.accept.no-health-check: an exporter watches")
    );
    assert_eq!(with(" "), None);
    let db = container(&[(name, "x"), (label::POLICY, "disposable")]);
    let none = settings("", false);
    assert_eq!(
        none.accepts_setup(&db, &finding("no-memory-limit", &db)).as_deref(),
        Some("label dbsafe.policy=disposable")
    );
}

#[test]
fn what_meets_nothing_is_told() {
    let db = container(&[("dbsafe.accept.no-restart-policy", "on purpose")]);
    let file = accept("published-database-port", "db")
        + &accept("no-memory-limit", "db")
        + &accept("no-such-check", "db")
        + &accept("no-memory-limit", "gone");
    let settings = settings(&file, false);
    let mut found = finding("published-database-port", &db);
    found.suppressed = settings.accepts_setup(&db, &found);
    let labelled = [("shop-db-1", &db.labels)];
    let notes = settings.unused_acceptances(std::slice::from_ref(&found), &labelled, true);
    let told = |words: &str| notes.iter().filter(|note| note.contains(words)).count();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert_eq!(
        (
            told("db has no such finding"),
            told("no such check"),
            told("there is no gone"),
            told("label dbsafe.accept.no-restart-policy: meets nothing")
        ),
        (1, 1, 1, 1)
    );
    // Where only some were looked at, the others may be elsewhere.
    assert_eq!(settings.unused_acceptances(&[found], &labelled, false).len(), 3);
}

#[test]
fn a_plans_data_is_accepted_by_the_labels_that_were_there_before_it() {
    let db = container(&[("dbsafe.accept.auto-remove-with-data", "a test")]);
    let plan = Plan {
        containers: vec![PlannedContainer {
            container: db.clone(),
            fate: Fate::Destroyed,
            ending: Ending::Kill,
            cause: String::new(),
            mounts: Vec::new(),
        }],
        ..Plan::default()
    };
    let seen = Evidence::sample(&db);
    let reason = settings("", false).accepts_data(&plan, &seen, &finding("auto-remove-with-data", &db));
    assert_eq!(reason.as_deref(), Some("label dbsafe.accept.auto-remove-with-data: a test"));
}
