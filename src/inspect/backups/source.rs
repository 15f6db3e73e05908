//! A backup file as a stream of its content, decompressed on the way.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;

use super::content::{Content, Fault};

const BUFFER: usize = 256 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A file that is open, its compression known.
pub(super) struct Opened<'a> {
    file: BufReader<Watched<'a>>,
    pub(super) compression: Compression,
    failure: Rc<RefCell<Option<io::Error>>>,
}

/// Opens a file and looks at its first bytes.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn open(path: &Path) -> io::Result<Opened<'static>> {
    of(Box::new(File::open(path)?))
}

/// As `open`, of what comes from elsewhere.
///
/// # Errors
/// Where its beginning cannot be read.
pub(super) fn of<'a>(file: Box<dyn Read + 'a>) -> io::Result<Opened<'a>> {
    let failure = Rc::new(RefCell::new(None));
    let watched = Watched { file, failure: Rc::clone(&failure) };
    let mut file = BufReader::with_capacity(BUFFER, watched);
    let head = file.fill_buf()?;
    let compression = if head.starts_with(&[0x1f, 0x8b]) {
        Compression::Gzip
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Compression::Zstd
    } else {
        Compression::None
    };
    Ok(Opened { file, compression, failure })
}

impl Opened<'_> {
    /// Reads the content to its very end, where the checksums are.
    ///
    /// # Errors
    /// Where the file itself, and not what is in it, is at fault.
    pub(super) fn read(
        self,
        read: impl FnOnce(&mut dyn BufRead) -> Result<Content, Fault>,
    ) -> io::Result<Content> {
        let Self { file, compression, failure } = self;
        let done = match compression {
            Compression::None => to_the_end(file, read),
            Compression::Gzip => {
                to_the_end(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)), read)
            }
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(file)?;
                to_the_end(BufReader::with_capacity(BUFFER, decoder), read)
            }
        };
        if let Some(error) = failure.take() {
            return Err(error);
        }
        Ok(done.unwrap_or_else(Content::from))
    }
}

fn to_the_end(
    mut reader: impl BufRead,
    read: impl FnOnce(&mut dyn BufRead) -> Result<Content, Fault>,
) -> Result<Content, Fault> {
    let content = read(&mut reader)?;
    // The checksum of a compressed file comes last. What is left over after the content is the reader's matter.
    io::copy(&mut reader, &mut io::sink())?;
    Ok(content)
}

/// Remembers that the disk failed, which a decompressor's error would hide.
struct Watched<'a> {
    file: Box<dyn Read + 'a>,
    failure: Rc<RefCell<Option<io::Error>>>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failure.borrow_mut() = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}
