//! `docker dbsafe journal`: what was judged, let go, saved and handed over; and the writing of it.

use std::io::ErrorKind;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::app::{App, Failure, Format};
use crate::{
    docker::environment::Environment,
    exit::Exit,
    model::journal::{Entry, Event, JOURNAL_VERSION, without_secrets},
    report::table,
    settings::{age, place},
    store::journal,
    ui::{Ui, clean},
};

/// Show what was judged, let go, saved and handed over to docker
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// Only what happened since: a span such as `2h` or `7d`, or a time such as `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "SPAN|TIME")]
    pub since: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// The document of `--format json`; its schema is `docs/journal.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    /// Oldest first.
    entries: &'a [Entry],
    /// Lines that could not be read.
    broken: usize,
}

/// Runs the command. No engine is asked.
///
/// # Errors
/// Where `--since` means no time, or the journal cannot be read.
pub fn run(
    ui: &Ui,
    environment: &Environment,
    arguments: &JournalArgs,
    now: Timestamp,
) -> Result<Exit, Failure> {
    let since = arguments.since.as_deref().map(|text| since(text, now)).transpose()?;
    let mut read = match place::home(environment) {
        Some(home) => journal::read(&home).map_err(|error| {
            Failure::new(format!("the journal in {} cannot be read: {error}", home.display()))
        })?,
        None => journal::Read::default(),
    };
    read.entries.retain(|entry| since.is_none_or(|since| entry.at >= since));
    if arguments.format == Format::Json {
        let document =
            Document { schema_version: JOURNAL_VERSION, entries: &read.entries, broken: read.broken };
        let json =
            serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
        ui.print(&format!("{json}\n"));
        return Ok(Exit::Done);
    }
    if read.entries.is_empty() {
        ui.say("nothing has been judged or done");
    } else {
        let mut rows = vec![["WHEN", "WHO", "WHAT", "OUTCOME", "COMMAND"].map(str::to_owned)];
        rows.extend(read.entries.iter().map(row));
        ui.print(&table::plain(&rows, ui.width_out));
    }
    if read.broken > 0 {
        ui.note(&format!("{} lines of the journal could not be read", read.broken));
    }
    Ok(Exit::Done)
}

fn row(entry: &Entry) -> [String; 5] {
    let when = entry.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let command = entry.command.join(" ");
    [when, clean(&entry.user), entry.event.name().to_owned(), clean(&entry.outcome), clean(&command)]
}

fn since(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let span = age::parse(text).map_err(|_no_span| {
        Failure::usage(format!("--since {text} is neither a span nor a time"))
            .hint("docker dbsafe journal --since 2h")
    })?;
    Ok(now.checked_sub(span).unwrap_or(Timestamp::MIN))
}

impl App {
    /// Notes in the journal that something happened. That it cannot be written is said, and stops nothing.
    pub(super) fn journal(&self, event: Event, command: &[String], mut targets: Vec<String>, outcome: &str) {
        let Some(home) = place::home(&self.environment) else { return };
        targets.sort();
        targets.dedup();
        let entry = Entry {
            version: JOURNAL_VERSION,
            at: self.now(),
            user: user(&self.environment),
            engine: self.endpoint.host.clone(),
            event,
            command: without_secrets(command),
            targets,
            outcome: outcome.to_owned(),
        };
        // Where there is no place for it, `doctor` says so: a word at every command would only be in the way.
        let no_place = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::NotADirectory];
        if let Err(error) = journal::append(&home, &entry)
            && !no_place.contains(&error.kind())
        {
            self.ui.note(&format!("the journal in {} cannot be written: {error}", home.display()));
        }
    }
}

/// Who runs us, and on whose behalf.
fn user(environment: &Environment) -> String {
    let name = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| environment.text(name));
    let name = name.unwrap_or_else(own_number);
    match environment.text("SUDO_USER").filter(|caller| *caller != name) {
        Some(caller) => format!("{caller} as {name}"),
        None => name,
    }
}

#[cfg(unix)]
fn own_number() -> String {
    rustix::process::getuid().as_raw().to_string()
}

#[cfg(not(unix))]
fn own_number() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_a_span_or_a_time() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        assert_eq!(since("2h", now).unwrap().to_string(), "2026-01-31T10:00:00Z");
        assert_eq!(since("2026-01-01T00:00:00Z", now).unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert!(since("yesterday", now).is_err());
    }

    #[test]
    fn who_called_sudo_is_named() {
        let root = Environment::default().with("USER", "root");
        assert_eq!(user(&root), "root");
        assert_eq!(user(&root.with("SUDO_USER", "ann")), "ann as root");
    }
}
