//! Files by glob.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fast_glob::{glob_match, validate};

/// More files than this are no set of backups, but a pattern that goes astray.
const MOST: usize = 100_000;

/// The files that a glob matches; a relative one starts at `base`. `*` stays in its folder, `**` does not.
///
/// # Errors
/// Where a folder cannot be read, so that nobody knows what is in it.
pub fn matching(glob: &str, base: &Path) -> Result<Vec<PathBuf>, String> {
    let parts: Vec<&str> = glob.split('/').collect();
    let is_plain = |part: &&&str| !part.contains(['*', '?', '[', '{', '\\']);
    let plain = parts.iter().take_while(is_plain).count().min(parts.len() - 1);
    let mut folder = base.to_owned();
    if glob.starts_with('/') {
        folder = PathBuf::from("/");
    }
    folder.extend(parts[..plain].iter().filter(|part| !part.is_empty()));
    let pattern = parts[plain..].join("/");
    validate(&pattern).map_err(|error| format!("{glob} is no glob: {error}"))?;
    // At its beginning the matcher would take it for 'all others'.
    let matcher = if pattern.starts_with('!') { format!("\\{pattern}") } else { pattern.clone() };
    let depth =
        if pattern.contains("**") || pattern.contains('{') { usize::MAX } else { parts.len() - plain };
    let mut walk = Walk { seen: 0, found: Vec::new() };
    walk.folder(&folder, "", depth, &|path| glob_match(&matcher, path))
        .map_err(|(path, error)| format!("{} cannot be read: {error}", path.display()))?;
    Ok(walk.found)
}

/// Whether a file's name has a word in it, by itself: `shop` is in `shop-2026.dump` and not in `workshop.dump`.
#[must_use]
pub fn names(path: &Path, word: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    !word.is_empty()
        && name.match_indices(word).any(|(at, _)| {
            edge(name[..at].chars().next_back()) && edge(name[at + word.len()..].chars().next())
        })
}

/// What a file's name is about: without endings, and without a date and time behind it. `shop` for
/// `shop-2026-01-10_12.00.dump`, `shop-test` for `shop-test.sql.gz`.
#[must_use]
pub fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    let about = name.trim_end_matches(|c: char| c.is_ascii_digit() || "-_:TZ".contains(c));
    if about.is_empty() { name.to_owned() } else { about.to_owned() }
}

struct Walk {
    seen: usize,
    found: Vec<PathBuf>,
}

type Trouble = (PathBuf, io::Error);

impl Walk {
    fn folder(
        &mut self,
        folder: &Path,
        below: &str,
        depth: usize,
        matches: &impl Fn(&str) -> bool,
    ) -> Result<(), Trouble> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if below.is_empty() && error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err((folder.to_owned(), error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| (folder.to_owned(), error))?;
            self.seen += 1;
            if self.seen > MOST {
                return Err((folder.to_owned(), io::Error::other("too many files")));
            }
            let name = entry.file_name();
            let path = match below {
                "" => name.to_string_lossy().into_owned(),
                below => format!("{below}/{}", name.to_string_lossy()),
            };
            let kind = entry.file_type().map_err(|error| (entry.path(), error))?;
            // A link may lead back: only where the pattern's own depth bounds the walk.
            let enters = kind.is_dir() || kind.is_symlink() && depth != usize::MAX && entry.path().is_dir();
            if enters && depth > 1 {
                let deeper = if depth == usize::MAX { depth } else { depth - 1 };
                self.folder(&entry.path(), &path, deeper, matches)?;
            } else if !enters && matches(&path) {
                self.found.push(entry.path());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_find_files() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a.dump", "b.sql", "daily/c.dump", "daily/deep/d.dump"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found = |glob: &str| {
            let mut found: Vec<String> = matching(glob, root.path())
                .unwrap()
                .iter()
                .map(|path| path.strip_prefix(root.path()).unwrap().to_string_lossy().into_owned())
                .collect();
            found.sort();
            found.join(" ")
        };
        assert_eq!(found("*.dump"), "a.dump");
        assert_eq!(found("./*.dump"), "a.dump");
        assert_eq!(found("b.sql"), "b.sql");
        assert_eq!(found("daily/*"), "daily/c.dump");
        assert_eq!(found("*/*.dump"), "daily/c.dump");
        assert_eq!(found("**/*.dump"), "a.dump daily/c.dump daily/deep/d.dump");
        assert_eq!(found("{a,daily/c}.dump"), "a.dump daily/c.dump");
        assert_eq!(found(&format!("{}/*.sql", root.path().display())), "b.sql");
        assert_eq!(found("absent/*.dump"), "");
        assert!(matching("b.sql/*", root.path()).is_err());
        assert!(matching("a[", root.path()).is_err());
        assert_eq!(found("!a.dump"), "", "a name, and not all others");
        assert_eq!(found("daily/!(c)*"), "");
    }

    #[test]
    fn a_name_without_its_date_is_what_it_is_about() {
        for (name, about) in [
            ("payment_db_20260110.dump", "payment_db"),
            ("shop-2026-01-10T12:00:00Z.sql.gz", "shop"),
            ("shop-test.sql", "shop-test"),
            ("redis_20260110.rdb", "redis"),
            ("20260110.dump", "20260110"),
        ] {
            assert_eq!(stem(Path::new(name)), about);
        }
    }

    #[test]
    fn a_name_is_a_word_of_its_own() {
        assert!(names(Path::new("/b/shop-2026.dump"), "shop") && names(Path::new("my_shop.sql"), "shop"));
        assert!(!names(Path::new("workshop.dump"), "shop") && !names(Path::new("x"), ""));
    }
}
