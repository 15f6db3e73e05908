//! Changes to one file's text. Each is worked out on the tree, made in the text, and proved by parsing it again.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

use super::{
    node::{self, Kind, Node, Shape},
    place::Document,
    render::{self, Style, dash_of},
    value::{Value, is_ambiguous},
};

/// Why a file is not changed: a clause about one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}, line {line}: {cause}")]
pub struct EditError {
    /// Keys, joined by dots.
    pub path: String,
    pub line: usize,
    pub cause: String,
}

const SHARED: &str = "an alias stands here, and its anchor serves others, too; change it by hand";
const MERGED: &str = "it comes from a merge (<<), which serves others, too; change it by hand";
const ANCHORED: &str = "it has an anchor or a tag; change it by hand";
const COMMENTED: &str = "there are comments in what would be replaced; change it by hand";
const UNUSUAL: &str = "it is written in a way that cannot be changed safely; change it by hand";
const SINGLE: &str = "a single value stands here, where a mapping would be needed";

/// Ranges of the text and what takes their place, in the order of the text.
type Splices = Vec<(Range<usize>, String)>;

/// How far a path is written in the file itself, without aliases and merges.
struct Trail<'a> {
    /// From the root on; the last is what the path, or what is written of it, leads to.
    nodes: Vec<&'a Node>,
    /// Which child each next node is.
    indices: Vec<usize>,
}

impl<'a> Trail<'a> {
    fn last(&self) -> &'a Node {
        self.nodes[self.nodes.len() - 1]
    }

    fn parent(&self) -> Option<&'a Node> {
        self.nodes.len().checked_sub(2).map(|index| self.nodes[index])
    }

    fn in_flow(&self) -> bool {
        self.nodes[..self.nodes.len() - 1].iter().any(|node| {
            matches!(&node.kind, Kind::Map { shape, .. } | Kind::List { shape, .. } if *shape != Shape::Block)
        })
    }
}

impl Document {
    /// Writes a value at a path: in place of what is there, or as a new entry, with what is missing above it.
    ///
    /// # Errors
    /// Where that would change more than this field, or cannot be done keeping the rest as it is.
    pub fn set(&mut self, path: &[&str], value: &Value) -> Result<(), EditError> {
        let refuse = |document: &Self, cause| Err(document.error(path, cause));
        let trail = match self.trail(path) {
            Ok(trail) => trail,
            Err(cause) => return refuse(self, cause),
        };
        let written = trail.indices.len();
        let splices = if written == path.len() {
            self.replacing(&trail, value)
        } else {
            let rest = &path[written..];
            self.inserting(&trail, rest[0], &value.clone().under(&rest[1..]))
        };
        let splices = match splices {
            Ok(splices) => splices,
            Err(cause) => return refuse(self, cause),
        };
        let mut expected = self.roots.clone();
        let target = descend(&mut expected[0], &trail.indices);
        if written == path.len() {
            *target = node_of(value);
        } else {
            let new = node_of(&value.clone().under(&path[written + 1..]));
            add_entry(target, path[written], new);
        }
        self.apply(path, splices, &expected)
    }

    /// Adds an item to the end of a list, which is made where there is none.
    ///
    /// # Errors
    /// As `set`.
    pub fn append(&mut self, path: &[&str], value: &Value) -> Result<(), EditError> {
        let trail = self.trail(path).map_err(|cause| self.error(path, cause))?;
        if trail.indices.len() < path.len() || trail.last().is_blank() {
            return self.set(path, &Value::List(vec![value.clone()]));
        }
        let splices = self.appending(&trail, value).map_err(|cause| self.error(path, cause))?;
        let mut expected = self.roots.clone();
        if let Kind::List { items, .. } = &mut descend(&mut expected[0], &trail.indices).kind {
            items.push(node_of(value));
        }
        self.apply(path, splices, &expected)
    }

