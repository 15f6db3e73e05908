//! PostgreSQL's system tables as they lie in the files of a cluster that was shut down in order: which databases it
//! has, and how many tables are in each. Layouts: PostgreSQL's `storage/bufpage.h`, `access/htup_details.h`,
//! `access/transam/clog.c`, `utils/cache/relmapper.c` and `catalog/pg_*.h`; little-endian machines.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::postgres::FIRST_USER_NUMBER;

/// The heap of `pg_database`, unless it was rewritten since initdb.
pub const DATABASES: &str = "global/1262";
/// In a database's folder: which file is which of the tables whose files `pg_class` does not tell.
pub const RELATION_MAP: &str = "pg_filenode.map";

const PAGE_BYTES: usize = 8192;
const NAME_BYTES: usize = 64;
/// The first release whose rows hold their own number.
const FIRST_VERSION: u32 = 12;
/// The first release that counts frozen pages, one number before the kind of a relation.
const FROZEN_PAGES_VERSION: u32 = 18;

/// Numbers of system tables and schemas (`catalog/pg_class.dat`, `pg_namespace.dat`).
const PG_CLASS: u32 = 1259;
const PG_DEPEND: u32 = 2608;
const PG_LARGEOBJECT_METADATA: u32 = 2995;
const PUBLIC: u32 = 2200;

/// A row of `pg_database`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseRow {
    pub name: String,
    /// The name of its folder in `base`; `None` before PostgreSQL 12, whose rows do not hold it.
    pub number: Option<u32>,
}

const TEMPLATES: [&str; 2] = ["template0", "template1"];

impl DatabaseRow {
    /// Whether it is one of the two templates that every cluster has.
    #[must_use]
    pub fn is_template(&self) -> bool {
        TEMPLATES.contains(&self.name.as_str())
    }
}

/// The rows in the heap of `pg_database`, in the order of their names. Of what was made or dropped by a transaction
/// of which nothing is known, both are taken for done.
#[must_use]
pub fn database_rows(heap: &[u8], transactions: &Transactions) -> Vec<DatabaseRow> {
    let there =
        |row: &Row<'_>| row.made(transactions).unwrap_or(true) && !row.deleted(transactions).unwrap_or(true);
    let read = |row: Row<'_>| {
        let named = |at: usize, number| {
            let name = name_at(row.data.get(at..at + NAME_BYTES)?)?;
            Some(DatabaseRow { name, number })
        };
        // Before 12, the name comes first.
        named(4, long(row.data, 0)).or_else(|| named(0, None))
    };
    let mut rows: Vec<DatabaseRow> = rows(heap).filter(there).filter_map(read).collect();
    rows.sort();
    rows.dedup();
    rows
}

/// Whether it is known of every row of a heap whether it counts.
#[must_use]
pub fn is_certain(heap: &[u8], transactions: &Transactions) -> bool {
    rows(heap).all(|row| row.made(transactions).is_some() && row.deleted(transactions).is_some())
}

/// Whether these are all rows of a cluster that was shut down in order: those that every cluster has are among
/// them, and each tells its folder.
#[must_use]
pub fn is_whole_catalogue(rows: &[DatabaseRow]) -> bool {
    let is_there = |name: &&str| rows.iter().any(|row| row.name == **name);
    TEMPLATES.iter().all(is_there) && rows.iter().all(|row| row.number.is_some())
}

/// Which transactions came to their end, as far as it was read: two bits for each, in segments.
#[derive(Debug, Clone, Default)]
pub struct Transactions(BTreeMap<u32, Vec<u8>>);

impl Transactions {
    /// Bytes of a segment.
    pub const SEGMENT_BYTES: usize = 32 * PAGE_BYTES;
    const IN_SEGMENT: u32 = 32 * 8192 * 4;
    const COMMITTED: u8 = 1;

    /// Where a segment lies in the data directory.
    #[must_use]
    pub fn path(segment: u32) -> String {
        format!("pg_xact/{segment:04X}")
    }

    pub fn insert(&mut self, segment: u32, bytes: Vec<u8>) {
        self.0.insert(segment, bytes);
    }

    #[must_use]
    pub fn has(&self, segment: u32) -> bool {
        self.0.contains_key(&segment)
    }

    /// After a shutdown nothing is under way: what has not committed never will be seen.
    fn committed(&self, transaction: u32) -> Option<bool> {
        let place = transaction % Self::IN_SEGMENT;
        let byte = self.0.get(&(transaction / Self::IN_SEGMENT))?.get(place as usize / 4)?;
        Some(byte >> (place % 4 * 2) & 3 == Self::COMMITTED)
    }
}

