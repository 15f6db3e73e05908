//! What a guarded command says, for a tired person at night: what would be lost, then what to type.

use jiff::Timestamp;

use super::words::{ago, count, short, size, span};
use crate::{
    model::{
        coverage::{Coverage, CoverageStatus},
        evidence::{DatabaseContents, Evidence, Location, Presence},
        plan::{Ending, Fate, Plan},
    },
    ui::{Paint, Ui, clean},
};

/// Databases of one server that are named; the rest is counted.
const NAMED_DATABASES: usize = 3;

/// `PostgreSQL 15.6`, or what it is called where no engine was recognised.
#[must_use]
pub fn engine(evidence: &Evidence) -> String {
    match (&evidence.engine_name, &evidence.engine_version) {
        (Some(name), Some(version)) => format!("{name} {}", clean(version)),
        (Some(name), None) => name.clone(),
        (None, _) => "files".to_owned(),
    }
}

/// `payment_db: 3 tables, 250 rows, 31 MB, last write 12 s ago`.
#[must_use]
pub fn contents(evidence: &Evidence, now: Timestamp) -> String {
    let databases = &evidence.contents.databases;
    let mut parts: Vec<String> = databases.iter().take(NAMED_DATABASES).map(database).collect();
    if databases.len() > NAMED_DATABASES {
        parts.push(format!("{} more", count((databases.len() - NAMED_DATABASES) as u64, "database")));
    }
    let mut text = parts.join("; ");
    let told_size = databases.len() == 1 && databases[0].bytes.is_some();
    let mut add = |part: String| {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&part);
    };
    if let Some(bytes) = evidence.size_bytes.filter(|_| !told_size) {
        add(if databases.len() > 1 { format!("{} in all", size(bytes)) } else { size(bytes) });
    }
    if let Some(then) = evidence.last_write {
        add(format!("last write {}", ago(then, now)));
    }
    if let Some(note) = &evidence.contents.note {
        add(clean(note));
    }
    text
}

fn database(database: &DatabaseContents) -> String {
    let mut parts = Vec::new();
    if let Some(tables) = database.tables {
        parts.push(count(tables, "table"));
    }
    if let Some(objects) = database.large_objects {
        parts.push(count(objects, "large object"));
    }
    if let Some(rows) = database.rows {
        let about = if database.rows_exact || rows == 0 { "" } else { "about " };
        let unit = if database.tables.is_none() { "key" } else { "row" };
        parts.push(format!("{about}{}", count(rows, unit)));
    }
    if let Some(bytes) = database.bytes {
        parts.push(size(bytes));
    }
    match parts.as_slice() {
        [] => clean(&database.name),
        parts => format!("{}: {}", clean(&database.name), parts.join(", ")),
    }
}

/// `in the container's writable layer, /srv/pg`.
#[must_use]
pub fn place(evidence: &Evidence) -> String {
    let path = clean(&evidence.path);
    let volume = clean(short(evidence.volume.as_deref().unwrap_or_default()));
    match evidence.location {
        Location::WritableLayer if evidence.path == "/" => "in the container's writable layer".to_owned(),
        Location::WritableLayer => format!("in the container's writable layer, {path}"),
        Location::AnonymousVolume => format!("in an anonymous volume, {volume}"),
        Location::NamedVolume => format!("in the volume {volume}"),
        Location::BindMount => format!("in a folder of the host, mounted at {path}"),
        Location::Tmpfs => format!("in a memory file system, {path}"),
        Location::Memory => "in the server's memory".to_owned(),
    }
}

/// `backups: none found`, and its kin.
#[must_use]
pub fn backups(evidence: &Evidence, now: Timestamp) -> String {
    let coverage = &evidence.coverage;
    let source = coverage.source.as_deref().map(|source| format!(" {}", clean(source)));
    let apart = source.as_deref().map(|source| format!(";{source}")).unwrap_or_default();
    let source = source.unwrap_or_default();
    let when = coverage.at.map(|at| format!(", {}", ago(at, now))).unwrap_or_default();
    let detail = coverage.detail.as_deref().map(|detail| format!(": {}", clean(detail))).unwrap_or_default();
    match coverage.status {
        CoverageStatus::Covered => {
            let proved = if coverage.verified { ", proved" } else { "" };
            format!("backup:{source}{when}{proved}{}", tested(coverage, now))
        }
        CoverageStatus::Stale => format!("backups: none that counts{apart}{when}{detail}"),
        CoverageStatus::None => format!("backups: none found{detail}"),
        CoverageStatus::Undetermined => format!("backups: could not be checked{apart}{detail}"),
    }
}

/// When a restore was tried, where that is more than what proved the backup itself, and how long it took.
fn tested(coverage: &Coverage, now: Timestamp) -> String {
    let took = coverage.facts.tested_milliseconds.map(|took| span(took.div_ceil(1000)));
    match (coverage.facts.tested_at, took) {
        (Some(at), Some(took)) => format!("; restore tested {}, took {took}", ago(at, now)),
        (Some(_), None) | (None, _) => String::new(),
    }
}

