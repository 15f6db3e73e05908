//! Changes to a service that know the forms in which compose lets it be written.

use super::{EditError, place::Document, value::Value};

/// Mounts a named volume at `target`, in place of an anonymous one or as a new entry, and declares it.
///
/// # Errors
/// Where the file cannot be changed just so; see [`EditError`]. The document may then hold half of it: work on a clone.
pub fn mount_volume(file: &mut Document, service: &str, volume: &str, target: &str) -> Result<(), EditError> {
    let volumes = ["services", service, "volumes"];
    let mounted = match file.get(&volumes) {
        Some(Value::List(items) | Value::Row(items)) => items,
        _ => Vec::new(),
    };
    let anonymous = mounted.iter().position(|item| is_anonymous_at(item, target));
    match anonymous.map(|index| (index.to_string(), &mounted[index])) {
        Some((index, Value::Map(_))) => {
            file.set(&["services", service, "volumes", &index, "source"], &Value::text(volume))?;
        }
        Some((index, item)) => {
            let short = match item {
                Value::Text(text) => text.as_str(),
                _ => target,
            };
            file.set(&["services", service, "volumes", &index], &Value::text(format!("{volume}:{short}")))?;
        }
        None => file.append(&volumes, &Value::text(format!("{volume}:{target}")))?,
    }
    if file.has(&["volumes", volume]) { Ok(()) } else { file.set(&["volumes", volume], &Value::Nothing) }
}

/// Whether an entry of `volumes` is an anonymous volume at this place.
fn is_anonymous_at(item: &Value, target: &str) -> bool {
    let same = |path: &str| path.trim_end_matches('/') == target.trim_end_matches('/');
    match item {
        Value::Text(text) => !text.contains(':') && same(text),
        Value::Map(entries) => {
            let of = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            let is = |name, wanted: &str| matches!(of(name), Some(Value::Text(text)) if text == wanted);
            is("type", "volume")
                && of("source").is_none()
                && matches!(of("target"), Some(Value::Text(text)) if same(text))
        }
        Value::Nothing | Value::Word(_) | Value::List(_) | Value::Row(_) => false,
    }
}

/// Sets an environment value, in the form (a list of `NAME=VALUE`, a mapping) that the service has.
///
/// # Errors
/// Where the file cannot be changed just so; see [`EditError`].
pub fn set_environment(file: &mut Document, service: &str, name: &str, value: &str) -> Result<(), EditError> {
    let environment = ["services", service, "environment"];
    let Some(Value::List(items) | Value::Row(items)) = file.get(&environment) else {
        return file.set(&["services", service, "environment", name], &Value::text(value));
    };
    let written = Value::text(format!("{name}={value}"));
    let is_it = |item: &Value| matches!(item, Value::Text(text) if text.split('=').next() == Some(name));
    match items.iter().position(is_it) {
        Some(index) => file.set(&["services", service, "environment", &index.to_string()], &written),
        None => file.append(&environment, &written),
    }
}

/// Makes one service wait until another is healthy, whichever form its `depends_on` has. The others that it depends
/// on stay as they are: started.
///
/// # Errors
/// Where the file cannot be changed just so; see [`EditError`].
pub fn wait_until_healthy(file: &mut Document, service: &str, on: &str) -> Result<(), EditError> {
    let depends = ["services", service, "depends_on"];
    if matches!(file.get(&depends), Some(Value::List(_) | Value::Row(_))) {
        let condition = |name: &str| {
            Value::map([(
                "condition",
                Value::text(if name == on { "service_healthy" } else { "service_started" }),
            )])
        };
        return file.list_to_map(&depends, &condition);
    }
    file.set(&["services", service, "depends_on", on, "condition"], &Value::text("service_healthy"))
}
