//! Recognises databases by files alone, from a listing of a folder: signatures of data directories, and
//! magic numbers of single files, anywhere.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{KINDS, Kind, kind, redis, sqlite};

/// Paths kept of one listing; past that only sums are kept, and the listing says so.
const MAX_PATHS: usize = 100_000;

/// One file or folder of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Below the listed folder, without a leading slash.
    pub path: &'a str,
    pub form: Form,
    pub size: u64,
    pub modified: Option<Timestamp>,
    /// The first bytes of a file.
    pub head: &'a [u8],
}

/// What an entry of a listing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    File,
    Folder,
    /// Links, devices, sockets.
    Other,
}

/// A database in a listing.
#[derive(Debug, Clone)]
pub struct Found {
    pub kind: &'static Kind,
    /// The data directory, or the file of a single-file database, below the listed folder; may be empty.
    pub path: String,
    pub is_file: bool,
    /// Bytes in it, as far as it was listed.
    pub size: u64,
    pub newest: Option<Timestamp>,
    /// Whether a user's data was seen in it. `None` where the kind cannot tell.
    pub user_data: Option<bool>,
    /// The first bytes of a single-file database.
    pub head: Vec<u8>,
}

/// Collects a listing and says what is in it.
#[derive(Default)]
pub struct Recogniser {
    patterns: Patterns,
    /// Whether the paths begin at the root of a container.
    is_root: bool,
    /// Which patterns of (kind, alternative) were seen at which root.
    marks: HashMap<(usize, usize, String), u32>,
    files: Vec<Found>,
    paths: Vec<(String, u64, Option<Timestamp>)>,
    folders: Vec<String>,
    /// Regular files seen.
    pub file_count: u64,
    /// Bytes of them.
    pub bytes: u64,
    pub newest: Option<Timestamp>,
}

impl Recogniser {
    /// For a listing of all that a container sees, where system folders hold indexes and caches. In any other
    /// folder, `dev/app.db` is somebody's.
    #[must_use]
    pub fn of_root() -> Self {
        Self { is_root: true, ..Self::default() }
    }

    /// Takes one entry of the listing.
    pub fn see(&mut self, seen: Seen<'_>) {
        for (kind_index, alternative, bit, root) in self.patterns.matches(seen.path) {
            *self.marks.entry((kind_index, alternative, root.to_owned())).or_default() |= 1 << bit;
        }
        if seen.form == Form::Folder {
            if self.folders.len() < MAX_PATHS {
                self.folders.push(seen.path.to_owned());
            }
            return;
        }
        if self.paths.len() < MAX_PATHS {
            self.paths.push((seen.path.to_owned(), seen.size, seen.modified));
        }
        if seen.form == Form::Other {
            return;
        }
        self.file_count += 1;
        self.bytes += seen.size;
        self.newest = self.newest.max(seen.modified);
        let kind = by_magic(seen.path, seen.head);
        let is_cache = |kind: &Kind| {
            !kind.in_memory && (is_cache(seen.path) || self.is_root && is_tool_cache(seen.path))
        };
        if let Some(kind) = kind.filter(|kind| !is_cache(kind)) {
            self.files.push(Found {
                kind,
                path: seen.path.to_owned(),
                is_file: true,
                size: seen.size,
                newest: seen.modified,
                user_data: None,
                head: seen.head.to_vec(),
            });
        }
    }

    /// Whether a data directory with a user's data in it was already seen, so that a walk may stop.
    #[must_use]
    pub fn has_certain_data(&self) -> bool {
        self.roots().iter().any(|(kind, root)| self.user_data(kind, root).unwrap_or(true))
            || self.files.iter().any(|file| self.file_holds_data(file) == Some(true))
    }

    /// Everything that was recognised: data directories first, then single files outside of them.
    #[must_use]
    pub fn finish(self) -> Vec<Found> {
        let roots = self.roots();
        let mut found: Vec<Found> = Vec::new();
        for (kind, root) in &roots {
            let (mut size, mut newest) = (0, None);
            for (path, bytes, modified) in &self.paths {
                if below(path, root).is_some_and(|path| !kind.in_memory || redis::is_own_file(path)) {
                    size += bytes;
                    newest = newest.max(*modified);
                }
            }
            let user_data = self.user_data(kind, root);
            let path = root.clone();
            found.push(Found { kind, path, is_file: false, size, newest, user_data, head: Vec::new() });
        }
        // Files of a recognised data directory are part of it; a Redis without `appendonlydir` is its RDB.
        let inside = |file: &Found| {
            roots.iter().any(|(kind, root)| {
                let own = |path| {
                    if kind.in_memory { redis::is_own_file(path) } else { self.speaks_for(kind, root) }
                };
                below(&file.path, root).is_some_and(own)
            })
        };
        let mut alone: Vec<Found> = self.files.iter().filter(|file| !inside(file)).cloned().collect();
        for file in &mut alone {
            file.user_data = self.file_holds_data(file);
        }
        alone.dedup_by(|next, first| next.kind.id == first.kind.id && next.path == first.path);
        found.extend(alone);
        found
    }