/// One body of data as a paragraph: name, engine, contents; where; backups.
#[must_use]
pub fn paragraph(evidence: &Evidence, name_width: usize, now: Timestamp, ui: &Ui) -> String {
    let name = clean(short(&evidence.target.name));
    let mut first = engine(evidence);
    let contents = contents(evidence, now);
    let mut lines = Vec::new();
    match &evidence.presence {
        Presence::Undetermined { cause } => lines.push(format!("could not be determined: {}", clean(cause))),
        Presence::Empty { why } => first = format!("{first}   empty: {}", clean(why)),
        Presence::Found if contents.is_empty() => {}
        Presence::Found => first = format!("{first}   {contents}"),
    }
    if evidence.engine.is_none() && matches!(evidence.presence, Presence::Undetermined { .. }) {
        first = lines.remove(0);
    }
    lines.insert(0, first);
    lines.push(format!("{}: {}", place(evidence), clean(&evidence.consequence)));
    if evidence.engine.is_some() && evidence.presence == Presence::Found {
        lines.push(backups(evidence, now));
    }
    let indent = name_width + 5;
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (part_index, part) in wrap(line, ui.width.saturating_sub(indent)).iter().enumerate() {
            if index == 0 && part_index == 0 {
                let padding = " ".repeat(name_width.saturating_sub(console::measure_text_width(&name)));
                text.push_str(&format!("  {}{padding}   {part}\n", ui.paint(Paint::Strong, &name)));
            } else {
                let more = if part_index > 0 { "  " } else { "" };
                text.push_str(&format!("{}{more}{part}\n", " ".repeat(indent)));
            }
        }
    }
    text
}

/// Every paragraph, names aligned.
#[must_use]
pub fn paragraphs(evidence: &[&Evidence], now: Timestamp, ui: &Ui) -> String {
    let widest = evidence
        .iter()
        .map(|e| console::measure_text_width(&clean(short(&e.target.name))))
        .max()
        .unwrap_or(0);
    // A narrow terminal has no room for a wide column.
    let name_width = widest.min(ui.width / 3);
    evidence.iter().map(|e| paragraph(e, name_width, now, ui)).collect::<Vec<_>>().join("\n")
}

/// Commands to go on with, descriptions aligned before them.
#[must_use]
pub fn choices(choices: &[(String, String)], ui: &Ui) -> String {
    let widest = choices.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let longest = choices.iter().map(|(_, command)| command.len()).max().unwrap_or(0);
    let one_line = widest + longest + 6 <= ui.width;
    let mut text = String::new();
    for (what, command) in choices {
        if one_line {
            text.push_str(&format!("  {what:widest$}   {}\n", ui.paint(Paint::Strong, command)));
        } else {
            // Never broken, so that it can be copied.
            text.push_str(&format!("  {what}\n    {}\n", ui.paint(Paint::Strong, command)));
        }
    }
    text
}

/// The whole plan, for `--plan`: every object and what becomes of it.
#[must_use]
pub fn plan(plan: &Plan, ui: &Ui) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for planned in &plan.containers {
        let mut fate = fate_word(planned.fate).to_owned();
        match planned.ending {
            Ending::Kill => fate.push_str(", killed"),
            Ending::Stop { .. } if planned.fate != Fate::Stopped => fate.push_str(", stopped first"),
            Ending::Stop { .. } | Ending::Untouched => {}
        }
        rows.push(["container".into(), clean(&planned.container.name), fate, clean(&planned.cause)]);
        for mount in &planned.mounts {
            let found = planned.container.mounts.iter().find(|m| m.destination == mount.destination);
            let what = found
                .and_then(|m| m.volume.as_deref())
                .map_or_else(|| "mount".to_owned(), |v| short(v).to_owned());
            let name = format!("  {} at {}", clean(&what), clean(&mount.destination));
            rows.push([String::new(), name, fate_word(mount.fate).to_owned(), clean(&mount.cause)]);
        }
    }
    for planned in &plan.volumes {
        let name = clean(short(&planned.volume.name));
        rows.push(["volume".into(), name, fate_word(planned.fate).to_owned(), clean(&planned.cause)]);
    }
    let mut text = super::table::whole(&rows, ui.width_out);
    for note in &plan.notes {
        text.push_str(&format!("  {}\n", clean(note)));
    }
    for cause in &plan.undetermined {
        text.push_str(&format!("  {} {}\n", Paint::Danger.apply(ui.colour_out, "not known:"), clean(cause)));
    }
    if rows.is_empty() && plan.undetermined.is_empty() {
        text.push_str("  nothing that exists would be touched\n");
    }
    text
}

#[must_use]
pub fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Survives => "survives",
        Fate::Stopped => "stopped",
        Fate::Detached => "detached",
        Fate::Destroyed => "destroyed",
    }
}

/// Breaks a line at spaces, so that no part is wider than `width`; a longer word stays whole.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let current = lines.last().map_or(0, |line| console::measure_text_width(line));
        if current > 0 && current + 1 + console::measure_text_width(word) > width {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_at_spaces_and_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable word", 4), ["unbreakable", "word"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
