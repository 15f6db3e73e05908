//! Writes values in the style of the file that they go into.

use super::{
    node::{Kind, Node, Shape, line_and_column},
    value::{Value, is_ambiguous},
};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns by which a mapping stands deeper than the one around it.
    pub(super) step: usize,
    /// Columns by which a list stands deeper than its key.
    pub(super) list_step: usize,
    pub(super) newline: &'static str,
    /// The quotes that it prefers.
    pub(super) quote: char,
    /// Keys in double quotes, as in JSON.
    pub(super) quoted_keys: bool,
}

impl Style {
    /// The style that most of a text has.
    pub(super) fn of(text: &str, roots: &[Node]) -> Self {
        let (mut steps, mut list_steps) = (Vec::new(), Vec::new());
        let column = |node: &Node| line_and_column(text, node.start).1;
        for root in roots {
            root.walk(&mut |node| {
                let Kind::Map { entries, shape: Shape::Block } = &node.kind else { return };
                for (key, value) in entries {
                    match &value.kind {
                        Kind::Map { entries, shape: Shape::Block } => {
                            steps.extend(
                                entries.first().map(|(child, _)| column(child).saturating_sub(column(key))),
                            );
                        }
                        Kind::List { items, shape: Shape::Block } => {
                            let dash = items.first().and_then(|item| dash_of(text, item));
                            list_steps.extend(
                                dash.map(|dash| line_and_column(text, dash).1.saturating_sub(column(key))),
                            );
                        }
                        Kind::Map { .. } | Kind::List { .. } | Kind::Scalar { .. } | Kind::Alias(_) => {}
                    }
                }
            });
        }
        let step = most(&steps).filter(|&step| step > 0).unwrap_or(2);
        Self {
            step,
            list_step: most(&list_steps).unwrap_or(step),
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            quote: if text.matches('\'').count() > text.matches('"').count() { '\'' } else { '"' },
            quoted_keys: false,
        }
    }
}

/// The dash before an item of a block list.
pub(super) fn dash_of(text: &str, item: &Node) -> Option<usize> {
    let before = text[..item.start].trim_end();
    before.ends_with('-').then(|| before.len() - 1)
}

fn most(found: &[usize]) -> Option<usize> {
    found.iter().copied().max_by_key(|one| found.iter().filter(|other| one == *other).count())
}

/// The lines of `key: value` at a column (from 0), without their ends.
pub(super) fn entry(key: &str, value: &Value, column: usize, style: Style) -> Vec<String> {
    let space = " ".repeat(column);
    let name = key_text(key, style);
    match value {
        Value::Nothing => vec![format!("{space}{name}:")],
        Value::Map(entries) if !entries.is_empty() => {
            let below = entries.iter().flat_map(|(key, value)| entry(key, value, column + style.step, style));
            std::iter::once(format!("{space}{name}:")).chain(below).collect()
        }
        Value::List(items) if !items.is_empty() => {
            let below = items.iter().flat_map(|value| item(value, column + style.list_step, style));
            std::iter::once(format!("{space}{name}:")).chain(below).collect()
        }
        Value::Text(_) | Value::Word(_) | Value::Row(_) | Value::List(_) | Value::Map(_) => {
            vec![format!("{space}{name}: {}", on_one_line(value, false, style))]
        }
    }
}

/// The lines of `- value` with the dash at a column (from 0).
pub(super) fn item(value: &Value, column: usize, style: Style) -> Vec<String> {
    let space = " ".repeat(column);
    match value {
        Value::Nothing => vec![format!("{space}-")],
        Value::Map(entries) if !entries.is_empty() => {
            let mut lines: Vec<String> =
                entries.iter().flat_map(|(key, value)| entry(key, value, column + 2, style)).collect();
            lines[0] = format!("{space}- {}", lines[0].trim_start());
            lines
        }
        Value::Text(_) | Value::Word(_) | Value::Row(_) | Value::List(_) | Value::Map(_) => {
            vec![format!("{space}- {}", on_one_line(value, false, style))]
        }
    }
}

/// A value on one line.
pub(super) fn on_one_line(value: &Value, in_flow: bool, style: Style) -> String {
    match value {
        Value::Nothing => "null".to_owned(),
        Value::Word(word) => word.clone(),
        Value::Text(text) => scalar(text, in_flow, style),
        Value::List(items) | Value::Row(items) => {
            // In a row of texts all look alike: ["CMD", "redis-cli", "ping"].
            let quoted = items.iter().any(|item| matches!(item, Value::Text(text) if !is_plain(text, true)))
                || items
                    .iter()
                    .all(|item| matches!(item, Value::Text(text) if text.starts_with(char::is_uppercase)))
                || matches!(items.first(), Some(Value::Text(first)) if matches!(first.as_str(), "CMD" | "CMD-SHELL" | "NONE"));
            let one = |item: &Value| match item {
                Value::Text(text) if quoted => quote(text, style),
                other => on_one_line(other, true, style),
            };
            format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) => {
            let one = |(key, value): &(String, Value)| {
                format!("{}: {}", flow_key(key, style), on_one_line(value, true, style))
            };
            format!("{{{}}}", entries.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

fn key_text(key: &str, style: Style) -> String {
    if is_plain(key, false) { key.to_owned() } else { quote(key, style) }
}

/// A key within braces.
pub(super) fn flow_key(key: &str, style: Style) -> String {
    if is_plain(key, true) && !style.quoted_keys { key.to_owned() } else { quote(key, style) }
}

/// A text, in quotes where it needs them.
pub(super) fn scalar(text: &str, in_flow: bool, style: Style) -> String {
    if is_plain(text, in_flow) && !style.quoted_keys { text.to_owned() } else { quote(text, style) }
}

/// A text in the quotes that a file prefers.
fn quote(text: &str, style: Style) -> String {
    let single = style.quote == '\'' && !style.quoted_keys;
    quote_as(text, if single { '\'' } else { '"' })
}

/// A text in these quotes, or in double ones where only they can hold it.
pub(super) fn quote_as(text: &str, quote: char) -> String {
    if quote == '\'' && !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text may stand without quotes. Stricter than YAML: only what every reader agrees on.
fn is_plain(text: &str, in_flow: bool) -> bool {
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "_./@+-$=~%^() ".contains(c) || (!in_flow && "{},".contains(c))
    };
    let first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '$');
    let colons_bind = !(text.ends_with(':') || text.contains(": ") || in_flow && text.contains(':'));
    text.starts_with(first)
        && !text.ends_with(' ')
        && !text.contains(" #")
        && colons_bind
        && text.chars().all(|c| allowed(c) || c == ':')
        && !is_ambiguous(text)
}
