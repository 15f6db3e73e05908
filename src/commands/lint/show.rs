//! Reports: text for people, JSON, SARIF, and annotations of a GitHub workflow.

use std::{collections::BTreeSet, path::Path};

use serde::Serialize;

use super::{Format, load::Project, place::Found};
use crate::{
    checks,
    commands::app::Failure,
    model::verdict::Severity,
    report::{
        document::SCHEMA_VERSION,
        sarif::{self, Alert, Object, Region},
        text::wrap,
        words::count,
    },
    ui::{Paint, Ui, clean},
};

/// Text that is wider is hard to read.
const WIDEST: usize = 100;

/// All findings, in a format.
pub(super) fn report(ui: &Ui, projects: &[(&Project, &[Found])], format: Format) -> Result<String, Failure> {
    match format {
        Format::Text => Ok(as_text(ui, projects)),
        Format::Json => pretty(&Report::new(projects)),
        Format::Sarif => {
            let alerts: Vec<Alert<'_>> = projects
                .iter()
                .flat_map(|(project, found)| found.iter().map(|found| alert(project, found)))
                .collect();
            pretty(&sarif::document(&looking(), &alerts))
        }
        Format::Github => {
            Ok(projects.iter().flat_map(|(_, found)| found.iter()).filter_map(annotation).collect())
        }
    }
}

/// The checks that look at files.
fn looking() -> Vec<&'static crate::model::check::Check> {
    checks::ALL.iter().filter(|check| check.setup.is_some()).copied().collect()
}

fn pretty<T: Serialize>(document: &T) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(document).map_err(|error| Failure::new(error.to_string()))?;
    Ok(json + "\n")
}

pub(super) fn shown_path(path: &Path) -> String {
    clean(&path.display().to_string())
}

/// `compose.yaml:12:5`.
fn at(found: &Found) -> String {
    match &found.place {
        Some((file, place)) => format!("{}:{}:{}", shown_path(file), place.line, place.column),
        None => "somewhere".to_owned(),
    }
}

fn severity_word(severity: Severity, colour: bool) -> String {
    let (word, paint) = match severity {
        Severity::Critical => ("critical", Paint::Danger),
        Severity::High => ("high", Paint::Danger),
        Severity::Medium => ("medium", Paint::Warning),
        Severity::Low => ("low", Paint::Dim),
        Severity::None => ("none", Paint::Dim),
    };
    paint.apply(colour, word)
}

/// Findings by file and line, each with its remedy, and a summary.
pub(super) fn as_text(ui: &Ui, projects: &[(&Project, &[Found])]) -> String {
    let width = ui.width_out.min(WIDEST) - 4;
    let mut out = String::new();
    let mut before: Option<&Path> = None;
    for found in projects.iter().flat_map(|(_, found)| found.iter()) {
        let file = found.place.as_ref().map(|(file, _)| file.as_path());
        if before.is_some() && before != file {
            out.push('\n');
        }
        before = file.or(before);
        let colour = ui.colour_out;
        let id = Paint::Strong.apply(colour, found.raised.check.id);
        let severity = match &found.suppressed {
            None => severity_word(found.raised.severity, colour),
            Some(_) => Paint::Dim.apply(colour, "suppressed"),
        };
        out.push_str(&format!("{} {severity} {id}\n", at(found)));
        let message = format!("{}: {}", clean(found.service()), clean(&found.raised.message));
        let remedy = match (&found.suppressed, &found.raised.remedy) {
            (Some(reason), _) => Some(clean(reason)),
            (None, remedy) => remedy.as_deref().map(clean),
        };
        for line in wrap(&message, width) {
            out.push_str(&format!("    {line}\n"));
        }
        for line in remedy.iter().flat_map(|remedy| wrap(remedy, width - 2)) {
            out.push_str(&format!("      {}\n", Paint::Dim.apply(colour, &line)));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(projects));
    out
}

/// `3 findings in 1 file: 1 high, 2 low; 1 suppressed; 2 can be written: docker dbsafe lint --fix`.
fn summary(projects: &[(&Project, &[Found])]) -> String {
    let found: Vec<&Found> = projects.iter().flat_map(|(_, found)| found.iter()).collect();
    let counts = Summary::of(&found);
    let files: BTreeSet<&Path> = projects.iter().flat_map(|(project, _)| project.sources.files()).collect();
    let services: usize = projects.iter().map(|(project, _)| project.setups.len()).sum();
    let within = format!("{} of {}", count(services as u64, "service"), count(files.len() as u64, "file"));
    let of = [
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
    ];
    let parts: Vec<String> = of
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let mut line = match parts.len() {
        0 => format!("nothing found in {within}"),
        _ => format!("{} in {within}: {}", count(counts.all() as u64, "finding"), parts.join(", ")),
    };
    if counts.suppressed > 0 {
        line.push_str(&format!("; {} suppressed", counts.suppressed));
    }
    if counts.mendable > 0 {
        line.push_str(&format!(
            "\ndocker dbsafe lint --diff shows what --fix would write for {}",
            counts.mendable
        ));
    }
    line + "\n"
}

/// `::warning file=compose.yaml,line=3,col=5::…`. What is suppressed is no annotation.
fn annotation(found: &Found) -> Option<String> {
    if found.suppressed.is_some() {
        return None;
    }
    let kind = match found.raised.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::None => "notice",
    };
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let at = found.place.as_ref().map_or_else(String::new, |(file, place)| {
        let file = property(&file.display().to_string());
        let mut at = format!("file={file},line={},col={},", place.line, place.column);
        // An end makes sense to it only on the same line.
        if place.end_line == place.line {
            at.push_str(&format!("endColumn={},", place.end_column));
        }
        at
    });
    let id = property(found.raised.check.id);
    let mut message = format!("{}: {}", found.service(), found.raised.message);
    if let Some(remedy) = &found.raised.remedy {
        message.push_str(&format!("\n{remedy}"));
    }
    Some(format!("::{kind} {at}title={id}::{}\n", data(&message)))
}

