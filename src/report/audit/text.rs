//! The audit for a terminal: a block for each project, worst first. Data and backups are told in full; how
//! containers are set up is a number until it is asked for, or it would bury what can be lost.

use console::measure_text_width;
use jiff::Timestamp;

use super::{Audit, FindingRow, Group, Holder, ServiceRow, Standing, Summary};
use crate::{
    model::{
        evidence::{Evidence, Presence},
        verdict::Severity,
    },
    report::{
        text::{backups, contents, engine, place, wrap},
        words::{count, short},
    },
    ui::{Paint, clean},
};

/// Columns of the word for the risk, and of the space around it.
const RISK: usize = 12;
/// Projects that are named where nothing is said of them.
const NAMED: usize = 4;

/// How to say it.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns; where nothing is to be broken, as many as there are.
    pub width: usize,
    pub colour: bool,
    /// What is empty, backed up or stateless, too.
    pub all: bool,
    /// Each finding about the set-up, too.
    pub checks: bool,
    pub now: Timestamp,
}

/// The whole text.
#[must_use]
pub fn render(audit: &Audit, style: &Style) -> String {
    let mut out = String::new();
    for engine in audit.engines.iter().filter(|_| audit.has_several_engines()) {
        let (name, host) = (clean(&engine.context), clean(&engine.host));
        match &engine.error {
            Some(error) => {
                let failed = style.paint(Paint::Danger, "not audited:");
                out.push_str(&format!("engine {name}   {host}   {failed} {}\n", clean(error)));
            }
            None => {
                let version = clean(&engine.version);
                let rest = count(engine.summary.containers as u64, "container");
                out.push_str(&format!("engine {name}   {host}   {version}, {rest}\n"));
            }
        }
    }
    let mut silent: Vec<Group<'_>> = Vec::new();
    let mut any = false;
    for group in audit.groups() {
        let block = block(audit, &group, style);
        if block.is_empty() {
            silent.push(group);
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&block);
        any = true;
    }
    if !any {
        out.push_str(if out.is_empty() { "" } else { "\n" });
        out.push_str(if is_whole(audit) {
            "no database would be lost with its container\n"
        } else {
            "no database is known that would be lost with its container\n"
        });
    } else if !silent.is_empty() {
        let rest = silent_projects(&silent);
        out.push_str(&format!("\n{}\n", wrap(&rest, style.width).join("\n  ")));
    }
    out.push_str(&format!("\n{}\n", wrap(&footer(audit, style), style.width).join("\n  ")));
    out
}

impl Style {
    fn paint(&self, paint: Paint, text: &str) -> String {
        paint.apply(self.colour, text)
    }

    /// A text below the name of what it is about, broken at the terminal's end.
    fn below(&self, indent: usize, text: &str, paint: Option<Paint>) -> String {
        let parts = wrap(text, self.width.saturating_sub(indent));
        let mut lines = String::new();
        for (index, part) in parts.iter().enumerate() {
            let more = if index > 0 { 2 } else { 0 };
            let part = paint.map_or_else(|| part.clone(), |paint| self.paint(paint, part));
            lines.push_str(&format!("{}{part}\n", " ".repeat(indent + more)));
        }
        lines
    }

    fn word(&self, standing: Standing) -> String {
        let paint = match standing {
            Standing::Unknown | Standing::Risk(Severity::Critical | Severity::High) => Some(Paint::Danger),
            Standing::Risk(Severity::Medium) => Some(Paint::Warning),
            Standing::Risk(Severity::None) => Some(Paint::Good),
            Standing::Accepted => Some(Paint::Dim),
            Standing::Risk(Severity::Low) => None,
        };
        let padded = format!("{:8}", standing.word());
        paint.map_or(padded.clone(), |paint| self.paint(paint, &padded))
    }
}

