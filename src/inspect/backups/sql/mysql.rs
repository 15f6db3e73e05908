//! `mysqldump` and `mariadb-dump`. The words are those of MariaDB's and MySQL's `mysqldump.cc`.

use jiff::civil;

use super::{Dialect, Found, Line, OwnTime, hash};

const TRAILER: &[u8] = b"-- Dump completed";

#[derive(Default)]
pub(super) struct MySql {
    /// In a routine's body: `DELIMITER ;;` up to `DELIMITER ;`.
    in_routine: bool,
    /// Whether the trailer was the last line that was not empty.
    complete: bool,
}

impl Dialect for MySql {
    fn line(&mut self, line: &Line<'_>, found: &mut Found) {
        let text = line.start;
        if let Some(delimiter) = text.strip_prefix(b"DELIMITER ") {
            self.in_routine = delimiter.trim_ascii() != b";";
        }
        if text.is_empty() && self.complete {
            return;
        }
        self.complete = !self.in_routine && line.ended && is_trailer(text);
        let Some(comment) = text.strip_prefix(b"-- ").filter(|_| !self.in_routine) else { return };
        if self.complete {
            found.own_time = completed(&String::from_utf8_lossy(comment));
        } else if let Some((_host, name)) = split(comment, b"    Database: ") {
            let name = String::from_utf8_lossy(name).trim().to_owned();
            found.enter(Some(name).filter(|name| !name.is_empty()));
        } else if let Some(name) = comment.strip_prefix(b"Current Database: ") {
            found.enter(Some(unquoted(&String::from_utf8_lossy(name))));
        } else if let Some(name) = comment.strip_prefix(b"Table structure for table ") {
            found.current().made.insert(hash(name));
        } else if let Some(name) = comment.strip_prefix(b"Dumping data for table ") {
            found.current().filled.insert(hash(name));
        }
    }

    fn ending(&self) -> Option<String> {
        (!self.complete).then(|| "it is cut off: its last line does not say that it is complete".to_owned())
    }
}

fn is_trailer(text: &[u8]) -> bool {
    text.strip_prefix(TRAILER).is_some_and(|rest| rest.is_empty() || rest.starts_with(b" on "))
}

/// `Dump completed on 2026-11-24  1:07:35`.
fn completed(comment: &str) -> OwnTime {
    let Some((_, time)) = comment.split_once(" on ") else { return OwnTime::Unsaid };
    let time = civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time.replace("  ", " 0"));
    time.map_or(OwnTime::Unsaid, OwnTime::Wall)
}

fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    inner.map_or(name.to_owned(), |name| name.replace("``", "`"))
}

fn split<'a>(text: &'a [u8], part: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(part.len()).position(|window| window == part)?;
    Some((&text[..at], &text[at + part.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_may_be_padded_with_a_space() {
        let wall = OwnTime::Wall(civil::date(2026, 1, 2).at(3, 4, 5, 0));
        assert_eq!(completed("Dump completed on 2026-01-02  3:04:05"), wall);
        assert_eq!(completed("Dump completed on 2026-01-02 03:04:05"), wall);
        assert_eq!(completed("Dump completed"), OwnTime::Unsaid);
    }
}
