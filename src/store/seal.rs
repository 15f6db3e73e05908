//! Encryption with age: every file can be opened by `age -d -i KEY` too. Blocks: use it on a thread that may.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use age::stream::{StreamReader, StreamWriter};
use sha2::{Digest as _, Sha256};

use super::{StoreError, writer::hex};
use crate::model::manifest::Artifact;

/// What an encrypted file's name ends with.
pub const ENDING: &str = ".age";
/// Bytes handed over at once.
pub(super) const CHUNK_BYTES: usize = 1 << 18;

/// Why something is not encrypted, or not opened. A fragment that fits 'failed to …'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it is encrypted, and no identity is at hand")]
    NoKey,
    #[error("it is encrypted for others than the identity in {}", .0.display())]
    WrongKey(PathBuf),
    #[error("{0}")]
    Refused(String),
}

/// Whom files are encrypted for.
#[derive(Clone)]
pub struct Recipients {
    keys: Vec<age::x25519::Recipient>,
    shown: Vec<String>,
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(&self.shown).finish()
    }
}

impl Recipients {
    /// Reads public keys, `age1…`.
    ///
    /// # Errors
    /// Where one is none.
    pub fn parse(texts: &[String]) -> Result<Self, SealError> {
        let key = |text: &String| {
            if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                return Err(SealError::Refused(
                    "a recipient is a public key, age1…, and not the secret one".to_owned(),
                ));
            }
            text.parse::<age::x25519::Recipient>()
                .map_err(|cause| SealError::Refused(format!("{text} is no age recipient: {cause}")))
        };
        let keys = texts.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SealError::Refused("there is no age recipient".to_owned()));
        }
        let mut shown = texts.to_vec();
        shown.sort();
        Ok(Self { keys, shown })
    }

    /// The public keys.
    #[must_use]
    pub fn shown(&self) -> &[String] {
        &self.shown
    }

    /// Tells these recipients from any others, in a few characters.
    pub(super) fn tag(&self) -> String {
        hex(&Sha256::digest(self.shown.join("\n").as_bytes()))[..12].to_owned()
    }

    /// Encrypts what is written.
    pub(super) fn wrap<W: Write>(&self, out: W) -> io::Result<StreamWriter<W>> {
        let keys = self.keys.iter().map(|key| key as &dyn age::Recipient);
        age::Encryptor::with_recipients(keys).map_err(io::Error::other)?.wrap_output(out)
    }

    /// Encrypts some bytes.
    pub(super) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let write = || {
            let mut out = self.wrap(Vec::with_capacity(plain.len() + 1024))?;
            out.write_all(plain)?;
            out.finish()
        };
        write().map_err(|cause| SealError::Refused(format!("cannot encrypt: {cause}")))
    }
}

/// The secret keys of a file, which open what was encrypted for them.
pub struct Identities {
    keys: Vec<Box<dyn age::Identity + Send + Sync>>,
    path: PathBuf,
}

impl Identities {
    /// Reads a file as `age-keygen` writes it.
    ///
    /// # Errors
    /// Where it cannot be read, or holds no key.
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let refused = |cause: String| {
            SealError::Refused(format!("the age identity in {} cannot be used: {cause}", path.display()))
        };
        let file = File::open(path).map_err(|cause| refused(cause.to_string()))?;
        let file = age::IdentityFile::from_buffer(BufReader::new(file))
            .map_err(|cause| refused(cause.to_string()))?;
        let keys = file.into_identities().map_err(|cause| refused(cause.to_string()))?;
        if keys.is_empty() {
            return Err(refused("it holds no secret key".to_owned()));
        }
        Ok(Self { keys, path: path.to_owned() })
    }

    /// Decrypts what is read.
    pub(super) fn reader<R: Read>(&self, sealed: R) -> Result<StreamReader<BufReader<R>>, SealError> {
        let keys = self.keys.iter().map(|key| key.as_ref() as &dyn age::Identity);
        decrypted(sealed, keys)?.ok_or_else(|| SealError::WrongKey(self.path.clone()))
    }

    /// Opens some bytes.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut plain = Vec::new();
        self.reader(sealed)?
            .read_to_end(&mut plain)
            .map_err(|cause| SealError::Refused(format!("cannot be decrypted: {cause}")))?;
        Ok(plain)
    }

    /// Whether what is encrypted for these recipients can be opened with these keys.
    #[must_use]
    pub fn open_what_is_for(&self, recipients: &Recipients) -> bool {
        let probe = b"dbsafe";
        recipients.seal(probe).and_then(|sealed| self.open(&sealed)).is_ok_and(|plain| plain == probe)
    }
}

