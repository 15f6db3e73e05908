use super::*;
use crate::{
    model::{
        container::{Container, Labels, Volume},
        coverage::Coverage,
        evidence::{Contents, Presence, TargetRef},
        plan::{Ending, PlannedContainer, PlannedVolume},
    },
    settings::file,
};

/// A folder that is there, so that a container's label can name it.
const FOLDER: &str = "/srv/shop";

fn container(labels: &[(&str, &str)]) -> Container {
    let compose = [(label::PROJECT, "shop"), (label::SERVICE, "db"), (label::WORKING_DIR, FOLDER)];
    Container {
        image: "postgres:15".into(),
        labels: compose.iter().chain(labels).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Container::sample("1", "shop-db-1")
    }
}

fn plan(labels: &[(&str, &str)], volume_labels: &[(&str, &str)]) -> Plan {
    let volume = Volume {
        name: "shop_pg".into(),
        driver: "local".into(),
        labels: volume_labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        options: Labels::new(),
        created: String::new(),
        keeps_created: true,
        mountpoint: String::new(),
    };
    Plan {
        containers: vec![PlannedContainer {
            container: container(labels),
            fate: Fate::Destroyed,
            ending: Ending::Kill,
            cause: String::new(),
            mounts: Vec::new(),
        }],
        volumes: vec![PlannedVolume {
            volume,
            fate: Fate::Destroyed,
            cause: String::new(),
            used_by: Vec::new(),
        }],
        ..Plan::default()
    }
}

