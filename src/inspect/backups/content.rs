//! Finds the format of a content, and reads it.

use std::io::{self, BufRead, Read};

use super::{BackupFile, Dumped, FileCopy, Format, OwnTime, Whole, pg_custom, rdb, sql, sqlite, tarball};

/// What was read of a backup's content.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) format: Option<Format>,
    pub(super) whole: Whole,
    pub(super) own_time: OwnTime,
    pub(super) databases: Vec<Dumped>,
    pub(super) keys: Option<u64>,
    /// Of an archive: the backups in it by their paths, and the data directories.
    pub(super) inside: Vec<(String, BackupFile)>,
    pub(super) copies: Vec<FileCopy>,
}

impl Content {
    pub(super) fn of(format: Format, whole: Whole) -> Self {
        Self { format: Some(format), ..Self::unknown(whole) }
    }

    fn unknown(whole: Whole) -> Self {
        let (databases, inside, copies) = (Vec::new(), Vec::new(), Vec::new());
        Self { format: None, whole, own_time: OwnTime::Unsaid, databases, keys: None, inside, copies }
    }
}

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Fault {
    Broken(String),
    Unknown(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Broken(match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
            _ => format!("it is damaged: {error}"),
        })
    }
}

impl From<Fault> for Content {
    fn from(fault: Fault) -> Self {
        let whole = match fault {
            Fault::Broken(why) => Whole::Broken(why),
            Fault::Unknown(why) => Whole::Unknown(why),
        };
        Self::unknown(whole)
    }
}

/// Bytes that tell the format.
const HEAD: u64 = 4096;

/// Formats that we know by their first bytes and cannot check.
const UNCHECKED: &[(&[u8], &str)] = &[
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"age-encryption.org/", "age"),
    (b"Salted__", "openssl"),
];

/// Reads a content from its first byte.
///
/// # Errors
/// Where it is broken, or of no format that we know.
pub(super) fn read(reader: &mut dyn BufRead) -> Result<Content, Fault> {
    let mut head = Vec::new();
    reader.take(HEAD).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(Fault::Broken("it is empty".to_owned()));
    }
    let sniffed = sniff(&head);
    let mut whole = io::Cursor::new(head).chain(reader);
    match sniffed {
        Ok(Format::PgCustom) => pg_custom::read(&mut whole),
        Ok(Format::Rdb) => rdb::read(&mut whole),
        Ok(Format::Sqlite) => sqlite::read(&mut whole),
        Ok(Format::Tar) => tarball::read(&mut whole),
        Ok(format @ (Format::PgPlain | Format::PgCluster | Format::MySqlDump)) => {
            sql::read(&mut whole, format)
        }
        Err(why) => Err(Fault::Unknown(why)),
    }
}

fn sniff(head: &[u8]) -> Result<Format, String> {
    if head.starts_with(b"PGDMP") {
        return Ok(Format::PgCustom);
    }
    if head.starts_with(b"REDIS0") || head.starts_with(b"VALKEY0") {
        return Ok(Format::Rdb);
    }
    if head.starts_with(crate::engines::sqlite::MAGIC) {
        return Ok(Format::Sqlite);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Ok(Format::Tar);
    }
    if let Some((_, tool)) = UNCHECKED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("it is packed by {tool}, which cannot be checked"));
    }
    let lines = || head.split(|byte| *byte == b'\n').take(20);
    let has = |line: &[u8]| lines().any(|own| own.trim_ascii_end() == line);
    let begins = |start: &[u8]| lines().any(|own| own.starts_with(start));
    if has(b"-- PostgreSQL database cluster dump") {
        Ok(Format::PgCluster)
    } else if has(b"-- PostgreSQL database dump") {
        Ok(Format::PgPlain)
    } else if begins(b"-- MySQL dump ") || begins(b"-- MariaDB dump ") {
        Ok(Format::MySqlDump)
    } else {
        Err("its format is not known".to_owned())
    }
}
