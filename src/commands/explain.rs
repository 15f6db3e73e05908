//! `docker dbsafe explain`: what a check is about, what it looks like, and what mends it.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::app::Failure;
use crate::{
    checks,
    exit::Exit,
    model::{
        check::{Check, Class},
        verdict::Severity,
    },
    report::{document::SCHEMA_VERSION, table, text::wrap},
    settings::file::suggestion,
    ui::{Paint, Ui},
};

/// Explain a check of audit, lint and the guard; list them all where none is named
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Its id, as it stands beside a finding
    #[arg(value_name = "CHECK")]
    pub check: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// All of them as one page: docs/checks.md
    Markdown,
}

/// Wider lines are hard to read.
const WIDEST: usize = 100;

/// Runs the command. No engine is asked.
///
/// # Errors
/// Where there is no such check.
pub fn run(ui: &Ui, arguments: &ExplainArgs) -> Result<Exit, Failure> {
    let chosen: Vec<&Check> = match &arguments.check {
        None => checks::ALL.to_vec(),
        Some(id) => vec![checks::check(id).ok_or_else(|| unknown(id))?],
    };
    let text = match (arguments.format, arguments.check.is_some()) {
        (Format::Json, _) => {
            let rules: Vec<Rule<'_>> = chosen.iter().map(|check| Rule::of(check)).collect();
            let document = Document { schema_version: SCHEMA_VERSION, checks: rules };
            let json =
                serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
            format!("{json}\n")
        }
        (Format::Markdown, false) => page(),
        (Format::Markdown, true) => chosen.iter().map(|check| section(check)).collect(),
        (Format::Text, true) => chosen.iter().map(|check| one(check, ui)).collect(),
        (Format::Text, false) => list(ui),
    };
    ui.print(&text);
    Ok(Exit::Done)
}

fn unknown(id: &str) -> Failure {
    let ids: Vec<&str> = checks::ALL.iter().map(|check| check.id).collect();
    let nearest = suggestion(id, &ids);
    let hint = if nearest.starts_with("did you mean") {
        nearest
    } else {
        "docker dbsafe explain lists them".to_owned()
    };
    Failure::usage(format!("there is no check {id:?}")).hint(hint)
}

const CLASSES: &[(Class, &str)] =
    &[(Class::Data, "Data: what a removal takes"), (Class::Backups, "Backups"), (Class::Setup, "Set-up")];

fn of(class: Class) -> impl Iterator<Item = &'static Check> {
    checks::ALL.iter().copied().filter(move |check| check.class == class)
}

fn list(ui: &Ui) -> String {
    let mut text = String::new();
    for (class, title) in CLASSES {
        let rows: Vec<[String; 3]> = of(*class)
            .map(|check| {
                let word = check.severity.name().to_owned();
                [check.id.to_owned(), word, check.title.to_owned()]
            })
            .collect();
        let title = Paint::Strong.apply(ui.colour_out, title);
        text.push_str(&format!("{title}\n{}\n", table::plain(&rows, ui.width_out)));
    }
    text.push_str("docker dbsafe explain CHECK tells more\n");
    text
}

fn one(check: &Check, ui: &Ui) -> String {
    let width = ui.width_out.min(WIDEST).saturating_sub(2);
    let id = Paint::Strong.apply(ui.colour_out, check.id);
    let mut text =
        format!("{id}   {}, usually {}\n  {}\n\n", check.class.name(), check.severity.name(), check.title);
    for line in wrap(check.why, width) {
        text.push_str(&format!("  {line}\n"));
    }
    for (word, lines) in [("bad", check.bad), ("good", check.good)] {
        text.push_str(&format!("\n  {word}\n"));
        for line in lines.lines() {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        }
    }
    text.push_str(&format!("\n  {}\n", check.reference));
    text.push_str(&format!("  live with it: {}\n", accept(check)));
    text
}

/// How a finding of it is accepted.
fn accept(check: &Check) -> String {
    let trust = if check.class == Class::Setup { "" } else { ", trusted by docker dbsafe config trust" };
    format!("[[accept]] in .dbsafe.toml{trust}, or the label dbsafe.accept.{}: \"why\"", check.id)
}

/// docs/checks.md, but for what tests measured.
fn page() -> String {
    let mut page = "# Checks\n\n\
        What `docker dbsafe audit`, `docker dbsafe lint` and the guard look for. This page is made by\n\
        `docker dbsafe explain --format markdown`; a test compares.\n\n\
        Checks of databases look at services that run a database's server: by image, command, or where they keep\n\
        things. A web server, a queue's worker, a tool beside the database is left alone.\n\n\
        | Check | Usually | |\n|---|---|---|\n"
        .to_owned();
    for check in checks::ALL {
        page.push_str(&format!(
            "| [`{0}`](#{0}) | {1} | {2} |\n",
            check.id,
            check.severity.name(),
            check.title
        ));
    }
    page.push_str(
        "\nA finding to live with is accepted in `.dbsafe.toml` or by a label, with a reason; it stays visible as\n\
        suppressed. One that meets nothing is a warning. See [settings](settings.md).\n",
    );
    for (class, title) in CLASSES {
        page.push_str(&format!("\n## {title}\n"));
        for check in of(*class) {
            page.push('\n');
            page.push_str(&section(check));
        }
    }
    page
}

fn section(check: &Check) -> String {
    let language = |text: &str| if text.contains("docker ") || text.starts_with('#') { "sh" } else { "yaml" };
    let mut text =
        format!("### {}\n\n**{}** Usually {}.\n\n", check.id, sentence(check.title), check.severity.name());
    for line in wrap(check.why, 120) {
        text.push_str(&line);
        text.push('\n');
    }
    for (word, lines) in [("Bad", check.bad), ("Good", check.good)] {
        text.push_str(&format!("\n{word}:\n\n```{}\n{lines}\n```\n", language(lines)));
    }
    text.push_str(&format!("\nSee <{}>\n", check.reference));
    text
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    checks: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    id: &'a str,
    class: Class,
    severity: Severity,
    title: &'a str,
    why: &'a str,
    bad: &'a str,
    good: &'a str,
    reference: &'a str,
}

impl<'a> Rule<'a> {
    fn of(check: &'a Check) -> Self {
        let Check { id, class, severity, title, why, bad, good, reference, .. } = check;
        Self { id, class: *class, severity: *severity, title, why, bad, good, reference }
    }
}