    /// Turns a list of names into a mapping with a value for each: `depends_on: [db]` into its long form.
    ///
    /// # Errors
    /// As `set`.
    pub fn list_to_map(&mut self, path: &[&str], value_of: &dyn Fn(&str) -> Value) -> Result<(), EditError> {
        let trail = self.trail(path).map_err(|cause| self.error(path, cause))?;
        let names: Option<Vec<&str>> = match &trail.last().kind {
            Kind::List { items, .. } if trail.indices.len() == path.len() => {
                items.iter().map(|item| item.text().filter(|_| item.is_bare())).collect()
            }
            Kind::List { .. } | Kind::Map { .. } | Kind::Scalar { .. } | Kind::Alias(_) => None,
        };
        let names = names.ok_or_else(|| self.error(path, "it is no list of names"))?;
        let entries: Vec<(String, Value)> =
            names.iter().map(|name| ((*name).to_owned(), value_of(name))).collect();
        let splices = self.mapping(&trail, &entries).map_err(|cause| self.error(path, cause))?;
        let mut expected = self.roots.clone();
        *descend(&mut expected[0], &trail.indices) = node_of(&Value::Map(entries));
        self.apply(path, splices, &expected)
    }

    fn error(&self, path: &[&str], cause: &str) -> EditError {
        EditError { path: path.join("."), line: self.place(path).line, cause: cause.to_owned() }
    }

    /// Makes the change, if it is the expected one.
    fn apply(&mut self, path: &[&str], splices: Splices, expected: &[Node]) -> Result<(), EditError> {
        let mut text = String::with_capacity(self.text.len() + 256);
        let mut at = 0;
        for (range, new) in splices {
            text.push_str(&self.text[at..range.start]);
            text.push_str(&new);
            at = range.end;
        }
        text.push_str(&self.text[at..]);
        let roots = node::parse(&text).map_err(|_unreadable| self.error(path, UNUSUAL))?;
        if roots.len() != expected.len() || !roots.iter().zip(expected).all(|(new, old)| is_same(new, old)) {
            return Err(self.error(path, UNUSUAL));
        }
        (self.text, self.roots) = (text, roots);
        Ok(())
    }

    fn trail(&self, path: &[&str]) -> Result<Trail<'_>, &'static str> {
        let [root] = self.roots.as_slice() else {
            return Err("the file holds no document, or several; change it by hand");
        };
        let mut trail = Trail { nodes: vec![root], indices: Vec::new() };
        for (index, key) in path.iter().enumerate() {
            let at = trail.last();
            if at.tag.as_deref().is_some_and(|tag| tag != "!override") {
                return Err(ANCHORED);
            }
            let (child, value) = match &at.kind {
                Kind::Alias(_) => return Err(SHARED),
                Kind::Scalar { .. } if at.is_blank() => break,
                Kind::Scalar { .. } => return Err(SINGLE),
                Kind::List { items, .. } => {
                    let child = key.parse().ok().filter(|&child| child < items.len());
                    let Some(child) = child else { return Err("there is no such item in this list") };
                    (child, &items[child])
                }
                Kind::Map { entries, .. } => match at.entry(key) {
                    Some(child) => (child, &entries[child].1),
                    // One entry of its own beats a merged one; with entries below it, it would hide all of those.
                    None if at.merges() && index + 1 < path.len() && self.has(&path[..=index]) => {
                        return Err(MERGED);
                    }
                    None => break,
                },
            };
            trail.nodes.push(value);
            trail.indices.push(child);
        }
        Ok(trail)
    }

    fn style(&self) -> Style {
        Style::of(&self.text, &self.roots)
    }