/// `None` where none of the keys is one that it is encrypted for.
fn decrypted<'a, R: Read>(
    sealed: R,
    keys: impl Iterator<Item = &'a dyn age::Identity>,
) -> Result<Option<StreamReader<BufReader<R>>>, SealError> {
    let damaged = |cause: age::DecryptError| SealError::Refused(format!("cannot be decrypted: {cause}"));
    let sealed = BufReader::with_capacity(CHUNK_BYTES, sealed);
    match age::Decryptor::new_buffered(sealed).map_err(damaged)?.decrypt(keys) {
        Ok(plain) => Ok(Some(plain)),
        Err(age::DecryptError::NoMatchingKeys) => Ok(None),
        Err(cause) => Err(damaged(cause)),
    }
}

/// What a store encrypts for, and what opens it again. Cheap to clone.
#[derive(Clone, Default)]
pub struct Keys(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sealing: Option<Sealing>,
    identity: Option<PathBuf>,
}

struct Sealing {
    recipients: Recipients,
    /// As the recipients, and `session`'s.
    all: Recipients,
    /// In this process's memory alone: what it made, it can read back and prove without anybody's secret key.
    session: age::x25519::Identity,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keys({:?}, {:?})", self.recipients(), self.0.identity)
    }
}

impl Keys {
    /// `recipients`: what is written is encrypted for them. `identity`: the file of the key that opens what others wrote.
    #[must_use]
    pub fn new(recipients: Option<Recipients>, identity: Option<PathBuf>) -> Self {
        let sealing = recipients.map(|recipients| {
            let session = age::x25519::Identity::generate();
            let mut all = recipients.clone();
            all.keys.push(session.to_public());
            Sealing { recipients, all, session }
        });
        Self(Arc::new(Inner { sealing, identity }))
    }

    pub(super) fn sealing_for(&self, recipients: Option<Recipients>) -> Self {
        Self::new(recipients, self.0.identity.clone())
    }

    pub(super) fn opened_by(&self, identity: Option<PathBuf>) -> Self {
        Self::new(self.recipients().cloned(), identity)
    }

    /// Whom what is written is encrypted for.
    #[must_use]
    pub fn recipients(&self) -> Option<&Recipients> {
        self.0.sealing.as_ref().map(|sealing| &sealing.recipients)
    }

    /// As `recipients`, and this process for as long as it lives.
    pub(super) fn sealing(&self) -> Option<&Recipients> {
        self.0.sealing.as_ref().map(|sealing| &sealing.all)
    }

    fn reader(&self, path: &Path) -> Result<StreamReader<BufReader<File>>, StoreError> {
        let sealed = || File::open(path).map_err(StoreError::io("cannot read", path));
        let closed = |cause| StoreError::Sealed { id: snapshot_of(path), cause };
        if let Some(sealing) = &self.0.sealing {
            let own = std::iter::once(&sealing.session as &dyn age::Identity);
            if let Some(plain) = decrypted(sealed()?, own).map_err(closed)? {
                return Ok(plain);
            }
        }
        let sealed = sealed()?;
        let identity = self.0.identity.as_deref().ok_or(SealError::NoKey).map_err(closed)?;
        Identities::load(identity).and_then(|identities| identities.reader(sealed)).map_err(closed)
    }
}

/// The id of the snapshot that a file is of: its folder's name.
fn snapshot_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().trim_start_matches(super::INCOMPLETE).to_owned()
}

/// The files of one snapshot, whole or in the making.
#[derive(Debug, Clone)]
pub struct Files {
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
}

impl Files {
    /// Files of somebody else's, which are as they are.
    #[must_use]
    pub fn plain(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), keys: Keys::default() }
    }

    #[cfg(test)]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An artifact's file.
    #[must_use]
    pub fn of(&self, artifact: &Artifact) -> StoredFile {
        self.named(&artifact.file)
    }

    pub(super) fn named(&self, name: &str) -> StoredFile {
        StoredFile { path: self.folder.join(name), keys: name.ends_with(ENDING).then(|| self.keys.clone()) }
    }
}

/// A file that may be encrypted. Nothing but this opens what is in a snapshot.
#[derive(Debug, Clone)]
pub struct StoredFile {
    path: PathBuf,
    /// Where it is encrypted, what opens it.
    keys: Option<Keys>,
}

impl StoredFile {
    /// A file of somebody else's, which is as it is.
    #[must_use]
    pub fn plain(path: &Path) -> Self {
        Self { path: path.to_owned(), keys: None }
    }