/// One project; empty where nothing is worth a line.
fn block(audit: &Audit, group: &Group<'_>, style: &Style) -> String {
    let shown = |seen: &Evidence, standing| {
        style.all
            || standing > Standing::Risk(Severity::Low)
            || standing == Standing::Accepted
            || standing == Standing::Risk(Severity::Low) && seen.engine.is_some()
    };
    let mut lines = String::new();
    let names = group.holders.iter().map(|holder| measure_text_width(&holder_name(holder)));
    let column = names.max().unwrap_or(0).min(style.width / 3);
    let (mut quiet, mut setup) = (Vec::new(), 0);
    for holder in &group.holders {
        let mut own = String::new();
        for seen in holder.evidence {
            let standing = holder.standing(seen);
            if shown(seen, standing) {
                own.push_str(&database(holder, seen, standing, column, style));
            }
        }
        let others = holder.others().filter(|row| style.all || row.finding.severity > Severity::Low);
        own.extend(others.map(|row| named_finding(holder, row, column, style)));
        let of_setup = holder.setup().filter(|row| row.counts()).count();
        if style.checks || style.all {
            own.extend(holder.setup().map(|row| named_finding(holder, row, column, style)));
        } else if !own.is_empty() && of_setup > 0 {
            own.push_str(&style.below(RISK, &count(of_setup as u64, "set-up finding"), Some(Paint::Dim)));
        } else {
            setup += of_setup;
        }
        if own.is_empty() {
            quiet.push(holder);
        }
        lines.push_str(&own);
    }
    for service in &group.services {
        if !service.service.volumes.is_empty() || !service.unseen_nodes.is_empty() || style.all {
            lines.push_str(&swarm_service(service, style));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    lines.push_str(&rest_of(group, &quiet, setup, style));
    let name = group.project.name.as_deref().map_or_else(|| "without a project".to_owned(), clean);
    let at = if audit.has_several_engines() {
        format!(" on {}", clean(&group.project.context))
    } else {
        String::new()
    };
    format!("{}{at}\n{lines}", style.paint(Paint::Strong, &name))
}

/// What is left of a project where something was said of it.
fn rest_of(group: &Group<'_>, quiet: &[&Holder<'_>], setup: usize, style: &Style) -> String {
    let containers: Vec<&&Holder<'_>> = quiet.iter().filter(|holder| holder.container.is_some()).collect();
    if style.all && !containers.is_empty() {
        let names: Vec<String> = containers.iter().map(|holder| clean(holder.name)).collect();
        return style.below(2, &format!("nothing to lose: {}", names.join(", ")), Some(Paint::Dim));
    }
    let more = if containers.len() < group.holders.len() { "more " } else { "" };
    let mut parts = Vec::new();
    if !containers.is_empty() {
        let noun = if containers.len() == 1 { "container holds" } else { "containers hold" };
        parts.push(format!("{} {more}{noun} nothing to lose", containers.len()));
    }
    if setup > 0 {
        parts.push(count(setup as u64, "set-up finding"));
    }
    if parts.is_empty() { String::new() } else { style.below(2, &parts.join("; "), Some(Paint::Dim)) }
}

fn holder_name(holder: &Holder<'_>) -> String {
    let name = clean(short(holder.name));
    if holder.container.is_some() { name } else { format!("volume {name}") }
}

/// `critical  shop-db-1  `, and what follows it, broken below the name.
fn named(holder: &Holder<'_>, standing: Standing, column: usize, text: &str, style: &Style) -> String {
    let name = holder_name(holder);
    let padding = " ".repeat(column.saturating_sub(measure_text_width(&name)));
    let start = RISK + measure_text_width(&name) + padding.len() + 2;
    let mut parts = wrap(text, style.width.saturating_sub(start)).into_iter();
    let first = parts.next().unwrap_or_default();
    let name = style.paint(Paint::Strong, &name);
    let mut lines = format!("  {}  {name}{padding}  {first}", style.word(standing)).trim_end().to_owned();
    lines.push('\n');
    let rest: Vec<String> = parts.collect();
    if !rest.is_empty() {
        lines.push_str(&style.below(RISK, &rest.join(" "), None));
    }
    lines
}

/// One body of data, and what was found about it.
fn database(
    holder: &Holder<'_>,
    seen: &Evidence,
    standing: Standing,
    column: usize,
    style: &Style,
) -> String {
    let holds = match &seen.presence {
        Presence::Undetermined { cause } => format!("could not be determined: {}", clean(cause)),
        Presence::Empty { why } => format!("{}   empty: {}", engine(seen), clean(why)),
        Presence::Found => format!("{}   {}", engine(seen), contents(seen, style.now)),
    };
    let mut lines = named(holder, standing, column, holds.trim_end(), style);
    let mut where_ = place(seen);
    if seen.engine.is_some() && seen.presence == Presence::Found {
        where_ = format!("{where_}; {}", backups(seen, style.now));
    }
    lines.push_str(&style.below(RISK, &where_, None));
    for row in holder.about(seen).filter(|row| style.all || row.finding.severity > Severity::Low) {
        lines.push_str(&finding(row, RISK, style));
    }
    lines
}

/// A finding that stands by itself.
fn named_finding(holder: &Holder<'_>, row: &FindingRow, column: usize, style: &Style) -> String {
    let standing = if row.counts() { Standing::Risk(row.finding.severity) } else { Standing::Accepted };
    let mut lines = named(holder, standing, column, &sentence(row), style);
    lines.push_str(&remedy(row, RISK, style));
    lines
}

fn finding(row: &FindingRow, indent: usize, style: &Style) -> String {
    let mut lines = style.below(indent, &sentence(row), None);
    lines.push_str(&remedy(row, indent, style));
    lines
}

/// `data-in-writable-layer: goes, and no recent backup of it is known`.
fn sentence(row: &FindingRow) -> String {
    let (id, message) = (clean(&row.finding.id), clean(&row.finding.message));
    match &row.finding.suppressed {
        Some(why) => format!("{id}: {message}; accepted: {}", clean(why)),
        None => format!("{id}: {message}"),
    }
}

/// Never broken, so that it can be copied.
fn remedy(row: &FindingRow, indent: usize, style: &Style) -> String {
    let remedy = row.finding.remedy.as_deref().filter(|_| row.counts()).unwrap_or_default();
    let line =
        |line: &str| format!("{}{}\n", " ".repeat(indent + 2), style.paint(Paint::Strong, &clean(line)));
    remedy.lines().map(line).collect()
}

/// A swarm's service, and where its volumes are.
fn swarm_service(row: &ServiceRow, style: &Style) -> String {
    let service = &row.service;
    let volume = |volume: &crate::model::swarm::SwarmVolume| match &volume.name {
        Some(name) => format!("volume {}", clean(name)),
        None => format!("an anonymous volume at {}", clean(&volume.destination)),
    };
    let volumes: Vec<String> = service.volumes.iter().map(volume).collect();
    let mut nodes: Vec<String> = service.tasks.iter().map(|task| clean(&task.node)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let nodes = match nodes.as_slice() {
        [] => "on no node".to_owned(),
        [node] => format!("on the node {node}"),
        nodes => format!("on the nodes {}", nodes.join(", ")),
    };
    let what = if volumes.is_empty() { nodes } else { format!("{} {nodes}", volumes.join(", ")) };
    let name = style.paint(Paint::Strong, &clean(&service.name));
    let mut lines = style.below(2, &format!("service {name}   {}: {what}", clean(&service.image)), None);
    if !row.unseen_nodes.is_empty() {
        let unseen: Vec<String> = row.unseen_nodes.iter().map(|node| clean(node)).collect();
        let sentence = format!(
            "what it holds on {} is not seen from here: add --context NAME of that engine",
            unseen.join(", ")
        );
        lines.push_str(&style.below(4, &sentence, Some(Paint::Warning)));
    }
    lines
}

/// Projects of which nothing was said.
fn silent_projects(groups: &[Group<'_>]) -> String {
    let containers: usize = groups.iter().map(|group| group.project.containers.len()).sum();
    let mut names: Vec<String> =
        groups.iter().filter_map(|group| group.project.name.as_deref()).take(NAMED).map(clean).collect();
    let more = groups.len() - names.len();
    match (names.is_empty(), more) {
        (true, _) => names.push("the rest".to_owned()),
        (false, 0) => {}
        (false, more) => names.push(format!("{more} more")),
    }
    format!("nothing to lose in {} ({})", names.join(", "), count(containers as u64, "container"))
}

/// Whether every engine answered; of one that did not, nothing is promised.
fn is_whole(audit: &Audit) -> bool {
    audit.engines.iter().all(|engine| engine.error.is_none())
}

/// `2 critical, 1 high; 3 of 7 containers hold nothing to lose`.
fn footer(audit: &Audit, style: &Style) -> String {
    let Summary { critical, high, medium, undetermined, accepted, setup, .. } = audit.summary;
    let numbers = [
        (critical, "critical"),
        (high, "high"),
        (medium, "medium"),
        (undetermined, "unknown"),
        (accepted, "accepted"),
    ];
    let risks: Vec<String> = numbers
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let mut parts = vec![match (risks.is_empty(), is_whole(audit)) {
        (false, _) => risks.join(", "),
        (true, true) => "nothing at risk".to_owned(),
        (true, false) => "nothing known to be at risk".to_owned(),
    }];
    let holds = |row: &&super::ContainerRow| {
        row.risk > Severity::Low || row.evidence.iter().any(|seen| seen.engine.is_some())
    };
    let all = audit.containers.len();
    let rest = all - audit.containers.iter().filter(holds).count();
    match rest {
        0 => {}
        rest if rest == all => parts.push(format!("{} hold nothing to lose", count(all as u64, "container"))),
        rest => parts.push(format!("{rest} of {} hold nothing to lose", count(all as u64, "container"))),
    }
    if setup > 0 {
        let told = if style.checks || style.all { "" } else { " (--checks lists them)" };
        parts.push(format!("{}{told}", count(setup as u64, "set-up finding")));
    }
    let failed = audit.engines.iter().filter(|engine| engine.error.is_some()).count();
    if failed > 0 {
        parts.push(format!("{} not audited", count(failed as u64, "engine")));
    }
    parts.join("; ")
}
