//! Reads every artifact back: sizes and checksums.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{Stored, writer::hex};
use crate::model::manifest::Artifact;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// What is wrong with an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    pub file: String,
    /// In one clause.
    pub fault: String,
}

/// Compares every artifact with the manifest. Empty where all are as they were written. Blocks.
///
/// `progress` is told the bytes read, as they are read.
pub fn verify_files(stored: &Stored, progress: &mut dyn FnMut(u64)) -> Vec<FileFault> {
    let artifacts = stored.manifest.items.iter().flat_map(|item| &item.artifacts);
    let check = |artifact: &Artifact| {
        let fault = fault_of(&stored.folder.join(&artifact.file), artifact, progress)?;
        Some(FileFault { file: artifact.file.clone(), fault })
    };
    artifacts.filter_map(check).collect()
}

/// What is wrong with one artifact, in a clause; `None` where it is as it was written. Blocks.
pub fn fault_of(
    path: &std::path::Path,
    artifact: &Artifact,
    progress: &mut dyn FnMut(u64),
) -> Option<String> {
    let (bytes, sha256) = match digest_of(path, progress) {
        Ok(digest) => digest,
        Err(error) => return Some(error.to_string()),
    };
    if bytes != artifact.bytes {
        return Some(format!("it has {bytes} bytes and not {}", artifact.bytes));
    }
    (sha256 != artifact.sha256).then(|| "its checksum differs: it was changed".to_owned())
}

/// A file's size and SHA-256. Blocks.
pub(super) fn digest_of(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            count => {
                hash.update(&buffer[..count]);
                bytes += count as u64;
                progress(count as u64);
            }
        }
    }
}
