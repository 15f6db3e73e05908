//! A file's content, decompressed on the way, and put into a container.

use std::io::{self, BufRead as _, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::copy::{self, CopyError};
use crate::{docker::archive::Place, store::StoredFile};

const BUFFER: usize = 1 << 18;

/// Opens a file; what is in gzip or zstd is decompressed, and what is encrypted decrypted before that.
fn open(file: &StoredFile) -> Result<Box<dyn Read + Send>, CopyError> {
    let unreadable = copy::unreadable(file);
    let mut file = BufReader::with_capacity(BUFFER, file.open()?);
    let head = file.fill_buf().map_err(&unreadable)?;
    if head.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(MultiGzDecoder::new(file)))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Ok(Box::new(zstd::Decoder::with_buffer(file).map_err(unreadable)?))
    } else {
        Ok(Box::new(file))
    }
}

/// Puts a file's content into a folder of a container, for everybody there to read. It is read twice: an archive says
/// in front how long each file is.
///
/// # Errors
/// Where the file is not readable or damaged, or the engine refuses.
pub(super) async fn put(place: &Place, file: &StoredFile, name: &str) -> Result<(), CopyError> {
    let own = file.clone();
    let measured = tokio::task::spawn_blocking(move || {
        let size = io::copy(&mut open(&own)?, &mut io::sink()).map_err(copy::unreadable(&own))?;
        Ok::<_, CopyError>((size, open(&own)?))
    });
    let (size, content) = measured.await.map_err(|_panicked| CopyError::GivenUp)??;
    copy::put(place, content, copy::Entry { name, size, owner: (0, 0), mode: 0o644 }).await
}
