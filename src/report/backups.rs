//! The backups of each database, for people.

use jiff::Timestamp;

use super::{
    table, text,
    words::{ago, count, short},
};
use crate::{
    model::{
        backup::{Backup, Quality},
        coverage::CoverageStatus,
        evidence::Evidence,
    },
    ui::{Paint, Ui, clean},
};

/// Every database with what was found of it, then what nothing covers.
#[must_use]
pub fn as_text(evidence: &[Evidence], found: &[Vec<Backup>], now: Timestamp, ui: &Ui) -> String {
    if evidence.is_empty() {
        return "no database was found\n".to_owned();
    }
    let mut out = String::new();
    for (seen, backups) in evidence.iter().zip(found) {
        out.push_str(&database(seen, backups, now, ui));
        out.push('\n');
    }
    let bare: Vec<String> = evidence
        .iter()
        .filter(|seen| seen.coverage.status != CoverageStatus::Covered)
        .map(|seen| clean(short(&seen.target.name)))
        .collect();
    let all = count(evidence.len() as u64, "database");
    if bare.is_empty() {
        out.push_str(&format!("{all}, each with a backup that counts\n"));
    } else {
        let without = Paint::Danger.apply(ui.colour_out, "no backup that counts:");
        out.push_str(&format!("{all}; {without} {}\n", bare.join(", ")));
    }
    out
}

fn database(seen: &Evidence, backups: &[Backup], now: Timestamp, ui: &Ui) -> String {
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
