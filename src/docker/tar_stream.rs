//! Looks at a tar while it streams by, without changing or holding it: what is in it, whether it is whole,
//! and whether an entry would leave its place.
//!
//! The stream is looked at chunk by chunk on its way, so memory stays flat whatever the archive claims.
//! Formats: ustar, GNU long names, and pax, which is what Go's archive/tar writes.

use std::collections::HashSet;

const BLOCK: usize = 512;
/// A path and some attributes are a few kilobytes; more is an attack on our memory.
const MAX_META_BYTES: u64 = 1 << 20;
/// Symbolic links in one archive that we keep in mind.
const MAX_LINKS: usize = 1 << 20;

/// One entry's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    /// As in the archive; hostile bytes, replaced where they are no UTF-8.
    pub path: String,
    /// Where a link points.
    pub link: String,
    /// Bytes of content.
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    Device,
    Other,
}

/// What a whole stream held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// The first component of the first name.
    pub root: String,
}

/// Why a stream is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarFault {
    #[error("the archive breaks off before its end")]
    CutOff,
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    #[error("the archive would write outside its place: {0:?}")]
    Outside(String),
}

/// Looks at one stream.
#[derive(Debug, Default)]
pub struct TarScan {
    state: State,
    header: Vec<u8>,
    meta: Vec<u8>,
    /// What the meta entries before an entry say of it.
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax_size: Option<u64>,
    zero_blocks: u8,
    census: Census,
    guard: Option<Guard>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    /// Content and padding to pass by.
    Content(u64),
    /// A meta entry: its kind, bytes of it left, bytes of padding after it.
    Meta(u8, u64, u64),
    Ended,
}

/// Keeps entries in their place.
#[derive(Debug, Default)]
struct Guard {
    root: Option<String>,
    /// Places below the target that are not the target's own, in plain form.
    forbidden: Vec<String>,
    links: HashSet<String>,
}

impl TarScan {
    /// Looks at a stream of our own engine's: only whether it is whole, and what is in it.
    #[must_use]
    pub fn counting() -> Self {
        Self::default()
    }

    /// Refuses a stream before an entry of it would be written outside: every entry must lie below `root`
    /// (or anywhere below the target where there is none), by names without `..`, and not behind a symbolic
    /// link of the same archive.
    #[must_use]
    pub fn guarding(root: Option<&str>) -> Self {
        let guard = Guard { root: root.map(str::to_owned), ..Guard::default() };
        Self { guard: Some(guard), ..Self::default() }
    }

    /// Refuses also what lies in one of these places, relative to where the stream is unpacked.
    #[must_use]
    pub fn but_not_in(mut self, places: Vec<String>) -> Self {
        if let Some(guard) = &mut self.guard {
            guard.forbidden = places;
        }
        self
    }

