//! What is to be done again and again, what became of each run, and whether one is missing. Pure.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The form of schedules and runs on disk.
pub const SCHEDULE_VERSION: u32 = 1;

/// A run may start this much later than it should: the machine may have been busy, or asleep.
const LEAST_GRACE: SignedDuration = SignedDuration::from_hours(1);
const MOST_GRACE: SignedDuration = SignedDuration::from_hours(24);
/// Two ticks of a clock are never quite one period apart.
const MOST_SLACK: SignedDuration = SignedDuration::from_mins(10);

/// Snapshots of the same data, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub version: u32,
    /// Its name in `schedule rm ID` and in the timer.
    pub id: String,
    pub created: Timestamp,
    /// What a person named: containers, services or volumes.
    pub targets: Vec<String>,
    /// The ID of the engine that they are on. `None` in schedules of before it was noted, or where it told none.
    #[serde(default)]
    pub docker_engine: Option<String>,
    /// What that was then, by name.
    pub containers: Vec<String>,
    pub volumes: Vec<String>,
    /// Where it was named, which says whose service is meant.
    pub folder: PathBuf,
    /// `COMPOSE_PROJECT_NAME`, where it was set.
    #[serde(default)]
    pub project: Option<String>,
    /// Seconds between two runs.
    pub every: i64,
    pub keep: Keep,
    /// Seconds between two drills; `None` for none.
    #[serde(default)]
    pub drill_every: Option<i64>,
    /// Who is told of a run that failed: a URL, or a command line.
    #[serde(default)]
    pub notify: Option<String>,
    /// What calls us.
    pub timer: Timer,
    /// The program and its arguments, as the timer starts it.
    pub command: Vec<String>,
    /// Its environment. Nothing secret.
    pub environment: BTreeMap<String, String>,
}

/// How many snapshots of a schedule are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    pub last: usize,
    pub daily: usize,
    pub weekly: usize,
    pub monthly: usize,
}

/// What starts the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    SystemdSystem,
    SystemdUser,
    Cron,
}

impl Timer {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SystemdSystem => "systemd",
            Self::SystemdUser => "systemd, the user's",
            Self::Cron => "crontab",
        }
    }
}

/// What became of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// It has begun. Where nobody works at it any more, it was cut off.
    Started,
    Done,
    Failed,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub version: u32,
    pub started: Timestamp,
    #[serde(default)]
    pub ended: Option<Timestamp>,
    pub outcome: RunOutcome,
    /// The snapshot that it made.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// What it did, or why it failed. One clause.
    #[serde(default)]
    pub detail: String,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Trouble {
    /// The last run, begun then, failed or was cut off.
    Failed { at: Timestamp },
    /// A run was due then, and has not happened.
    Overdue { since: Timestamp },
}

impl Trouble {
    /// The id of the finding that it makes.
    #[must_use]
    pub fn check_id(self) -> &'static str {
        match self {
            Self::Failed { .. } => "scheduled-backup-failed",
            Self::Overdue { .. } => "scheduled-backup-overdue",
        }
    }
}

impl Schedule {
    #[must_use]
    pub fn period(&self) -> SignedDuration {
        SignedDuration::from_secs(self.every)
    }

    /// When a run is due, after the last of these.
    fn due(&self, runs: &[Run]) -> Timestamp {
        let last = runs.iter().map(|run| run.started).max();
        let from = last.unwrap_or(self.created);
        from.checked_add(self.period()).unwrap_or(Timestamp::MAX)
    }

    /// Whether a timer that ticks more often than the schedule has come at the right time. A schedule that never ran
    /// is due at once.
    #[must_use]
    pub fn is_due(&self, runs: &[Run], now: Timestamp) -> bool {
        let slack = (self.period() / 10).min(MOST_SLACK);
        runs.is_empty() || now.checked_add(slack).unwrap_or(now) >= self.due(runs)
    }

    /// Whether it is time for a drill, after the last one of what it saves.
    #[must_use]
    pub fn is_drill_due(&self, last: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(every) = self.drill_every else { return false };
        now.duration_since(last.unwrap_or(self.created)) >= SignedDuration::from_secs(every)
    }

    /// What is wrong. `is_at_work` says whether a process of ours works at it this moment.
    #[must_use]
    pub fn trouble(&self, runs: &[Run], is_at_work: bool, now: Timestamp) -> Option<Trouble> {
        if is_at_work {
            return None;
        }
        let due = self.due(runs);
        let grace = (self.period() / 4).clamp(LEAST_GRACE, MOST_GRACE);
        if now.duration_since(due) > grace {
            return Some(Trouble::Overdue { since: due });
        }
        let last = runs.iter().max_by_key(|run| run.started)?;
        (last.outcome != RunOutcome::Done).then_some(Trouble::Failed { at: last.started })
    }

