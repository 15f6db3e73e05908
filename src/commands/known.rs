//! What is known of backups beside the backups themselves: the drills that were done, and the schedules that make them.

use jiff::Timestamp;

use super::app::App;
use crate::{
    model::{
        backup::Backup,
        coverage::{CoverageStatus, Fault},
        drill::Drill,
        evidence::Evidence,
        manifest::VerificationResult,
        schedule::{Schedule, Trouble, may_be_one},
    },
    report::words::ago,
    settings::place,
    store::{StoreError, drills, schedules},
};

/// A schedule, and what is wrong with it.
type Standing = (Schedule, Option<Trouble>);

/// What this host remembers of one of Docker's engines.
pub(super) struct Known {
    /// Oldest first.
    drills: Vec<Drill>,
    schedules: Vec<Standing>,
    now: Timestamp,
}

impl Known {
    /// What cannot be read is said, and adds nothing.
    pub(super) async fn load(app: &App) -> Self {
        let now = app.now();
        let Some(home) = place::home(&app.environment) else {
            return Self { drills: Vec::new(), schedules: Vec::new(), now };
        };
        let mut drills = drills::list(&home).unwrap_or_else(|error| {
            app.ui.note(&error.to_string());
            Vec::new()
        });
        let standing = || -> Result<Vec<Standing>, StoreError> {
            let standing = |schedule: Schedule| {
                let runs = schedules::runs(&home, &schedule.id)?;
                let trouble = schedule.trouble(&runs, schedules::is_at_work(&home, &schedule.id), now);
                Ok((schedule, trouble))
            };
            schedules::list(&home)?.into_iter().map(standing).collect()
        };
        let mut schedules = standing().unwrap_or_else(|error| {
            app.ui.note(&error.to_string());
            Vec::new()
        });
        if !drills.is_empty() || !schedules.is_empty() {
            // Another engine's containers may have the same names.
            let here = app.engine.id().await;
            drills.retain(|drill| may_be_one(drill.docker_engine.as_deref(), here.as_deref()));
            schedules.retain(|(schedule, _)| may_be_one(schedule.docker_engine.as_deref(), here.as_deref()));
        }
        Self { drills, schedules, now }
    }

    /// Adds it to what was found: to each body of data, and to the backups of each.
    pub(super) fn add(&self, evidence: &mut [Evidence], backups: &mut [Vec<Backup>]) {
        for (seen, backups) in evidence.iter_mut().zip(backups) {
            drilled(seen, backups, &self.drills, self.now);
            scheduled(seen, &self.schedules);
        }
    }

    /// The last drill of one body of data, whatever came of it.
    pub(super) fn last_drill(&self, seen: &Evidence) -> Option<&Drill> {
        self.drills.iter().filter(|drill| drill.is_of(seen)).max_by_key(|drill| drill.at)
    }
}

/// When a restore was last proved. A backup that a drill could not restore is none, until there is a newer one.
fn drilled(seen: &mut Evidence, backups: &mut [Backup], drills: &[Drill], now: Timestamp) {
    let own: Vec<&Drill> = drills.iter().filter(|drill| drill.is_of(seen)).collect();
    let proved = own.iter().filter(|drill| drill.result == VerificationResult::Proved);
    let coverage = &mut seen.coverage;
    if let Some(last) = proved.max_by_key(|drill| drill.at)
        && coverage.facts.tested_at.is_none_or(|at| at < last.at)
    {
        coverage.facts.tested_at = Some(last.at);
        coverage.facts.tested_milliseconds = Some(last.milliseconds);
    }
    let is_last = |drill: &&&Drill| {
        own.iter()
            .all(|other| other.source != drill.source || other.made != drill.made || other.at <= drill.at)
    };
    // A snapshot's own verification says what became of it, and is weighed already.
    let is_file =
        |source: &Option<String>| source.as_ref().is_some_and(|source| !source.starts_with("snapshot "));
    let failed: Vec<&Drill> = own
        .iter()
        .filter(is_last)
        .filter(|drill| drill.result == VerificationResult::Failed && is_file(&drill.source))
        .copied()
        .collect();
    let why = |drill: &Drill| {
        let source = drill.source.as_deref().unwrap_or_default();
        format!("a drill could not restore {source}, {}: {}", ago(drill.at, now), drill.detail)
    };
    for backup in backups.iter_mut().filter(|backup| backup.status == CoverageStatus::Covered) {
        let of = |drill: &&&Drill| {
            drill.source.as_ref() == Some(&backup.source) && (drill.made.is_none() || drill.made >= backup.at)
        };
        if let Some(drill) = failed.iter().filter(of).max_by_key(|drill| drill.at) {
            backup.status = CoverageStatus::Stale;
            backup.fault = Some(Fault::Unproved);
            backup.detail = Some(why(drill));
        }
    }
    let newer = |drill: &&&Drill| drill.made.is_none() || drill.made >= coverage.at;
    if let Some(drill) = failed.iter().filter(newer).max_by_key(|drill| drill.at)
        && coverage.status == CoverageStatus::Covered
        && is_file(&coverage.source)
    {
        coverage.status = CoverageStatus::Stale;
        coverage.facts.fault = Some(Fault::Unproved);
        coverage.detail = Some(why(drill));
    }
}

