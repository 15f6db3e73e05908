//! Edits by example, then over odd texts made by chance.

use proptest::prelude::*;

use super::{Document, Value, service};

fn edited(text: &str, edit: impl Fn(&mut Document)) -> String {
    let mut document = Document::read(text).unwrap();
    edit(&mut document);
    document.text().to_owned()
}

fn set(text: &str, path: &[&str], value: &Value) -> String {
    edited(text, |document| document.set(path, value).unwrap())
}

fn refusal(text: &str, path: &[&str]) -> String {
    let mut document = Document::read(text).unwrap();
    let error = document.set(path, &Value::text("new")).unwrap_err();
    assert_eq!(document.text(), text, "a refused edit leaves the text as it was");
    error.to_string()
}

const SHOP: &str = "\
# The shop.
services:
  db:
    image: postgres:15   # pinned

    volumes:
      - pgdata:/var/lib/postgresql/data
      # - ./dump:/dump
  # What talks to it.
  api:
    image: 'shop:1'
    depends_on: [db, cache]
  cache: {image: \"redis:7\", command: [redis-server]}

volumes:
  pgdata:
";

#[test]
fn an_entry_goes_behind_the_last_one_and_its_comments() {
    let value = Value::map([("test", Value::row(["CMD", "pg_isready"])), ("retries", Value::word(5))]);
    let text = set(SHOP, &["services", "db", "healthcheck"], &value);
    let expected = SHOP.replace(
        "      # - ./dump:/dump\n",
        "      # - ./dump:/dump\n    healthcheck:\n      test: [\"CMD\", \"pg_isready\"]\n      retries: 5\n",
    );
    assert_eq!(text, expected);
    let text =
        set(SHOP, &["services", "db", "deploy", "resources", "limits", "memory"], &Value::text("512M"));
    assert!(
        text.contains("    deploy:\n      resources:\n        limits:\n          memory: 512M\n"),
        "{text}"
    );
    let text = set(SHOP, &["volumes", "cache"], &Value::Nothing);
    assert_eq!(text, format!("{SHOP}  cache:\n"));
    let text = set(SHOP, &["volumes", "pgdata", "name"], &Value::text("shop_pgdata"));
    assert_eq!(text, format!("{SHOP}    name: shop_pgdata\n"));
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let image = ["services", "db", "image"];
    assert_eq!(set(SHOP, &image, &Value::text("postgres:16")), SHOP.replace("postgres:15 ", "postgres:16 "));
    let quoted = set(SHOP, &["services", "api", "image"], &Value::text("shop:2"));
    assert_eq!(quoted, SHOP.replace("'shop:1'", "'shop:2'"));
    let flow = set(SHOP, &["services", "cache", "image"], &Value::text("redis:8"));
    assert_eq!(flow, SHOP.replace("\"redis:7\"", "\"redis:8\""));
    let item = set(SHOP, &["services", "db", "volumes", "0"], &Value::text("other:/data"));
    assert_eq!(item, SHOP.replace("pgdata:/var/lib/postgresql/data", "other:/data"));
    let wider = set("a:\n  b: 1\nc: 2\n", &["a"], &Value::text("x"));
    assert_eq!(wider, "a: x\nc: 2\n");
    let longer = set("a: 1\nc: 2\n", &["a"], &Value::map([("b", Value::word(1))]));
    assert_eq!(longer, "a:\n  b: 1\nc: 2\n");
    let blank = set("a:\nc: 2\n", &["a"], &Value::map([("b", Value::word(1))]));
    assert_eq!(blank, longer);
}

#[test]
fn brackets_and_braces_take_more() {
    let text = set(SHOP, &["services", "cache", "restart"], &Value::text("always"));
    assert!(text.contains("command: [redis-server], restart: always}"), "{text}");
    let text = edited(SHOP, |document| {
        document.append(&["services", "cache", "command"], &Value::text("--appendonly")).unwrap();
    });
    assert!(text.contains("[redis-server, \"--appendonly\"]"), "{text}");
    assert_eq!(set("a: {}\n", &["a", "b"], &Value::word(1)), "a: {b: 1}\n");
    let json = "{\n  \"services\": {\n    \"db\": {\n      \"image\": \"postgres:15\"\n    }\n  }\n}\n";
    let text = set(json, &["services", "db", "restart"], &Value::text("always"));
    assert_eq!(text, json.replace("15\"\n", "15\",\n      \"restart\": \"always\"\n"));
}

#[test]
fn line_ends_and_a_missing_last_one_stay() {
    let crlf = "services:\r\n  db:\r\n    image: postgres:15 # x\r\n";
    let text = set(crlf, &["services", "db", "restart"], &Value::text("always"));
    assert_eq!(text, format!("{crlf}    restart: always\r\n"));
    let open = "services:\n    db:\n        image: postgres:15";
    let text = set(open, &["services", "db", "deploy", "replicas"], &Value::word(1));
    assert_eq!(text, format!("{open}\n        deploy:\n            replicas: 1"));
    let bom = "\u{feff}services:\n  db:\n    image: Größe\n    x: 1\n";
    let text = set(bom, &["services", "db", "x"], &Value::word(2));
    assert_eq!(text, bom.replace("x: 1", "x: 2"));
    let text = set("services: {}\n", &["volumes", "pg"], &Value::Nothing);
    assert_eq!(text, "services: {}\n\nvolumes:\n  pg:\n");
}

#[test]
fn what_others_share_is_refused() {
    let text = "\
x-base: &base
  image: postgres:15
  healthcheck:
    test: [CMD, pg_isready]
services:
  a: *base
  b:
    <<: *base
    tmpfs: !reset []
    labels: &labels {a: b}
    command: |
      # no comment
      run
";
    assert!(refusal(text, &["services", "a", "image"]).contains("line 2: an alias"));
    assert!(refusal(text, &["services", "b", "healthcheck", "retries"]).contains("merge"));
    assert!(refusal(text, &["services", "b", "labels"]).contains("anchor or a tag"));
    assert!(refusal(text, &["services", "b", "tmpfs"]).contains("anchor or a tag"));
    assert!(refusal(text, &["services", "b", "command"]).contains("in a way"));
    assert!(refusal("a: 1\n---\na: 2\n", &["a"]).contains("several"));
    assert!(refusal("a:\n  b: 1\n  # why\n  c: 2\n", &["a"]).contains("comments"));
    assert!(refusal("a: 1\n", &["a", "b"]).contains("a single value"));
    // What is merged may be given a value of its own.
    let own = set(text, &["services", "b", "image"], &Value::text("postgres:16"));
    assert_eq!(own, format!("{text}    image: postgres:16\n"));
}

#[test]
fn a_list_of_names_becomes_a_mapping() {
    let wait =
        |text: &str| edited(text, |document| service::wait_until_healthy(document, "api", "db").unwrap());
    let flow = "{db: {condition: service_healthy}, cache: {condition: service_started}}";
    assert_eq!(wait(SHOP), SHOP.replace("[db, cache]", flow));
    let listed = "services:\n  api:\n    depends_on:\n      - db # first\n      # - old\n      - \"cache\"";
    assert_eq!(
        wait(listed),
        "services:\n  api:\n    depends_on:\n      db: # first\n        condition: service_healthy\n      # - old\n      \
         \"cache\":\n        condition: service_started"
    );
    let flat = "services:\n  api:\n    depends_on:\n    - db\n    restart: always\n";
    assert_eq!(
        wait(flat),
        "services:\n  api:\n    depends_on:\n      db:\n        condition: service_healthy\n    restart: always\n"
    );
    let long = "services:\n  api:\n    depends_on:\n      db:\n        condition: service_started\n";
    assert_eq!(wait(long), long.replace("service_started", "service_healthy"));
    assert_eq!(
        wait("services:\n  api:\n    depends_on:\n      db:\n"),
        long.replace("service_started", "service_healthy")
    );
}

#[test]
fn a_named_volume_is_mounted_and_declared() {
    let mount = |text: &str| {
        edited(text, |document| service::mount_volume(document, "db", "data", "/var/lib/mysql").unwrap())
    };
    let plain = "services:\n  db:\n    image: mysql:8.0\n";
    assert_eq!(
        mount(plain),
        format!("{plain}    volumes:\n      - data:/var/lib/mysql\n\nvolumes:\n  data:\n")
    );
    let anonymous =
        "services:\n  db:\n    volumes:\n    - /x\n    - /var/lib/mysql # data\nvolumes:\n  old:\n";
    assert_eq!(
        mount(anonymous),
        "services:\n  db:\n    volumes:\n    - /x\n    - data:/var/lib/mysql # data\nvolumes:\n  old:\n  data:\n"
    );
    let long = "services:\n  db:\n    volumes:\n      - type: volume\n        target: /var/lib/mysql/\nvolumes: {data: {}}\n";
    assert_eq!(mount(long), long.replace("mysql/\n", "mysql/\n        source: data\n"));
}

#[test]
fn an_environment_value_takes_the_form_that_is_there() {
    let set = |text: &str| {
        edited(text, |document| service::set_environment(document, "db", "PGDATA", "/data/pg").unwrap())
    };
    let start = "services:\n  db:\n";
    assert_eq!(
        set(&format!("{start}    image: x\n")),
        format!("{start}    image: x\n    environment:\n      PGDATA: /data/pg\n")
    );
    let list = format!("{start}    environment:\n      - A=b\n");
    assert_eq!(set(&list), format!("{list}      - PGDATA=/data/pg\n"));
    let there = format!("{start}    environment:\n      - \"PGDATA=/old\" # moved\n");
    assert_eq!(set(&there), there.replace("/old", "/data/pg"));
}

#[test]
fn texts_are_quoted_where_they_could_be_something_else() {
    let written = |value: &str| {
        set("a:\nb: x\n", &["c"], &Value::text(value))["a:\nb: x\nc: ".len()..].trim_end().to_owned()
    };
    for (value, expected) in [
        ("3", "\"3\""),
        ("10m", "10m"),
        ("22:22", "\"22:22\""),
        ("no", "\"no\""),
        ("1e3", "\"1e3\""),
        ("a: b", "\"a: b\""),
        ("a # b", "\"a # b\""),
        ("pgdata:/var/lib/x", "pgdata:/var/lib/x"),
        ("${A}", "${A}"),
        ("say \"hi\"\n", "\"say \\\"hi\\\"\\n\""),
        ("", "\"\""),
        ("*", "\"*\""),
    ] {
        assert_eq!(written(value), expected);
    }
}

#[test]
fn places_are_of_the_key_and_of_the_value() {
    let document = Document::read(SHOP).unwrap();
    let at = |path: &[&str]| {
        let place = document.place(path);
        (place.line, place.column, place.end_line, place.end_column, place.depth)
    };
    assert_eq!(at(&["services", "db", "image"]), (4, 5, 4, 23, 3));
    assert_eq!(at(&["services", "db", "healthcheck", "test"]), (3, 3, 3, 5, 2));
    assert_eq!(at(&["services", "db", "volumes", "0"]), (7, 9, 7, 40, 4));
    assert_eq!(at(&["services", "api", "depends_on", "db", "condition"]), (12, 18, 12, 20, 4));
    assert_eq!(at(&["services", "cache", "image"]), (13, 11, 13, 27, 3));
    assert_eq!(at(&["networks"]), (1, 1, 1, 1, 0));
    let merged = Document::read("x: &x\n  image: a\ns:\n  a: *x\n  b:\n    <<: [*x]\n").unwrap();
    assert_eq!((merged.place(&["s", "a", "image"]).line, merged.place(&["s", "b", "image"]).line), (2, 2));
    assert_eq!(merged.place(&["s", "b", "restart"]).line, 5);
}

#[test]
fn what_is_no_yaml_is_an_error_with_its_place() {
    let error = Document::read("a: 1\n b: [\n").unwrap_err();
    assert!(error.line >= 2, "{error}");
    assert!(Document::read(&"[".repeat(5000)).is_err());
}

/// A tree, to be written in ways that chance chooses.
#[derive(Debug, Clone)]
enum Tree {
    /// As it is written.
    Leaf(&'static str),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

const LEAVES: &[&str] = &[
    "postgres:15",
    "\"a # b\"",
    "'it''s'",
    "\"real\ttab\"",
    "''",
    "5",
    "yes",
    "ünï",
    "a#b",
    "http://x/y",
    "\"x: y\"",
    "${A:-b}",
    "-1",
    "\"\\n\"",
];
const KEYS: &[&str] = &["a", "b-c", "image", "\"quoted key\"", "'k'", "5", "x.y", "ключ"];

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop::sample::select(LEAVES).prop_map(Tree::Leaf);
    let any = leaf.prop_recursive(4, 24, 4, |inner| {
        let entries = prop::collection::vec((prop::sample::select(KEYS), inner.clone()), 1..5);
        prop_oneof![
            prop::collection::vec(inner, 1..4).prop_map(Tree::List),
            entries.prop_map(distinct).prop_map(Tree::Map),
        ]
    });
    prop::collection::vec((prop::sample::select(KEYS), any), 1..5).prop_map(distinct).prop_map(Tree::Map)
}

fn distinct(mut entries: Vec<(&'static str, Tree)>) -> Vec<(&'static str, Tree)> {
    let mut seen = std::collections::HashSet::new();
    entries.retain(|(key, _)| seen.insert(*key));
    entries
}

struct Writer {
    choices: std::vec::IntoIter<u8>,
    out: String,
    step: usize,
    list_step: usize,
}

impl Writer {
    fn chance(&mut self, one_in: u8) -> bool {
        self.choices.next().unwrap_or(1).is_multiple_of(one_in)
    }

    fn line_end(&mut self) {
        if self.chance(5) {
            self.out.push_str("  # trailing: [comment");
        }
        self.out.push('\n');
        if self.chance(9) {
            self.out.push('\n');
        }
    }

    fn comment(&mut self, column: usize) {
        if self.chance(6) {
            self.out.push_str(&format!("{}# - key: {{ \"\n", " ".repeat(column)));
        }
    }

    fn value(&mut self, tree: &Tree, column: usize) {
        match tree {
            Tree::Leaf(text) => {
                self.out.push_str(&format!(" {text}"));
                self.line_end();
            }
            _ if self.chance(4) => {
                self.out.push(' ');
                self.flow(tree);
                self.line_end();
            }
            Tree::List(items) => {
                self.line_end();
                for item in items {
                    self.comment(column + self.list_step);
                    self.out.push_str(&format!("{}-", " ".repeat(column + self.list_step)));
                    self.item(item, column + self.list_step);
                }
            }
            Tree::Map(entries) => {
                self.line_end();
                self.entries(entries, column + self.step, false);
            }
        }
    }

    fn item(&mut self, item: &Tree, dash: usize) {
        match item {
            Tree::Map(entries) if !self.chance(4) => {
                self.out.push(' ');
                self.entries(entries, dash + 2, true);
            }
            // A list in a list is written in brackets only.
            Tree::List(_) | Tree::Map(_) => {
                self.out.push(' ');
                self.flow(item);
                self.line_end();
            }
            Tree::Leaf(_) => self.value(item, dash),
        }
    }

    fn entries(&mut self, entries: &[(&'static str, Tree)], column: usize, mut begun: bool) {
        for (key, value) in entries {
            if !begun {
                self.comment(column);
                self.out.push_str(&" ".repeat(column));
            }
            begun = false;
            self.out.push_str(&format!("{key}:"));
            self.value(value, column);
        }
    }

    fn flow(&mut self, tree: &Tree) {
        let (open, close) = if matches!(tree, Tree::Map(_)) { ('{', '}') } else { ('[', ']') };
        let space = self.chance(2);
        match tree {
            Tree::Leaf(text) if text.starts_with('$') => self.out.push_str("\"$A\""),
            Tree::Leaf(text) => self.out.push_str(text),
            Tree::List(_) | Tree::Map(_) => {
                self.out.push(open);
                self.out.push_str(if space { " " } else { "" });
                let count = match tree {
                    Tree::List(items) => items.len(),
                    Tree::Map(entries) => entries.len(),
                    Tree::Leaf(_) => 0,
                };
                for index in 0..count {
                    match tree {
                        Tree::List(items) => self.flow(&items[index]),
                        Tree::Map(entries) => {
                            self.out.push_str(&format!("{}: ", entries[index].0));
                            self.flow(&entries[index].1);
                        }
                        Tree::Leaf(_) => {}
                    }
                    if index + 1 < count {
                        self.out.push_str(", ");
                    }
                }
                self.out.push_str(if space { " " } else { "" });
                self.out.push(close);
            }
        }
    }
}

fn written(tree: &Tree, choices: Vec<u8>) -> String {
    let mut writer = Writer { choices: choices.into_iter(), out: String::new(), step: 2, list_step: 0 };
    writer.step = if writer.chance(3) { 4 } else { 2 };
    writer.list_step = if writer.chance(3) { 0 } else { writer.step };
    let (crlf, open_end) = (writer.chance(4), writer.chance(4));
    let Tree::Map(entries) = tree else { unreachable!() };
    writer.entries(entries, 0, false);
    let text = if open_end { writer.out.trim_end().to_owned() } else { writer.out };
    if crlf { text.replace('\n', "\r\n") } else { text }
}

/// Paths to everything in a tree, with what is there.
fn paths<'a>(tree: &'a Tree, at: Vec<String>, found: &mut Vec<(Vec<String>, &'a Tree)>) {
    found.push((at.clone(), tree));
    let child = |name: &str| [at.as_slice(), &[name.trim_matches(['"', '\'']).to_owned()]].concat();
    match tree {
        Tree::Leaf(_) => {}
        Tree::List(items) => {
            items.iter().enumerate().for_each(|(i, item)| paths(item, child(&i.to_string()), found))
        }
        Tree::Map(entries) => entries.iter().for_each(|(key, value)| paths(value, child(key), found)),
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::text("always")),
        Just(Value::text("3")),
        Just(Value::text("a: b # c")),
        Just(Value::Nothing),
        Just(Value::word(5)),
        Just(Value::row(["CMD", "redis-cli ping"])),
        Just(Value::List(vec![Value::text("a:/b"), Value::map([("type", Value::text("volume"))])])),
        Just(Value::map([
            ("test", Value::row(["CMD-SHELL", "x || y"])),
            ("deep", Value::map([("er", Value::word(1))]))
        ])),
    ]
}

/// Whether the lines of one text are all in another, in order.
fn keeps_lines(old: &str, new: &str) -> bool {
    let mut new = new.lines();
    old.lines().all(|line| new.any(|other| other == line))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_added_changes_nothing_else(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 0..120),
        which in any::<prop::sample::Index>(),
        value in values(),
    ) {
        let text = written(&tree, choices);
        let document = Document::read(&text).unwrap();
        let mut all = Vec::new();
        paths(&tree, Vec::new(), &mut all);
        for (path, _) in &all {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            prop_assert!(document.has(&path), "{path:?} in\n{text}");
        }
        let containers: Vec<_> = all.iter().filter(|(_, tree)| !matches!(tree, Tree::Leaf(_))).collect();
        let (path, container) = which.get(&containers);
        let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut edited = document.clone();
        let done = match container {
            Tree::List(_) => edited.append(&path, &value),
            _ => {
                path.push("new-key");
                edited.set(&path, &value)
            }
        };
        prop_assert!(done.is_ok(), "{path:?} {done:?} in\n{text}");
        let new = edited.text();
        let long = new.len() - text.len();
        let common = text.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        prop_assert!(text[common..] == new[common + long..] || keeps_lines(&text, new), "{text}\n=>\n{new}");
        prop_assert_eq!(text.ends_with('\n'), new.ends_with('\n'));
        if text.contains("\r\n") {
            prop_assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
        }
        if let Tree::Map(_) = container {
            prop_assert_eq!(same_style(&edited.get(&path).unwrap()), same_style(&value));
        }
    }

    #[test]
    fn whatever_is_replaced_is_replaced_alone_or_not_at_all(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 0..120),
        which in any::<prop::sample::Index>(),
        value in values(),
    ) {
        let text = written(&tree, choices);
        let mut document = Document::read(&text).unwrap();
        let mut all = Vec::new();
        paths(&tree, Vec::new(), &mut all);
        let (path, old) = which.get(&all[1..]);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match document.set(&path, &value) {
            Ok(()) => {
                for comment in ["# - key", "# trailing"] {
                    prop_assert_eq!(document.text().matches(comment).count(), text.matches(comment).count());
                }
                prop_assert_eq!(same_style(&document.get(&path).unwrap()), same_style(&value));
            }
            Err(error) => {
                prop_assert_eq!(document.text(), &text);
                let simple = matches!(old, Tree::Leaf(_)) && matches!(value, Value::Text(_) | Value::Word(_));
                prop_assert!(!simple, "{error} in\n{text}");
            }
        }
    }
}

/// Rows and lists say the same.
fn same_style(value: &Value) -> Value {
    match value {
        Value::List(items) | Value::Row(items) => Value::List(items.iter().map(same_style).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(key, value)| (key.clone(), same_style(value))).collect())
        }
        other => other.clone(),
    }
}