/// The segments that say what became of rows which do not say so themselves.
#[must_use]
pub fn segments(heap: &[u8]) -> BTreeSet<u32> {
    let none = Transactions::default();
    let mut needed = BTreeSet::new();
    for row in rows(heap) {
        if row.made(&none).is_none() {
            needed.insert(row.maker / Transactions::IN_SEGMENT);
        }
        if row.deleted(&none).is_none() {
            needed.insert(row.deleter / Transactions::IN_SEGMENT);
        }
    }
    needed
}

/// The file of `pg_class` in a database's folder, as its map of relations tells.
#[must_use]
pub fn file_of_relations(map: &[u8]) -> Option<u32> {
    const MAGIC: u32 = 0x0059_2717;
    let count = long(map, 4).filter(|&count| long(map, 0) == Some(MAGIC) && count <= 64)?;
    let mut pairs = (0..count as usize).map(|index| (long(map, 8 + 8 * index), long(map, 12 + 8 * index)));
    pairs.find(|(relation, _)| *relation == Some(PG_CLASS))?.1
}

/// What `pg_class` tells of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relations {
    /// The numbers of tables, partitioned ones and materialized views outside of the system's own schemas.
    tables: HashSet<u32>,
    /// The file of `pg_depend`.
    pub dependencies: u32,
    /// The file of `pg_largeobject_metadata`.
    pub large_objects: u32,
}

impl Relations {
    /// Reads the heap of `pg_class` of a server of this major version; `None` where it does not tell for certain.
    #[must_use]
    pub fn read(heap: &[u8], version: u32, transactions: &Transactions) -> Option<Self> {
        if version < FIRST_VERSION {
            return None;
        }
        let (persistence, kind) = if version < FROZEN_PAGES_VERSION { (114, 115) } else { (118, 119) };
        let (mut tables, mut itself, mut files) = (HashSet::new(), false, BTreeMap::new());
        for row in rows(heap) {
            if !row.made(transactions)? || row.deleted(transactions)? {
                continue;
            }
            let (number, schema) = (long(row.data, 0)?, long(row.data, 68)?);
            let (persistence, kind) = (*row.data.get(persistence)?, *row.data.get(kind)?);
            // Anything else is a layout that we do not know.
            if !b"put".contains(&persistence) || !b"rmpiIStvcf".contains(&kind) {
                return None;
            }
            itself |= number == PG_CLASS && name_at(row.data.get(4..4 + NAME_BYTES)?)? == "pg_class";
            if matches!(number, PG_DEPEND | PG_LARGEOBJECT_METADATA) {
                files.insert(number, long(row.data, 88)?);
            }
            let is_users = schema == PUBLIC || u64::from(schema) >= FIRST_USER_NUMBER;
            if is_users && persistence != b't' && b"rmp".contains(&kind) {
                tables.insert(number);
            }
        }
        let (dependencies, large_objects) = (*files.get(&PG_DEPEND)?, *files.get(&PG_LARGEOBJECT_METADATA)?);
        itself.then_some(Self { tables, dependencies, large_objects })
    }

    /// How many tables are not an extension's, by the heap of `pg_depend`; `None` where it does not tell for certain.
    #[must_use]
    pub fn count(&self, dependencies: &[u8], transactions: &Transactions) -> Option<u64> {
        let mut own = self.tables.clone();
        for row in rows(dependencies) {
            let is_of_extension = long(row.data, 0)? == PG_CLASS && *row.data.get(24)? == b'e';
            if is_of_extension && row.made(transactions)? && !row.deleted(transactions)? {
                own.remove(&long(row.data, 4)?);
            }
        }
        Some(own.len() as u64)
    }
}

/// How many rows of a heap count; `None` where it does not tell for certain.
#[must_use]
pub fn count_rows(heap: &[u8], transactions: &Transactions) -> Option<u64> {
    let mut count = 0;
    for row in rows(heap) {
        count += u64::from(row.made(transactions)? && !row.deleted(transactions)?);
    }
    Some(count)
}

/// A row of a heap, whether it counts or not.
struct Row<'a> {
    maker: u32,
    /// 0 where nothing has deleted it.
    deleter: u32,
    mask: usize,
    data: &'a [u8],
}

