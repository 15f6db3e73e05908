//! The backups of each database, for people.

use jiff::Timestamp;

use super::{
    table, text,
    words::{ago, count, short, span},
};
use crate::{
    model::{
        backup::{Backup, Quality},
        coverage::CoverageStatus,
        drill::Drill,
        evidence::{Evidence, Presence},
        manifest::VerificationResult,
    },
    ui::{Paint, Ui, clean},
};

/// One body of data, and what is known of its backups.
#[derive(Debug, Clone, Copy)]
pub struct Database<'a> {
    pub seen: &'a Evidence,
    /// Every one that was looked at.
    pub backups: &'a [Backup],
    /// The last restore that was tried, whatever came of it.
    pub drill: Option<&'a Drill>,
}

/// Every database with what was found of it, then what nothing covers, and where none could be looked for.
#[must_use]
pub fn as_text(databases: &[Database<'_>], unseen: &[&Evidence], now: Timestamp, ui: &Ui) -> String {
    let mut out = String::new();
    for one in databases {
        out.push_str(&database(one, now, ui));
        out.push('\n');
    }
    let bare: Vec<String> = databases
        .iter()
        .map(|one| one.seen)
        .filter(|seen| seen.coverage.status != CoverageStatus::Covered)
        .map(|seen| clean(short(&seen.target.name)))
        .collect();
    let all = count(databases.len() as u64, "database");
    if databases.is_empty() {
        out.push_str("no database was found\n");
    } else if bare.is_empty() {
        out.push_str(&format!("{all}, each with a backup that counts\n"));
    } else {
        let without = Paint::Danger.apply(ui.colour_out, "no backup that counts:");
        out.push_str(&format!("{all}; {without} {}\n", bare.join(", ")));
    }
    for seen in unseen {
        if let Presence::Undetermined { cause } = &seen.presence {
            let name = clean(short(&seen.target.name));
            let place = text::place(seen);
            let what = Paint::Danger.apply(ui.colour_out, "could not be looked into:");
            out.push_str(&format!("{what} {name}, {place}: {}\n", clean(cause)));
        }
    }
    out
}

/// `restore tested 3 days ago, took 41 s`, and what came of the last drill where it proved nothing.
fn drilled(one: &Database<'_>, now: Timestamp) -> Vec<String> {
    let facts = &one.seen.coverage.facts;
    let proved = facts.tested_at.map(|at| {
        let took = facts.tested_milliseconds.map(|took| format!(", took {}", span(took.div_ceil(1000))));
        format!("restore tested {}{}", ago(at, now), took.unwrap_or_default())
    });
    let last = one.drill.filter(|drill| facts.tested_at.is_none_or(|at| at < drill.at));
    let last = last.and_then(|drill| {
        let came = match drill.result {
            VerificationResult::Proved => return None,
            VerificationResult::Failed => "could not restore",
            VerificationResult::Unverified => "could not prove",
        };
        let source = clean(drill.source.as_deref().unwrap_or("a backup"));
        Some(format!("the drill {} {came} {source}: {}", ago(drill.at, now), clean(&drill.detail)))
    });
    let never = proved.is_none() && last.is_none() && !one.backups.is_empty();
    let never = never.then(|| "no restore of it was ever tested, as far as is known".to_owned());
    last.into_iter().chain(proved).chain(never).collect()
}

fn database(one: &Database<'_>, now: Timestamp, ui: &Ui) -> String {
    let Database { seen, backups, .. } = *one;
    let name = Paint::Strong.apply(ui.colour_out, &clean(short(&seen.target.name)));
    let contents = text::contents(seen, now);
    let mut out = format!("{name}   {}   {contents}\n", text::engine(seen));
    out.push_str(&format!("  {}\n", text::place(seen)));
    if backups.is_empty() {
        let why = seen.coverage.detail.as_deref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
        out.push_str(&format!("  {}{why}\n", Paint::Danger.apply(ui.colour_out, "no backup found")));
        return out;
    }
    let mut rows = vec![["COUNTS", "MADE", "BY", "WHERE"].map(str::to_owned)];
    for backup in backups {
        let (word, paint) = match backup.status {
            CoverageStatus::Covered => ("yes", Paint::Good),
            CoverageStatus::Stale | CoverageStatus::None => ("no", Paint::Danger),
            CoverageStatus::Undetermined => ("unknown", Paint::Danger),
        };
        let made = backup.at.map_or_else(|| "-".to_owned(), |at| ago(at, now));
        rows.push([paint.apply(ui.colour_out, word), made, clean(&backup.tool), clean(&backup.source)]);
    }
    // The table cuts what is too long; the reason stands below, whole.
    let lines = table::plain(&rows, ui.width_out);
    for (index, line) in lines.lines().enumerate() {
        out.push_str(line);
        out.push('\n');
        let Some(backup) = index.checked_sub(1).and_then(|index| backups.get(index)) else { continue };
        let facts = facts(backup);
        if !facts.is_empty() {
            for part in text::wrap(&facts, ui.width_out.saturating_sub(10)) {
                out.push_str(&format!("          {part}\n"));
            }
        }
    }
    if seen.coverage.status != CoverageStatus::Covered
        && let Some(why) = &seen.coverage.detail
    {
        let line = format!("not covered: {}", clean(why));
        for part in text::wrap(&line, ui.width_out.saturating_sub(2)) {
            out.push_str(&format!("  {part}\n"));
        }
    }
    for line in drilled(one, now) {
        for part in text::wrap(&line, ui.width_out.saturating_sub(2)) {
            out.push_str(&format!("  {part}\n"));
        }
    }
    out
}

/// What was found out of a backup, in a line.
fn facts(backup: &Backup) -> String {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(backup.detail.as_deref().map(clean));
    // A dump and a base backup are named by what made them.
    if let Some(quality @ (Quality::StoppedCopy | Quality::RunningCopy)) = backup.quality {
        facts.push(quality.name().to_owned());
    }
    facts.extend(match (backup.whole, backup.status) {
        (Some(false), _) => Some("not whole".to_owned()),
        (Some(true), CoverageStatus::Stale) => Some("whole".to_owned()),
        _ => None,
    });
    facts.extend(match backup.same_data {
        Some(true) => Some("of this data".to_owned()),
        Some(false) => Some("of other data".to_owned()),
        None => None,
    });
    facts.extend(match backup.off_host {
        Some(true) => Some("off this host".to_owned()),
        Some(false) => Some("on this host".to_owned()),
        None => None,
    });
    if backup.verified {
        facts.push("proved by a restore".to_owned());
    }
    facts.join("; ")
}
