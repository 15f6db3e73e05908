//! RDB files: the end mark and the checksum over everything. Format: Redis's `rdb.c` and `crc64.c`.

use std::io::BufRead;

use super::{
    Dumped, Format, OwnTime, Whole,
    content::{Content, Fault},
};
use crate::engines::redis;

const END: u8 = 0xff;
/// The end mark and the checksum behind it.
const TAIL: usize = 9;
/// What `parse_rdb` needs: the notes in front, the first database's size.
const HEAD: usize = 4096;

pub(super) fn read(reader: &mut dyn BufRead) -> Result<Content, Fault> {
    let mut head = Vec::new();
    let mut sum = 0;
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len();
        head.extend_from_slice(&chunk[..length.min(HEAD - head.len())]);
        tail.extend_from_slice(chunk);
        reader.consume(length);
        let certain = tail.len().saturating_sub(TAIL);
        sum = checksum(sum, &tail[..certain]);
        tail.drain(..certain);
    }
    let found = redis::parse_rdb(&head).unwrap_or_default();
    let whole = ending(&head, sum, &tail);
    Ok(Content {
        own_time: found.created.map_or(OwnTime::Unsaid, OwnTime::Exact),
        databases: vec![Dumped::default()],
        keys: found.keys,
        ..Content::of(Format::Rdb, whole)
    })
}

fn ending(head: &[u8], sum: u64, tail: &[u8]) -> Whole {
    let version: String =
        head.iter().skip_while(|b| b.is_ascii_uppercase()).take(4).map(|b| char::from(*b)).collect();
    let digits = version.chars().take_while(char::is_ascii_digit).collect::<String>();
    if digits.parse::<u32>().is_ok_and(|version| version < 5) {
        return Whole::Unknown("it is of a version without a checksum".to_owned());
    }
    let Some((&END, stored)) = tail.split_first() else {
        return Whole::Broken("it is cut off: the end mark is missing".to_owned());
    };
    let Ok(stored) = <[u8; 8]>::try_from(stored) else {
        return Whole::Broken("it is cut off: the checksum is missing".to_owned());
    };
    match u64::from_le_bytes(stored) {
        // rdbchecksum no.
        0 => Whole::Unknown("its checksum was switched off".to_owned()),
        stored if stored == checksum(sum, &[END]) => Whole::Yes,
        _ => Whole::Broken("its checksum is wrong".to_owned()),
    }
}

/// CRC-64/REDIS: the polynomial of Jones, reflected, beginning with 0.
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x95ac_9329_ac4b_c9b5 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| TABLE[usize::from((sum as u8) ^ byte)] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        // The test vector of Redis's crc64.c.
        assert_eq!(checksum(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_file_without_a_checksum_is_not_known_to_be_whole() {
        let mut file = b"REDIS0010\xfe\x00\xff".to_vec();
        file.extend([0; 8]);
        let content = read(&mut file.as_slice()).unwrap();
        assert!(matches!(content.whole, Whole::Unknown(_)));
        file[8] = b'4';
        assert!(matches!(read(&mut file.as_slice()).unwrap().whole, Whole::Unknown(_) | Whole::Broken(_)));
    }
}
