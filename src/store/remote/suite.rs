//! One suite for every remote: a folder here, and S3 and Google Cloud Storage on loopback where `DBSAFE_TEST_REMOTES`
//! names their addresses, as `tests/remote.rs` does.

use std::{fs, io::Write as _, path::Path};

use age::secrecy::ExposeSecret as _;

use super::*;
use crate::{
    model::{
        container::Labels,
        evidence::{Contents, Location, TargetRef},
        manifest::{
            Artifact, ArtifactKind, Consistency, EngineHost, FORMAT_VERSION, Item, Manifest, Verification,
            VerificationMethod, VerificationResult,
        },
    },
    store::{
        Compression, Secrets, Store, Stored,
        seal::{Identities, Recipients, tests as seal_tests},
    },
};

const NOW: &str = "2026-01-02T12:00:00Z";

/// A store with one snapshot of so many bytes, which no two pages of are the same.
fn stored(home: &Path, bytes: usize) -> (Store, Stored) {
    stored_in(Store::open(home).unwrap(), bytes)
}

fn stored_in(store: Store, bytes: usize) -> (Store, Stored) {
    let now: Timestamp = NOW.parse().unwrap();
    let writer = store.begin("test", now).unwrap();
    let mut file = writer.artifact("shop.dump", Compression::None).unwrap();
    let mut state = 1_u64;
    let content: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    file.write_all(&content).unwrap();
    let written = file.finish().unwrap();
    writer.secrets(&Secrets::from([("c1".to_owned(), Default::default())])).unwrap();
    let artifact = Artifact {
        file: written.file,
        kind: ArtifactKind::LogicalDump,
        format: "pg_dump custom".to_owned(),
        bytes: written.bytes,
        content_bytes: written.content_bytes,
        sha256: written.sha256,
        milliseconds: 0,
        database: Some("shop".to_owned()),
        parent: None,
        root: None,
        entries: 0,
    };
    let item = Item {
        target: TargetRef::of_volume("pg", &Labels::new()),
        engine: Some("postgres".to_owned()),
        engine_version: None,
        location: Location::NamedVolume,
        path: "/data".to_owned(),
        volume: Some("pg".to_owned()),
        identity: Some("7".to_owned()),
        contents: Contents::default(),
        fingerprint: None,
        consistency: Consistency::Stopped,
        artifacts: vec![artifact],
        not_kept: Vec::new(),
    };
    let verification = Verification {
        result: VerificationResult::Proved,
        how: VerificationMethod::Restore,
        at: Some(now),
        detail: "3 rows".to_owned(),
    };
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        id: String::new(),
        created: now,
        dbsafe: "test".to_owned(),
        command: Vec::new(),
        engine: EngineHost { host: String::new(), version: String::new() },
        projects: Vec::new(),
        items: vec![item],
        containers: Vec::new(),
        volumes: Vec::new(),
        networks: Vec::new(),
        verification,
        kept_until: None,
        recipients: Vec::new(),
    };
    let stored = writer.commit(manifest).unwrap();
    (store, stored)
}

/// The remotes to try, each with a folder that is removed at the end where it is one.
fn remotes() -> Vec<(Remote, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::parse(folder.path().to_str().unwrap()).unwrap();
    let surroundings = Surroundings { variables: std::env::vars().collect(), home: None };
    let mut remotes = vec![(Remote::open(&address, &surroundings).unwrap(), Some(folder))];
    for address in std::env::var("DBSAFE_TEST_REMOTES").unwrap_or_default().split_whitespace() {
        let address = Address::parse(address).unwrap();
        remotes.push((Remote::open(&address, &surroundings).unwrap(), None));
    }
    remotes
}

fn silent() -> impl Fn(u64) + Send + Sync {
    |_bytes| ()
}