impl Row<'_> {
    /// Whether the transaction that made it committed; `None` where that is not known.
    fn made(&self, transactions: &Transactions) -> Option<bool> {
        const COMMITTED: usize = 0x0100;
        const INVALID: usize = 0x0200;
        match self.mask & (COMMITTED | INVALID) {
            // Both together: frozen.
            0 => transactions.committed(self.maker),
            INVALID => Some(false),
            _ => Some(true),
        }
    }

    /// Whether it was deleted, or another version took its place; `None` where that is not known.
    fn deleted(&self, transactions: &Transactions) -> Option<bool> {
        const ONLY_LOCKED: usize = 0x0080;
        const COMMITTED: usize = 0x0400;
        const INVALID: usize = 0x0800;
        const SEVERAL: usize = 0x1000;
        match self.mask {
            mask if self.deleter == 0 || mask & (INVALID | ONLY_LOCKED) != 0 => Some(false),
            mask if mask & SEVERAL != 0 => None,
            mask if mask & COMMITTED != 0 => Some(true),
            _ => transactions.committed(self.deleter),
        }
    }
}

/// All rows that a heap's pages point to.
fn rows(heap: &[u8]) -> impl Iterator<Item = Row<'_>> {
    heap.chunks_exact(PAGE_BYTES).flat_map(|page| {
        let end = short(page, 12).unwrap_or(0).min(PAGE_BYTES);
        (24..end.saturating_sub(3)).step_by(4).filter_map(|item| row(page, long(page, item)?))
    })
}