    /// The column (from 0) of a place, where only spaces and dashes stand before it on its line.
    fn column(&self, at: usize) -> Result<usize, &'static str> {
        let before = self.text[..at].rsplit('\n').next().unwrap_or_default().trim_start_matches('\u{feff}');
        if before.chars().all(|c| matches!(c, ' ' | '-')) { Ok(before.len()) } else { Err(UNUSUAL) }
    }

    /// Where the line of a place ends, line break included.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |found| at + found + 1)
    }

    /// Behind the line of `end`, and behind the comments that follow it and stand at least this deep.
    fn behind(&self, end: usize, depth: usize) -> usize {
        let mut behind = self.next_line(end);
        let mut at = behind;
        while at < self.text.len() {
            let next = self.next_line(at);
            let line = &self.text[at..next];
            let content = line.trim_start_matches(' ');
            if content.starts_with('#') && line.len() - content.len() >= depth {
                behind = next;
            } else if !content.trim().is_empty() {
                break;
            }
            at = next;
        }
        behind
    }

    /// New lines at the beginning of a line, or at the end of a text without a last line break.
    fn lines_at(&self, at: usize, lines: &[String]) -> (Range<usize>, String) {
        let newline = self.style().newline;
        let open_end = at == self.text.len() && !self.text.is_empty() && !self.text.ends_with('\n');
        let joined = lines.join(newline);
        (at..at, if open_end { format!("{newline}{joined}") } else { format!("{joined}{newline}") })
    }

    fn inserting(&self, trail: &Trail<'_>, key: &str, value: &Value) -> Result<Splices, &'static str> {
        let node = trail.last();
        let style = self.style();
        match &node.kind {
            Kind::Map { entries, shape: Shape::Block } => {
                let column = self.column(entries.first().ok_or(UNUSUAL)?.0.start)?;
                let at = self.behind(node.end, column);
                let mut lines = render::entry(key, value, column, style);
                if column == 0 && trail.nodes.len() == 1 && self.sets_apart(entries) {
                    lines.insert(0, String::new());
                }
                Ok(vec![self.lines_at(at, &lines)])
            }
            Kind::Map { entries, shape: Shape::Flow } => {
                let places: Vec<_> = entries.iter().map(|(key, value)| (key.start, value)).collect();
                let style =
                    Style { quoted_keys: entries.iter().any(|(key, _)| is_double_quoted(key)), ..style };
                let new =
                    format!("{}: {}", render::flow_key(key, style), render::on_one_line(value, true, style));
                self.within_brackets(node, &places, &new)
            }
            Kind::Scalar { .. } if node.is_blank() => {
                let (child, column) = self.below_blank(trail)?;
                Ok(vec![self.lines_at(child, &render::entry(key, value, column + style.step, style))])
            }
            Kind::Map { .. } | Kind::Scalar { .. } | Kind::List { .. } | Kind::Alias(_) => Err(UNUSUAL),
        }
    }

    /// Where lines below a key without a value go, and the key's column.
    fn below_blank(&self, trail: &Trail<'_>) -> Result<(usize, usize), &'static str> {
        let Some(Kind::Map { entries, shape: Shape::Block }) = trail.parent().map(|parent| &parent.kind)
        else {
            return Err(UNUSUAL);
        };
        let column = self.column(entries[trail.indices[trail.indices.len() - 1]].0.start)?;
        Ok((self.behind(trail.last().end, column + 1), column))
    }

    /// Whether the file puts an empty line between its sections.
    fn sets_apart(&self, sections: &[(Node, Node)]) -> bool {
        let after_blank = |(key, _): &(Node, Node)| {
            let mut above =
                self.text[..key.start].lines().rev().skip_while(|line| line.trim_start().starts_with('#'));
            above.next().is_some_and(|line| line.trim().is_empty())
        };
        sections.len() == 1 || sections.iter().skip(1).any(after_blank)
    }

    /// A new part behind the last one within brackets or braces.
    fn within_brackets(
        &self,
        node: &Node,
        parts: &[(usize, &Node)],
        new: &str,
    ) -> Result<Splices, &'static str> {
        let Some((last_start, last)) = parts.last() else {
            let open = node.start + 1;
            return if node.is_bare() { Ok(vec![(open..open, new.to_owned())]) } else { Err(ANCHORED) };
        };
        if last.is_blank() {
            let first = parts[0].0;
            return Ok(vec![(first..first, format!("{new}, "))]);
        }
        // One to a line, where each of them has one.
        let before = |at: usize| self.text[..at].rsplit('\n').next().unwrap_or_default();
        let own_lines =
            parts.iter().all(|(start, _)| before(*start).trim().is_empty()) && *last_start > node.start;
        let gap = match own_lines && before(*last_start).len() < self.text[..*last_start].len() {
            true => format!("{}{}", self.style().newline, before(*last_start)),
            false => " ".to_owned(),
        };
        Ok(vec![(last.end..last.end, format!(",{gap}{new}"))])
    }

    fn appending(&self, trail: &Trail<'_>, value: &Value) -> Result<Splices, &'static str> {
        let node = trail.last();
        let style = self.style();
        match &node.kind {
            Kind::Alias(_) => Err(SHARED),
            Kind::List { items, shape: Shape::Block } => {
                let dash = items.first().and_then(|item| dash_of(&self.text, item)).ok_or(UNUSUAL)?;
                let column = self.column(dash)?;
                let indented = match trail.parent().map(|parent| &parent.kind) {
                    Some(Kind::Map { entries, .. }) => {
                        self.column(entries[trail.indices[trail.indices.len() - 1]].0.start)? < column
                    }
                    _ => true,
                };
                let at = self.behind(node.end, if indented { column } else { column + 1 });
                Ok(vec![self.lines_at(at, &render::item(value, column, style))])
            }
            Kind::List { items, .. } => {
                let places: Vec<_> = items.iter().map(|item| (item.start, item)).collect();
                let style = Style { quoted_keys: items.iter().any(is_double_quoted), ..style };
                self.within_brackets(node, &places, &render::on_one_line(value, true, style))
            }
            Kind::Map { .. } | Kind::Scalar { .. } => Err("it is no list"),
        }
    }

    fn replacing(&self, trail: &Trail<'_>, value: &Value) -> Result<Splices, &'static str> {
        let node = trail.last();
        let style = self.style();
        match &node.kind {
            Kind::Alias(_) => return Err(SHARED),
            _ if !node.is_bare() || has_anchors(node) => return Err(ANCHORED),
            _ => {}
        }
        let is_short = matches!(value, Value::Text(_) | Value::Word(_) | Value::Row(_) | Value::Nothing)
            || matches!(value, Value::List(items) if items.is_empty())
            || matches!(value, Value::Map(entries) if entries.is_empty());
        if node.is_blank() && !is_short && !trail.in_flow() {
            let (at, column) = self.below_blank(trail)?;
            return Ok(vec![self.lines_at(at, &lines_below(value, column, style))]);
        }
        let old = &self.text[node.start..node.end];
        if matches!(&node.kind, Kind::List { .. } | Kind::Map { .. }) && has_comment(old) {
            return Err(COMMENTED);
        }
        let new = match (&node.kind, value) {
            (Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. }, _) => {
                return Err(UNUSUAL);
            }
            (Kind::Scalar { style, .. }, Value::Text(text)) if *style != ScalarStyle::Plain => {
                render::quote_as(text, if *style == ScalarStyle::SingleQuoted { '\'' } else { '"' })
            }
            _ => render::on_one_line(value, trail.in_flow(), style),
        };
        if node.is_blank() {
            return Ok(vec![(node.start..node.end, format!(" {new}"))]);
        }
        if trail.in_flow() {
            return Ok(vec![(node.start..node.end, new)]);
        }
        // From behind the colon or the dash on: what stood there may have stood on lines of its own.
        let from = self.text[..node.start].trim_end().len();
        let gap = from..node.start;
        if has_comment(&self.text[gap]) {
            return Err(COMMENTED);
        }
        if is_short {
            let keeps_line = !self.text[from..node.start].contains('\n');
            let start = if keeps_line { node.start } else { from };
            return Ok(vec![(start..node.end, if keeps_line { new } else { format!(" {new}") })]);
        }
        let Some(Kind::Map { entries, shape: Shape::Block }) = trail.parent().map(|parent| &parent.kind)
        else {
            return Err(UNUSUAL);
        };
        let column = self.column(entries[trail.indices[trail.indices.len() - 1]].0.start)?;
        // A comment behind the old value would come to stand behind the last line of the new one.
        if !self.text[node.end..self.next_line(node.end)].trim().is_empty() {
            return Err(COMMENTED);
        }
        let lines = lines_below(value, column, style).join(style.newline);
        Ok(vec![(from..node.end, format!("{}{lines}", style.newline))])
    }

    fn mapping(&self, trail: &Trail<'_>, entries: &[(String, Value)]) -> Result<Splices, &'static str> {
        let node = trail.last();
        let style = self.style();
        let Kind::List { items, shape } = &node.kind else { return Err(UNUSUAL) };
        if !node.is_bare() {
            return Err(ANCHORED);
        }
        let old = &self.text[node.start..node.end];
        if *shape != Shape::Block {
            let style = Style { quoted_keys: items.iter().any(is_double_quoted), ..style };
            let new = render::on_one_line(&Value::Map(entries.to_vec()), true, style);
            return if has_comment(old) { Err(COMMENTED) } else { Ok(vec![(node.start..node.end, new)]) };
        }
        let Some(Kind::Map { entries: around, .. }) = trail.parent().map(|parent| &parent.kind) else {
            return Err(UNUSUAL);
        };
        let outer = self.column(around[trail.indices[trail.indices.len() - 1]].0.start)?;
        let mut splices = Splices::new();
        for (item, (_, value)) in items.iter().zip(entries) {
            let dash = dash_of(&self.text, item).ok_or(UNUSUAL)?;
            let dash_column = self.column(dash)?;
            let column = if dash_column > outer { dash_column } else { outer + style.step };
            let line = dash - dash_column;
            if self.text[line..item.end].contains('\n') || self.text[line..dash].contains('-') {
                return Err(UNUSUAL);
            }
            splices.push((line..item.start, " ".repeat(column)));
            splices.push((item.end..item.end, ":".to_owned()));
            splices.push(self.lines_at(self.next_line(item.end), &lines_below(value, column, style)));
        }
        Ok(splices)
    }
}

/// The lines of a value below a key at a column.
fn lines_below(value: &Value, column: usize, style: Style) -> Vec<String> {
    render::entry("key", value, column, style).split_off(1)
}

fn is_double_quoted(node: &Node) -> bool {
    matches!(node.kind, Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. })
}

fn has_anchors(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| found |= node.anchor != 0);
    found
}