fn scheduled(seen: &mut Evidence, schedules: &[Standing]) {
    let own = |(schedule, _): &&Standing| schedule.is_of(&seen.target.name, seen.volume.as_deref());
    let own: Vec<&Standing> = schedules.iter().filter(own).collect();
    if own.is_empty() {
        return;
    }
    seen.coverage.facts.scheduled = Some(true);
    // One that does its work is enough.
    if own.iter().all(|(_, trouble)| trouble.is_some()) {
        seen.coverage.facts.schedule_trouble = own.iter().find_map(|(_, trouble)| *trouble);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{
        container::Container,
        coverage::Coverage,
        drill::DRILL_VERSION,
        schedule::{Keep, SCHEDULE_VERSION, Timer},
    };

    fn at(hour: i8) -> Timestamp {
        format!("2026-01-01T{hour:02}:00:00Z").parse().unwrap()
    }

    fn seen() -> Evidence {
        let mut seen = Evidence::sample(&Container::sample("pg", "pg"));
        seen.target.name = "pg".to_owned();
        seen.path = "/data".to_owned();
        seen.volume = Some("pg".to_owned());
        let status = CoverageStatus::Covered;
        let source = Some("/b/shop.dump".to_owned());
        seen.coverage = Coverage { status, at: Some(at(6)), source, ..Coverage::none() };
        seen
    }

    fn drill(source: &str, made: i8, done: i8, result: VerificationResult) -> Drill {
        Drill {
            version: DRILL_VERSION,
            at: at(done),
            docker_engine: None,
            container: "pg".to_owned(),
            volume: Some("pg".to_owned()),
            path: "/data".to_owned(),
            engine: "postgres".to_owned(),
            identity: None,
            source: Some(source.to_owned()),
            made: Some(at(made)),
            result,
            milliseconds: 41_000,
            detail: "why".to_owned(),
        }
    }

    #[test]
    fn a_backup_that_a_drill_could_not_restore_is_none() {
        use VerificationResult::{Failed, Proved};
        let after = |drills: &[Drill]| {
            let mut seen = seen();
            let status = seen.coverage.status;
            let mut rows = [Backup::new("pg_dump", "/b/shop.dump", seen.coverage.at, status)];
            drilled(&mut seen, &mut rows, drills, at(9));
            assert_eq!(
                (rows[0].status, rows[0].detail.clone()),
                (seen.coverage.status, seen.coverage.detail.clone())
            );
            (seen.coverage.status, seen.coverage.facts.tested_at, seen.coverage.detail)
        };
        let (status, tested, _) = after(&[drill("/b/shop.dump", 6, 7, Proved)]);
        assert_eq!((status, tested), (CoverageStatus::Covered, Some(at(7))));
        let (status, tested, detail) =
            after(&[drill("/b/old.dump", 4, 5, Proved), drill("/b/shop.dump", 6, 7, Failed)]);
        assert_eq!((status, tested), (CoverageStatus::Stale, Some(at(5))));
        assert_eq!(detail.unwrap(), "a drill could not restore /b/shop.dump, 2 h ago: why");
        // A later drill of the same file says more; an older file's fault is not the newer one's.
        let again = [drill("/b/shop.dump", 6, 7, Failed), drill("/b/shop.dump", 6, 8, Proved)];
        assert_eq!(after(&again).0, CoverageStatus::Covered);
        assert_eq!(after(&[drill("/b/shop.dump", 4, 5, Failed)]).0, CoverageStatus::Covered);
        assert_eq!(after(&[drill("snapshot x", 7, 8, Failed)]).0, CoverageStatus::Covered);
        let other = Drill { container: "other".to_owned(), ..drill("/b/shop.dump", 6, 7, Failed) };
        assert_eq!(after(&[other]).0, CoverageStatus::Covered);
    }

    #[test]
    fn a_schedule_in_trouble_counts_where_no_other_does_its_work() {
        let schedule = |volume: &str| Schedule {
            version: SCHEDULE_VERSION,
            id: "db".to_owned(),
            created: at(0),
            targets: Vec::new(),
            containers: Vec::new(),
            volumes: vec![volume.to_owned()],
            folder: "/".into(),
            project: None,
            every: 3600,
            keep: Keep::default(),
            drill_every: None,
            notify: None,
            timer: Timer::Cron,
            command: Vec::new(),
            environment: BTreeMap::new(),
            docker_engine: None,
        };
        let failed = Some(Trouble::Failed { at: at(6) });
        let after = |schedules: &[Standing]| {
            let mut seen = seen();
            scheduled(&mut seen, schedules);
            (seen.coverage.facts.scheduled, seen.coverage.facts.schedule_trouble)
        };
        assert_eq!(after(&[(schedule("other"), failed)]), (None, None));
        assert_eq!(after(&[(schedule("pg"), failed)]), (Some(true), failed));
        assert_eq!(after(&[(schedule("pg"), failed), (schedule("pg"), None)]), (Some(true), None));
    }
}
