//! The audit as Markdown, for a comment or the summary of a CI job: a table of what is at risk, worst first, and what
//! mends it below.

use jiff::Timestamp;

use super::{Audit, Holder, Standing};
use crate::{
    model::{evidence::Presence, verdict::Severity},
    report::{
        text::{backups, contents, engine, place},
        words::{count, short},
    },
    ui::clean,
};

/// The whole text.
#[must_use]
pub fn render(audit: &Audit, checks: bool, now: Timestamp) -> String {
    let mut out = format!("## Databases at risk\n\n{}\n", headline(audit));
    for engine in audit.engines.iter().filter(|engine| engine.error.is_some()) {
        let error = engine.error.as_deref().unwrap_or_default();
        out.push_str(&format!("\n**{} was not audited:** {}\n", text(&engine.context), text(error)));
    }
    let mut rows = String::new();
    let mut remedies = String::new();
    for group in audit.groups() {
        let project = group.project.name.as_deref().map_or_else(|| "–".to_owned(), text);
        for holder in &group.holders {
            rows.push_str(&rows_of(holder, &project, now));
            remedies.push_str(&findings_of(holder, checks));
        }
    }
    if !rows.is_empty() {
        out.push_str("\n| risk | project | what | holds | where | backups |\n|---|---|---|---|---|---|\n");
        out.push_str(&rows);
    }
    if !remedies.is_empty() {
        out.push_str("\n### Findings\n\n");
        out.push_str(&remedies);
    }
    out
}

fn headline(audit: &Audit) -> String {
    let summary = audit.summary;
    let numbers = [
        (summary.critical, "critical"),
        (summary.high, "high"),
        (summary.medium, "medium"),
        (summary.undetermined, "unknown"),
        (summary.accepted, "accepted"),
    ];
    let told: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("**{number} {word}**"))
        .collect();
    let is_whole = audit.engines.iter().all(|engine| engine.error.is_none());
    let risks = match (told.is_empty(), is_whole) {
        (false, _) => told.join(", "),
        (true, true) => "Nothing is at risk".to_owned(),
        (true, false) => "Nothing is known to be at risk, and not every engine could be asked".to_owned(),
    };
    let containers = count(summary.containers as u64, "container");
    let volumes = count(summary.dangling_volumes as u64, "volume");
    let setup = count(summary.setup as u64, "set-up finding");
    format!("{risks}. {containers}, {volumes} without one, {setup}.")
}

fn name(holder: &Holder<'_>) -> String {
    let kind = if holder.container.is_some() { "" } else { "volume " };
    format!("{kind}{}", code(short(holder.name)))
}

fn rows_of(holder: &Holder<'_>, project: &str, now: Timestamp) -> String {
    let mut rows = String::new();
    for seen in holder.evidence {
        let standing = holder.standing(seen);
        let worth = standing > Standing::Risk(Severity::Low) || standing == Standing::Accepted;
        if !worth {
            continue;
        }
        let (holds, backups) = match &seen.presence {
            Presence::Undetermined { cause } => (format!("could not be determined: {cause}"), String::new()),
            Presence::Empty { why } => (format!("{}, empty: {why}", engine(seen)), String::new()),
            Presence::Found => {
                let told = backups(seen, now);
                let told = told.strip_prefix("backups: ").unwrap_or(&told).to_owned();
                (format!("{} {}", engine(seen), contents(seen, now)), told)
            }
        };
        rows.push_str(&format!(
            "| {} | {project} | {} | {} | {} | {} |\n",
            standing.word(),
            name(holder),
            text(holds.trim()),
            text(&place(seen)),
            text(&backups)
        ));
    }
    rows
}

fn findings_of(holder: &Holder<'_>, checks: bool) -> String {
    let mut lines = String::new();
    let of_data = holder.findings.iter().filter(|row| row.class != crate::model::check::Class::Setup);
    let setup = holder.setup().filter(|_| checks);
    for row in of_data.filter(|row| row.finding.severity > Severity::Low).chain(setup) {
        let finding = &row.finding;
        let accepted = finding
            .suppressed
            .as_deref()
            .map_or_else(String::new, |why| format!("; accepted: {}", text(why)));
        lines.push_str(&format!(
            "- {}: {} {}{accepted}\n",
            name(holder),
            code(&finding.id),
            text(&finding.message)
        ));
        if let Some(remedy) = finding.remedy.as_deref().filter(|_| row.counts()) {
            lines.push_str("\n  ```\n");
            for line in remedy.lines() {
                lines.push_str(&format!("  {}\n", clean(line).replace("```", "` ` `")));
            }
            lines.push_str("  ```\n\n");
        }
    }
    lines
}

/// A text that no name can turn into markup.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '@' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A name as code; one with a backtick as text.
fn code(name: &str) -> String {
    let name = clean(name);
    if name.contains(['`', '|']) { text(&name) } else { format!("`{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_markup() {
        assert_eq!(text("a|b <img> [x](y)\u{1b}[2J"), "a\\|b &lt;img> \\[x\\](y)\\\\u{1b}\\[2J");
        assert_eq!(code("shop-db-1"), "`shop-db-1`");
        assert_eq!(code("a`|b"), "a\\`\\|b");
    }
}
