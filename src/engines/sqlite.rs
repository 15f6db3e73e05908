//! SQLite: what the first page of a file says. Format: sqlite.org/fileformat2.html.

/// The first 16 bytes of every database.
pub const MAGIC: &[u8] = b"SQLite format 3\0";

/// Offset of the b-tree header on the first page.
const TREE: usize = 100;
const LEAF_TABLE: u8 = 13;

/// Whether the schema table has no entry: a database that a program created and never used. A write-ahead
/// log beside it may say otherwise.
#[must_use]
pub fn is_empty(head: &[u8]) -> bool {
    schema_entries(head) == Some(0)
}

/// Tables of a user's, where the schema fits on the first page and the page was read whole.
#[must_use]
pub fn tables(head: &[u8]) -> Option<u64> {
    let entries = schema_entries(head)?;
    let page_size = usize::from(u16::from_be_bytes(head.get(16..18)?.try_into().ok()?));
    if head.len() < page_size {
        return None;
    }
    let mut count = 0;
    for index in 0..usize::from(entries) {
        let pointer = TREE + 8 + index * 2;
        let cell = usize::from(u16::from_be_bytes(head.get(pointer..pointer + 2)?.try_into().ok()?));
        let columns = schema_columns(head.get(cell..)?)?;
        if columns.0 == b"table" && !columns.1.starts_with(b"sqlite_") {
            count += 1;
        }
    }
    Some(count)
}

/// Cells on the first page; `None` where it is an interior page, and so a large schema.
fn schema_entries(head: &[u8]) -> Option<u16> {
    let is_leaf = head.starts_with(MAGIC) && head.get(TREE) == Some(&LEAF_TABLE);
    let count = head.get(TREE + 3..TREE + 5)?.try_into().ok()?;
    is_leaf.then(|| u16::from_be_bytes(count))
}

/// `type` and `name` of a cell of the schema table.
fn schema_columns(cell: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_payload, cell) = varint(cell)?;
    let (_rowid, record) = varint(cell)?;
    let (header_length, types) = varint(record)?;
    let (kind, types) = varint(types)?;
    let (name, _types) = varint(types)?;
    let body = record.get(usize::try_from(header_length).ok()?..)?;
    let (kind, name) = (text_length(kind)?, text_length(name)?);
    Some((body.get(..kind)?, body.get(kind..kind + name)?))
}

/// Bytes of a text value, by its serial type.
fn text_length(serial_type: u64) -> Option<usize> {
    (serial_type >= 13 && serial_type % 2 == 1).then(|| usize::try_from((serial_type - 13) / 2).ok())?
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A first page with the given schema cells, as SQLite lays them out.
    fn page(cells: &[(&str, &str)]) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..16].copy_from_slice(MAGIC);
        page[16..18].copy_from_slice(&4096_u16.to_be_bytes());
        page[TREE] = LEAF_TABLE;
        page[TREE + 3..TREE + 5].copy_from_slice(&(cells.len() as u16).to_be_bytes());
        let mut end = 4096;
        for (index, (kind, name)) in cells.iter().enumerate() {
            let mut cell =
                vec![0, index as u8 + 1, 3, (13 + 2 * kind.len()) as u8, (13 + 2 * name.len()) as u8];
            cell.extend_from_slice(kind.as_bytes());
            cell.extend_from_slice(name.as_bytes());
            end -= cell.len();
            page[end..end + cell.len()].copy_from_slice(&cell);
            let pointer = TREE + 8 + index * 2;
            page[pointer..pointer + 2].copy_from_slice(&(end as u16).to_be_bytes());
        }
        page
    }

    #[test]
    fn only_a_users_tables_are_counted() {
        let page = page(&[("table", "users"), ("index", "users_name"), ("table", "sqlite_sequence")]);
        assert_eq!(tables(&page), Some(1));
        assert!(!is_empty(&page));
        assert!(is_empty(&self::page(&[])));
    }

    #[test]
    fn what_cannot_be_read_is_not_empty() {
        let mut interior = page(&[]);
        interior[TREE] = 5;
        assert!(!is_empty(&interior));
        assert!(!is_empty(MAGIC));
        assert_eq!(tables(&page(&[("table", "t")])[..600]), None);
    }
}