#[tokio::test]
async fn what_is_pushed_is_listed_verified_pulled_and_removed() {
    for (remote, _folder) in remotes() {
        for bytes in [1000, 20 << 20] {
            let home = tempfile::tempdir().unwrap();
            let (store, stored) = stored(home.path(), bytes);
            let id = stored.manifest.id.clone();
            let pushed = remote.push(&store, &stored, None, &silent()).await.unwrap();
            assert_eq!((pushed.sent, pushed.kept), (bytes as u64, 0), "{remote:?}");
            let again = remote.push(&store, &stored, None, &silent()).await.unwrap();
            assert_eq!((again.sent, again.kept), (0, bytes as u64), "{remote:?}");
            let listing = remote.snapshots(None).await.unwrap();
            let found = listing.find(&id).unwrap().clone();
            assert_eq!((found.manifest.as_ref(), found.damage.len()), (Some(&stored.manifest), 0));
            assert_eq!(remote.verify(&found, &silent()).await.unwrap(), []);
            assert_eq!(remote.read_range(&format!("{id}/shop.dump"), 10..20).await.unwrap().len(), 10);
            // The environment's values stay here.
            assert!(remote.list(&id).await.unwrap().iter().all(|object| !object.name.contains("secret")));
            let other = tempfile::tempdir().unwrap();
            let other_store = Store::open(other.path()).unwrap();
            let pulled = remote.pull(&other_store, &found, None, found.created, &silent()).await.unwrap();
            assert_eq!(pulled.manifest, stored.manifest);
            assert_eq!(crate::store::verify_files(&pulled, &mut |_bytes| ()), []);
            remote.remove(home.path(), &id).await.unwrap();
            assert_eq!(remote.list(&format!("{id}/")).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn an_encrypted_snapshot_shows_neither_names_nor_rows_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let identity = age::x25519::Identity::generate();
    let key = folder.path().join("key");
    fs::write(&key, identity.to_string().expose_secret()).unwrap();
    let recipients = Recipients::parse(&[identity.to_public().to_string()]).unwrap();
    let identities = Identities::load(&key).unwrap();
    for (remote, _folder) in remotes() {
        let home = tempfile::tempdir().unwrap();
        let (store, stored) = stored(home.path(), 9 << 20);
        let id = stored.manifest.id.clone();
        remote.push(&store, &stored, None, &silent()).await.unwrap();
        remote.push(&store, &stored, Some(&recipients), &silent()).await.unwrap();
        let mut names: Vec<String> =
            remote.list(&format!("{id}/")).await.unwrap().into_iter().map(|object| object.name).collect();
        names.sort();
        let names: Vec<&str> = names.iter().filter_map(|name| name.split('/').nth(1)).collect();
        // The copy in the clear is gone.
        assert_eq!(
            names,
            ["SHA256SUMS", "env.secret.age", "envelope.json", "manifest.json.age", "shop.dump.age"]
        );
        let listing = remote.snapshots(None).await.unwrap();
        let closed = listing.find(&id).unwrap();
        assert!(closed.encrypted && closed.proved && closed.manifest.is_none());
        let other = tempfile::tempdir().unwrap();
        let other_store = Store::open(other.path()).unwrap();
        let refused = remote.pull(&other_store, closed, None, closed.created, &silent()).await.unwrap_err();
        assert!(refused.to_string().contains("--identity FILE"), "{refused}");
        let listing = remote.snapshots(Some(&identities)).await.unwrap();
        let found = listing.find(&id).unwrap();
        let pulled =
            remote.pull(&other_store, found, Some(&identities), found.created, &silent()).await.unwrap();
        assert_eq!((&pulled.manifest, pulled.secrets().unwrap().len()), (&stored.manifest, 1));
        assert_eq!(crate::store::verify_files(&pulled, &mut |_bytes| ()), []);
        assert_eq!(found.hidden_subjects(), closed.hidden_subjects());
        remote.remove(home.path(), &id).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_encrypted_here_goes_as_it_is_and_comes_back_so() {
    let folder = tempfile::tempdir().unwrap();
    let ((key, public), (other_key, other)) =
        (seal_tests::key(folder.path(), "own"), seal_tests::key(folder.path(), "other"));
    let parse = |key: &String| Recipients::parse(std::slice::from_ref(key)).unwrap();
    let identities = Identities::load(&key).unwrap();
    for (remote, _folder) in remotes() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap().sealing_for(Some(parse(&public)));
        let (store, stored) = stored_in(store, 9 << 20);
        let id = stored.manifest.id.clone();
        assert_eq!(stored.manifest.recipients, [public.as_str()]);
        let artifact = stored.manifest.artifacts().next().unwrap().clone();
        assert_eq!(artifact.file, "shop.dump.age");
        // Whom the settings name for copies does not matter: neither others, nor nobody.
        let others = parse(&other);
        for (recipients, sent) in [(Some(&others), true), (None, false)] {
            let pushed = remote.push(&store, &stored, recipients, &silent()).await.unwrap();
            assert_eq!(pushed.sent > 0, sent, "{remote:?}");
            let mut names: Vec<String> =
                remote.list(&format!("{id}/")).await.unwrap().into_iter().map(|object| object.name).collect();
            names.sort();
            let names: Vec<&str> = names.iter().filter_map(|name| name.split('/').nth(1)).collect();
            let all = ["SHA256SUMS", "env.secret.age", "envelope.json", "manifest.json.age", "shop.dump.age"];
            assert_eq!(names, all);
            let bytes = remote.read_range(&format!("{id}/{}", artifact.file), 0..artifact.bytes).await;
            assert_eq!(bytes.unwrap(), fs::read(stored.folder.join(&artifact.file)).unwrap());
        }
        let listing = remote.snapshots(Some(&Identities::load(&other_key).unwrap())).await.unwrap();
        assert!(listing.find(&id).unwrap().manifest.is_none());
        let listing = remote.snapshots(Some(&identities)).await.unwrap();
        let found = listing.find(&id).unwrap();
        assert_eq!(remote.verify(found, &silent()).await.unwrap(), []);
        let elsewhere = tempfile::tempdir().unwrap();
        let other_store = Store::open(elsewhere.path()).unwrap();
        let pulled =
            remote.pull(&other_store, found, Some(&identities), found.created, &silent()).await.unwrap();
        assert_eq!(pulled.manifest, stored.manifest);
        assert_eq!(crate::store::verify_files(&pulled, &mut |_bytes| ()), []);
        assert!(pulled.unlock().is_err() && pulled.secrets().is_err());
        let pulled = other_store.opened_by(Some(key.clone())).find(&id).unwrap();
        pulled.unlock().unwrap();
        assert_eq!(pulled.secrets().unwrap().len(), 1);
        assert_eq!(pulled.file(&artifact).content_bytes().unwrap(), 9 << 20);
        remote.remove(home.path(), &id).await.unwrap();
    }
}

#[tokio::test]
async fn a_remote_that_lies_is_found_out() {
    let (remote, folder) = remotes().remove(0);
    let folder = folder.unwrap();
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, stored) = stored(home.path(), 1 << 20);
    let other_store = Store::open(other.path()).unwrap();
    let id = &stored.manifest.id;
    remote.push(&store, &stored, None, &silent()).await.unwrap();
    let path = folder.path().join(id).join("shop.dump");
    let whole = fs::read(&path).unwrap();
    let mut wrong = whole.clone();
    wrong[500_000] ^= 1;
    for (content, said) in [(&whole[..1000], "it has 1000 bytes"), (&wrong[..], "its checksum differs")] {
        fs::write(&path, content).unwrap();
        let listing = remote.snapshots(None).await.unwrap();
        let found = listing.find(id).unwrap();
        assert_eq!(found.damage.is_empty(), content.len() == whole.len());
        let faults = remote.verify(found, &silent()).await.unwrap();
        assert!(faults[0].fault.contains(said), "{faults:?}");
        let refused = remote.pull(&other_store, found, None, found.created, &silent()).await.unwrap_err();
        assert!(refused.is_damage() && refused.to_string().contains(said), "{refused}");
        assert!(other_store.list().unwrap().snapshots.is_empty());
        // A push mends it.
        let pushed = remote.push(&store, &stored, None, &silent()).await.unwrap();
        assert_eq!((pushed.sent, fs::read(&path).unwrap() == whole), (1 << 20, true));
    }
    fs::remove_file(folder.path().join(id).join("manifest.json")).unwrap();
    let listing = remote.snapshots(None).await.unwrap();
    assert_eq!((listing.snapshots.len(), listing.leftovers.len()), (0, 1));
    // It is there again after a push that sends nothing else.
    let pushed = remote.push(&store, &stored, None, &silent()).await.unwrap();
    let listing = remote.snapshots(None).await.unwrap();
    assert_eq!((pushed.sent, listing.snapshots.len(), listing.leftovers.len()), (0, 1, 0));
}

#[tokio::test]
async fn a_file_that_was_changed_on_this_disk_is_not_pushed() {
    let (remote, _folder) = remotes().remove(0);
    let home = tempfile::tempdir().unwrap();
    let (store, stored) = stored(home.path(), 20 << 20);
    let path = stored.folder.join("shop.dump");
    let mut content = fs::read(&path).unwrap();
    content[15 << 20] ^= 1;
    fs::write(&path, content).unwrap();
    let refused = remote.push(&store, &stored, None, &silent()).await.unwrap_err();
    assert!(refused.to_string().contains("was changed on this disk"), "{refused}");
    assert!(remote.snapshots(None).await.unwrap().snapshots.is_empty());
}
