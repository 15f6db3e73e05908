//! `pg_dump -Fc`. The format has no end mark: it is whole when every entry of the table of contents that has
//! data was met, each to its end. Format: PostgreSQL's `pg_backup_archiver.c` and `pg_backup_custom.c`.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, BufRead, Read},
};

use jiff::civil;

use super::{
    Dumped, Format, OwnTime, Whole,
    content::{Content, Fault},
};

const CUSTOM: u8 = 1;
/// The versions whose layout we know: 1.10 (PostgreSQL 8.0) to 1.16 (18).
const OLDEST: u8 = 10;
const NEWEST: u8 = 16;
const DATA: u8 = 1;
const BLOBS: u8 = 3;
/// `K_OFFSET_NO_DATA`.
const NO_DATA: u8 = 3;
/// No name, type or oid is longer; what else is, is skipped.
const LONGEST_KEPT: u64 = 4096;

pub(super) fn read(reader: &mut dyn BufRead) -> Result<Content, Fault> {
    let mut archive = Archive { reader, minor: 0, integer: 4, offset: 8 };
    let mut content = Content::of(Format::PgCustom, Whole::Yes);
    let result = archive.read(&mut content);
    // What was found out before it broke is worth telling.
    match result {
        Ok(()) => {}
        Err(Fault::Broken(why)) => content.whole = Whole::Broken(why),
        Err(Fault::Unknown(why)) => content.whole = Whole::Unknown(why),
    }
    Ok(content)
}

fn broken(why: &str) -> Fault {
    Fault::Broken(why.to_owned())
}

/// The table of contents, reduced to what tells whether the data is all there.
#[derive(Default)]
struct Contents {
    /// Entries that must have data in the file.
    expected: HashSet<i64>,
    /// Hashes of the names of tables that can hold rows, and of those that have data.
    tables: HashSet<u64>,
    filled: HashSet<u64>,
    /// Partitioned tables and materialized views: relations without rows in a dump.
    others: u64,
    large_objects: bool,
}

struct Archive<'a> {
    reader: &'a mut dyn BufRead,
    minor: u8,
    /// Bytes of an integer and of an offset.
    integer: u8,
    offset: u8,
}