/// Whether a comment may stand in a text. A `#` in quotes is taken for one, too.
fn has_comment(text: &str) -> bool {
    text.match_indices('#').any(|(at, _)| text[..at].chars().next_back().is_none_or(char::is_whitespace))
}

fn descend<'a>(node: &'a mut Node, indices: &[usize]) -> &'a mut Node {
    indices.iter().fold(node, |node, &index| match node {
        Node { kind: Kind::List { items, .. }, .. } => &mut items[index],
        Node { kind: Kind::Map { entries, .. }, .. } => &mut entries[index].1,
        single => single,
    })
}

fn add_entry(node: &mut Node, key: &str, value: Node) {
    let key = node_of(&Value::text(key));
    match &mut node.kind {
        Kind::Map { entries, .. } => entries.push((key, value)),
        Kind::Scalar { .. } | Kind::List { .. } | Kind::Alias(_) => {
            node.kind = Kind::Map { entries: vec![(key, value)], shape: Shape::Block };
        }
    }
}

fn node_of(value: &Value) -> Node {
    let scalar = |text: &str, style| Kind::Scalar { text: text.to_owned(), style };
    let kind = match value {
        Value::Nothing => scalar("", ScalarStyle::Plain),
        Value::Word(word) => scalar(word, ScalarStyle::Plain),
        Value::Text(text) => scalar(text, ScalarStyle::DoubleQuoted),
        Value::List(items) | Value::Row(items) => {
            Kind::List { items: items.iter().map(node_of).collect(), shape: Shape::Block }
        }
        Value::Map(entries) => {
            let entry =
                |(key, value): &(String, Value)| (node_of(&Value::text(key.as_str())), node_of(value));
            Kind::Map { entries: entries.iter().map(entry).collect(), shape: Shape::Block }
        }
    };
    Node { start: 0, end: 0, anchor: 0, tag: None, kind }
}

/// Whether two nodes say the same, wherever and however they are written.
fn is_same(one: &Node, other: &Node) -> bool {
    let says = |text: &str, style: ScalarStyle| {
        let text = if style == ScalarStyle::Plain && matches!(text, "~" | "null") { "" } else { text };
        (style != ScalarStyle::Plain || !is_ambiguous(text), text.to_owned())
    };
    one.anchor == other.anchor
        && one.tag == other.tag
        && match (&one.kind, &other.kind) {
            (Kind::Alias(one), Kind::Alias(other)) => one == other,
            (Kind::Scalar { text: a, style: b }, Kind::Scalar { text: c, style: d }) => {
                says(a, *b) == says(c, *d)
            }
            (Kind::List { items: one, .. }, Kind::List { items: other, .. }) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
            }
            // The order of entries says nothing.
            (Kind::Map { entries: one, .. }, Kind::Map { entries: other, .. }) => {
                let has = |(key, value): &(Node, Node)| {
                    other.iter().any(|(name, same)| is_same(key, name) && is_same(value, same))
                };
                one.len() == other.len() && one.iter().all(has)
            }
            _ => false,
        }
}