fn evidence(location: Location) -> Evidence {
    Evidence {
        target: TargetRef {
            kind: TargetKind::Container,
            id: "1".into(),
            name: "shop-db-1".into(),
            project: Some("shop".into()),
            service: Some("db".into()),
        },
        engine: Some("postgres".into()),
        engine_name: Some("PostgreSQL".into()),
        engine_version: None,
        location,
        path: "/srv/pg".into(),
        volume: Some("shop_pg".into()).filter(|_| location == Location::NamedVolume),
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

/// Settings with a user's file and a project's.
fn settings(user: &str, project: &str, trusted: bool) -> Settings {
    let parse = |path: &str, text: &str| file::parse(Path::new(path), text).unwrap();
    Settings {
        user: Some(parse("/home/a/config.toml", user)),
        projects: vec![ProjectFile { file: parse("/srv/shop/.dbsafe.toml", project), trusted }],
        folders: [(FOLDER.into(), Some(0))].into(),
        here: Some(0),
        container_names: ["shop-db-1".into()].into(),
        services: [("db".into(), ["shop".into()].into())].into(),
    }
}

fn accepted(settings: &Settings, plan: &Plan, seen: &Evidence, flags: &[&str]) -> Option<String> {
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    settings.stance(plan, seen, &flags).accepted
}

const DISPOSABLE: &str = "[policy]\nmode = \"disposable\"";

#[test]
fn what_loosens_counts_only_once_trusted() {
    let loose = "[policy]\nmode = \"disposable\"\nmax_backup_age = \"48h\"\non_survivors = \"ignore\"\n[[accept]]\ncheck = \"data-in-writable-layer\"\ntarget = \"db\"\nreason = \"tests\"";
    let seen = evidence(Location::WritableLayer);
    let plan = plan(&[], &[]);
    let untrusted = settings("", loose, false);
    let weighed = untrusted.weigh(&plan, &seen);
    assert_eq!(weighed.mode, (Mode::Guard, Origin::Default));
    assert_eq!(weighed.max_backup_age, (Ok(SignedDuration::from_hours(24)), Origin::Default));
    assert_eq!(weighed.on_survivors, (OnSurvivors::Warn, Origin::Default));
    assert_eq!(accepted(&untrusted, &plan, &seen, &[]), None);
    let notes = untrusted.notes(&[], &[]);
    assert!(
        notes[0].contains("mode = \"disposable\" (line 2), max_backup_age = \"2d\" (line 3)"),
        "{notes:?}"
    );
    let trusted = settings("", loose, true);
    assert_eq!(trusted.weigh(&plan, &seen).max_backup_age.0, Ok(SignedDuration::from_hours(48)));
    assert!(accepted(&trusted, &plan, &seen, &[]).unwrap().contains("/srv/shop/.dbsafe.toml"));
    assert_eq!(trusted.notes(&[], &[]), Vec::<String>::new());
}

#[test]
fn what_tightens_counts_by_itself() {
    let strict = "[policy]\nmax_backup_age = \"1h\"\non_survivors = \"block\"\naccept_loss = \"never\"";
    let settings = settings("", strict, false);
    let (plan, seen) = (plan(&[], &[]), evidence(Location::WritableLayer));
    let weighed = settings.weigh(&plan, &seen);
    assert_eq!(weighed.max_backup_age.0, Ok(SignedDuration::from_hours(1)));
    assert_eq!((weighed.on_survivors.0, weighed.accept_loss.0), (OnSurvivors::Block, AcceptLoss::Never));
    assert_eq!(accepted(&settings, &plan, &seen, &["shop-db-1"]), None);
    assert!(settings.notes(&[seen], &["shop-db-1".into()])[0].contains("does not count"));
}

#[test]
fn the_user_wins_over_labels_and_labels_over_the_project() {
    let labels = [(label::POLICY, "disposable"), (label::MAX_BACKUP_AGE, "3h")];
    let (labelled, seen) = (plan(&labels, &[]), evidence(Location::WritableLayer));
    let project = "[policy]\nmode = \"guard\"\nmax_backup_age = \"1h\"";
    let by_label = settings("", project, true);
    assert_eq!(by_label.weigh(&labelled, &seen).max_backup_age.0, Ok(SignedDuration::from_hours(3)));
    assert_eq!(
        accepted(&by_label, &labelled, &seen, &[]).as_deref(),
        Some("its label dbsafe.policy=disposable")
    );
    let by_user = settings("[policy]\nmode = \"guard\"\nmax_backup_age = \"2h\"", project, true);
    assert_eq!(by_user.weigh(&labelled, &seen).max_backup_age.0, Ok(SignedDuration::from_hours(2)));
    assert_eq!(accepted(&by_user, &labelled, &seen, &[]), None);
}

#[test]
fn labels_that_are_not_understood_are_strict() {
    let labels = [(label::POLICY, "Disposable"), (label::MAX_BACKUP_AGE, "soon")];
    let (labelled, seen) = (plan(&labels, &[]), evidence(Location::WritableLayer));
    let settings = settings("", DISPOSABLE, true);
    assert_eq!(accepted(&settings, &labelled, &seen, &[]), None);
    assert!(settings.weigh(&labelled, &seen).max_backup_age.0.is_err());
}

#[test]
fn a_named_volume_is_spoken_for_by_itself_alone() {
    let disposable = [(label::POLICY, "disposable")];
    let seen = evidence(Location::NamedVolume);
    let none = settings("", "", false);
    assert_eq!(accepted(&none, &plan(&disposable, &[]), &seen, &[]), None);
    assert!(accepted(&none, &plan(&[], &disposable), &seen, &[]).is_some());
    for flag in ["shop-db-1", "db"] {
        assert_eq!(accepted(&none, &plan(&[], &[]), &seen, &[flag]), None);
        assert!(accepted(&none, &plan(&[], &[]), &evidence(Location::AnonymousVolume), &[flag]).is_some());
    }
    assert!(accepted(&none, &plan(&[], &[]), &seen, &["shop_pg"]).is_some());
    // A trusted file speaks for its own project's volume, and not for one of another or of nobody.
    let trusted = settings("", DISPOSABLE, true);
    assert!(accepted(&trusted, &plan(&[], &[(label::PROJECT, "shop")]), &seen, &[]).is_some());
    assert_eq!(accepted(&trusted, &plan(&[], &[(label::PROJECT, "bank")]), &seen, &[]), None);
    assert_eq!(accepted(&trusted, &plan(&[], &[]), &seen, &[]), None);
}

#[test]
fn a_file_of_the_working_directory_does_not_loosen_for_others() {
    let mut trusted = settings("", "[policy]\nmode = \"disposable\"\naccept_loss = \"never\"", true);
    trusted.folders.clear();
    let (plan, seen) = (plan(&[], &[]), evidence(Location::WritableLayer));
    let weighed = trusted.weigh(&plan, &seen);
    assert_eq!((weighed.mode.0, weighed.accept_loss.0), (Mode::Guard, AcceptLoss::Never));
    // A volume without a container: its project's name is the folder's.
    let mut alone = evidence(Location::NamedVolume);
    alone.target.kind = TargetKind::Volume;
    alone.target.id = "shop_pg".into();
    assert_eq!(trusted.weigh(&Plan::default(), &alone).mode.0, Mode::Disposable);
    alone.target.project = Some("bank".into());
    assert_eq!(trusted.weigh(&Plan::default(), &alone).mode.0, Mode::Guard);
}

#[test]
fn a_service_of_two_projects_names_neither() {
    let mut settings = settings("", "", false);
    let (plan, seen) = (plan(&[], &[]), evidence(Location::WritableLayer));
    assert!(accepted(&settings, &plan, &seen, &["db"]).is_some());
    settings.services.get_mut("db").unwrap().insert("bank".into());
    assert_eq!(accepted(&settings, &plan, &seen, &["db"]), None);
    settings.services.clear();
    settings.container_names.insert("db".into());
    assert_eq!(accepted(&settings, &plan, &seen, &["db"]), None);
}

#[test]
fn a_name_that_means_nothing_at_risk_is_told() {
    let settings = settings("", "", false);
    let seen = evidence(Location::WritableLayer);
    assert_eq!(settings.notes(std::slice::from_ref(&seen), &["shop-db-1".into()]), Vec::<String>::new());
    assert!(settings.notes(&[seen], &["shop".into()])[0].contains("nothing at risk has this name"));
}

#[test]
fn acceptances_are_of_one_check() {
    let accept = |target: &str| {
        format!("[[accept]]\ncheck = \"data-in-writable-layer\"\ntarget = {target:?}\nreason = \"tests\"")
    };
    // The user's file is for every project: a bare service would be everybody's.
    let bare = settings(&accept("db"), "", false);
    assert_eq!(accepted(&bare, &plan(&[], &[]), &evidence(Location::WritableLayer), &[]), None);
    let settings = settings(&accept("shop/db"), "", false);
    let plan = plan(&[], &[]);
    let reason = accepted(&settings, &plan, &evidence(Location::WritableLayer), &[]);
    assert_eq!(reason.as_deref(), Some("/home/a/config.toml:1: tests"));
    assert_eq!(accepted(&settings, &plan, &evidence(Location::Memory), &[]), None);
    let mut unknown = evidence(Location::WritableLayer);
    unknown.presence = Presence::Undetermined { cause: "no answer".into() };
    assert_eq!(accepted(&settings, &plan, &unknown, &[]), None);
}
