use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{
    container::{Container, Labels, Mount, MountKind, Volume, label},
    coverage::{CoverageStatus, Fault},
    evidence::{Evidence, Location, TargetKind, TargetRef},
    schedule::Trouble,
    verdict::Severity,
};

#[test]
fn every_check_has_its_documentation() {
    let mut ids: Vec<&str> = ALL.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ALL.len(), "two checks of one id");
    for check in ALL {
        for text in [check.title, check.why, check.bad, check.good, check.reference] {
            assert!(!text.is_empty(), "{}", check.id);
        }
        assert!(check.reference.starts_with("https://"), "{}", check.id);
        assert!(!check.title.ends_with('.') && check.why.ends_with('.'), "{}", check.id);
    }
}

#[test]
fn every_id_that_the_judgement_gives_is_explained() {
    for id in [
        "data-in-writable-layer",
        "data-in-anonymous-volume",
        "data-in-tmpfs",
        "data-in-memory-only",
        "data-in-removed-volume",
        "files-in-removed-volume",
        "no-recent-backup",
        "undetermined",
    ] {
        assert!(check(id).is_some(), "{id}");
    }
}

/// A Postgres in a container, with its data in a named volume, backed up.
struct Scene {
    container: Container,
    seen: Evidence,
    volume: Volume,
    others: Vec<Container>,
    used: bool,
}

fn now() -> Timestamp {
    "2026-05-01T00:00:00Z".parse().unwrap()
}

fn server(id: &str, name: &str) -> Container {
    let mount = Mount {
        kind: MountKind::NamedVolume,
        destination: "/var/lib/postgresql/data".into(),
        volume: Some("shop_pg".into()),
        source: None,
        writable: true,
        part: None,
    };
    Container {
        image: "postgres:15".into(),
        environment: vec!["PG_MAJOR=15".into()],
        command: vec!["docker-entrypoint.sh".into(), "postgres".into()],
        mounts: vec![mount],
        ..Container::sample(id, name)
    }
}

fn scene() -> Scene {
    let container = server("1", "shop-db-1");
    let mut seen = Evidence::sample(&container);
    seen.location = Location::NamedVolume;
    seen.path = "/var/lib/postgresql/data".into();
    seen.volume = Some("shop_pg".into());
    seen.coverage.status = CoverageStatus::Covered;
    seen.coverage.facts.tested_at = Some(now() - SignedDuration::from_hours(24));
    let volume = Volume {
        name: "shop_pg".into(),
        driver: "local".into(),
        labels: Labels::new(),
        options: Labels::new(),
        created: String::new(),
        keeps_created: true,
        mountpoint: String::new(),
    };
    Scene { container, seen, volume, others: Vec::new(), used: true }
}

impl Scene {
    fn raised(&self) -> Vec<Raised> {
        let all: Vec<Setup> =
            std::iter::once(&self.container).chain(&self.others).map(from_container::setup).collect();
        let is_container = self.seen.target.kind == TargetKind::Container;
        of_data(&Situation {
            seen: &self.seen,
            setup: all.first().filter(|_| is_container),
            all: &all,
            volume: Some(&self.volume),
            is_used: self.used,
            now: now(),
        })
    }

    #[track_caller]
    fn shows(&self, ids: &[&str]) {
        let raised: Vec<&str> = self.raised().iter().map(|raised| raised.check.id).collect();
        assert_eq!(raised, ids);
    }
}

#[test]
fn data_on_a_volume_with_a_proved_backup_shows_nothing() {
    scene().shows(&[]);
}

#[test]
fn data_beside_its_mount() {
    let mut beside = scene();
    beside.seen.location = Location::WritableLayer;
    beside.seen.path = "/srv/pg".into();
    beside.seen.volume = None;
    beside.shows(&["data-directory-outside-mount"]);
    assert_eq!(beside.raised()[0].severity, Severity::Low);
    beside.seen.coverage.status = CoverageStatus::None;
    assert_eq!(beside.raised()[0].severity, Severity::High);
    beside.container.mounts.clear();
    beside.shows(&[]);
}

#[test]
fn a_container_that_removes_itself() {
    let mut gone = scene();
    gone.container.auto_remove = true;
    gone.shows(&[]);
    gone.container.mounts.clear();
    gone.seen.location = Location::WritableLayer;
    gone.shows(&["auto-remove-with-data"]);
    gone.seen.engine = None;
    gone.shows(&[]);
}

#[test]
fn a_volume_that_nobody_uses() {
    let mut orphan = scene();
    orphan.seen.target = TargetRef::of_volume("shop_pg", &Labels::new());
    orphan.shows(&[]);
    orphan.used = false;
    orphan.seen.coverage.status = CoverageStatus::None;
    orphan.shows(&["orphaned-volume-with-data"]);
    assert_eq!(orphan.raised()[0].severity, Severity::Medium);
    orphan.volume.labels.insert(label::ANONYMOUS.into(), String::new());
    assert_eq!(orphan.raised()[0].severity, Severity::High);
}

