//! What a person protected from removal: by hand, as Docker cannot put a label on what exists; or by the label
//! `dbsafe.protect`, which a person may let go by hand.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{StoreError, create_private_folder, write_whole};
use crate::model::{
    container::{Labels, label},
    evidence::{TargetKind, TargetRef},
};

const FILE: &str = "protected.json";

/// One thing on one engine. A container that is made again under its name is the same thing to whoever protected it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    pub kind: TargetKind,
    pub name: String,
    /// The container's id; the volume's name.
    pub id: String,
    /// The engine's address.
    pub engine: String,
    pub since: Timestamp,
}

impl Thing {
    fn is(&self, target: &TargetRef, engine: &str) -> bool {
        let same_name = self.engine == engine && self.name == target.name;
        let same_container = target.kind == TargetKind::Container && self.id == target.id;
        self.kind == target.kind && (same_name || same_container)
    }
}

/// What is protected, and what of the labelled is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    #[serde(default)]
    pub things: Vec<Thing>,
    /// Labelled, and let go by hand.
    #[serde(default)]
    pub let_go: Vec<Thing>,
}

impl Protected {
    /// Reads it from our own folder.
    ///
    /// # Errors
    /// Where it is there and cannot be read: then nothing may pass for unprotected.
    pub fn load(home: &Path) -> Result<Self, StoreError> {
        let path = home.join(FILE);
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(StoreError::Io { what: "cannot read", path, cause }),
        };
        serde_json::from_slice(&content).map_err(|error| StoreError::Io {
            what: "cannot read",
            path,
            cause: error.into(),
        })
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn save(&self, home: &Path) -> Result<(), StoreError> {
        create_private_folder(home).map_err(StoreError::io("cannot make", home))?;
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::io("cannot write", home)(error.into()))?;
        write_whole(home, FILE, &json)
    }

    /// Whether a thing must not go.
    #[must_use]
    pub fn has(&self, target: &TargetRef, labels: &Labels, engine: &str) -> bool {
        let by_hand = self.things.iter().any(|thing| thing.is(target, engine));
        let let_go = || self.let_go.iter().any(|thing| thing.is(target, engine));
        by_hand || is_labelled(labels) && !let_go()
    }

    /// Protects a thing.
    pub fn add(&mut self, thing: Thing) {
        let target = of(&thing);
        self.let_go.retain(|known| !known.is(&target, &thing.engine));
        self.things.retain(|known| !known.is(&target, &thing.engine));
        self.things.push(thing);
    }

    /// Lets a thing go.
    pub fn remove(&mut self, thing: Thing, labels: &Labels) {
        let target = of(&thing);
        self.things.retain(|known| !known.is(&target, &thing.engine));
        if is_labelled(labels) && !self.let_go.iter().any(|known| known.is(&target, &thing.engine)) {
            self.let_go.push(thing);
        }
    }
}

fn of(thing: &Thing) -> TargetRef {
    TargetRef {
        kind: thing.kind,
        id: thing.id.clone(),
        name: thing.name.clone(),
        project: None,
        service: None,
    }
}

/// Any value but a plain no protects.
fn is_labelled(labels: &Labels) -> bool {
    labels.get(label::PROTECT).is_some_and(|value| !["false", "0", "no", "off"].contains(&value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, name: &str) -> (TargetRef, Thing) {
        let thing = Thing {
            kind: TargetKind::Container,
            name: name.to_owned(),
            id: id.to_owned(),
            engine: "unix:///a".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        (of(&thing), thing)
    }

    #[test]
    fn a_container_is_known_by_its_id_and_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let mut protected = Protected::load(home.path()).unwrap();
        protected.add(container("1", "db").1);
        protected.save(home.path()).unwrap();
        let mut protected = Protected::load(home.path()).unwrap();
        let none = Labels::new();
        assert!(protected.has(&container("1", "renamed").0, &none, "unix:///b"));
        assert!(protected.has(&container("2", "db").0, &none, "unix:///a"), "made again");
        assert!(!protected.has(&container("2", "db").0, &none, "unix:///b"), "another engine's");
        protected.remove(container("1", "db").1, &none);
        assert_eq!(protected, Protected::default());
    }

    #[test]
    fn a_label_protects_until_it_is_let_go_by_hand() {
        let labels = Labels::from([(label::PROTECT.to_owned(), "true".to_owned())]);
        let (target, thing) = container("1", "db");
        let mut protected = Protected::default();
        assert!(protected.has(&target, &labels, "unix:///a"));
        protected.remove(thing.clone(), &labels);
        assert!(!protected.has(&target, &labels, "unix:///a"));
        protected.add(thing);
        assert!(protected.has(&target, &labels, "unix:///a"));
    }

    #[test]
    fn what_cannot_be_read_protects_everything() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(FILE), "{").unwrap();
        assert!(Protected::load(home.path()).is_err());
    }
}
