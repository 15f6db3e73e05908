//! Dumps as SQL: whole when the trailer stands at the very end, and not in somebody's row.

mod lines;
mod mysql;
mod postgres;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::BufRead,
};

use self::lines::{Line, Lines};
use super::{
    Dumped, Format, OwnTime, Whole,
    content::{Content, Fault},
};

/// Reads a dump line by line.
trait Dialect {
    fn line(&mut self, line: &Line<'_>, found: &mut Found);

    /// Why the dump is not whole, after the last line.
    fn ending(&self) -> Option<String>;
}

/// What the lines have told so far.
#[derive(Default)]
struct Found {
    databases: Vec<Tables>,
    own_time: OwnTime,
}

/// The tables of one database, by the hashes of their names.
#[derive(Default)]
struct Tables {
    name: Option<String>,
    made: HashSet<u64>,
    filled: HashSet<u64>,
    /// Relations without rows of their own.
    others: u64,
    large_objects: bool,
}

impl Found {
    /// The database whose objects follow. One may come twice.
    fn enter(&mut self, name: Option<String>) {
        let known = self.databases.iter().position(|tables| tables.name == name);
        let tables = known.map(|index| self.databases.remove(index));
        self.databases.push(tables.unwrap_or(Tables { name, ..Tables::default() }));
    }

    fn current(&mut self) -> &mut Tables {
        if self.databases.is_empty() {
            self.enter(None);
        }
        let last = self.databases.len() - 1;
        &mut self.databases[last]
    }

    fn into_databases(self) -> Vec<Dumped> {
        let is_named = self.databases.iter().any(|tables| tables.name.is_some());
        let told = |tables: &Tables| {
            let is_empty = tables.made.is_empty() && tables.filled.is_empty() && !tables.large_objects;
            !(is_named && tables.name.is_none() && is_empty)
        };
        let dumped = |tables: Tables| Dumped {
            tables: Some(tables.made.union(&tables.filled).count() as u64 + tables.others),
            without_data: tables.made.difference(&tables.filled).count() as u64,
            name: tables.name,
            large_objects: tables.large_objects,
        };
        self.databases.into_iter().filter(told).map(dumped).collect()
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn read(reader: &mut dyn BufRead, format: Format) -> Result<Content, Fault> {
    let mut found = Found::default();
    let mut dialect: Box<dyn Dialect> = match format {
        Format::MySqlDump => Box::new(mysql::MySql::default()),
        Format::PgCluster => Box::new(postgres::Postgres::new(true)),
        _ => Box::new(postgres::Postgres::new(false)),
    };
    let mut lines = Lines::new(reader);
    let cut = loop {
        match lines.next() {
            Ok(Some(line)) => dialect.line(&line, &mut found),
            Ok(None) => break dialect.ending(),
            Err(error) => match Fault::from(error) {
                Fault::Broken(why) | Fault::Unknown(why) => break Some(why),
            },
        }
    };
    let own_time = found.own_time;
    let whole = cut.map_or(Whole::Yes, Whole::Broken);
    Ok(Content { own_time, databases: found.into_databases(), ..Content::of(format, whole) })
}