impl Archive<'_> {
    fn read(&mut self, content: &mut Content) -> Result<(), Fault> {
        let name = self.header(content)?;
        let contents = self.contents()?;
        let filled = contents.tables.intersection(&contents.filled).count() as u64;
        let tables = contents.tables.len().max(contents.filled.len()) as u64 + contents.others;
        let without_data = contents.tables.len() as u64 - filled;
        content.databases =
            vec![Dumped { name, tables: Some(tables), without_data, large_objects: contents.large_objects }];
        self.blocks(contents.expected)
    }

    /// Reads the header; answers the database's name.
    fn header(&mut self, content: &mut Content) -> Result<Option<String>, Fault> {
        self.skip(5)?;
        let (major, minor, _revision) = (self.byte()?, self.byte()?, self.byte()?);
        if major != 1 || !(OLDEST..=NEWEST).contains(&minor) {
            return Err(Fault::Unknown(format!("its format {major}.{minor} is not known")));
        }
        self.minor = minor;
        self.integer = self.byte()?;
        self.offset = self.byte()?;
        if !matches!(self.integer, 4 | 8) || !matches!(self.offset, 4 | 8) {
            return Err(broken("its header makes no sense"));
        }
        if self.byte()? != CUSTOM {
            return Err(Fault::Unknown("it is the table of contents of another format".to_owned()));
        }
        if minor >= 15 {
            self.byte()?;
        } else {
            self.number()?;
        }
        let mut time = [0; 6];
        for part in &mut time {
            *part = self.number()?;
        }
        let _daylight_saving = self.number()?;
        let [second, minute, hour, day, month, year] = time;
        let part = |number: i64| i8::try_from(number).ok();
        let wall = i16::try_from(year + 1900).ok().and_then(|year| {
            let (month, second) = (part(month + 1)?, part(second.min(59))?);
            civil::DateTime::new(year, month, part(day)?, part(hour)?, part(minute)?, second, 0).ok()
        });
        content.own_time = wall.map_or(OwnTime::Unsaid, OwnTime::Wall);
        let name = self.text()?;
        self.text()?;
        self.text()?;
        Ok(name)
    }

    fn contents(&mut self) -> Result<Contents, Fault> {
        let count = self.number()?;
        let mut contents = Contents::default();
        for _ in 0..count {
            self.entry(&mut contents)?;
        }
        Ok(contents)
    }

    fn entry(&mut self, contents: &mut Contents) -> Result<(), Fault> {
        let id = self.number()?;
        let has_dumper = self.number()? != 0;
        self.skip_texts(2)?;
        let tag = self.text()?.unwrap_or_default();
        let kind = self.text()?.unwrap_or_default();
        if self.minor >= 11 {
            self.number()?;
        }
        let is_partitioned = self.definition_is_partitioned()?;
        self.skip_texts(2)?;
        let namespace = self.text()?.unwrap_or_default();
        self.skip_text()?;
        if self.minor >= 14 {
            self.skip_text()?;
        }
        if self.minor >= 16 {
            self.number()?;
        }
        self.skip_texts(2)?;
        // Dependencies, up to a missing one.
        while self.skip_text()? {}
        let state = self.byte()?;
        self.skip(u64::from(self.offset))?;
        if has_dumper && state != NO_DATA {
            contents.expected.insert(id);
        }
        let mut hasher = DefaultHasher::new();
        (&namespace, &tag).hash(&mut hasher);
        match kind.as_str() {
            "TABLE" if !is_partitioned => drop(contents.tables.insert(hasher.finish())),
            "TABLE" | "MATERIALIZED VIEW" => contents.others += 1,
            "BLOBS" if has_dumper && state != NO_DATA => contents.large_objects = true,
            "TABLE DATA" if has_dumper && state != NO_DATA => drop(contents.filled.insert(hasher.finish())),
            _ => {}
        }
        Ok(())
    }

    /// Data blocks up to the end of the file.
    fn blocks(&mut self, mut expected: HashSet<i64>) -> Result<(), Fault> {
        loop {
            if self.reader.fill_buf()?.is_empty() {
                break;
            }
            let kind = self.byte()?;
            let id = self.number()?;
            match kind {
                DATA => self.chunks()?,
                BLOBS => {
                    while self.number()? != 0 {
                        self.chunks()?;
                    }
                }
                _ => return Err(broken("it is damaged: something else stands where data should begin")),
            }
            if !expected.remove(&id) {
                return Err(broken("it is damaged: data that its table of contents does not name"));
            }
        }
        match expected.len() {
            0 => Ok(()),
            missing => Err(Fault::Broken(format!("it is cut off: the data of {missing} entries is missing"))),
        }
    }

    /// Lengths and bytes, up to a length of 0.
    fn chunks(&mut self) -> Result<(), Fault> {
        loop {
            match u64::try_from(self.number()?) {
                Ok(0) => return Ok(()),
                Ok(length) => self.skip(length)?,
                Err(_negative) => return Err(broken("it is damaged: a length is negative")),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// A sign and the bytes of an integer, lowest first.
    fn number(&mut self) -> Result<i64, Fault> {
        let negative = self.byte()? != 0;
        let mut bytes = [0; 8];
        let length = usize::from(self.integer);
        self.reader.read_exact(&mut bytes[..length])?;
        let number = i64::from_le_bytes(bytes);
        Ok(if negative { number.wrapping_neg() } else { number })
    }

    /// The length of a text; `None` where there is none.
    fn length(&mut self) -> Result<Option<u64>, Fault> {
        Ok(u64::try_from(self.number()?).ok())
    }

    fn text(&mut self) -> Result<Option<String>, Fault> {
        let Some(length) = self.length()? else { return Ok(None) };
        let kept = length.min(LONGEST_KEPT);
        let mut bytes = Vec::new();
        (&mut *self.reader).take(kept).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < kept {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.skip(length - kept)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Skips a text; whether there was one.
    fn skip_text(&mut self) -> Result<bool, Fault> {
        let length = self.length()?;
        self.skip(length.unwrap_or(0))?;
        Ok(length.is_some())
    }

    fn skip_texts(&mut self, count: usize) -> Result<(), Fault> {
        for _ in 0..count {
            self.skip_text()?;
        }
        Ok(())
    }

    /// The definition of an entry; whether it makes a partitioned table, which holds no rows itself.
    fn definition_is_partitioned(&mut self) -> Result<bool, Fault> {
        const WORDS: &[u8] = b"\nPARTITION BY ";
        let mut left = self.length()?.unwrap_or(0);
        let (mut found, mut window) = (false, Vec::new());
        while left > 0 {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let length = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            window.extend_from_slice(&chunk[..length]);
            self.reader.consume(length);
            left -= length as u64;
            found |= window.windows(WORDS.len()).any(|part| part == WORDS);
            window.drain(..window.len().saturating_sub(WORDS.len()));
        }
        Ok(found)
    }

    fn skip(&mut self, mut count: u64) -> Result<(), Fault> {
        while count > 0 {
            let available = self.reader.fill_buf()?.len();
            if available == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let step = available.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.reader.consume(step);
            count -= step as u64;
        }
        Ok(())
    }
}
