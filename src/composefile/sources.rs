//! All files of a project, and in which of them a field is written.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use super::{
    place::{Document, Place},
    value::Value,
};

/// Files that extend and include one another without end.
const MOST_FILES: usize = 200;
const LONGEST_WAY: usize = 16;

/// The files that compose merges into one project, as far as they can be read here.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Those that were named, later ones over earlier ones, then those that they include.
    files: Vec<(PathBuf, Document)>,
    /// Those that services extend.
    extended: Vec<(PathBuf, Document)>,
    /// Files that could not be read, or that are no YAML: where, and why.
    pub unread: Vec<(PathBuf, String)>,
}

/// A place in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<'a> {
    pub file: &'a Path,
    pub place: Place,
    /// Whether the whole path is written there, or only what would be around it.
    pub whole: bool,
}

impl Sources {
    /// Reads the files, those that they include, and those that their services extend.
    #[must_use]
    pub fn load(paths: &[PathBuf], read: &dyn Fn(&Path) -> io::Result<String>) -> Self {
        let mut sources = Self::default();
        let mut seen = HashSet::new();
        let mut waiting: Vec<PathBuf> = paths.to_vec();
        let mut at = 0;
        while let Some(path) = waiting.get(at).cloned() {
            at += 1;
            if at <= MOST_FILES
                && seen.insert(path.clone())
                && let Some(document) = sources.read(&path, read)
            {
                waiting.extend(included(&document, folder(&path)));
                sources.files.push((path, document));
            }
        }
        let mut waiting: Vec<PathBuf> =
            sources.files.iter().flat_map(|(path, file)| extended(file, folder(path))).collect();
        let mut at = 0;
        while let Some(path) = waiting.get(at).cloned() {
            at += 1;
            if at <= MOST_FILES
                && seen.insert(path.clone())
                && let Some(document) = sources.read(&path, read)
            {
                waiting.extend(extended(&document, folder(&path)));
                sources.extended.push((path, document));
            }
        }
        sources
    }

    fn read(&mut self, path: &Path, read: &dyn Fn(&Path) -> io::Result<String>) -> Option<Document> {
        let text = read(path).map_err(|error| error.to_string());
        match text.and_then(|text| Document::read(&text).map_err(|error| error.to_string())) {
            Ok(document) => Some(document),
            Err(cause) => {
                self.unread.push((path.to_owned(), cause));
                None
            }
        }
    }

