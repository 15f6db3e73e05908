//! The audit as one page that stands by itself, for people who would rather look than read: a picture of projects,
//! containers and what holds their data, in the colours of the risk; below it each finding with what mends it. It loads
//! nothing and runs nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Audit, ContainerRow, FindingRow, Group, Holder, Standing, Summary, risk_word};
use crate::{
    model::{
        check::Class,
        container::MountKind,
        coverage::CoverageStatus,
        evidence::{Evidence, Location, Presence},
        verdict::Severity,
    },
    report::{
        text::{backups, contents, engine, place},
        words::{count, short},
    },
    ui::{clean, clean_lines},
};

const STYLE: &str = include_str!("page.css");

/// The whole page.
#[must_use]
pub fn render(audit: &Audit) -> String {
    let groups = audit.groups();
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Whatever a name would like to load or run, the browser does not.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "What would be lost: " (clean(&audit.engine.host)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#findings" { "to what was found" }
                header { (heading(audit)) }
                main {
                    h2 { "The picture" }
                    (legend())
                    // Without a program: the style sheet sees whether it is ticked.
                    p.only {
                        a href="#findings" { "what was found, and what mends it" }
                        @if groups.iter().flat_map(|group| &group.holders).any(|holder| !is_loud(holder)) {
                            label { input #only type="checkbox"; "only what is at risk or not known" }
                        }
                    }
                    ul.map { @for (index, group) in groups.iter().enumerate() { (picture(audit, group, index)) } }
                    h2 #findings { "What was found" }
                    @for (index, group) in groups.iter().enumerate() { (project(audit, group, index)) }
                }
                footer {
                    "docker dbsafe " (env!("CARGO_PKG_VERSION")) ", " (audit.at.strftime("%Y-%m-%d %H:%M UTC").to_string())
                    ". Commands to paste: one click selects all of one."
                }
            }
        }
    };
    body.into_string()
}

/// The one sentence to read. It promises nothing of an engine that did not answer, and nothing that was accepted.
fn headline(audit: &Audit) -> &'static str {
    let Summary { critical, high, medium, undetermined, accepted, .. } = audit.summary;
    let is_whole = audit.engines.iter().all(|engine| engine.error.is_none());
    match (critical, high, undetermined, medium) {
        (1.., ..) => "Some data would be lost with its container",
        (0, 1.., ..) => "Some data is one mistake away from being lost",
        (0, 0, 1.., _) => "Of some data it is not known whether it is safe",
        (0, 0, 0, _) if !is_whole => "Not every engine could be asked",
        (0, 0, 0, 1..) => "Nothing would be lost with its container, but not all of it is backed up well",
        (0, 0, 0, 0) if accepted > 0 => "Nothing is at risk but what somebody accepted",
        (0, 0, 0, 0) => "Nothing is at risk",
    }
}

fn heading(audit: &Audit) -> Markup {
    let summary = audit.summary;
    let tiles = [
        (summary.critical, "critical", "critical"),
        (summary.high, "high", "high"),
        (summary.medium, "medium", "medium"),
        (summary.undetermined, "unknown", "unknown"),
        (summary.setup, "set-up", "low"),
        (summary.accepted, "accepted", "accepted"),
    ];
    html! {
        h1 { (headline(audit)) }
        @for engine in &audit.engines {
            p.faint {
                "engine " (clean(&engine.context)) ", " code { (clean(&engine.host)) }
                @match &engine.error {
                    Some(error) => { ": " strong.critical { "not audited: " (clean(error)) } },
                    None => {
                        ", version " (clean(&engine.version)) ": " (count(engine.summary.containers as u64, "container"))
                        ", " (count(engine.summary.dangling_volumes as u64, "volume")) " without one"
                    }
                }
            }
        }
        ul.tiles {
            @for (number, word, class) in tiles {
                @if number > 0 || word == "critical" { li { b.(if number > 0 { class } else { "none" }) { (number) } (word) } }
            }
        }
    }
}

fn name_of(audit: &Audit, group: &Group<'_>) -> String {
    let name = group.project.name.as_deref().map_or_else(|| "without a project".to_owned(), clean);
    if audit.has_several_engines() { format!("{name} on {}", clean(&group.project.context)) } else { name }
}