    /// Complete signatures, outermost first, one kind per root.
    fn roots(&self) -> Vec<(&'static Kind, String)> {
        let mut complete: Vec<(usize, &String)> = self
            .marks
            .iter()
            .filter(|((kind, alternative, _), bits)| {
                bits.count_ones() as usize == KINDS[*kind].signatures[*alternative].len()
            })
            .map(|((kind, _, root), _)| (*kind, root))
            .collect();
        complete.sort_by_key(|(kind, root)| (root.len(), *kind));
        let mut roots: Vec<(&'static Kind, String)> = Vec::new();
        for (kind, root) in complete {
            let nested = roots.iter().any(|(outer_kind, outer)| {
                let same_place = root == outer && outer_kind.in_memory == KINDS[kind].in_memory;
                same_place || below(root, outer).is_some() && self.speaks_for(outer_kind, outer)
            });
            if !nested {
                roots.push((&KINDS[kind], root.clone()));
            }
        }
        roots
    }

    /// Whether everything below a root belongs to it. A dump.rdb may lie in any folder, and an empty data
    /// directory must not hide a full one below it.
    fn speaks_for(&self, kind: &Kind, root: &str) -> bool {
        !kind.in_memory && self.user_data(kind, root) != Some(false)
    }

    /// The same for a single-file database; `None` where its kind cannot tell.
    fn file_holds_data(&self, file: &Found) -> Option<bool> {
        match file.kind.id {
            "sqlite" => {
                let log = format!("{}-wal", file.path);
                let logged = self.paths.iter().any(|(path, size, _)| *path == log && *size > 0);
                Some(logged || !sqlite::is_empty(&file.head))
            }
            "redis" | "valkey" => redis::parse_rdb(&file.head).map(|rdb| rdb.keys != Some(0)),
            _ => None,
        }
    }

    /// Whether a folder of dumps and append-only files holds keys.
    fn dumps_hold_data(&self, root: &str) -> Option<bool> {
        let own = |path: &str| below(path, root).is_some_and(redis::is_own_file);
        let mut certain = true;
        for (path, size, _) in self.paths.iter().filter(|(path, ..)| own(path)) {
            let holds = match self.files.iter().find(|file| file.path == *path) {
                Some(file) => self.file_holds_data(file),
                // A manifest names the files and holds nothing itself.
                None if path.ends_with(".manifest") || *size == 0 => Some(false),
                None if path.ends_with(".aof") => Some(true),
                None => None,
            };
            match holds {
                Some(true) => return Some(true),
                Some(false) => {}
                None => certain = false,
            }
        }
        certain.then_some(false)
    }

    fn user_data(&self, kind: &Kind, root: &str) -> Option<bool> {
        if kind.in_memory {
            return self.dumps_hold_data(root);
        }
        let is_user_data = kind.user_data?;
        let is_user_folder = kind.user_folder.unwrap_or(|_| false);
        let is_own = |path, size| below(path, root).is_some_and(|path| is_user_data(path, size));
        let seen = self.paths.iter().any(|(path, size, _)| is_own(path, *size))
            || self.folders.iter().filter_map(|path| below(path, root)).any(is_user_folder);
        // What was not kept cannot be said to be absent.
        let kept_all = self.paths.len().max(self.folders.len()) < MAX_PATHS;
        if seen || kept_all { Some(seen) } else { None }
    }
}

/// The part of `path` below `root`; `None` where it is not there.
fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    if root.is_empty() {
        return Some(path);
    }
    path.strip_prefix(root)?.strip_prefix('/')
}

/// Every pattern of every signature, split into its parts.
struct Patterns(Vec<Pattern>);

struct Pattern {
    kind: usize,
    alternative: usize,
    bit: usize,
    parts: Vec<&'static str>,
}

impl Default for Patterns {
    fn default() -> Self {
        let mut patterns = Vec::new();
        for (kind, known) in KINDS.iter().enumerate() {
            for (alternative, signature) in known.signatures.iter().enumerate() {
                for (bit, pattern) in signature.iter().enumerate() {
                    patterns.push(Pattern { kind, alternative, bit, parts: pattern.split('/').collect() });
                }
            }
        }
        Self(patterns)
    }
}