#[test]
fn two_servers_on_one_volume() {
    let mut shared = scene();
    shared.others = vec![server("2", "shop-db-2")];
    shared.shows(&["shared-data-directory"]);
    shared.others[0].state = crate::model::container::State::Exited;
    shared.shows(&[]);
    shared.others = vec![Container { command: vec!["pg_dump".into()], ..server("2", "dump") }];
    shared.shows(&[]);
    // A folder each in one volume is none of the other's business.
    let mut beside = server("2", "shop-db-2");
    beside.environment.push("PGDATA=/var/lib/postgresql/data/two".into());
    shared.others = vec![beside];
    shared.shows(&[]);
    shared.seen.path = "/var/lib/postgresql/data/two".into();
    shared.shows(&["shared-data-directory"]);
}

#[test]
fn data_over_a_network_or_a_desktops_file_sharing() {
    let mut remote = scene();
    remote.volume.options.insert("type".into(), "nfs".into());
    remote.shows(&["data-directory-on-network-or-desktop-mount"]);
    remote.volume.options.clear();
    remote.volume.options.insert("o".into(), "bind".into());
    remote.shows(&[]);
    remote.container.mounts[0].kind = MountKind::Bind;
    remote.container.mounts[0].source = Some("/host_mnt/Users/ann/pg".into());
    remote.shows(&["data-directory-on-network-or-desktop-mount"]);
    remote.container.mounts[0].source = Some("/srv/pg".into());
    remote.shows(&[]);
}

#[test]
fn what_is_known_of_a_backup() {
    let mut backup = scene();
    backup.seen.coverage.facts.off_host = Some(false);
    backup.shows(&["backup-only-on-this-host"]);
    backup.seen.coverage.facts.off_host = Some(true);
    backup.seen.coverage.facts.scheduled = Some(false);
    backup.shows(&["backup-not-scheduled"]);
    backup.seen.coverage.facts.scheduled = Some(true);
    backup.seen.coverage.facts.file_copy = Some(true);
    backup.shows(&["file-copy-of-a-running-database"]);
    backup.seen.coverage.facts.file_copy = Some(false);
    backup.seen.coverage.facts.tested_at = Some(now() - SignedDuration::from_hours(31 * 24));
    backup.shows(&["restore-not-tested"]);
    backup.seen.coverage.facts.tested_at = None;
    backup.shows(&["restore-not-tested"]);
    backup.seen.coverage.facts.tested_at = Some(now());
    backup.seen.coverage.facts.schedule_trouble = Some(Trouble::Failed { at: now() });
    backup.shows(&["scheduled-backup-failed"]);
    backup.seen.coverage.facts.schedule_trouble = Some(Trouble::Overdue { since: now() });
    // Whether an older backup still counts or not.
    backup.seen.coverage.status = CoverageStatus::Stale;
    backup.shows(&["scheduled-backup-overdue"]);
    backup.seen.coverage.facts.schedule_trouble = None;
    // Without a backup the others have nothing to say.
    backup.seen.coverage.status = CoverageStatus::None;
    backup.seen.coverage.facts.off_host = Some(false);
    backup.shows(&[]);
    backup.seen.coverage.status = CoverageStatus::Stale;
    backup.seen.coverage.facts.fault = Some(Fault::Broken);
    backup.shows(&["backup-empty-or-truncated"]);
    backup.seen.coverage.facts.fault = Some(Fault::TooOld);
    backup.shows(&[]);
}

#[test]
fn scripts_that_came_after_the_data() {
    let born = now().as_second() - 30 * 86_400;
    let mut scripts = scene();
    scripts.seen.identity = Some((u64::try_from(born).unwrap() << 32 | 7).to_string());
    let mut setup = from_container::setup(&scripts.container);
    let look = |setup: &Setup, scripts: &Scene| {
        let situation = Situation {
            seen: &scripts.seen,
            setup: Some(setup),
            all: std::slice::from_ref(setup),
            volume: None,
            is_used: true,
            now: now(),
        };
        of_data(&situation).iter().map(|raised| raised.check.id).collect::<Vec<_>>()
    };
    setup.scripts_changed = Timestamp::from_second(born + 7 * 86_400).ok();
    assert_eq!(look(&setup, &scripts), ["init-scripts-ignored"]);
    setup.scripts_changed = Timestamp::from_second(born - 60).ok();
    assert!(look(&setup, &scripts).is_empty());
    setup.scripts_changed = None;
    assert!(look(&setup, &scripts).is_empty());
}