/// How a container or volume stands, in a word that is also its colour.
fn standing(holder: &Holder<'_>) -> &'static str {
    let any = |standing| holder.evidence.iter().any(|seen| holder.standing(seen) == standing);
    let known = holder.evidence.iter().filter_map(|seen| match holder.standing(seen) {
        Standing::Risk(risk) => Some(risk),
        Standing::Accepted | Standing::Unknown => None,
    });
    let others = holder.others().filter(|row| row.counts()).map(|row| row.finding.severity);
    let known = known.chain(others).max().unwrap_or(Severity::None);
    let databases = holder.evidence.iter().filter(|seen| seen.engine.is_some());
    let colours: Vec<&str> = databases.map(|seen| colour(holder, seen)).collect();
    match known {
        // What is known to go is worse than what is not known.
        Severity::Critical | Severity::High => risk_word(known),
        _ if any(Standing::Unknown) => "unknown",
        Severity::Medium => risk_word(known),
        _ if any(Standing::Accepted) => "accepted",
        _ if !colours.is_empty() && colours.iter().all(|colour| *colour == "covered") => "covered",
        Severity::Low | Severity::None => risk_word(known),
    }
}

/// Whether it is worth a look at once.
fn is_loud(holder: &Holder<'_>) -> bool {
    holder.risk > Severity::Low || standing(holder) == "unknown"
}

fn is_loud_group(group: &Group<'_>) -> bool {
    group.holders.iter().any(is_loud)
}

/// The word beside a name; none where there is nothing to say.
fn tag(word: &str) -> Markup {
    html! { @if !["none", "low"].contains(&word) { span.tag.(word) { (word) } } }
}

/// One project as a card of boxes.
fn picture(audit: &Audit, group: &Group<'_>, index: usize) -> Markup {
    let any = |word: &&&str| group.holders.iter().any(|holder| standing(holder) == **word);
    let worst = ["critical", "high", "unknown", "medium"].iter().find(any).copied().unwrap_or("none");
    html! {
        li.(worst).calm[!is_loud_group(group)] {
            h3 { a href={ "#p" (index) } { (name_of(audit, group)) } " " (tag(worst)) }
            ul.boxes {
                @for (at, holder) in group.holders.iter().enumerate() {
                    @let places = places(holder);
                    @let word = standing(holder);
                    @let tiny = places.is_empty() && holder.risk <= Severity::Low;
                    li.calm[!is_loud(holder)] {
                        a.box.(word).tiny[tiny] href={ "#p" (index) "-" (at) } {
                            span {
                                @if holder.container.is_none() { "volume " }
                                (clean(short(holder.name)))
                                @if !tiny { " " b { (tag(word)) } }
                            }
                            @if !places.is_empty() { (shapes(&places)) }
                        }
                    }
                }
            }
        }
    }
}

/// Where a container's data is, or could be.
struct Spot {
    shape: Shape,
    /// The colour.
    class: &'static str,
    label: String,
    told: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Layer,
    Memory,
    AnonymousVolume,
    NamedVolume,
    Folder,
}

fn places(holder: &Holder<'_>) -> Vec<Spot> {
    let spot = |shape, class, label: String, told: String| Spot { shape, class, label, told };
    let mut spots: Vec<Spot> = Vec::new();
    for seen in holder.evidence.iter().filter(|seen| seen.engine.is_some()) {
        let shape = match seen.location {
            Location::WritableLayer => Shape::Layer,
            Location::Memory | Location::Tmpfs => Shape::Memory,
            Location::AnonymousVolume => Shape::AnonymousVolume,
            Location::NamedVolume => Shape::NamedVolume,
            Location::BindMount => Shape::Folder,
        };
        let class = colour(holder, seen);
        spots.push(spot(shape, class, engine(seen), format!("{}, {}: {class}", engine(seen), place(seen))));
    }
    let mounts = holder.container.map(|row: &ContainerRow| row.mounts.as_slice()).unwrap_or_default();
    for mount in mounts {
        let is_told = |seen: &Evidence| match (&seen.volume, &mount.volume) {
            (Some(one), Some(other)) => one == other,
            _ => seen.path.starts_with(&mount.destination),
        };
        if holder.evidence.iter().any(|seen| seen.engine.is_some() && is_told(seen)) {
            continue;
        }
        let shape = match mount.kind {
            MountKind::NamedVolume => Shape::NamedVolume,
            MountKind::AnonymousVolume => Shape::AnonymousVolume,
            MountKind::Tmpfs => Shape::Memory,
            MountKind::Bind | MountKind::Other => Shape::Folder,
        };
        let name = mount.volume.as_deref().map_or(mount.destination.as_str(), short);
        spots.push(spot(shape, "none", clean(name), format!("{}: no database", clean(name))));
    }
    spots
}

/// The word for the colour of one body of data.
fn colour(holder: &Holder<'_>, seen: &Evidence) -> &'static str {
    let standing = holder.standing(seen);
    let is_covered = seen.coverage.status == CoverageStatus::Covered && seen.presence == Presence::Found;
    if standing <= Standing::Risk(Severity::Low) && is_covered { "covered" } else { standing.word() }
}

const SHAPE_WIDTH: usize = 30;
const ROW_HEIGHT: usize = 26;

/// A row for each place: its shape, and a word for what is in it.
fn shapes(spots: &[Spot]) -> Markup {
    let widest = spots.iter().map(|spot| spot.label.chars().count()).max().unwrap_or(0).min(26);
    let (width, height) = (SHAPE_WIDTH + 8 + widest * 7, spots.len() * ROW_HEIGHT);
    html! {
        svg width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="img" {
            title { (spots.iter().map(|spot| spot.told.as_str()).collect::<Vec<_>>().join("; ")) }
            @for (index, spot) in spots.iter().enumerate() {
                g.(spot.class) transform={ "translate(0 " (index * ROW_HEIGHT + 3) ")" } {
                    (shape(spot.shape, spot.class))
                    text x=(SHAPE_WIDTH + 6) y="14" { (spot.label.chars().take(26).collect::<String>()) }
                }
            }
        }
    }
}

/// A drum for a volume, dashed where nobody named it; a sheet for the writable layer; a wave for memory; a folder.
fn shape(shape: Shape, class: &str) -> Markup {
    let kind = match shape {
        Shape::Layer | Shape::AnonymousVolume => "layer",
        Shape::Memory => "memory",
        Shape::NamedVolume | Shape::Folder => "",
    };
    let path = match shape {
        Shape::Layer => "M2 2h24v16h-24z",
        Shape::AnonymousVolume | Shape::NamedVolume => {
            "M3 5v11c0 4 22 4 22 0v-11M3 5c0-4 22-4 22 0s-22 4-22 0z"
        }
        Shape::Memory => "M2 10c4-9 8-9 12 0s8 9 12 0",
        Shape::Folder => "M2 3h8l3 3h13v12h-24z",
    };
    html! { path.shape.(class).(kind) d=(path) {} }
}

fn legend() -> Markup {
    let shapes = [
        (Shape::Layer, "in the container itself: gone with it"),
        (Shape::AnonymousVolume, "a volume that nobody named"),
        (Shape::NamedVolume, "a named volume"),
        (Shape::Folder, "a folder of the host"),
        (Shape::Memory, "in memory"),
    ];
    html! {
        ul.legend aria-label="what the shapes and colours mean" {
            @for (kind, told) in shapes {
                li { svg width="28" height="20" aria-hidden="true" { (shape(kind, "none")) } (told) }
            }
            @for (word, told) in [
                ("critical", "gone with the container"),
                ("high", "hard to find again, or its backup is broken"),
                ("medium", "stays, and is not backed up well"),
                ("unknown", "could not be determined"),
                ("covered", "a recent backup has it"),
            ] {
                li { span.tag.(word) { (word) } " " (told) }
            }
        }
    }
}

/// One project's findings.
fn project(audit: &Audit, group: &Group<'_>, index: usize) -> Markup {
    let (loud, quiet): (Vec<_>, Vec<_>) =
        group.holders.iter().enumerate().partition(|(_, holder)| is_loud(holder));
    html! {
        section.calm[!is_loud_group(group)] aria-labelledby={ "p" (index) } {
            h3 id={ "p" (index) } { (name_of(audit, group)) }
            @for (at, holder) in loud { (details(audit, holder, &format!("p{index}-{at}"))) }
            @if !quiet.is_empty() {
                details.calm {
                    summary {
                        @if !is_loud_group(group) { (count(quiet.len() as u64, "container")) }
                        @else { (quiet.len()) " more" }
                        ", not at risk"
                    }
                    @for (at, holder) in quiet { (details(audit, holder, &format!("p{index}-{at}"))) }
                }
            }
            @for row in &group.services {
                p { "service " strong { (clean(&row.service.name)) } " " span.faint { (clean(&row.service.image)) } }
            }
        }
    }
}

fn details(audit: &Audit, holder: &Holder<'_>, id: &str) -> Markup {
    let setup: Vec<&FindingRow> = holder.setup().collect();
    html! {
        article.holder id=(id) {
            div.head {
                h4 {
                    @if holder.container.is_none() { "volume " }
                    (clean(short(holder.name)))
                }
                (tag(standing(holder)))
                @if let Some(row) = holder.container { span.faint { (clean(&row.image)) } }
            }
            @for seen in holder.evidence { (evidence(audit, holder, seen)) }
            @for row in holder.others() { (finding(row)) }
            @if !setup.is_empty() {
                details {
                    summary { (count(setup.len() as u64, "set-up finding")) }
                    @for row in setup { (finding(row)) }
                }
            }
        }
    }
}

fn evidence(audit: &Audit, holder: &Holder<'_>, seen: &Evidence) -> Markup {
    html! {
        div.seen.(colour(holder, seen)) {
            p {
                @match &seen.presence {
                    Presence::Undetermined { cause } => { "could not be determined: " (clean(cause)) },
                    Presence::Empty { why } => { strong { (engine(seen)) } " empty: " (clean(why)) },
                    Presence::Found => { strong { (engine(seen)) } " " (contents(seen, audit.at)) },
                }
            }
            p.faint {
                (place(seen))
                @if seen.engine.is_some() && seen.presence == Presence::Found { "; " (backups(seen, audit.at)) }
            }
            // What a backup covers is said above.
            @for row in holder.about(seen).filter(|row| row.finding.severity > Severity::None) { (finding(row)) }
        }
    }
}

fn finding(row: &FindingRow) -> Markup {
    let finding = &row.finding;
    let class = if row.class == Class::Setup { risk_word(finding.severity) } else { "" };
    html! {
        div.finding {
            p {
                @if !class.is_empty() { span.tag.(class) { (class) } " " }
                code { (clean(&finding.id)) } ": " (clean(&finding.message))
                @if let Some(why) = &finding.suppressed { " " span.faint { "accepted: " (clean(why)) } }
            }
            @if let (Some(remedy), true) = (&finding.remedy, row.counts()) { pre tabindex="0" { (clean_lines(remedy)) } }
        }
    }
}
