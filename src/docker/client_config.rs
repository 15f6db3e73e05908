//! Changes docker's own `config.json`: what we do not touch keeps its text and its place.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON object whose fields keep their order, and, where nothing was set, their text.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Fields {
    /// Reads an object; an empty text is an empty one.
    ///
    /// # Errors
    /// Where it is no JSON object.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        if text.trim().is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }

    /// The object in a field; an empty one where there is none.
    ///
    /// # Errors
    /// Where the field is something else than an object.
    pub fn object(&self, name: &str) -> Result<Self, serde_json::Error> {
        // Of two fields of one name, the last counts.
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map_or(Ok(Self::default()), |(_, raw)| match raw.get() {
            "null" => Ok(Self::default()),
            text => serde_json::from_str(text),
        })
    }

    /// The text in a field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, raw) = self.0.iter().rev().find(|(known, _)| known == name)?;
        serde_json::from_str(raw.get()).ok()
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a field to a text, in its old place or at the end.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, serde_json::Value::from(value).to_string());
    }

    /// Sets a field to an object, written at this depth; an empty one takes the field away.
    pub fn set_object(&mut self, name: &str, value: &Self, depth: usize) {
        if value.is_empty() {
            self.remove(name);
        } else {
            self.set(name, value.write(depth));
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    fn set(&mut self, name: &str, json: String) {
        let Ok(raw) = RawValue::from_string(json) else { return };
        match self.0.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, value)) => *value = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
    }

    /// As text, its fields one a line, indented by tabs as docker does.
    #[must_use]
    pub fn write(&self, depth: usize) -> String {
        if self.is_empty() {
            return "{}".to_owned();
        }
        let indent = "\t".repeat(depth + 1);
        let line = |(name, raw): &(String, Box<RawValue>)| {
            format!("{indent}{}: {}", serde_json::Value::from(name.as_str()), raw.get())
        };
        let lines: Vec<String> = self.0.iter().map(line).collect();
        format!("{{\n{}\n{}}}", lines.join(",\n"), "\t".repeat(depth))
    }
}

/// The configuration's text, and the file that holds it, links followed. One that is not there is empty.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn load(folder: &Path) -> io::Result<(PathBuf, String)> {
    let path = folder.join("config.json");
    match fs::read_to_string(&path) {
        Ok(text) => Ok((fs::canonicalize(&path)?, text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => {
            Ok((path, String::new()))
        }
        Err(error) => Err(error),
    }
}

/// Replaces the file at once: whoever reads it sees the old or the new one. Its mode and owner stay; a new one
/// is readable for its owner alone, as it may hold passwords.
///
/// # Errors
/// Where it cannot be written; the old one is untouched then.
pub fn save(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".config.json.dbsafe-{}", std::process::id()));
    let old = fs::metadata(path).ok();
    let written = create(&temporary).and_then(|mut file| {
        as_before(&file, old.as_ref())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(unix)]
fn as_before(file: &File, old: Option<&fs::Metadata>) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let Some(old) = old else { return Ok(()) };
    let (user, group) = (rustix::fs::Uid::from_raw(old.uid()), rustix::fs::Gid::from_raw(old.gid()));
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        rustix::fs::fchown(file, Some(user), Some(group))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

#[cfg(not(unix))]
fn as_before(_file: &File, _old: Option<&fs::Metadata>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_text_and_its_place() {
        let text = "{\n\t\"auths\": {\n\t\t\"b\": {},\n\t\t\"a\": { \"x\" : 1.50 }\n\t},\n\t\"z\": [1,2],\n\t\"plugins\": {\n\t\t\"q\": {}\n\t}\n}";
        let mut all = Fields::read(text).unwrap();
        assert_eq!(all.write(0), text);
        let mut plugins = all.object("plugins").unwrap();
        let mut ours = Fields::default();
        ours.set_text("hooks", "run");
        plugins.set_object("dbsafe", &ours, 2);
        all.set_object("plugins", &plugins, 1);
        let changed = all.write(0);
        let begins = text.strip_suffix("{}\n\t}\n}").unwrap();
        assert_eq!(
            changed,
            format!("{begins}{{}},\n\t\t\"dbsafe\": {{\n\t\t\t\"hooks\": \"run\"\n\t\t}}\n\t}}\n}}")
        );
        plugins.remove("dbsafe");
        all.set_object("plugins", &plugins, 1);
        assert_eq!(all.write(0), text);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_keeps_its_mode_and_a_link_stays_a_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (path, text) = load(folder.path()).unwrap();
        assert_eq!(text, "");
        save(&path, "{}").unwrap();
        assert_eq!(mode(&path), 0o600);
        let real = folder.path().join("real.json");
        fs::rename(&path, &real).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &path).unwrap();
        let (target, _) = load(folder.path()).unwrap();
        save(&target, "{ }").unwrap();
        assert_eq!((mode(&real), fs::read_to_string(&real).unwrap().as_str()), (0o640, "{ }"));
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
