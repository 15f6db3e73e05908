//! Lines of any length in flat memory: of a long one the beginning and the end are kept.

use std::io::{self, BufRead};

/// No line that we read a meaning from begins with more.
const START: usize = 4096;
const END: usize = 64;

/// One line, without its line break.
pub(super) struct Line<'a> {
    /// The line, or the beginning of a longer one.
    pub(super) start: &'a [u8],
    /// The last bytes of the line.
    pub(super) end: &'a [u8],
    /// Single quotes in the whole line.
    pub(super) quotes: u64,
    /// Whether a line break ends it.
    pub(super) ended: bool,
}

pub(super) struct Lines<'r> {
    reader: &'r mut dyn BufRead,
    start: Vec<u8>,
    end: Vec<u8>,
}

impl<'r> Lines<'r> {
    pub(super) fn new(reader: &'r mut dyn BufRead) -> Self {
        Self { reader, start: Vec::new(), end: Vec::new() }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// Where the content cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.start.clear();
        self.end.clear();
        let (mut quotes, mut ended, mut any) = (0, false, false);
        while !ended {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let stop = memchr::memchr(b'\n', chunk);
            let part = &chunk[..stop.unwrap_or(chunk.len())];
            quotes += memchr::memchr_iter(b'\'', part).count() as u64;
            self.start.extend_from_slice(&part[..part.len().min(START - self.start.len())]);
            self.end.extend_from_slice(&part[part.len().saturating_sub(END)..]);
            self.end.drain(..self.end.len().saturating_sub(END));
            let used = part.len() + usize::from(stop.is_some());
            ended = stop.is_some();
            self.reader.consume(used);
        }
        let trimmed = |bytes: &'_ [u8]| bytes.strip_suffix(b"\r").map_or(bytes.len(), <[u8]>::len);
        Ok(any.then(|| Line {
            start: &self.start[..trimmed(&self.start)],
            end: &self.end[..trimmed(&self.end)],
            quotes,
            ended,
        }))
    }
}