fn row(page: &[u8], pointer: u32) -> Option<Row<'_>> {
    const NORMAL: u32 = 1;
    let (offset, state, length) = ((pointer & 0x7fff) as usize, pointer >> 15 & 3, (pointer >> 17) as usize);
    let row = page.get(offset..offset + length).filter(|_| state == NORMAL)?;
    Some(Row {
        maker: long(row, 0)?,
        deleter: long(row, 4)?,
        mask: short(row, 20)?,
        data: row.get(usize::from(*row.get(22)?)..)?,
    })
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A name, filled up with zeros.
fn name_at(bytes: &[u8]) -> Option<String> {
    let length = bytes.iter().position(|&byte| byte == 0)?;
    let (name, rest) = bytes.split_at(length);
    let plain = length > 0 && rest.iter().all(|&byte| byte == 0);
    std::str::from_utf8(name)
        .ok()
        .filter(|name| plain && !name.chars().any(char::is_control))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROZEN: u16 = 0x0b00;

    /// A page with these rows: maker, deleter, mask and data.
    fn page(rows: &[(u32, u32, u16, Vec<u8>)]) -> Vec<u8> {
        let (mut page, mut free) = (vec![0_u8; PAGE_BYTES], PAGE_BYTES);
        for (index, (maker, deleter, mask, data)) in rows.iter().enumerate() {
            free -= (24 + data.len()).next_multiple_of(8);
            let row = &mut page[free..free + 24 + data.len()];
            row[..4].copy_from_slice(&maker.to_le_bytes());
            row[4..8].copy_from_slice(&deleter.to_le_bytes());
            row[20..22].copy_from_slice(&mask.to_le_bytes());
            row[22] = 24;
            row[24..].copy_from_slice(data);
            let pointer = u32::try_from(free | 1 << 15 | (24 + data.len()) << 17).unwrap();
            page[24 + 4 * index..28 + 4 * index].copy_from_slice(&pointer.to_le_bytes());
        }
        let end = u16::try_from(24 + 4 * rows.len()).unwrap();
        page[12..14].copy_from_slice(&end.to_le_bytes());
        page
    }

    fn named(number: u32, name: &str) -> Vec<u8> {
        let mut data = vec![0; 120];
        data[..4].copy_from_slice(&number.to_le_bytes());
        data[4..4 + name.len()].copy_from_slice(name.as_bytes());
        data
    }

    fn relation(number: u32, name: &str, schema: u32, kind: u8) -> Vec<u8> {
        let mut data = named(number, name);
        data[68..72].copy_from_slice(&schema.to_le_bytes());
        data[88..92].copy_from_slice(&(number + 7).to_le_bytes());
        (data[114], data[115]) = (b'p', kind);
        data
    }

    /// Transactions 4 and 6 committed, the others did not.
    fn known() -> Transactions {
        let mut known = Transactions::default();
        known.insert(0, vec![0b1010_1010, 0b0001_0001]);
        known
    }

    #[test]
    fn the_names_of_databases_stand_in_their_catalogue() {
        let heap = page(&[
            (1, 0, 0x0900, named(1, "template1")),
            (1, 0, 0x0900, named(16384, "shop")),
            (1, 77, 0x0100, named(16385, "gone")),
            (1, 0, 0x0900, named(5, "postgres")),
            (1, 5, 0x0100, named(16386, "kept: what dropped it failed")),
            (5, 0, 0x0800, named(16387, "never: what made it failed")),
            (6, 0, 0x0800, named(16388, "made")),
        ]);
        let names = |rows: &[DatabaseRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        let rows = database_rows(&heap, &known());
        assert_eq!(names(&rows), ["kept: what dropped it failed", "made", "postgres", "shop", "template1"]);
        assert_eq!(rows[3].number, Some(16384));
        let guessed = database_rows(&heap, &Transactions::default());
        assert!(!is_certain(&heap, &known()), "of 77 nothing is known");
        assert!(is_certain(&page(&[(6, 0, 0x0800, named(16388, "made"))]), &known()));
        assert_eq!(names(&guessed), ["made", "never: what made it failed", "postgres", "shop", "template1"]);
        assert!(!is_whole_catalogue(&rows), "template0 is missing");
        let row = |name: &str| DatabaseRow { name: name.to_owned(), number: Some(1) };
        assert!(is_whole_catalogue(&[row("template0"), row("template1")]));
        assert!(database_rows(&[0xff; 8192], &known()).is_empty());
        assert!(database_rows(b"short", &known()).is_empty());
    }

    #[test]
    fn tables_are_counted_as_a_dump_would_find_them() {
        let heap = page(&[
            (1, 0, FROZEN, relation(PG_CLASS, "pg_class", 11, b'r')),
            (1, 0, FROZEN, relation(PG_DEPEND, "pg_depend", 11, b'r')),
            (1, 0, FROZEN, relation(PG_LARGEOBJECT_METADATA, "pg_largeobject_metadata", 11, b'r')),
            (4, 0, 0x0800, relation(16384, "payments", PUBLIC, b'r')),
            (4, 0, 0x0800, relation(16390, "payments_pkey", PUBLIC, b'i')),
            (5, 0, 0x0800, relation(16391, "taken_back", PUBLIC, b'r')),
            (4, 6, 0x0000, relation(16392, "dropped", PUBLIC, b'r')),
            (4, 5, 0x0000, relation(16393, "not_dropped", 16400, b'p')),
            (4, 9, 0x0180, relation(16394, "locked", PUBLIC, b'm')),
            (4, 0, 0x0900, relation(16395, "of_an_extension", PUBLIC, b'r')),
            (1, 0, FROZEN, relation(13000, "sql_features", 12000, b'r')),
        ]);
        assert_eq!(segments(&heap), BTreeSet::from([0]));
        let relations = Relations::read(&heap, 15, &known()).unwrap();
        let files = (relations.dependencies, relations.large_objects);
        assert_eq!(files, (PG_DEPEND + 7, PG_LARGEOBJECT_METADATA + 7));
        let dependency = |class: u32, number: u32, kind: u8| {
            let mut data = vec![0; 25];
            data[..4].copy_from_slice(&class.to_le_bytes());
            data[4..8].copy_from_slice(&number.to_le_bytes());
            data[24] = kind;
            (1, 0, FROZEN, data)
        };
        let dependencies = page(&[
            dependency(PG_CLASS, 16395, b'e'),
            dependency(PG_CLASS, 16394, b'n'),
            dependency(1255, 16384, b'e'),
        ]);
        assert_eq!(relations.count(&dependencies, &known()), Some(3));
        assert_eq!(
            Relations::read(&heap, 15, &Transactions::default()),
            None,
            "what became of them is not known"
        );
        assert_eq!(Relations::read(&heap, 11, &known()), None);
        assert_eq!(Relations::read(&heap, 18, &known()), None, "another layout");
        assert_eq!(Relations::read(&[], 15, &known()), None, "it does not know itself");
        let several = page(&[(4, 9, 0x1100, relation(16394, "locked", PUBLIC, b'r'))]);
        assert_eq!(Relations::read(&several, 15, &known()), None);
    }

    #[test]
    fn a_map_tells_the_file_of_a_relation() {
        let mut map = vec![0; 512];
        for (index, number) in [0x0059_2717, 2, 1249, 1249, PG_CLASS, 16500].into_iter().enumerate() {
            map[4 * index..4 * index + 4].copy_from_slice(&u32::to_le_bytes(number));
        }
        assert_eq!(file_of_relations(&map), Some(16500));
        assert_eq!(file_of_relations(&map[..20]), None);
        assert_eq!(file_of_relations(b"something else, longer than the magic"), None);
    }
}
