//! Fetches what a repository holds into one file of our own: a dump as it is, a folder as an archive whose names, kinds
//! and owners are ours. Nothing is unpacked here: what names a repository tells is never a path on this machine.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use super::repository::{Entry, Repository, Snapshot};

/// The only root of an archive of a folder: that of a volume's.
pub const ROOT: &str = "0";
/// So many bytes are handed on at once.
const PIECE: usize = 1 << 18;

/// Is told of each piece before it is written; an error ends the fetch.
pub type Meter<'a> = dyn Fn(u64) -> io::Result<()> + 'a;

/// Fetches a file.
///
/// # Errors
/// Where it cannot be read to its end, the meter says no, or the disk refuses.
pub fn file(
    repository: &dyn Repository,
    snapshot: &Snapshot,
    entry: &Entry,
    into: &File,
    meter: &Meter<'_>,
) -> io::Result<()> {
    repository.read(snapshot, entry, &mut |reader| {
        let mut into = into;
        let mut piece = vec![0; PIECE];
        loop {
            let count = reader.read(&mut piece)?;
            if count == 0 {
                return into.flush();
            }
            meter(count as u64)?;
            into.write_all(&piece[..count])?;
        }
    })
}

/// Fetches a data directory as a `.tar.zst` of our own, everything in it of this owner.
///
/// # Errors
/// As `file`, or where something in it is not what a data directory is made of.
pub fn folder(
    repository: &dyn Repository,
    snapshot: &Snapshot,
    entry: &Entry,
    owner: (u64, u64),
    into: &File,
    meter: &Meter<'_>,
) -> io::Result<()> {
    repository.read(snapshot, entry, &mut |reader| {
        let mut encoder = zstd::Encoder::new(Metered { into, meter }, 1)?;
        repack(reader, &entry.path, owner, &mut encoder)?;
        encoder.finish().map(drop)
    })
}

struct Metered<'a> {
    into: &'a File,
    meter: &'a Meter<'a>,
}

impl Write for Metered<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.meter)(bytes.len() as u64)?;
        self.into.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Writes an archive anew below our own root: plain files and folders alone.
fn repack(from: &mut dyn Read, path: &str, owner: (u64, u64), into: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Archive::new(from);
    let mut packed = tar::Builder::new(into);
    let header = |kind: tar::EntryType, size: u64, mode: u32, modified: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(modified);
        header
    };
    packed.append_data(&mut header(tar::EntryType::Directory, 0, 0o700, 0), ROOT, io::empty())?;
    let mut above = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_invalid| refused("it holds a file whose name is no text"))?;
        let parts = parts(&name).ok_or_else(|| refused("a name in it leads out of its folder"))?;
        let above = *above.get_or_insert_with(|| depth_above(&parts, path));
        if parts.len() < above {
            continue;
        }
        let below = parts[above..].join("/");
        if below.is_empty() {
            continue;
        }
        let read = entry.header();
        let (kind, mode) = (read.entry_type(), read.mode().unwrap_or(0o600) & 0o777);
        let modified = read.mtime().unwrap_or_default();
        let to = format!("{ROOT}/{below}");
        if kind.is_dir() {
            packed.append_data(&mut header(kind, 0, mode, modified), to, io::empty())?;
        } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
            let size = entry.size();
            packed.append_data(&mut header(tar::EntryType::Regular, size, mode, modified), to, &mut entry)?;
        } else if kind.is_hard_link() {
            return Err(refused("it holds a hard link, which is not followed"));
        } else if kind.is_symlink() {
            // Behind one lies a tablespace or a log on another disk, which the copy does not hold.
            return Err(refused("it holds a symbolic link, which is not followed"));
        }
    }
    packed.finish()
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why)
}

/// The components of a name; `None` where it would leave.
fn parts(name: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..") && !name.contains('\0')).then_some(parts)
}

/// How many components of each name stand for the folder itself: tools write all of its path, or its own name, or
/// none. The first entry shows it.
fn depth_above(first: &[&str], folder: &str) -> usize {
    let whole: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if first.starts_with(&whole) {
        whole.len()
    } else if whole.last().is_some_and(|name| first.first() == Some(name)) {
        1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, tar::EntryType)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind) in entries {
            let mut header = tar::Header::new_gnu();
            // As somebody else's program may write it.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(if kind.is_file() { 1 } else { 0 });
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, if kind.is_file() { &b"x"[..] } else { &b""[..] }).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn repacked(path: &str, entries: &[(&str, tar::EntryType)]) -> Result<Vec<String>, String> {
        let (from, mut into) = (archive(entries), Vec::new());
        repack(&mut from.as_slice(), path, (7, 8), &mut into).map_err(|error| error.to_string())?;
        let mut read = tar::Archive::new(into.as_slice());
        Ok(read
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (7, 8));
                entry.path().unwrap().display().to_string()
            })
            .collect())
    }

    #[test]
    fn names_are_put_below_our_own_root_however_a_tool_writes_them() {
        use tar::EntryType as Kind;
        let wanted = ["0", "0/PG_VERSION", "0/base", "0/base/1"];
        for above in ["/srv/pg/data/", "srv/pg/data/", "data/", "", "./"] {
            let name = |below: &str| format!("{above}{below}");
            let names = [name(""), name("PG_VERSION"), name("base"), name("base/1")];
            let mut entries = vec![
                (names[0].as_str(), Kind::Directory),
                (names[1].as_str(), Kind::Regular),
                (names[2].as_str(), Kind::Directory),
                (names[3].as_str(), Kind::Regular),
            ];
            entries.retain(|(name, _)| !name.is_empty());
            assert_eq!(repacked("/srv/pg/data", &entries).unwrap(), wanted, "{above}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        use tar::EntryType as Kind;
        for (name, kind, why) in [
            ("data/../../etc/passwd", Kind::Regular, "leads out"),
            ("data/pg_tblspc/1", Kind::Symlink, "symbolic link"),
            ("data/x", Kind::Link, "hard link"),
        ] {
            let told = repacked("/srv/data", &[("data/PG_VERSION", Kind::Regular), (name, kind)]);
            assert!(told.unwrap_err().contains(why), "{name}");
        }
        // An absolute one is below our root like any other; devices are left out.
        let told = repacked("/srv/data", &[("/etc/passwd", Kind::Regular), ("/dev/sda", Kind::Block)]);
        assert_eq!(told.unwrap(), ["0", "0/etc/passwd"]);
    }
}