    /// Where it is, encrypted or not.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it: what was written into it, decrypted on the way. Nothing of it gets to the disk.
    ///
    /// # Errors
    /// Where it cannot be read, or no key at hand opens it.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(match &self.keys {
            Some(keys) => Box::new(keys.reader(&self.path)?),
            None => Box::new(File::open(&self.path).map_err(StoreError::io("cannot read", &self.path))?),
        })
    }

    /// Bytes that reading it gives.
    ///
    /// # Errors
    /// As `open`.
    pub fn content_bytes(&self) -> Result<u64, StoreError> {
        let failed = StoreError::io("cannot read", &self.path);
        match &self.keys {
            Some(keys) => keys.reader(&self.path)?.seek(SeekFrom::End(0)).map_err(failed),
            None => Ok(self.path.metadata().map_err(failed)?.len()),
        }
    }

    /// Whether a key at hand opens it, by its head alone.
    ///
    /// # Errors
    /// Where none does, or it cannot be read.
    pub fn unlock(&self) -> Result<(), StoreError> {
        match &self.keys {
            Some(keys) => keys.reader(&self.path).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    pub(in crate::store) fn key(folder: &Path, name: &str) -> (PathBuf, String) {
        let identity = age::x25519::Identity::generate();
        let path = folder.join(name);
        std::fs::write(&path, format!("# comment\n{}\n", identity.to_string().expose_secret())).unwrap();
        (path, identity.to_public().to_string())
    }

    #[test]
    fn only_the_right_key_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let ((own, public), (other, _)) = (key(folder.path(), "own"), key(folder.path(), "other"));
        let recipients = Recipients::parse(&[public]).unwrap();
        assert!(Identities::load(&own).unwrap().open_what_is_for(&recipients));
        assert!(!Identities::load(&other).unwrap().open_what_is_for(&recipients));
    }

    #[test]
    fn a_secret_key_is_no_recipient_and_is_not_repeated() {
        let error = Recipients::parse(&["AGE-SECRET-KEY-1ABC".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("public key") && !error.contains("1ABC"), "{error}");
        assert!(Recipients::parse(&["age1nonsense".to_owned()]).is_err());
    }

    #[test]
    fn the_process_that_wrote_a_file_reads_it_and_after_it_only_the_recipients_do() {
        let folder = tempfile::tempdir().unwrap();
        let ((own, public), (other, _)) = (key(folder.path(), "own"), key(folder.path(), "other"));
        let keys = Keys::new(Some(Recipients::parse(&[public]).unwrap()), None);
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let snapshot = folder.path().join("20260102T030405Z-0a1b2c3d");
        std::fs::create_dir(&snapshot).unwrap();
        let mut out = keys.sealing().unwrap().wrap(File::create(snapshot.join("a.age")).unwrap()).unwrap();
        out.write_all(&content).unwrap();
        out.finish().unwrap();
        let open = |keys: &Keys| {
            let file = Files { folder: snapshot.clone(), keys: keys.clone() }.named("a.age");
            file.unlock()?;
            let mut read = Vec::new();
            file.open()?.read_to_end(&mut read).unwrap();
            assert_eq!(file.content_bytes()?, read.len() as u64);
            Ok::<_, StoreError>(read == content)
        };
        assert!(open(&keys).unwrap());
        assert!(open(&Keys::new(None, Some(own))).unwrap());
        let refused = |keys: &Keys| open(keys).unwrap_err().to_string();
        assert_eq!(
            refused(&Keys::default()),
            "snapshot 20260102T030405Z-0a1b2c3d cannot be opened: it is encrypted, and no identity is at hand"
        );
        // The next process's own key is another.
        assert!(refused(&keys.opened_by(None)).contains("no identity"));
        assert!(refused(&Keys::new(None, Some(other))).contains("encrypted for others"));
        assert!(refused(&Keys::new(None, Some(folder.path().join("none")))).contains("cannot be used"));
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_an_error_and_no_shorter_content() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::new(Some(Recipients::parse(&[key(folder.path(), "own").1]).unwrap()), None);
        let sealed = keys.sealing().unwrap().seal(&vec![7; 300_000]).unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(folder.path().join("a.age"), bytes).unwrap();
            let files = Files { folder: folder.path().to_owned(), keys: keys.clone() };
            files.named("a.age").open().unwrap().read_to_end(&mut Vec::new())
        };
        assert_eq!(read(&sealed).unwrap(), 300_000);
        assert!(read(&sealed[..sealed.len() - 100_000]).is_err());
        let mut flipped = sealed.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        assert!(read(&flipped).is_err());
    }
}
