//! What a remote needs of encryption beyond the store's own: whole files, sealed on their way out and opened on their
//! way in. Blocks: use it on a thread that may.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::RemoteError;
use crate::store::{
    StoreError, create_private_file,
    seal::{CHUNK_BYTES, Identities, Recipients},
    writer::{Hashing, hex},
};

/// Encrypts a file into a new one; its size and SHA-256. `expected` is the plain file's SHA-256: what was changed since is
/// not sent anywhere.
pub(super) fn seal_file(
    recipients: &Recipients,
    from: &Path,
    to: &Path,
    expected: &str,
) -> Result<(u64, String), RemoteError> {
    let failed = |path| StoreError::io("cannot encrypt", path);
    let mut input = File::open(from).map_err(failed(from))?;
    let mut write = || {
        let mut out = recipients.wrap(Hashing::new(create_private_file(to)?))?;
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
        io::Result::Ok((out.finish()?.finish()?, hex(&hash.finalize())))
    };
    let (sealed, plain) = write().map_err(failed(to))?;
    if plain == expected { Ok(sealed) } else { Err(changed_here(from)) }
}

/// Opens a file into a new one.
pub(super) fn open_file(identities: &Identities, from: &Path, to: &Path) -> Result<(), RemoteError> {
    let failed = || StoreError::io("cannot decrypt into", to);
    let mut plain = identities.reader(File::open(from).map_err(failed())?)?;
    let mut copy = || {
        let mut out = create_private_file(to)?;
        io::copy(&mut plain, &mut out)?;
        out.sync_all()
    };
    Ok(copy().map_err(failed())?)
}

/// A file of a snapshot that is not what its manifest says.
pub(super) fn changed_here(path: &Path) -> RemoteError {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    RemoteError::Refused(format!(
        "{name} was changed on this disk since the snapshot was made: its checksum differs"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seal::tests::key;

    #[test]
    fn a_file_comes_back_as_it_was_and_what_was_changed_goes_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (own, public) = key(folder.path(), "own");
        let recipients = Recipients::parse(&[public]).unwrap();
        let (plain, sealed, again) =
            (folder.path().join("plain"), folder.path().join("sealed"), folder.path().join("again"));
        std::fs::write(&plain, vec![7; 1 << 20]).unwrap();
        let sum = hex(&Sha256::digest(vec![7; 1 << 20]));
        let (bytes, sha256) = seal_file(&recipients, &plain, &sealed, &sum).unwrap();
        let content = std::fs::read(&sealed).unwrap();
        assert_eq!((bytes, sha256), (content.len() as u64, hex(&Sha256::digest(&content))));
        open_file(&Identities::load(&own).unwrap(), &sealed, &again).unwrap();
        assert_eq!(std::fs::read(&again).unwrap(), vec![7; 1 << 20]);
        let error = seal_file(&recipients, &plain, &folder.path().join("other"), "0").unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
    }
}