    /// Whether it saves data of this container or in this volume. Of which engine is the caller's to know.
    #[must_use]
    pub fn is_of(&self, container: &str, volume: Option<&str>) -> bool {
        self.containers.iter().any(|own| own == container)
            || volume.is_some_and(|volume| self.volumes.iter().any(|own| own == volume))
    }
}

/// Whether two IDs may be of one engine of Docker's. One that is not known may be any.
#[must_use]
pub fn may_be_one(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl Default for Keep {
    /// Two days of six-hourly ones, a week, a month, half a year.
    fn default() -> Self {
        Self { last: 8, daily: 7, weekly: 4, monthly: 6 }
    }
}

impl Keep {
    /// Reads `7`, or `last=4,daily=7,weekly=4,monthly=6`; what is not named is not kept for its own sake.
    ///
    /// # Errors
    /// What is wrong with it, as a clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number nor like \"last=4,daily=7,weekly=4,monthly=6\"");
        let mut keep = Self { last: 0, daily: 0, weekly: 0, monthly: 0 };
        if let Ok(last) = text.trim().parse() {
            keep.last = last;
        } else {
            for part in text.split(',') {
                let (name, number) = part.split_once('=').ok_or_else(wrong)?;
                let number = number.trim().parse().map_err(|_no_number| wrong())?;
                match name.trim() {
                    "last" => keep.last = number,
                    "daily" => keep.daily = number,
                    "weekly" => keep.weekly = number,
                    "monthly" => keep.monthly = number,
                    _ => return Err(wrong()),
                }
            }
        }
        if keep.last + keep.daily + keep.weekly + keep.monthly == 0 {
            return Err("something must be kept".to_owned());
        }
        Ok(keep)
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts =
            [("last", self.last), ("daily", self.daily), ("weekly", self.weekly), ("monthly", self.monthly)];
        let parts = parts.iter().filter(|(_, number)| *number > 0);
        let parts: Vec<String> = parts.map(|(name, number)| format!("{name}={number}")).collect();
        out.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule() -> Schedule {
        Schedule {
            version: SCHEDULE_VERSION,
            id: "db".to_owned(),
            created: at("2026-01-01T00:00:00Z"),
            targets: vec!["db".to_owned()],
            containers: vec!["shop-db-1".to_owned()],
            volumes: Vec::new(),
            folder: "/srv/shop".into(),
            project: None,
            every: 6 * 3600,
            keep: Keep::default(),
            drill_every: None,
            notify: None,
            timer: Timer::Cron,
            command: Vec::new(),
            environment: BTreeMap::new(),
            docker_engine: None,
        }
    }

    fn run(started: &str, outcome: RunOutcome) -> Run {
        Run {
            version: SCHEDULE_VERSION,
            started: at(started),
            ended: None,
            outcome,
            snapshot: None,
            detail: String::new(),
        }
    }

    #[test]
    fn a_tick_that_comes_a_little_early_is_on_time() {
        let runs = [run("2026-01-01T06:17:04Z", RunOutcome::Done)];
        assert!(schedule().is_due(&runs, at("2026-01-01T12:17:01Z")));
        assert!(!schedule().is_due(&runs, at("2026-01-01T11:17:01Z")));
        assert!(schedule().is_due(&[], at("2026-01-01T00:00:01Z")));
    }

    #[test]
    fn what_failed_and_what_did_not_happen_is_trouble() {
        let trouble = |runs: &[Run], now: &str| schedule().trouble(runs, false, at(now));
        let done = [run("2026-01-01T06:00:00Z", RunOutcome::Done)];
        assert_eq!(trouble(&done, "2026-01-01T13:00:00Z"), None);
        let overdue = Some(Trouble::Overdue { since: at("2026-01-01T12:00:00Z") });
        assert_eq!(trouble(&done, "2026-01-01T14:00:00Z"), overdue);
        assert_eq!(schedule().trouble(&done, true, at("2026-01-01T14:00:00Z")), None);
        assert_eq!(trouble(&[], "2026-01-01T07:00:00Z"), None);
        let never = Some(Trouble::Overdue { since: at("2026-01-01T06:00:00Z") });
        assert_eq!(trouble(&[], "2026-01-02T00:00:00Z"), never);
        for outcome in [RunOutcome::Failed, RunOutcome::Started] {
            let runs = [done[0].clone(), run("2026-01-01T12:00:00Z", outcome)];
            let failed = Some(Trouble::Failed { at: at("2026-01-01T12:00:00Z") });
            assert_eq!(trouble(&runs, "2026-01-01T12:30:00Z"), failed);
        }
    }

    #[test]
    fn what_to_keep_is_a_number_or_parts() {
        assert_eq!(Keep::parse("7"), Ok(Keep { last: 7, daily: 0, weekly: 0, monthly: 0 }));
        assert_eq!(Keep::parse("daily=7, monthly=6").unwrap().to_string(), "daily=7,monthly=6");
        for text in ["", "0", "daily=0", "hourly=3", "daily", "x"] {
            assert!(Keep::parse(text).is_err(), "{text}");
        }
    }
}
