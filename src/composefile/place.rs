//! One file, and where in it a field is written.

use std::collections::BTreeMap;

use super::{
    node::{self, Kind, MERGE, Node, ReadError},
    value::{Value, is_ambiguous},
};
use saphyr_parser::ScalarStyle;

/// Aliases and merges that lead on and on lead nowhere.
const LONGEST_WAY: usize = 16;

/// A compose file's text, understood.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) text: String,
    /// Usually one.
    pub(super) roots: Vec<Node>,
}

/// Where something is written. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    /// Just behind its last character: of the value where it is on the key's line, else of the key.
    pub end_line: usize,
    pub end_column: usize,
    /// How much of the path is written; where that is not all, this is the place of the nearest part that is.
    pub depth: usize,
}

/// A step on a path: what is written there, and the value behind it.
#[derive(Clone, Copy)]
struct Step<'a> {
    key: Option<&'a Node>,
    value: &'a Node,
}

impl Document {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Where it is no YAML.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        Ok(Self { text: text.to_owned(), roots: node::parse(text)? })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a field is written, or the nearest part of the path that is. What an alias or a merge brings in is
    /// written at its anchor.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> Place {
        let steps = self.steps(path);
        let depth = steps.len();
        let Some(step) = steps.last() else {
            return Place { line: 1, column: 1, end_line: 1, end_column: 1, depth };
        };
        let shown = step.key.unwrap_or(step.value);
        let (line, column) = node::line_and_column(&self.text, shown.start);
        let value_end = node::line_and_column(&self.text, step.value.end);
        let (end_line, end_column) = match &step.value.kind {
            Kind::Scalar { .. } | Kind::Alias(_)
                if value_end.0 == line && step.value.start >= shown.start =>
            {
                value_end
            }
            Kind::Scalar { .. } | Kind::Alias(_) | Kind::List { .. } | Kind::Map { .. } => {
                let line_end = self.text[shown.start..]
                    .find(['\r', '\n'])
                    .map_or(self.text.len(), |at| shown.start + at);
                node::line_and_column(&self.text, shown.end.min(line_end))
            }
        };
        Place { line, column, end_line, end_column, depth }
    }

    /// Whether all of a path is written, be it at an anchor.
    #[must_use]
    pub fn has(&self, path: &[&str]) -> bool {
        self.steps(path).len() == path.len()
    }

    /// What is written at a path.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<Value> {
        let steps = self.steps(path);
        let step = if steps.len() == path.len() { steps.last() } else { None };
        let anchored = node::anchored(&self.roots);
        step.map(|step| value_of(step.value, &anchored, 0))
    }

    /// The keys of a mapping, or nothing.
    #[must_use]
    pub fn keys(&self, path: &[&str]) -> Vec<String> {
        match self.get(path) {
            Some(Value::Map(entries)) => entries.into_iter().map(|(key, _)| key).collect(),
            _ => Vec::new(),
        }
    }

    /// The way along a path, in the first document that knows most of it.
    fn steps(&self, path: &[&str]) -> Vec<Step<'_>> {
        let anchored = node::anchored(&self.roots);
        let mut best: Vec<Step<'_>> = Vec::new();
        for root in &self.roots {
            let (mut found, mut at) = (Vec::new(), root);
            for key in path {
                let Some(step) = step(at, key, &anchored, 0) else { break };
                at = step.value;
                found.push(step);
            }
            if found.len() > best.len() {
                best = found;
            }
        }
        best
    }
}

fn step<'a>(node: &'a Node, key: &str, anchored: &BTreeMap<usize, &'a Node>, way: usize) -> Option<Step<'a>> {
    if way > LONGEST_WAY {
        return None;
    }
    match &node.kind {
        Kind::Alias(anchor) => step(anchored.get(anchor)?, key, anchored, way + 1),
        Kind::Map { entries, .. } => {
            if let Some(index) = node.entry(key) {
                let (key, value) = &entries[index];
                return Some(Step { key: Some(key), value });
            }
            let (_, merged) = &entries[node.entry(MERGE)?];
            let merged = match &merged.kind {
                Kind::List { items, .. } => items.iter().collect(),
                Kind::Map { .. } | Kind::Alias(_) | Kind::Scalar { .. } => vec![merged],
            };
            merged.into_iter().find_map(|from| step(from, key, anchored, way + 1))
        }
        Kind::List { items, .. } => {
            // `environment` and `depends_on` may be lists of what compose's model has as mappings.
            let named = |item: &&Node| {
                item.text().is_some_and(|text| text == key || text.split('=').next() == Some(key))
            };
            let by_index = || items.get(key.parse::<usize>().ok()?);
            let value = items.iter().find(named).or_else(by_index)?;
            Some(Step { key: None, value })
        }
        Kind::Scalar { .. } => None,
    }
}

fn value_of(node: &Node, anchored: &BTreeMap<usize, &Node>, way: usize) -> Value {
    if way > LONGEST_WAY {
        return Value::Nothing;
    }
    let below = |node: &Node| value_of(node, anchored, way + 1);
    match &node.kind {
        Kind::Alias(anchor) => anchored.get(anchor).map_or(Value::Nothing, |node| below(node)),
        Kind::Scalar { text, style: ScalarStyle::Plain } if matches!(text.as_str(), "" | "~" | "null") => {
            Value::Nothing
        }
        Kind::Scalar { text, style: ScalarStyle::Plain } if is_ambiguous(text) => Value::Word(text.clone()),
        Kind::Scalar { text, .. } => Value::Text(text.clone()),
        Kind::List { items, shape: node::Shape::Block } => Value::List(items.iter().map(below).collect()),
        Kind::List { items, .. } => Value::Row(items.iter().map(below).collect()),
        Kind::Map { entries, .. } => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), below(value)))
                .collect(),
        ),
    }
}
