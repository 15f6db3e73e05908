//! SQLite files: as many pages as the header says. Format: sqlite.org/fileformat2.html.

use std::io::{self, BufRead, Read};

use super::{
    Dumped, Format, Whole,
    content::{Content, Fault},
};
use crate::engines::sqlite;

/// The largest page.
const HEAD: u64 = 65_536;

pub(super) fn read(reader: &mut dyn BufRead) -> Result<Content, Fault> {
    let mut head = Vec::new();
    reader.take(HEAD).read_to_end(&mut head)?;
    let size = head.len() as u64 + io::copy(reader, &mut io::sink())?;
    let tables = if sqlite::is_empty(&head) { Some(0) } else { sqlite::tables(&head) };
    let databases = vec![Dumped { tables, ..Dumped::default() }];
    Ok(Content { databases, ..Content::of(Format::Sqlite, pages(&head, size)) })
}

fn pages(head: &[u8], size: u64) -> Whole {
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let (Some(changes), Some(count), Some(valid_for), Some(page)) =
        (number(24), number(28), number(92), head.get(16..18))
    else {
        return Whole::Broken("it is cut off".to_owned());
    };
    let page = match u16::from_be_bytes([page[0], page[1]]) {
        1 => 65_536,
        page if page >= 512 && page.is_power_of_two() => u64::from(page),
        _ => return Whole::Broken("its page size is none".to_owned()),
    };
    // Versions before 3.7.0 do not keep the count.
    if count == 0 || changes != valid_for {
        return Whole::Unknown("its header does not say how long it is".to_owned());
    }
    match size.cmp(&(page * u64::from(count))) {
        std::cmp::Ordering::Equal => Whole::Yes,
        std::cmp::Ordering::Less => Whole::Broken("it is cut off: pages are missing".to_owned()),
        std::cmp::Ordering::Greater => Whole::Broken("it is longer than its header says".to_owned()),
    }
}
