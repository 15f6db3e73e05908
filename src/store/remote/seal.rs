//! Encryption with age: every file can be opened by `age -d -i KEY` too. Blocks: use it on a thread that may.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::RemoteError;
use crate::store::{create_private_file, writer::hex};

/// What an encrypted file's name ends with.
pub const ENDING: &str = ".age";
/// Bytes handed over at once.
const CHUNK_BYTES: usize = 1 << 18;

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
    pub fn parse(texts: &[String]) -> Result<Self, RemoteError> {
        let key = |text: &String| {
            if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                return Err(RemoteError::Refused(
                    "a recipient is a public key, age1…, and not the secret one".to_owned(),
                ));
            }
            text.parse::<age::x25519::Recipient>()
                .map_err(|cause| RemoteError::Refused(format!("{text} is no age recipient: {cause}")))
        };
        let keys = texts.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(RemoteError::Refused("there is no age recipient".to_owned()));
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

    fn encryptor(&self) -> Result<age::Encryptor, RemoteError> {
        age::Encryptor::with_recipients(self.keys.iter().map(|key| key as &dyn age::Recipient))
            .map_err(|cause| RemoteError::Refused(format!("nothing can be encrypted: {cause}")))
    }

    /// Encrypts some bytes.
    pub(super) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let encryptor = self.encryptor()?;
        let write = || {
            let mut sealed = Vec::with_capacity(plain.len() + 1024);
            let mut out = encryptor.wrap_output(&mut sealed)?;
            out.write_all(plain)?;
            out.finish()?;
            io::Result::Ok(sealed)
        };
        write().map_err(|cause| RemoteError::Refused(format!("cannot encrypt: {cause}")))
    }

    /// Encrypts a file into a new one; its size and SHA-256. `expected` is the plain file's SHA-256: what was changed
    /// since is not sent anywhere.
    pub(super) fn seal_file(
        &self,
        from: &Path,
        to: &Path,
        expected: &str,
    ) -> Result<(u64, String), RemoteError> {
        let encryptor = self.encryptor()?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| crate::store::StoreError::Io { what: "cannot encrypt", path, cause }
        };
        let mut input = File::open(from).map_err(failed(from))?;
        let write = || {
            let file = Counted { inner: create_private_file(to)?, hash: Sha256::new(), bytes: 0 };
            let mut out = encryptor.wrap_output(BufWriter::with_capacity(CHUNK_BYTES, file))?;
            let (mut hash, mut buffer) = (Sha256::new(), vec![0; CHUNK_BYTES]);
            loop {
                match input.read(&mut buffer)? {
                    0 => break,
                    count => {
                        hash.update(&buffer[..count]);
                        out.write_all(&buffer[..count])?;
                    }
                }
            }
            let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.inner.sync_all()?;
            io::Result::Ok((file.bytes, hex(&file.hash.finalize()), hex(&hash.finalize())))
        };
        let (bytes, sha256, plain) = write().map_err(failed(to))?;
        if plain != expected {
            return Err(changed_here(from));
        }
        Ok((bytes, sha256))
    }
}

/// A file of a snapshot that is not what its manifest says.
pub(super) fn changed_here(path: &Path) -> RemoteError {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    RemoteError::Refused(format!(
        "{name} was changed on this disk since the snapshot was made: its checksum differs"
    ))
}

struct Counted<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
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
    pub fn load(path: &Path) -> Result<Self, RemoteError> {
        let refused = |cause: String| {
            RemoteError::Refused(format!("the age identity in {} cannot be used: {cause}", path.display()))
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

    fn reader<'a, R: Read + 'a>(&'a self, sealed: R) -> Result<Box<dyn Read + 'a>, RemoteError> {
        let refused = |cause: age::DecryptError| {
            RemoteError::Refused(format!("the identity in {} does not open it: {cause}", self.path.display()))
        };
        let decryptor =
            age::Decryptor::new_buffered(BufReader::with_capacity(CHUNK_BYTES, sealed)).map_err(refused)?;
        let keys = self.keys.iter().map(|key| key.as_ref() as &dyn age::Identity);
        Ok(Box::new(decryptor.decrypt(keys).map_err(refused)?))
    }

    /// Opens some bytes.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let mut plain = Vec::new();
        self.reader(sealed)?
            .read_to_end(&mut plain)
            .map_err(|cause| RemoteError::Refused(format!("cannot be decrypted: {cause}")))?;
        Ok(plain)
    }

    /// Opens a file into a new one.
    pub(super) fn open_file(&self, from: &Path, to: &Path) -> Result<(), RemoteError> {
        let failed =
            |cause| crate::store::StoreError::Io { what: "cannot decrypt into", path: to.to_owned(), cause };
        let sealed = File::open(from).map_err(failed)?;
        let mut plain = self.reader(sealed)?;
        let mut copy = || {
            let mut out = create_private_file(to)?;
            io::copy(&mut plain, &mut out)?;
            out.sync_all()
        };
        copy().map_err(failed)?;
        Ok(())
    }

    /// Whether what is encrypted for these recipients can be opened with these keys.
    #[must_use]
    pub fn open_what_is_for(&self, recipients: &Recipients) -> bool {
        let probe = b"dbsafe";
        recipients.seal(probe).and_then(|sealed| self.open(&sealed)).is_ok_and(|plain| plain == probe)
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    fn key(folder: &Path, name: &str) -> (PathBuf, String) {
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
        let (plain, sealed, again) =
            (folder.path().join("plain"), folder.path().join("sealed"), folder.path().join("again"));
        std::fs::write(&plain, vec![7; 1 << 20]).unwrap();
        let sum = hex(&Sha256::digest(vec![7; 1 << 20]));
        let (bytes, sha256) = recipients.seal_file(&plain, &sealed, &sum).unwrap();
        let content = std::fs::read(&sealed).unwrap();
        assert_eq!((bytes, sha256), (content.len() as u64, hex(&Sha256::digest(&content))));
        Identities::load(&own).unwrap().open_file(&sealed, &again).unwrap();
        assert_eq!(std::fs::read(&again).unwrap(), vec![7; 1 << 20]);
    }

    #[test]
    fn a_secret_key_is_no_recipient_and_is_not_repeated() {
        let error = Recipients::parse(&["AGE-SECRET-KEY-1ABC".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("public key") && !error.contains("1ABC"), "{error}");
        assert!(Recipients::parse(&["age1nonsense".to_owned()]).is_err());
    }
}
