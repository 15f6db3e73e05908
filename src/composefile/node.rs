//! A YAML text as a tree whose every node knows where it stands. Aliases are not resolved.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deeper than any compose file; what is deeper is not meant well.
const DEEPEST: usize = 100;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {cause}")]
pub struct ReadError {
    pub line: usize,
    pub column: usize,
    pub cause: String,
}

/// How a list or a mapping is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// By indentation.
    Block,
    /// In brackets or braces.
    Flow,
    /// `[key: value]`: a mapping without braces of its own.
    Pair,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar { text: String, style: ScalarStyle },
    List { items: Vec<Node>, shape: Shape },
    Map { entries: Vec<(Node, Node)>, shape: Shape },
    Alias(usize),
}

/// A node, at a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) start: usize,
    /// The end of what it says: comments and space behind it do not count.
    pub(super) end: usize,
    /// Its anchor's number; 0 where it has none.
    pub(super) anchor: usize,
    pub(super) tag: Option<String>,
    pub(super) kind: Kind,
}

impl Node {
    /// Nothing is written here: `key:` and no more.
    pub(super) fn is_blank(&self) -> bool {
        self.is_bare()
            && matches!(&self.kind, Kind::Scalar { text, style: ScalarStyle::Plain } if text.is_empty())
    }

    /// It has neither an anchor nor a tag.
    pub(super) fn is_bare(&self) -> bool {
        self.anchor == 0 && self.tag.is_none()
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List { .. } | Kind::Map { .. } | Kind::Alias(_) => None,
        }
    }

    /// An entry of this mapping itself, not of one that it merges.
    pub(super) fn entry(&self, key: &str) -> Option<usize> {
        match &self.kind {
            Kind::Map { entries, .. } => entries.iter().position(|(name, _)| name.text() == Some(key)),
            Kind::Scalar { .. } | Kind::List { .. } | Kind::Alias(_) => None,
        }
    }

    /// Whether this mapping merges others.
    pub(super) fn merges(&self) -> bool {
        self.entry(MERGE).is_some()
    }

    /// Calls `visit` for this node and all below it.
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match &self.kind {
            Kind::List { items, .. } => items.iter().for_each(|item| item.walk(visit)),
            Kind::Map { entries, .. } => {
                for (key, value) in entries {
                    key.walk(visit);
                    value.walk(visit);
                }
            }
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }
}

/// The key of a merge.
pub(super) const MERGE: &str = "<<";

/// The documents of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, ReadError> {
    let mut builder = Builder { text, offsets: Offsets::of(text), open: Vec::new(), done: Vec::new() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| ReadError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            cause: error.info().to_owned(),
        })?;
        builder.take(event, span)?;
    }
    for document in &builder.done {
        builder.positions_hold(document)?;
    }
    Ok(builder.done)
}

/// From the parser's positions, which count characters, to bytes.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn of(text: &str) -> Self {
        let all = || text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
        Self((!text.is_ascii()).then(all))
    }

    fn byte(&self, index: usize, end: usize) -> usize {
        self.0.as_ref().map_or(index, |all| all.get(index).copied().unwrap_or(end)).min(end)
    }
}