    /// Looks at the next bytes. A fault means that they must not be passed on.
    ///
    /// # Errors
    /// Where the stream is damaged, or would leave its place.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), TarFault> {
        self.feed_with(chunk, &mut |_head| ())
    }

    /// As `feed`, and shows each entry's head.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_with(&mut self, mut chunk: &[u8], visit: &mut dyn FnMut(&Head)) -> Result<(), TarFault> {
        while !chunk.is_empty() {
            match self.state {
                // What follows the end is padding.
                State::Ended => return Ok(()),
                State::Content(left) => {
                    let count = left.min(chunk.len() as u64);
                    chunk = chunk.get(usize::try_from(count).unwrap_or(usize::MAX)..).unwrap_or_default();
                    self.state = if left == count { State::Header } else { State::Content(left - count) };
                }
                State::Meta(kind, left, padding) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
                    let (now, rest) = chunk.split_at(count);
                    self.meta.extend_from_slice(now);
                    chunk = rest;
                    let left = left - count as u64;
                    self.state = State::Meta(kind, left, padding);
                    if left == 0 {
                        self.take_meta(kind)?;
                        self.state = if padding == 0 { State::Header } else { State::Content(padding) };
                    }
                }
                State::Header => {
                    let count = (BLOCK - self.header.len()).min(chunk.len());
                    let (now, rest) = chunk.split_at(count);
                    self.header.extend_from_slice(now);
                    chunk = rest;
                    if self.header.len() == BLOCK {
                        let block = std::mem::take(&mut self.header);
                        self.take_header(&block, visit)?;
                        self.header = block;
                        self.header.clear();
                    }
                }
            }
        }
        Ok(())
    }

    /// Says what was in it.
    ///
    /// # Errors
    /// Where it broke off: the engine does so without an error when a file shrinks while it is read.
    pub fn finish(self) -> Result<Census, TarFault> {
        if self.state == State::Ended { Ok(self.census) } else { Err(TarFault::CutOff) }
    }

    fn take_header(&mut self, block: &[u8], visit: &mut dyn FnMut(&Head)) -> Result<(), TarFault> {
        if block.iter().all(|&byte| byte == 0) {
            self.zero_blocks += 1;
            if self.zero_blocks == 2 {
                self.state = State::Ended;
            }
            return Ok(());
        }
        if self.zero_blocks > 0 {
            return Err(TarFault::Damaged("an entry after its end"));
        }
        check_sum(block)?;
        let kind = block[156];
        let mut size = number(&block[124..136])?;
        if matches!(kind, b'L' | b'K' | b'x' | b'g') {
            if size > MAX_META_BYTES {
                return Err(TarFault::Damaged("a name or attribute of more than a megabyte"));
            }
            let padding = size.next_multiple_of(BLOCK as u64) - size;
            self.meta.clear();
            self.state = State::Meta(kind, size, padding);
            if size == 0 {
                self.take_meta(kind)?;
                self.state = State::Header;
            }
            return Ok(());
        }
        size = self.pax_size.take().unwrap_or(size);
        let path = self.long_path.take().unwrap_or_else(|| short_path(block));
        let link = self.long_link.take().unwrap_or_else(|| until_nul(&block[157..257]).to_vec());
        let kind = match kind {
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' | b'4' => Kind::Device,
            b'5' => Kind::Directory,
            b'6' => Kind::Other,
            b'S' => return Err(TarFault::Damaged("a sparse entry, which no engine writes")),
            _ => return Err(TarFault::Damaged("an entry of an unknown kind")),
        };
        let content = if kind == Kind::File { size } else { 0 };
        let head = Head {
            kind,
            path: String::from_utf8_lossy(&path).into_owned(),
            link: String::from_utf8_lossy(&link).into_owned(),
            size: content,
        };
        if let Some(guard) = &mut self.guard {
            guard.check(&head)?;
        }
        if self.census.entries == 0 {
            let first = head.path.trim_start_matches("./").split('/').next().unwrap_or_default();
            first.clone_into(&mut self.census.root);
        }
        self.census.entries += 1;
        self.census.bytes += content;
        visit(&head);
        let padded = content
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or(TarFault::Damaged("an entry of an impossible size"))?;
        self.state = if padded == 0 { State::Header } else { State::Content(padded) };
        Ok(())
    }

    fn take_meta(&mut self, kind: u8) -> Result<(), TarFault> {
        let meta = std::mem::take(&mut self.meta);
        match kind {
            b'L' => self.long_path = Some(until_nul(&meta).to_vec()),
            b'K' => self.long_link = Some(until_nul(&meta).to_vec()),
            b'x' => self.take_pax(&meta)?,
            // A global header speaks for all entries; no engine writes one.
            _ => return Err(TarFault::Damaged("a global header, which no engine writes")),
        }
        Ok(())
    }

    /// Records of the form `LENGTH KEY=VALUE\n`.
    fn take_pax(&mut self, meta: &[u8]) -> Result<(), TarFault> {
        let bad = || TarFault::Damaged("an attribute that is not readable");
        let mut rest = meta;
        while !rest.is_empty() {
            let space = rest.iter().position(|&byte| byte == b' ').ok_or_else(bad)?;
            let length: usize = std::str::from_utf8(&rest[..space])
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(bad)?;
            let record = rest.get(space + 1..length.checked_sub(1).ok_or_else(bad)?).ok_or_else(bad)?;
            if rest.get(length - 1) != Some(&b'\n') {
                return Err(bad());
            }
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.long_path = Some(value.to_vec()),
                b"linkpath" => self.long_link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.pax_size = Some(size.ok_or_else(bad)?);
                }
                _ if key.starts_with(b"GNU.sparse") => {
                    return Err(TarFault::Damaged("a sparse entry, which no engine writes"));
                }
                _ => {}
            }
            rest = &rest[length..];
        }
        Ok(())
    }
}

