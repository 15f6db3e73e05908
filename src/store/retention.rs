//! Which snapshots to keep: a pure plan, to be shown before anything is removed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// How many to keep, of each subject. All zero keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    pub keep_last: usize,
    /// The newest of each of so many days that have one.
    pub keep_daily: usize,
    pub keep_weekly: usize,
    pub keep_monthly: usize,
}

/// What retention knows of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    pub created: Timestamp,
    pub proved: bool,
    /// What it is of: `Stored::subjects`.
    pub subjects: Vec<String>,
    /// `Manifest::kept_until`.
    pub kept_until: Option<Timestamp>,
}

/// What happens to a snapshot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub id: String,
    /// Why it is kept, each in a word or two; empty where it goes.
    pub reasons: Vec<&'static str>,
}

impl Decision {
    #[must_use]
    pub fn is_removal(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// The first day of the period that a day belongs to.
type Period = fn(Date) -> Date;

/// Decides on each snapshot, newest first. A snapshot that any of its subjects needs is kept, and the newest
/// proved one of every subject always is; where none is proved, the newest. One with a time of its own is kept until
/// then, and without limits goes afterwards.
#[must_use]
pub fn plan(candidates: &[Candidate], policy: Policy, now: Timestamp, zone: &TimeZone) -> Vec<Decision> {
    let mut sorted: Vec<&Candidate> = candidates.iter().collect();
    sorted.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let mut kept: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    for candidate in &sorted {
        let reason = match candidate.kept_until {
            Some(until) if until > now => "its time has not come",
            None if policy == Policy::default() => "no limit is set",
            Some(_) | None => continue,
        };
        kept.insert(&candidate.id, BTreeSet::from([reason]));
    }
    let subjects: BTreeSet<&String> = sorted.iter().flat_map(|candidate| &candidate.subjects).collect();
    for subject in subjects {
        let own: Vec<&Candidate> =
            sorted.iter().copied().filter(|candidate| candidate.subjects.contains(subject)).collect();
        let mut keep = |candidate: &Candidate, reason| {
            if let Some(candidate) = sorted.iter().find(|other| other.id == candidate.id) {
                kept.entry(candidate.id.as_str()).or_default().insert(reason);
            }
        };
        for candidate in own.iter().take(policy.keep_last) {
            keep(candidate, "last");
        }
        let periods: [(usize, &'static str, Period); 3] = [
            (policy.keep_daily, "daily", |date| date),
            (policy.keep_weekly, "weekly", |date| {
                let back = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_sub(jiff::Span::new().days(back)).unwrap_or(date)
            }),
            (policy.keep_monthly, "monthly", Date::first_of_month),
        ];
        for (count, reason, period) in periods {
            let mut seen = HashSet::new();
            for candidate in &own {
                let date = period(candidate.created.to_zoned(zone.clone()).date());
                if seen.len() < count && seen.insert(date) {
                    keep(candidate, reason);
                }
            }
        }
        match own.iter().find(|candidate| candidate.proved) {
            Some(proved) => keep(proved, "last proved"),
            None => own.iter().take(1).for_each(|newest| keep(newest, "none is proved")),
        }
    }
    sorted
        .iter()
        .map(|candidate| Decision {
            id: candidate.id.clone(),
            reasons: match kept.get(candidate.id.as_str()) {
                Some(reasons) => reasons.iter().copied().collect(),
                // It is of nothing that we know: not ours to judge.
                None if candidate.subjects.is_empty() => vec!["holds no data"],
                None => Vec::new(),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, created: &str, proved: bool, subject: &str) -> Candidate {
        let subjects = vec![subject.to_owned()];
        Candidate { id: id.to_owned(), created: created.parse().unwrap(), proved, subjects, kept_until: None }
    }

    fn removed(candidates: &[Candidate], policy: Policy) -> Vec<String> {
        let decisions = plan(candidates, policy, "2026-02-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC);
        decisions.into_iter().filter(Decision::is_removal).map(|decision| decision.id).collect()
    }

    #[test]
    fn the_last_proved_one_of_each_subject_stays_whatever_is_newer() {
        let candidates = [
            candidate("new-failed", "2026-01-05T00:00:00Z", false, "shop"),
            candidate("proved", "2026-01-04T00:00:00Z", true, "shop"),
            candidate("older", "2026-01-03T00:00:00Z", true, "shop"),
            candidate("other", "2025-01-01T00:00:00Z", false, "blog"),
        ];
        assert_eq!(removed(&candidates, Policy { keep_last: 1, ..Policy::default() }), ["older"]);
    }

    #[test]
    fn without_limits_nothing_goes() {
        let candidates = [
            candidate("a", "2026-01-05T00:00:00Z", true, "shop"),
            candidate("b", "2026-01-04T00:00:00Z", true, "shop"),
        ];
        assert!(removed(&candidates, Policy::default()).is_empty());
    }

    #[test]
    fn what_a_swap_took_away_is_kept_for_a_time_and_then_goes() {
        let swapped = |until: &str, proved| Candidate {
            kept_until: Some(until.parse().unwrap()),
            ..candidate("swapped", "2026-01-04T00:00:00Z", proved, "shop")
        };
        let newer = candidate("newer", "2026-01-05T00:00:00Z", true, "shop");
        let last = Policy { keep_last: 1, ..Policy::default() };
        for policy in [last, Policy::default()] {
            assert!(removed(&[swapped("2026-02-02T00:00:00Z", true), newer.clone()], policy).is_empty());
            assert_eq!(removed(&[swapped("2026-01-31T00:00:00Z", true), newer.clone()], policy), ["swapped"]);
            assert!(removed(&[swapped("2026-01-31T00:00:00Z", true)], policy).is_empty());
        }
    }

    #[test]
    fn days_weeks_and_months_keep_the_newest_of_each() {
        let candidates = [
            candidate("wed-late", "2026-01-07T20:00:00Z", true, "shop"),
            candidate("wed", "2026-01-07T08:00:00Z", true, "shop"),
            candidate("tue", "2026-01-06T08:00:00Z", true, "shop"),
            candidate("sun", "2026-01-04T08:00:00Z", true, "shop"),
            candidate("sat", "2026-01-03T08:00:00Z", true, "shop"),
            candidate("december", "2025-12-24T08:00:00Z", true, "shop"),
        ];
        let policy = Policy { keep_last: 0, keep_daily: 2, keep_weekly: 2, keep_monthly: 2 };
        assert_eq!(removed(&candidates, policy), ["wed", "sat"]);
    }
}