    /// The files, those named first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().chain(&self.extended).map(|(path, _)| path.as_path())
    }

    #[must_use]
    pub fn document(&self, path: &Path) -> Option<&Document> {
        self.files.iter().chain(&self.extended).find(|(own, _)| own == path).map(|(_, document)| document)
    }

    /// Where a field is written: the last file that has it, else what the service extends, else the nearest part of
    /// its path that is written, in the file where the service is.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> Option<Located<'_>> {
        let whole = |(file, document): &'_ (PathBuf, Document)| document.has(path).then(|| file.clone());
        if let Some(file) = self.files.iter().rev().find_map(whole) {
            return self.located(&file, path);
        }
        if let ["services", service, rest @ ..] = path
            && let Some(found) = self.inherited(service, rest)
        {
            return Some(found);
        }
        // The first of the deepest.
        let mut best: Option<(&Path, Place)> = None;
        for (file, document) in &self.files {
            let place = document.place(path);
            if best.is_none_or(|(_, known)| place.depth > known.depth) {
                best = Some((file, place));
            }
        }
        best.map(|(file, place)| Located { file, place, whole: place.depth == path.len() })
    }

    /// The file in which to change a field: the last that has it, else the first that has the service.
    #[must_use]
    pub fn home(&self, path: &[&str]) -> Option<&Path> {
        let last = self.files.iter().rev().find(|(_, document)| document.has(path));
        let around = &path[..path.len().min(2)];
        let found = last.or_else(|| self.files.iter().find(|(_, document)| document.has(around)));
        found.or(self.files.first()).map(|(file, _)| file.as_path())
    }

    /// What is written at a path, wherever it is written.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<Value> {
        let located = self.place(path).filter(|located| located.whole)?;
        let document = self.document(located.file)?;
        document.get(path).or_else(|| {
            // A service that is extended has another name there.
            let ["services", service, rest @ ..] = path else { return None };
            self.inherited_path(service, rest).and_then(|(_, path)| document.get(&as_words(&path)))
        })
    }

    fn located(&self, file: &Path, path: &[&str]) -> Option<Located<'_>> {
        let (file, document) = self.files.iter().chain(&self.extended).find(|(own, _)| own == file)?;
        let place = document.place(path);
        Some(Located { file, place, whole: place.depth == path.len() })
    }

    fn inherited(&self, service: &str, rest: &[&str]) -> Option<Located<'_>> {
        let (file, path) = self.inherited_path(service, rest)?;
        self.located(&file, &as_words(&path))
    }

    /// The file, and the path there, of a field that a service takes from one that it extends.
    fn inherited_path(&self, service: &str, rest: &[&str]) -> Option<(PathBuf, Vec<String>)> {
        let of_service =
            |(_, document): &&(PathBuf, Document)| document.has(&["services", service, "extends"]);
        let (mut file, mut document) =
            self.files.iter().rev().find(of_service).map(|(file, document)| (file, document))?;
        let mut service = service.to_owned();
        for _ in 0..LONGEST_WAY {
            let (base, other) = base_of(document, &service)?;
            if let Some(other) = other {
                let path = folder(file).join(other);
                (file, document) = self
                    .files
                    .iter()
                    .chain(&self.extended)
                    .find(|(own, _)| *own == path)
                    .map(|(a, b)| (a, b))?;
            }
            service = base;
            let path: Vec<String> =
                ["services", &service].iter().chain(rest).map(|&word| word.to_owned()).collect();
            if document.has(&as_words(&path)) {
                return Some((file.clone(), path));
            }
        }
        None
    }
}

fn as_words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The service that a service extends, and the file of it where it is another one.
fn base_of(document: &Document, service: &str) -> Option<(String, Option<String>)> {
    match document.get(&["services", service, "extends"])? {
        Value::Text(base) => Some((base, None)),
        Value::Map(entries) => {
            let of = |name: &str| {
                entries.iter().find(|(key, _)| key == name).and_then(|(_, value)| match value {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                })
            };
            Some((of("service")?, of("file")))
        }
        Value::Nothing | Value::Word(_) | Value::List(_) | Value::Row(_) => None,
    }
}

/// The files that the services of a file extend.
fn extended(document: &Document, folder: &Path) -> Vec<PathBuf> {
    let services = document.keys(&["services"]);
    let files = services.iter().filter_map(|service| base_of(document, service)?.1);
    files.map(|file| folder.join(file)).collect()
}

/// The files that a file includes: `include: [a.yaml]` and `include: [{path: [a.yaml, b.yaml]}]`.
fn included(document: &Document, folder: &Path) -> Vec<PathBuf> {
    let items = |value: Option<Value>| match value {
        Some(Value::List(items) | Value::Row(items)) => items,
        Some(Value::Nothing) | None => Vec::new(),
        Some(one) => vec![one],
    };
    let mut paths = Vec::new();
    for item in items(document.get(&["include"])) {
        let path = match item {
            Value::Map(entries) => entries.into_iter().find(|(key, _)| key == "path").map(|(_, value)| value),
            other => Some(other),
        };
        paths.extend(items(path).into_iter().filter_map(|path| match path {
            // What is not known without compose's variables, or not on this machine, is not looked at.
            Value::Text(path) if !path.contains('$') && !path.contains("://") => Some(folder.join(path)),
            _ => None,
        }));
    }
    paths
}