struct Builder<'t> {
    text: &'t str,
    offsets: Offsets,
    /// Lists and mappings that have begun, each with the key that waits for its value.
    open: Vec<(Node, Option<Node>)>,
    done: Vec<Node>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ReadError> {
        let byte = |index| self.offsets.byte(index, self.text.len());
        let (start, end) = (byte(span.start.index()), byte(span.end.index()));
        let named = |tag: Option<std::borrow::Cow<'_, saphyr_parser::Tag>>| tag.map(|tag| tag.to_string());
        let node = |anchor, tag, kind| Node { start, end, anchor, tag, kind };
        match event {
            Event::Alias(anchor) => self.close(node(0, None, Kind::Alias(anchor))),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar { text: text.into_owned(), style };
                let scalar = self.trimmed(node(anchor, named(tag), kind));
                self.close(scalar);
            }
            Event::SequenceStart(anchor, tag) => {
                let shape =
                    if self.content(start, end).starts_with('[') { Shape::Flow } else { Shape::Block };
                self.begin(node(anchor, named(tag), Kind::List { items: Vec::new(), shape }))?;
            }
            Event::MappingStart(anchor, tag) => {
                let in_flow = self.open.last().is_some_and(|(open, _)| !is_block(open));
                let shape = match self.content(start, end).starts_with('{') {
                    true => Shape::Flow,
                    false if in_flow => Shape::Pair,
                    false => Shape::Block,
                };
                self.begin(node(anchor, named(tag), Kind::Map { entries: Vec::new(), shape }))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((mut node, _)) = self.open.pop() {
                    node.end = match &node.kind {
                        // The parser takes the space behind a bracket for a part of it.
                        Kind::List { shape: Shape::Flow, .. } | Kind::Map { shape: Shape::Flow, .. } => {
                            start + 1
                        }
                        Kind::List { items, .. } => items.last().map_or(end, |last| last.end),
                        Kind::Map { entries, .. } => entries.last().map_or(end, |(_, last)| last.end),
                        Kind::Scalar { .. } | Kind::Alias(_) => end,
                    };
                    self.close(node);
                }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// What is written in a range, without the anchor and the tag before it.
    fn content(&self, start: usize, end: usize) -> &str {
        let mut rest = &self.text[start..end];
        while rest.starts_with(['&', '!']) {
            rest = rest.find(char::is_whitespace).map_or("", |at| rest[at..].trim_start());
        }
        rest
    }

    fn begin(&mut self, node: Node) -> Result<(), ReadError> {
        if self.open.len() >= DEEPEST {
            let (line, column) = line_and_column(self.text, node.start);
            return Err(ReadError { line, column, cause: "too deep for a compose file".to_owned() });
        }
        self.open.push((node, None));
        Ok(())
    }

    /// Hands a whole node to what it stands in.
    fn close(&mut self, node: Node) {
        let Some((parent, key)) = self.open.last_mut() else { return self.done.push(node) };
        match (&mut parent.kind, key.take()) {
            (Kind::Map { .. }, None) => *key = Some(node),
            (Kind::Map { entries, .. }, Some(name)) => entries.push((name, node)),
            (Kind::List { items, .. }, _) => items.push(node),
            (Kind::Scalar { .. } | Kind::Alias(_), _) => {}
        }
    }

    /// A scalar without the line breaks behind it; one that is not written at all stands behind its mark.
    fn trimmed(&self, mut scalar: Node) -> Node {
        let nothing =
            matches!(&scalar.kind, Kind::Scalar { text, style: ScalarStyle::Plain } if text.is_empty());
        if nothing && scalar.is_bare() {
            let marked = matches!(&self.text[scalar.start..scalar.end], ":" | "-");
            let key = self.open.last().and_then(|(_, key)| key.as_ref());
            let after = if marked { scalar.end } else { key.map_or(scalar.start, |key| key.end) };
            (scalar.start, scalar.end) = (after, after);
        } else {
            // The parser takes space and a comment behind closing quotes for a part of them.
            let content = self.content(scalar.start, scalar.end);
            let length = match scalar.kind {
                Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. } => quoted_length(content, '"'),
                Kind::Scalar { style: ScalarStyle::SingleQuoted, .. } => quoted_length(content, '\''),
                Kind::Scalar { .. } | Kind::List { .. } | Kind::Map { .. } | Kind::Alias(_) => {
                    content.trim_end().len()
                }
            };
            scalar.end = scalar.end - content.len() + length;
        }
        scalar
    }

    /// What is written on one line without quotes must stand where the parser says it does. All edits rely on it.
    fn positions_hold(&self, document: &Node) -> Result<(), ReadError> {
        let mut wrong = None;
        document.walk(&mut |node| {
            if let Kind::Scalar { text, style: ScalarStyle::Plain } = &node.kind
                && node.is_bare()
                && self.text[node.start..node.end] != *text
                && !self.text[node.start..node.end].contains(['\n', '\r'])
            {
                wrong = Some(node.start);
            }
        });
        let Some(start) = wrong else { return Ok(()) };
        let (line, column) = line_and_column(self.text, start);
        Err(ReadError { line, column, cause: "its positions cannot be told".to_owned() })
    }
}

fn is_block(node: &Node) -> bool {
    match &node.kind {
        Kind::List { shape, .. } | Kind::Map { shape, .. } => *shape == Shape::Block,
        Kind::Scalar { .. } | Kind::Alias(_) => true,
    }
}

/// The length of a text in quotes, up to its closing one.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        let doubled =
            quote == '\'' && c == quote && characters.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || quote == '"' && c == '\\' {
            characters.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.trim_end().len()
}

/// Where a byte stands: line and column in characters, both from 1.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let characters = before[line_start..].chars().filter(|&c| c != '\u{feff}').count();
    (before.matches('\n').count() + 1, characters + 1)
}

/// The nodes that have anchors, by their numbers.
pub(super) fn anchored<'a>(documents: &'a [Node]) -> BTreeMap<usize, &'a Node> {
    let mut found = BTreeMap::new();
    for document in documents {
        document.walk(&mut |node: &'a Node| {
            if node.anchor != 0 {
                found.insert(node.anchor, node);
            }
        });
    }
    found
}
