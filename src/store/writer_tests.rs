//! What is written in the clear and encrypted, and what one snapshot may take over from another.

use std::io::Read as _;

use super::*;
use crate::{
    model::manifest::{ArtifactKind, EngineHost, Verification},
    store::{StoredFile, seal::tests::key},
};

const CONTENT: &[u8] = b"a row that stands in no file";

fn store(folder: &Path, recipients: &[&str]) -> Store {
    let recipients: Vec<String> = recipients.iter().map(|&key| key.to_owned()).collect();
    let recipients = (!recipients.is_empty()).then(|| Recipients::parse(&recipients).unwrap());
    Store::open(folder).unwrap().sealing_for(recipients)
}

fn now() -> Timestamp {
    "2026-01-02T12:00:00Z".parse().unwrap()
}

fn artifact(written: &Written) -> Artifact {
    Artifact {
        file: written.file.clone(),
        kind: ArtifactKind::PhysicalCopy,
        format: "tar.zst".to_owned(),
        bytes: written.bytes,
        content_bytes: written.content_bytes,
        sha256: written.sha256.clone(),
        milliseconds: 0,
        database: None,
        parent: None,
        root: None,
        entries: 0,
    }
}

fn manifest() -> Manifest {
    Manifest {
        format_version: 0,
        id: String::new(),
        created: now(),
        dbsafe: String::new(),
        command: Vec::new(),
        engine: EngineHost { host: String::new(), version: String::new() },
        projects: Vec::new(),
        items: Vec::new(),
        containers: Vec::new(),
        volumes: Vec::new(),
        networks: Vec::new(),
        verification: Verification::none(),
        recipients: Vec::new(),
        kept_until: None,
    }
}

/// A committed snapshot of one file.
fn one(store: &Store) -> (Stored, Artifact) {
    let writer = store.begin("test", now()).unwrap();
    let mut file = writer.artifact("v.tar.zst", Compression::Zstd).unwrap();
    file.write_all(CONTENT).unwrap();
    let artifact = artifact(&file.finish().unwrap());
    writer.secrets(&Secrets::from([("c".to_owned(), ContainerSecrets::default())])).unwrap();
    (writer.commit(manifest()).unwrap(), artifact)
}

fn read(file: &StoredFile) -> Vec<u8> {
    let mut content = Vec::new();
    zstd::Decoder::new(file.open().unwrap()).unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn what_is_written_is_read_back_and_its_sum_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_, public) = key(folder.path(), "own");
    for (recipients, name, version) in [(&[][..], "v.tar.zst", 1), (&[&*public], "v.tar.zst.age", 2)] {
        let home = tempfile::tempdir().unwrap();
        let (stored, artifact) = one(&store(home.path(), recipients));
        assert_eq!((artifact.file.as_str(), artifact.content_bytes), (name, CONTENT.len() as u64));
        assert_eq!(
            (stored.manifest.format_version, &*stored.manifest.recipients),
            (version, recipients.iter().map(|&key| key.to_owned()).collect::<Vec<_>>().as_slice())
        );
        let content = fs::read(stored.folder.join(name)).unwrap();
        assert_eq!(
            (artifact.bytes, &artifact.sha256),
            (content.len() as u64, &hex(&Sha256::digest(&content)))
        );
        assert_eq!(content.starts_with(b"age-encryption.org/v1\n"), !recipients.is_empty());
        assert_eq!(read(&stored.file(&artifact)), CONTENT);
        assert_eq!(stored.secrets().unwrap().len(), 1);
        assert_eq!(stored.folder.join("env.secret").exists(), recipients.is_empty());
        assert_eq!(stored.folder.join("env.secret.age").exists(), !recipients.is_empty());
        // The next process has another key of its own.
        let found = Store::open(home.path()).unwrap().find("latest").unwrap();
        assert_eq!(found.secrets().is_ok(), recipients.is_empty());
        assert_eq!(found.unlock().is_ok(), recipients.is_empty());
    }
}

#[test]
fn nothing_is_taken_over_that_others_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let ((_, own), (_, other)) = (key(folder.path(), "own"), key(folder.path(), "other"));
    let home = tempfile::tempdir().unwrap();
    let kinds: [&[&str]; 3] = [&[], &[&own], &[&other]];
    for (from, before) in kinds.iter().enumerate() {
        let (stored, artifact) = one(&store(home.path(), before));
        for (to, after) in kinds.iter().enumerate() {
            let writer = store(home.path(), after).begin("test", now()).unwrap();
            assert_eq!(writer.adopt(&stored, &artifact).is_ok(), from == to, "{before:?} {after:?}");
            assert_eq!(writer.files().of(&artifact).path().exists(), from == to);
        }
    }
}
