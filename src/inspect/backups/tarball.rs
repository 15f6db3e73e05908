//! Tar archives: the backups and the data directories in them. Read to the end, so that a part never passes for the
//! whole.

use std::{
    io::{self, BufRead, Read},
    time::{Duration, UNIX_EPOCH},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    BackupFile, FileCopy, Format, Whole,
    content::{self, Content, Fault},
    described, source,
};
use crate::{
    docker::archive::{Counted, TRAILER_BYTES},
    engines::{
        mysql, postgres,
        recognise::{Form, Recogniser, Seen},
    },
};

/// Backups that are kept of one archive; a folder of more is no set of backups.
const MOST: usize = 1000;
/// Bytes that tell a cluster's identity.
const CONTROL_BYTES: u64 = 512;
const CONTROL: &str = "global/pg_control";
const SERVER_UUID: &str = "auto.cnf";

pub(super) fn read(reader: &mut dyn BufRead) -> Result<Content, Fault> {
    let mut archive = tar::Archive::new(Counted { reader, bytes: 0 });
    let mut found = Found::default();
    let mut end_of_entries = 0_u64;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let size = entry.size();
        end_of_entries = entry.raw_file_position() + size.next_multiple_of(512);
        let kind = entry.header().entry_type();
        let seconds = entry.header().mtime().unwrap_or(0);
        let modified = UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .and_then(|time| Timestamp::try_from(time).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = name.trim_start_matches("./").trim_matches('/').to_owned();
        let form = match kind {
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => Form::File,
            kind if kind.is_dir() => Form::Folder,
            _ => Form::Other,
        };
        found.entry(&path, form, size, modified, &mut entry)?;
        io::copy(&mut entry, &mut io::sink())?;
    }
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink())?;
    if rest.bytes < end_of_entries + TRAILER_BYTES {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let (inside, copies) = found.finish();
    Ok(Content { inside, copies, ..Content::of(Format::Tar, Whole::Yes) })
}

#[derive(Default)]
struct Found {
    recogniser: Recogniser,
    inside: Vec<(String, BackupFile)>,
    /// Paths of files that SQLite writes beside its own, where something is in them.
    logs: Vec<String>,
    controls: Vec<(String, postgres::Control)>,
    uuids: Vec<(String, String)>,
}

impl Found {
    fn entry(
        &mut self,
        path: &str,
        form: Form,
        size: u64,
        modified: Timestamp,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        // Heads are not shown to it: a file by itself is read below.
        self.recogniser.see(Seen { path, form, size, modified: Some(modified), head: &[] });
        if form != Form::File || size == 0 {
            return Ok(());
        }
        let folder =
            |name: &str| path.strip_suffix(name).map(|folder| folder.trim_end_matches('/').to_owned());
        if let Some(folder) = folder(CONTROL) {
            let mut head = Vec::new();
            content.take(CONTROL_BYTES).read_to_end(&mut head)?;
            self.controls.extend(postgres::parse_control(&head).map(|control| (folder, control)));
            return Ok(());
        }
        if let Some(folder) = folder(SERVER_UUID) {
            let mut head = Vec::new();
            content.take(CONTROL_BYTES).read_to_end(&mut head)?;
            self.uuids.extend(mysql::parse_auto_cnf(&head).map(|uuid| (folder, uuid)));
            return Ok(());
        }
        if path.ends_with("-wal") || path.ends_with("-journal") {
            self.logs.push(path.to_owned());
            return Ok(());
        }
        if self.inside.len() >= MOST {
            return Ok(());
        }
        let read = source::of(Box::new(content))?.read(content::read)?;
        // An archive in an archive is nobody's backup of a database.
        if read.format.is_some_and(|format| format != Format::Tar) {
            self.inside.push((path.to_owned(), described(read, modified, size, &TimeZone::UTC)));
        }
        Ok(())
    }

    fn finish(mut self) -> (Vec<(String, BackupFile)>, Vec<FileCopy>) {
        for (path, file) in &mut self.inside {
            let has_log = self.logs.iter().any(|log| {
                log.strip_prefix(path.as_str()).is_some_and(|rest| rest == "-wal" || rest == "-journal")
            });
            if file.format == Some(Format::Sqlite) && has_log {
                file.whole = Whole::Unknown("a write-ahead log lies beside it".to_owned());
            }
        }
        let of = |list: &[(String, String)], path: &str| {
            list.iter().find(|(folder, _)| folder == path).map(|(_, id)| id.clone())
        };
        let mut copies = Vec::new();
        for found in self.recogniser.finish().into_iter().filter(|found| !found.is_file) {
            let control = self.controls.iter().find(|(folder, _)| *folder == found.path);
            let control = control.map(|(_, control)| control);
            copies.push(FileCopy {
                engine: found.kind.id.to_owned(),
                identity: control
                    .map(|control| control.system_identifier.to_string())
                    .or_else(|| of(&self.uuids, &found.path)),
                shut_down: control.filter(|control| control.stopped).and_then(|control| control.written),
                newest: found.newest,
                path: found.path,
            });
        }
        (self.inside, copies)
    }
}