fn alert<'a>(project: &'a Project, found: &'a Found) -> Alert<'a> {
    Alert {
        check: found.raised.check.id,
        severity: found.raised.severity,
        message: format!("{}: {}", found.service(), found.raised.message),
        remedy: found.raised.remedy.as_deref(),
        file: found.place.as_ref().and_then(|(file, place)| {
            let (start, end) = ((place.line, place.column), (place.end_line, place.end_column));
            Some(Region { path: file.to_str()?, start, end })
        }),
        object: Some(Object {
            kind: "service",
            name: found.service(),
            engine: None,
            project: project.name(),
        }),
        part: found.raised.field.get(2..).unwrap_or_default().join("."),
        suppressed: found.suppressed.as_deref(),
    }
}

/// The findings as a document. docs/lint.schema.json describes it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    files: Vec<String>,
    findings: Vec<Row<'a>>,
    notes: Vec<&'a str>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'static str,
    class: &'static str,
    severity: Severity,
    project: Option<&'a str>,
    service: &'a str,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
    /// The field, in compose's model.
    path: &'a [String],
    message: &'a str,
    remedy: Option<&'a str>,
    fixable: bool,
    suppressed: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    suppressed: usize,
    #[serde(rename = "fixable")]
    mendable: usize,
}

impl Summary {
    fn of(found: &[&Found]) -> Self {
        let mut summary = Self::default();
        for found in found {
            if found.suppressed.is_some() {
                summary.suppressed += 1;
                continue;
            }
            match found.raised.severity {
                Severity::Critical => summary.critical += 1,
                Severity::High => summary.high += 1,
                Severity::Medium => summary.medium += 1,
                Severity::Low | Severity::None => summary.low += 1,
            }
            summary.mendable += usize::from(found.is_mendable());
        }
        summary
    }

    fn all(&self) -> usize {
        self.critical + self.high + self.medium + self.low
    }
}

impl<'a> Report<'a> {
    fn new(projects: &[(&'a Project, &'a [Found])]) -> Self {
        let row = |project: &'a Project, found: &'a Found| {
            let place = found.place.as_ref().map(|(_, place)| place);
            Row {
                id: found.raised.check.id,
                class: found.raised.check.class.name(),
                severity: found.raised.severity,
                project: project.name(),
                service: found.service(),
                file: found.place.as_ref().map(|(file, _)| file.display().to_string()),
                line: place.map(|place| place.line),
                column: place.map(|place| place.column),
                end_line: place.map(|place| place.end_line),
                end_column: place.map(|place| place.end_column),
                path: &found.raised.field,
                message: &found.raised.message,
                remedy: found.raised.remedy.as_deref(),
                fixable: found.is_mendable(),
                suppressed: found.suppressed.as_deref(),
            }
        };
        let all: Vec<&Found> = projects.iter().flat_map(|(_, found)| found.iter()).collect();
        Self {
            schema_version: SCHEMA_VERSION,
            files: projects
                .iter()
                .flat_map(|(project, _)| project.sources.files())
                .map(|file| file.display().to_string())
                .collect(),
            findings: projects
                .iter()
                .flat_map(|(project, found)| found.iter().map(move |found| row(project, found)))
                .collect(),
            notes: projects.iter().flat_map(|(project, _)| &project.notes).map(String::as_str).collect(),
            summary: Summary::of(&all),
        }
    }
}
