//! `pg_dump` and `pg_dumpall` as SQL. The words are those of PostgreSQL's `pg_backup_archiver.c`,
//! `pg_dumpall.c`.

use super::{Dialect, Found, Line, hash};

const TRAILER: &[u8] = b"-- PostgreSQL database dump complete";
const CLUSTER_TRAILER: &[u8] = b"-- PostgreSQL database cluster dump complete";

/// Where in the dump the last line was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Statements,
    /// Rows of a COPY, up to `\.`.
    Rows,
    /// An INSERT of several lines: in a text of a row's.
    Insert,
}

pub(super) struct Postgres {
    trailer: &'static [u8],
    place: Place,
    quotes: u64,
    /// Whether the table whose definition is being read has been counted, so that a partitioned one can be
    /// taken back.
    table: Option<u64>,
    /// Lines since the trailer; what comes behind it is only `--` and `\unrestrict`.
    after_trailer: Option<u64>,
    /// `\restrict` without its `\unrestrict`.
    restricted: bool,
    last_is_blank: bool,
    ended: bool,
}

impl Postgres {
    pub(super) fn new(is_cluster: bool) -> Self {
        Self {
            trailer: if is_cluster { CLUSTER_TRAILER } else { TRAILER },
            place: Place::Statements,
            quotes: 0,
            table: None,
            after_trailer: None,
            restricted: false,
            last_is_blank: false,
            ended: false,
        }
    }

    fn statement(&mut self, line: &Line<'_>, found: &mut Found) {
        let text = line.start;
        if text == self.trailer {
            self.after_trailer = Some(0);
            return;
        }
        let unrestricts = text.starts_with(b"\\unrestrict ");
        if text.starts_with(b"\\restrict ") || unrestricts {
            self.restricted = !unrestricts;
        }
        match &mut self.after_trailer {
            Some(lines) if text == b"--" || text.is_empty() || unrestricts => *lines += 1,
            _ => self.after_trailer = None,
        }
        if text.starts_with(b"COPY ") && line.end.ends_with(b" FROM stdin;") {
            self.place = Place::Rows;
        } else if text.starts_with(b"INSERT INTO ") {
            self.quotes = 0;
            self.insert(line);
        } else if let Some(comment) = text.strip_prefix(b"-- ") {
            self.comment(comment, found);
        } else if let Some(name) = text.strip_prefix(b"\\connect ") {
            found.enter(Some(connected(&String::from_utf8_lossy(name))));
        } else if text.starts_with(b"PARTITION BY ")
            && let Some(table) = self.table.take()
        {
            let current = found.current();
            current.made.remove(&table);
            current.others += 1;
        }
    }

    /// `Name: payments; Type: TABLE; Schema: public; Owner: shop`.
    fn comment(&mut self, comment: &[u8], found: &mut Found) {
        let is_data = comment.starts_with(b"Data for ");
        let comment = comment.strip_prefix(b"Data for ").unwrap_or(comment);
        let Some(comment) = comment.strip_prefix(b"Name: ") else { return };
        let Some(at) = find(comment, b"; Type: ") else { return };
        let (name, rest) = (&comment[..at], &comment[at + b"; Type: ".len()..]);
        let kind = &rest[..find(rest, b"; ").unwrap_or(rest.len())];
        let schema = &rest[kind.len()..];
        let schema = &schema[..find(schema, b"; Owner: ").unwrap_or(schema.len())];
        let own = hash(&[schema, b"\0", name].concat());
        self.table = None;
        let current = found.current();
        match kind {
            b"TABLE" if !is_data => {
                self.table = Some(own);
                current.made.insert(own);
            }
            b"MATERIALIZED VIEW" if !is_data => current.others += 1,
            b"TABLE DATA" if is_data => drop(current.filled.insert(own)),
            b"BLOBS" if is_data => current.large_objects = true,
            _ => {}
        }
    }

    fn insert(&mut self, line: &Line<'_>) {
        self.quotes += line.quotes;
        let done = self.quotes.is_multiple_of(2) && line.end.ends_with(b";");
        self.place = if done { Place::Statements } else { Place::Insert };
    }
}

impl Dialect for Postgres {
    fn line(&mut self, line: &Line<'_>, found: &mut Found) {
        self.last_is_blank = line.start.is_empty();
        self.ended = line.ended;
        match self.place {
            Place::Statements => self.statement(line, found),
            Place::Insert => self.insert(line),
            Place::Rows if line.start == b"\\." => self.place = Place::Statements,
            Place::Rows => {}
        }
    }

    fn ending(&self) -> Option<String> {
        // `--` and an empty line close the trailer.
        let closed = self.after_trailer.is_some_and(|lines| lines >= 2) && self.last_is_blank && self.ended;
        (!closed || self.restricted || self.place != Place::Statements)
            .then(|| "it is cut off: its last lines do not say that it is complete".to_owned())
    }
}

/// The database that `\connect` names: `shop`, `"my shop"`, `-reuse-previous=on "dbname='my shop'"`.
fn connected(words: &str) -> String {
    let words = words.trim().strip_prefix("-reuse-previous=on ").unwrap_or(words.trim());
    let quoted = words.strip_prefix('"').and_then(|words| words.strip_suffix('"'));
    let name = quoted.map_or(words.to_owned(), |name| name.replace("\"\"", "\""));
    match name.strip_prefix("dbname='").and_then(|name| name.strip_suffix('\'')) {
        Some(name) => name.replace("\\'", "'").replace("\\\\", "\\"),
        None => name,
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::connected;

    #[test]
    fn databases_are_named_in_three_ways() {
        for (words, name) in [
            ("shop", "shop"),
            ("\"my \"\"shop\"", "my \"shop"),
            ("-reuse-previous=on \"dbname='my shop'\"", "my shop"),
        ] {
            assert_eq!(connected(words), name);
        }
    }
}