impl Guard {
    fn check(&mut self, head: &Head) -> Result<(), TarFault> {
        let outside = || TarFault::Outside(head.path.clone());
        let path = self.place(&head.path).ok_or_else(outside)?;
        let is_in = |place: &String| {
            path.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.forbidden.iter().any(is_in) {
            return Err(outside());
        }
        let mut parent = path.as_str();
        while let Some((above, _name)) = parent.rsplit_once('/') {
            if self.links.contains(above) {
                return Err(outside());
            }
            parent = above;
        }
        match head.kind {
            // A hard link's target is a name in the archive, and must lie in the same place.
            Kind::HardLink => {
                let target = self.place(&head.link).ok_or_else(outside)?;
                // Linking to a symbolic link makes another one; linking through one leads elsewhere.
                let through = |link: &String| {
                    target.strip_prefix(link.as_str()).is_some_and(|rest| rest.starts_with('/'))
                };
                if self.links.iter().any(through) {
                    return Err(outside());
                }
                if self.links.contains(&target) {
                    self.links.insert(path);
                }
            }
            Kind::Symlink => {
                if self.links.len() >= MAX_LINKS {
                    return Err(TarFault::Damaged("more symbolic links than we keep in mind"));
                }
                self.links.insert(path);
            }
            Kind::File | Kind::Directory | Kind::Other => {
                self.links.remove(&path);
            }
            Kind::Device => {}
        }
        Ok(())
    }

    /// The plain form of a name; `None` where it leads outside.
    fn place(&self, name: &str) -> Option<String> {
        if name.starts_with('/') || name.contains('\0') {
            return None;
        }
        let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let inside = !parts.contains(&"..");
        let rooted =
            self.root.as_deref().is_none_or(|root| parts.first().is_some_and(|first| *first == root));
        (inside && rooted).then(|| parts.join("/"))
    }
}

fn check_sum(block: &[u8]) -> Result<(), TarFault> {
    let told = number(&block[148..156])?;
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    // The field itself counts as spaces.
    let real = sum(&block[..148]) + sum(&block[156..]) + 8 * u64::from(b' ');
    if told == real { Ok(()) } else { Err(TarFault::Damaged("a header's checksum differs")) }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn short_path(block: &[u8]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = if &block[257..263] == b"ustar\0" { until_nul(&block[345..500]) } else { &[] };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// An octal number, or a binary one that its first bit announces.
fn number(field: &[u8]) -> Result<u64, TarFault> {
    let bad = TarFault::Damaged("a number that is not readable");
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        // A negative one has its second bit set too.
        if field[0] & 0x40 != 0 || field[..field.len() - 8].iter().skip(1).any(|&byte| byte != 0) {
            return Err(bad);
        }
        let low = field[field.len() - 8..].try_into().map(u64::from_be_bytes);
        return low.map_err(|_source| bad);
    }
    let text = std::str::from_utf8(until_nul(field)).map_err(|_source| bad.clone())?.trim();
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 8).map_err(|_source| bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(
        builder: &mut tar::Builder<Vec<u8>>,
        kind: tar::EntryType,
        path: &str,
        link: &str,
        bytes: &[u8],
    ) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        // Past the builder's own checks, as an attacker would.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }

    fn scan(bytes: &[u8], mut scan: TarScan, step: usize) -> Result<Census, TarFault> {
        for chunk in bytes.chunks(step) {
            scan.feed(chunk)?;
        }
        scan.finish()
    }

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        entry(&mut builder, tar::EntryType::Directory, "pg/", "", b"");
        entry(&mut builder, tar::EntryType::Regular, "pg/a", "", &[7; 1000]);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        let long = format!("pg/{}", "n".repeat(300));
        builder.append_data(&mut header, long, b"abc".as_slice()).unwrap();
        entry(&mut builder, tar::EntryType::Link, "pg/b", "pg/a", b"");
        builder.into_inner().unwrap()
    }

    #[test]
    fn entries_are_counted_however_the_stream_is_cut() {
        let whole = archive();
        let expected = Census { entries: 4, bytes: 1003, root: "pg".to_owned() };
        for step in [1, 7, 511, 512, 513, whole.len()] {
            assert_eq!(scan(&whole, TarScan::guarding(Some("pg")), step), Ok(expected.clone()), "by {step}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_anywhere_is_never_whole() {
        let whole = archive();
        for length in 0..whole.len() - 1024 + 513 {
            let cut = &whole[..length.min(whole.len() - 1)];
            assert!(scan(cut, TarScan::counting(), 512).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn nothing_is_written_outside() {
        use tar::EntryType::{Link, Regular, Symlink};
        let hostile: &[&[(tar::EntryType, &str, &str)]] = &[
            &[(Regular, "pg/../../etc/passwd", "")],
            &[(Regular, "/etc/passwd", "")],
            &[(Regular, "other/x", "")],
            &[(Regular, "..", "")],
            &[(Link, "pg/x", "../etc/shadow")],
            &[(Link, "pg/x", "/etc/shadow")],
            &[(Symlink, "pg/l", "/etc"), (Regular, "pg/l/passwd", "")],
            &[(Symlink, "pg/l", "/etc"), (Regular, "pg/./l//passwd", "")],
            &[(Symlink, "pg/l", "/etc"), (Link, "pg/x", "pg/l/shadow")],
            &[(Symlink, "pg/l", "/etc"), (Link, "pg/x", "pg/l"), (Regular, "pg/x/passwd", "")],
        ];
        for entries in hostile {
            let mut builder = tar::Builder::new(Vec::new());
            for (kind, path, link) in *entries {
                entry(&mut builder, *kind, path, link, b"");
            }
            let bytes = builder.into_inner().unwrap();
            let refused = scan(&bytes, TarScan::guarding(Some("pg")), 512);
            assert!(matches!(refused, Err(TarFault::Outside(_))), "{entries:?}: {refused:?}");
        }
    }

    #[test]
    fn what_is_mounted_below_is_not_written_to() {
        let mut builder = tar::Builder::new(Vec::new());
        entry(&mut builder, tar::EntryType::Regular, "srv/../srv/bind/x", "", b"");
        let mut plain = tar::Builder::new(Vec::new());
        entry(&mut plain, tar::EntryType::Regular, "./srv//bind/x", "", b"");
        for builder in [builder, plain] {
            let bytes = builder.into_inner().unwrap();
            let guard = TarScan::guarding(None).but_not_in(vec!["srv/bind".to_owned()]);
            assert!(matches!(scan(&bytes, guard, 512), Err(TarFault::Outside(_))));
        }
    }

    #[test]
    fn a_link_that_points_outside_is_kept_as_it_is() {
        let mut builder = tar::Builder::new(Vec::new());
        entry(&mut builder, tar::EntryType::Symlink, "pg/pg_wal", "/mnt/wal", b"");
        let bytes = builder.into_inner().unwrap();
        assert!(scan(&bytes, TarScan::guarding(Some("pg")), 512).is_ok());
    }

    #[test]
    fn an_attribute_without_end_does_not_fill_the_memory() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(1 << 40);
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
        let bytes = builder.into_inner().unwrap();
        assert!(matches!(scan(&bytes, TarScan::counting(), 512), Err(TarFault::Damaged(_))));
    }

    #[test]
    fn a_flipped_byte_in_a_header_is_seen() {
        let mut bytes = archive();
        bytes[3] ^= 1;
        assert!(scan(&bytes, TarScan::counting(), 512).is_err());
    }
}