/// The files that compose finds by itself for a folder: there or in the nearest folder above that has one, with the
/// override beside it. The environment's `COMPOSE_FILE` is the caller's to ask.
#[must_use]
pub fn standard_files(folder: &Path, exists: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
    const OVERRIDES: [&str; 4] = [
        "compose.override.yml",
        "compose.override.yaml",
        "docker-compose.override.yml",
        "docker-compose.override.yaml",
    ];
    let first = |folder: &Path, names: [&str; 4]| {
        names.map(|name| folder.join(name)).into_iter().find(|path| exists(path))
    };
    let found = folder.ancestors().find_map(|folder| Some((folder, first(folder, NAMES)?)));
    found.map_or_else(Vec::new, |(folder, file)| {
        std::iter::once(file).chain(first(folder, OVERRIDES)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)], named: &[&str]) -> Sources {
        let named: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
        Sources::load(&named, &|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::Error::other("it is not there"))
        })
    }

    fn at(sources: &Sources, path: &[&str]) -> String {
        let found = sources.place(path).unwrap();
        let rest = if found.whole { "" } else { " nearest" };
        format!("{}:{}:{}{rest}", found.file.display(), found.place.line, found.place.column)
    }

    #[test]
    fn a_field_is_where_it_counts_last() {
        let base = "services:\n  db:\n    image: postgres\n    restart: always\n";
        let over = "services:\n  db:\n    image: postgres:15\n";
        let sources = sources(&[("a.yaml", base), ("b.yaml", over)], &["a.yaml", "b.yaml"]);
        assert_eq!(at(&sources, &["services", "db", "image"]), "b.yaml:3:5");
        assert_eq!(at(&sources, &["services", "db", "restart"]), "a.yaml:4:5");
        assert_eq!(at(&sources, &["services", "db", "healthcheck"]), "a.yaml:2:3 nearest");
        assert_eq!(sources.home(&["services", "db", "image"]), Some(Path::new("b.yaml")));
        assert_eq!(sources.home(&["services", "db", "mem_limit"]), Some(Path::new("a.yaml")));
    }

    #[test]
    fn included_and_extended_files_are_followed() {
        let main = "include:\n  - db/compose.yaml\n  - path: [x.yaml, gone.yaml]\nservices:\n  api:\n    extends:\n      \
                    file: common.yaml\n      service: base\n";
        let files = [
            ("/p/compose.yaml", main),
            ("/p/db/compose.yaml", "services:\n  db:\n    image: postgres:15\n"),
            ("/p/x.yaml", "services:\n  x:\n    image: y\n"),
            ("/p/common.yaml", "services:\n  base:\n    extends: root\n  root:\n    image: app:1\n"),
        ];
        let sources = sources(&files, &["/p/compose.yaml"]);
        assert_eq!(at(&sources, &["services", "db", "image"]), "/p/db/compose.yaml:3:5");
        assert_eq!(at(&sources, &["services", "x"]), "/p/x.yaml:2:3");
        assert_eq!(at(&sources, &["services", "api", "image"]), "/p/common.yaml:5:5");
        assert_eq!(at(&sources, &["services", "api", "restart"]), "/p/compose.yaml:5:3 nearest");
        assert_eq!(sources.get(&["services", "api", "image"]), Some(Value::text("app:1")));
        assert_eq!(sources.unread, [(PathBuf::from("/p/gone.yaml"), "it is not there".to_owned())]);
    }

    #[test]
    fn what_extends_itself_comes_to_an_end() {
        let text = "services:\n  a:\n    extends: b\n  b:\n    extends: a\ninclude: a.yaml\n";
        let sources = sources(&[("a.yaml", text)], &["a.yaml"]);
        assert_eq!(at(&sources, &["services", "a", "image"]), "a.yaml:2:3 nearest");
    }

    #[test]
    fn compose_finds_files_as_it_does() {
        let there = ["/p/docker-compose.yml", "/p/compose.override.yaml", "/p/sub/x"];
        let exists = |path: &Path| there.iter().any(|one| Path::new(one) == path);
        let found = standard_files(Path::new("/p/sub"), &exists);
        assert_eq!(found, ["/p/docker-compose.yml", "/p/compose.override.yaml"].map(PathBuf::from));
        assert!(standard_files(Path::new("/q"), &exists).is_empty());
    }
}
