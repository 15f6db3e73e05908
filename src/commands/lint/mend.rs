//! From findings to edited files. Pure: nothing is read or written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::place::Found;
use crate::{
    composefile::{Document, EditError, Sources, Value, service},
    model::check::{Edit, Fix},
};

/// What a finding's edit is to be.
pub(super) enum Way {
    /// As the check has it.
    AsIs,
    /// Another one, made of what runs.
    Other(Fix),
    /// None, and why.
    Leave(String),
}

/// The files with their edits.
#[derive(Default)]
pub(super) struct Mended {
    /// By file, as it was and as it will be.
    pub(super) files: Vec<(PathBuf, String, String)>,
    /// The findings that these edits mend: check and service.
    pub(super) done: Vec<(&'static str, String)>,
    /// What is left as it is: a sentence each.
    pub(super) left: Vec<String>,
}

/// Applies all edits that can be made.
pub(super) fn mend(sources: &Sources, found: &[Found], way: &dyn Fn(&Found) -> Way) -> Mended {
    let mut mended = Mended::default();
    let mut edited: BTreeMap<PathBuf, Document> = BTreeMap::new();
    let mut healthy: Vec<&str> = Vec::new();
    // Conditions come last: they wait for health checks, which may only be written now.
    let (waiting, first): (Vec<&Found>, Vec<&Found>) = found
        .iter()
        .filter(|found| found.suppressed.is_none())
        .partition(|found| found.raised.check.id == DEPENDS);
    for found in first.into_iter().chain(waiting) {
        let fix = match way(found) {
            Way::AsIs => found.raised.fix.clone().or_else(|| condition(found, &healthy)),
            Way::Other(fix) => Some(fix),
            Way::Leave(why) => {
                mended.left.push(format!("{} of {}: {why}", found.raised.check.id, found.service()));
                None
            }
        };
        let Some(fix) = fix else { continue };
        match apply(sources, &edited, &fix) {
            Ok(changed) => {
                edited.extend(changed);
                if found.raised.check.id == "no-health-check" {
                    healthy.push(found.service());
                }
                mended.done.push((found.raised.check.id, found.service().to_owned()));
            }
            Err(why) => mended.left.push(format!("{} of {}: {why}", found.raised.check.id, found.service())),
        }
    }
    for (file, document) in edited {
        let old = sources.document(&file).map_or("", Document::text).to_owned();
        let new = document.text().to_owned();
        if old != new {
            mended.files.push((file, old, new));
        }
    }
    mended
}

const DEPENDS: &str = "depends-on-without-health";

/// The condition on a service that gets its health check in the same turn.
fn condition(found: &Found, healthy: &[&str]) -> Option<Fix> {
    let [_, _, _, on, _] = found.raised.field.as_slice() else { return None };
    let waits = found.raised.check.id == DEPENDS && healthy.contains(&on.as_str());
    waits.then(|| Fix::default().set(found.raised.field.clone(), "service_healthy"))
}

/// One finding's edits, all or none: the files that they change.
fn apply(
    sources: &Sources,
    edited: &BTreeMap<PathBuf, Document>,
    fix: &Fix,
) -> Result<BTreeMap<PathBuf, Document>, String> {
    let mut changed: BTreeMap<PathBuf, Document> = BTreeMap::new();
    let mut last: Option<PathBuf> = None;
    for edit in &fix.edits {
        let (Edit::Set { path, .. } | Edit::Append { path, .. }) = edit;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        // What goes to the top level belongs beside the service that needs it.
        let own = path[0] == "services" || last.is_none();
        let home = sources.home(&path).filter(|_| own).map(Path::to_owned);
        let file = home.or(last).ok_or("no file has this service")?;
        let known = changed.get(&file).or_else(|| edited.get(&file)).or_else(|| sources.document(&file));
        let mut document = known.ok_or_else(|| format!("{} was not read", file.display()))?.clone();
        one(&mut document, edit).map_err(|error| format!("{}: {error}", file.display()))?;
        changed.insert(file.clone(), document);
        last = Some(file);
    }
    Ok(changed)
}

/// One edit, in the form that the file has for it.
fn one(document: &mut Document, edit: &Edit) -> Result<(), EditError> {
    match edit {
        Edit::Set { path, value } => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            match (path.as_slice(), value) {
                (["services", name, "depends_on", on, "condition"], Json::String(word))
                    if word == "service_healthy" =>
                {
                    service::wait_until_healthy(document, name, on)
                }
                (["services", name, "environment", variable], Json::String(text)) => {
                    service::set_environment(document, name, variable, text)
                }
                (["volumes", _], Json::Object(options)) if options.is_empty() => {
                    if document.has(&path) {
                        Ok(())
                    } else {
                        document.set(&path, &Value::Nothing)
                    }
                }
                _ => document.set(&path, &of_json(value)),
            }
        }
        Edit::Append { path, value } => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let mount = value.as_str().and_then(|text| text.split_once(':'));
            match (path.as_slice(), mount) {
                (["services", name, "volumes"], Some((volume, target))) => {
                    service::mount_volume(document, name, volume, target)
                }
                _ => document.append(&path, &of_json(value)),
            }
        }
    }
}

/// Keys in the order in which people write them; others follow by name.
const ORDER: &[&str] =
    &["test", "interval", "timeout", "retries", "start_period", "type", "source", "target"];

fn of_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nothing,
        Json::Bool(word) => Value::word(word),
        Json::Number(number) => Value::word(number),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::Row(items.iter().map(of_json).collect()),
        Json::Object(entries) => {
            let mut entries: Vec<(String, Value)> =
                entries.iter().map(|(key, value)| (key.clone(), of_json(value))).collect();
            let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
            entries.sort_by_key(|(key, _)| rank(key));
            Value::Map(entries)
        }
    }
}