impl Patterns {
    /// The patterns that the end of a path fits, each with the root that stands before it.
    fn matches<'a>(&self, path: &'a str) -> Vec<(usize, usize, usize, &'a str)> {
        let mut fitting = Vec::new();
        for pattern in &self.0 {
            if let Some(root) = root_of(path, &pattern.parts) {
                fitting.push((pattern.kind, pattern.alternative, pattern.bit, root));
            }
        }
        fitting
    }
}

/// What stands before the pattern in a path that ends with it.
fn root_of<'a>(path: &'a str, parts: &[&str]) -> Option<&'a str> {
    let mut rest = path;
    for (index, part) in parts.iter().rev().enumerate() {
        let (before, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        if last.is_empty() || !fits(last, part) {
            return None;
        }
        // The whole path is used up: fine only at the pattern's first part.
        if !rest.contains('/') && index + 1 < parts.len() {
            return None;
        }
        rest = before;
    }
    Some(rest)
}

/// Whether a name fits a pattern with at most one `*`.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

/// Whether a literal name is in a pattern, so that one look at one path decides.
#[must_use]
pub fn is_literal(pattern: &str) -> bool {
    !pattern.contains('*')
}

/// The kind of a single-file database, by its first bytes.
#[must_use]
pub fn by_magic(path: &str, head: &[u8]) -> Option<&'static Kind> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    if at(0, sqlite::MAGIC) {
        return kind("sqlite");
    }
    if at(0, b"VALKEY") {
        return kind("valkey");
    }
    if at(0, b"REDIS") && head.get(5..9).is_some_and(|version| version.iter().all(u8::is_ascii_digit)) {
        return kind("redis");
    }
    let id = if at(0, b"H:2,") && path.ends_with(".mv.db") {
        "h2"
    } else if at(8, b"DUCK") {
        "duckdb"
    } else if at(16, &[0xde, 0xc0, 0xef, 0xbe]) {
        "lmdb"
    } else if at(16, &[0xed, 0xda, 0x0c, 0xed]) {
        "bolt"
    } else {
        return None;
    };
    kind(id)
}

/// Whether a path of a container is of a file that tools rebuild by themselves: package managers' indexes,
/// caches, coverage data. To ask about these would be the needless question.
#[must_use]
pub fn is_tool_cache(path: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "var/cache/",
        "var/lib/apt/",
        "var/lib/dpkg/",
        "var/lib/rpm/",
        "var/lib/dnf/",
        "var/lib/command-not-found/",
        "var/lib/PackageKit/",
        "usr/lib/sysimage/",
        "etc/pki/nssdb/",
        "lib/apk/",
        "proc/",
        "sys/",
        "dev/",
    ];
    let below_root = path.trim_start_matches('/');
    PREFIXES.iter().any(|prefix| below_root.starts_with(prefix)) || is_cache(path)
}

/// The same by names alone, wherever the path begins.
fn is_cache(path: &str) -> bool {
    const FOLDERS: &[&str] = &[
        ".cache",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "node_modules",
        ".npm",
        ".yarn",
        ".parcel-cache",
        ".next",
        ".gradle",
        ".m2",
        ".cargo",
        ".nuget",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    path.split('/').any(|part| FOLDERS.contains(&part))
        || name == ".coverage"
        || name.starts_with(".coverage.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(paths: &[(&str, &[u8])]) -> Vec<(&'static str, String, Option<bool>)> {
        let mut recogniser = Recogniser::default();
        for (path, head) in paths {
            let form = if path.ends_with('/') { Form::Folder } else { Form::File };
            let path = path.trim_end_matches('/');
            recogniser.see(Seen { path, form, size: 1, modified: None, head });
        }
        recogniser.finish().into_iter().map(|found| (found.kind.id, found.path, found.user_data)).collect()
    }

    /// A SQLite page whose schema is too large for it.
    fn page() -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..16].copy_from_slice(sqlite::MAGIC);
        page[100] = 5;
        page
    }

    #[test]
    fn a_cluster_is_found_at_any_depth_and_its_own_subfolders_are_not_more_clusters() {
        let files: &[(&str, &[u8])] = &[
            ("srv/pg/PG_VERSION", b"15"),
            ("srv/pg/base/1/PG_VERSION", b"15"),
            ("srv/pg/base/16384/16385", b""),
            ("srv/pg/global/pg_control", b""),
            ("var/log/PG_VERSION", b""),
        ];
        assert_eq!(recognise(files), [("postgres", "srv/pg".to_owned(), Some(true))]);
    }

    #[test]
    fn a_tablespace_is_found_where_its_cluster_is_not() {
        let files: &[(&str, &[u8])] = &[("ts/PG_15_202209061/16384/16386", b"")];
        assert_eq!(recognise(files), [("postgres-tablespace", "ts".to_owned(), None)]);
        let both: &[(&str, &[u8])] = &[
            ("pg/PG_VERSION", b"15"),
            ("pg/global/pg_control", b""),
            ("pg/pg_tblspc/16385/PG_15_202209061/5/16386", b""),
        ];
        assert_eq!(recognise(both), [("postgres", "pg".to_owned(), Some(true))]);
    }

    #[test]
    fn the_root_itself_can_be_the_data_directory() {
        let files: &[(&str, &[u8])] =
            &[("PG_VERSION", b"15"), ("global/pg_control", b""), ("base/1/1259", b"")];
        assert_eq!(recognise(files), [("postgres", String::new(), Some(false))]);
    }

    #[test]
    fn a_single_file_database_is_known_by_its_bytes_and_not_by_its_name() {
        let page = page();
        let files: &[(&str, &[u8])] =
            &[("app/state.bin", &page), ("app/notes.db", b"plain text, really"), ("root/.cache/x.db", &page)];
        assert_eq!(recognise(files), [("sqlite", "app/state.bin".to_owned(), Some(true))]);
    }

    #[test]
    fn a_folder_of_a_volume_is_no_system_folder() {
        let page = page();
        for (is_root, path, found) in [
            (false, "dev/app.db", true),
            (true, "dev/app.db", false),
            (true, "var/lib/rpm/rpmdb.sqlite", false),
            (true, "srv/dev/app.db", true),
            (false, "home/.cache/x.db", false),
        ] {
            let mut recogniser = if is_root { Recogniser::of_root() } else { Recogniser::default() };
            recogniser.see(Seen { path, form: Form::File, size: 1, modified: None, head: &page });
            assert_eq!(!recogniser.finish().is_empty(), found, "{path}");
        }
    }

    #[test]
    fn a_sqlite_file_inside_a_known_data_directory_is_part_of_it() {
        let page = page();
        let files: &[(&str, &[u8])] =
            &[("d/influxd.bolt", b""), ("d/engine/", b""), ("d/influxd.sqlite", &page)];
        assert_eq!(recognise(files), [("influxdb", "d".to_owned(), None)]);
    }

    #[test]
    fn an_empty_dump_hides_no_database_beside_or_below_it() {
        let empty = b"REDIS0010\xff12345678";
        let page = page();
        let files: &[(&str, &[u8])] = &[
            ("dump.rdb", empty),
            ("srv/pg/PG_VERSION", b"15"),
            ("srv/pg/base/16384/16385", b""),
            ("srv/pg/global/pg_control", b""),
            ("app.db", &page),
        ];
        assert_eq!(
            recognise(files),
            [
                ("redis", String::new(), Some(false)),
                ("postgres", "srv/pg".to_owned(), Some(true)),
                ("sqlite", "app.db".to_owned(), Some(true)),
            ]
        );
    }

    #[test]
    fn an_append_only_folder_holds_data_once_something_was_appended() {
        let empty = b"REDIS0010\xff12345678";
        let base = "d/appendonlydir/appendonly.aof.1.base.rdb";
        let manifest = "d/appendonlydir/appendonly.aof.manifest";
        let increment = "d/appendonlydir/appendonly.aof.1.incr.aof";
        assert_eq!(
            recognise(&[(base, empty), (manifest, b"file")]),
            [("redis", "d".to_owned(), Some(false))]
        );
        let grown: &[(&str, &[u8])] = &[(base, empty), (manifest, b"file"), (increment, b"*2")];
        assert_eq!(recognise(grown), [("redis", "d".to_owned(), Some(true))]);
    }

    #[test]
    fn half_a_signature_is_nothing() {
        assert!(recognise(&[("a/PG_VERSION", b"15"), ("b/global/pg_control", b"")]).is_empty());
    }

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(root_of("a/b/global/pg_control", &["global", "pg_control"]), Some("a/b"));
        assert_eq!(root_of("pg_control", &["global", "pg_control"]), None);
        assert_eq!(root_of("xglobal/pg_control", &["global", "pg_control"]), None);
        assert_eq!(root_of("mnesia/rabbit@h/schema.DAT", &["mnesia", "*", "schema.DAT"]), Some(""));
    }
}
