//! Redis, Valkey and KeyDB: what an RDB file says, and what to ask the server.

use jiff::Timestamp;

use super::answer::Answer;
use crate::model::evidence::DatabaseContents;

/// What the beginning of an RDB file says. Format: Redis's `rdb.c`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RdbHead {
    pub version: Option<String>,
    pub created: Option<Timestamp>,
    /// Keys of the first database; 0 where the file ends without any.
    pub keys: Option<u64>,
}

const AUX: u8 = 0xfa;
const RESIZE: u8 = 0xfb;
const SELECT: u8 = 0xfe;
const END: u8 = 0xff;

/// Reads the beginning of an RDB file; `None` where it is none.
#[must_use]
pub fn parse_rdb(head: &[u8]) -> Option<RdbHead> {
    let is_rdb = head.starts_with(b"REDIS") || head.starts_with(b"VALKEY");
    let mut reader = Reader(head.get(9..).filter(|_| is_rdb)?);
    let mut found = RdbHead::default();
    while let Some(opcode) = reader.byte() {
        match opcode {
            AUX => {
                let (Some(name), Some(value)) = (reader.string(), reader.string()) else { break };
                match name.as_slice() {
                    b"redis-ver" | b"valkey-ver" => found.version = String::from_utf8(value).ok(),
                    b"ctime" => {
                        let seconds = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                        found.created = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                    }
                    _ => {}
                }
            }
            SELECT => {
                if reader.length().is_none() {
                    break;
                }
            }
            RESIZE => {
                found.keys = reader.length();
                break;
            }
            END => {
                found.keys = Some(0);
                break;
            }
            // A key without a count before it, a function, a module's data: something is there.
            _ => break,
        }
    }
    Some(found)
}

/// Whether a path below a server's directory is one that the server writes.
#[must_use]
pub fn is_own_file(path: &str) -> bool {
    path.starts_with("appendonlydir/")
        || !path.contains('/') && (path.ends_with(".rdb") || path.ends_with(".aof"))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken.to_vec())
    }

    /// A length, where it is not a specially encoded value.
    fn length(&mut self) -> Option<u64> {
        let first = self.byte()?;
        match first >> 6 {
            0 => Some(u64::from(first & 0x3f)),
            1 => Some(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Some(u64::from(u32::from_be_bytes(self.take(4)?.try_into().ok()?))),
            2 if first == 0x81 => Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?)),
            _ => None,
        }
    }

    /// A string; integers come as their decimal digits.
    fn string(&mut self) -> Option<Vec<u8>> {
        let integer = match self.0.first()? {
            0xc0 => i64::from(i8::from_le_bytes(self.skip_and_take::<1>()?)),
            0xc1 => i64::from(i16::from_le_bytes(self.skip_and_take::<2>()?)),
            0xc2 => i64::from(i32::from_le_bytes(self.skip_and_take::<4>()?)),
            _ => {
                let length = usize::try_from(self.length()?).ok()?;
                return self.take(length);
            }
        };
        Some(integer.to_string().into_bytes())
    }

    fn skip_and_take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.byte()?;
        self.take(N)?.try_into().ok()
    }
}

/// Asks a running server, with the container's own client. `DBSAFE_ARGUMENTS` holds the server's command
/// line, from which come its port, its configuration file and a password. Secrets stay in the container.
pub const QUESTION: &str = r#"
read_file() { [ -n "$1" ] && [ -r "$1" ] && cat "$1"; }
cli=$(command -v valkey-cli || command -v redis-cli || command -v keydb-cli) || { echo 'no client in the container' >&2; exit 4; }
limit=$(command -v timeout) && limit="$limit 2"
port=6379 socket= password= conf= previous=
set -f
for word in $DBSAFE_ARGUMENTS; do
  case "$previous" in --port) port=$word;; --unixsocket) socket=$word;; --requirepass) password=$word;; esac
  case "$word" in *.conf) conf=$word;; esac
  previous=$word
done
setting() { [ -n "$conf" ] && [ -r "$conf" ] && sed -n "s/^[[:space:]]*$1[[:space:]]\{1,\}\"\{0,1\}\([^\"]*\)\"\{0,1\}[[:space:]]*\$/\1/p" "$conf" | tail -n 1; }
[ -n "$password" ] || password=$(setting requirepass)
[ "$port" != 6379 ] || { p=$(setting port); port=${p:-6379}; }
[ -n "$socket" ] || socket=$(setting unixsocket)
password="${password:-${REDIS_PASSWORD:-${VALKEY_PASSWORD:-$(read_file "${REDIS_PASSWORD_FILE:-$VALKEY_PASSWORD_FILE}")}}}"
[ -z "$password" ] || export REDISCLI_AUTH="$password" VALKEYCLI_AUTH="$password"
if [ "$port" = 0 ] && [ -n "$socket" ]; then ask() { $limit "$cli" -s "$socket" 2>/dev/null; }
else ask() { $limit "$cli" -p "$port" 2>/dev/null; }; fi
printf 'INFO server\nINFO replication\nINFO memory\nINFO persistence\nINFO keyspace\nECHO @save\nCONFIG GET save\nECHO @appendonly\nCONFIG GET appendonly\nECHO @dir\nCONFIG GET dir\nECHO @dbfilename\nCONFIG GET dbfilename\nECHO @shutdown-on-sigterm\nCONFIG GET shutdown-on-sigterm\nECHO @end\n' | ask
"#;

/// A server's answer, with how it keeps what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerAnswer {
    pub answer: Answer,
    /// Bytes of RAM that the data takes.
    pub memory: Option<u64>,
    /// Writes that no file holds yet, if no append-only file does.
    pub changes_since_save: u64,
    pub last_save: Option<Timestamp>,
    /// `None` where `CONFIG` is not allowed.
    pub persistence: Option<Persistence>,
    /// The server's directory.
    pub directory: Option<String>,
    pub file: Option<String>,
    /// A background save that fails, in the server's word.
    pub save_failing: bool,
    /// It is set not to save when it is told to stop.
    pub ends_unsaved: bool,
}

/// How a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// An append-only file: every acknowledged write is in a file.
    AppendOnly,
    /// Save points: saved now and then, and at an orderly end.
    SavePoints,
    /// In RAM alone.
    None,
}

/// The settings that are asked for.
const SETTINGS: [&str; 5] = ["save", "appendonly", "dir", "dbfilename", "shutdown-on-sigterm"];

/// Reads the answer; `None` where the server did not introduce itself (`NOAUTH`, no server).
#[must_use]
pub fn parse_answer(text: &str) -> Option<ServerAnswer> {
    let mut found = ServerAnswer::default();
    let (mut introduced, mut keyspace, mut ended) = (false, false, false);
    let mut settings: [Option<String>; 5] = Default::default();
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('@') {
            ended |= name == "end";
            let Some(slot) = SETTINGS.iter().position(|known| *known == name) else { continue };
            // `name`, then its value; a refusal has neither.
            if lines.next() == Some(name) {
                settings[slot] = lines.next().map(str::to_owned);
            }
            continue;
        }
        keyspace |= line == "# Keyspace";
        let Some((field, value)) = line.split_once(':') else { continue };
        match field {
            "redis_version" => {
                introduced = true;
                found.answer.version.get_or_insert_with(|| value.to_owned());
            }
            "valkey_version" => found.answer.version = Some(value.to_owned()),
            // A small server computes a negative one and prints it unsigned.
            "used_memory_dataset" => found.memory = value.parse().ok().filter(|&bytes| bytes < 1 << 50),
            "rdb_changes_since_last_save" => found.changes_since_save = value.parse().unwrap_or(1),
            "rdb_last_bgsave_status" => found.save_failing = value != "ok",
            "rdb_last_save_time" => {
                found.last_save = value.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
            }
            _ if field.starts_with("db") && value.starts_with("keys=") => {
                let keys = value["keys=".len()..].split(',').next().and_then(|text| text.parse().ok());
                found.answer.objects += keys.unwrap_or(1);
                found.answer.contents.databases.push(DatabaseContents {
                    name: field.to_owned(),
                    rows: keys,
                    rows_exact: true,
                    ..DatabaseContents::default()
                });
            }
            _ => {}
        }
    }
    found.answer.complete = keyspace && ended;
    found.answer.contents.complete = found.answer.complete;
    let [save, append_only, directory, file, at_stop] = settings;
    found.ends_unsaved = at_stop.is_some_and(|words| words.split(' ').any(|word| word == "nosave"));
    found.persistence = match (append_only.as_deref(), save.as_deref()) {
        (Some("yes"), _) => Some(Persistence::AppendOnly),
        (Some("no"), Some(points)) if points.trim().is_empty() => Some(Persistence::None),
        (Some("no"), Some(_)) => Some(Persistence::SavePoints),
        _ => None,
    };
    found.directory = directory.filter(|path| path.starts_with('/'));
    found.file = file.filter(|name| !name.contains('/'));
    introduced.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdb(rest: &[u8]) -> Vec<u8> {
        let mut bytes =
            b"REDIS0010\xfa\x09redis-ver\x057.0.1\xfa\x05ctime\xc2\x00\xf1\x53\x65\xfa\x08aof-base\xc0\x00"
                .to_vec();
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn an_rdb_file_says_how_many_keys_it_holds() {
        let full = parse_rdb(&rdb(b"\xfe\x00\xfb\x41\x00\x00\x00")).unwrap();
        assert_eq!((full.version.as_deref(), full.keys), (Some("7.0.1"), Some(256)));
        assert_eq!(full.created, Timestamp::from_second(0x6553_f100).ok());
        assert_eq!(parse_rdb(&rdb(b"\xff12345678")).unwrap().keys, Some(0));
    }

    #[test]
    fn an_rdb_file_that_is_cut_off_or_holds_functions_is_not_empty() {
        assert_eq!(parse_rdb(&rdb(b"")).unwrap().keys, None);
        assert_eq!(parse_rdb(&rdb(b"\xf5\x03abc\xff")).unwrap().keys, None);
        assert_eq!(parse_rdb(b"nothing of the kind"), None);
    }

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nused_memory_dataset:2048\r\n# Persistence\r\nrdb_changes_since_last_save:3\r\nrdb_last_bgsave_status:ok\r\nrdb_last_save_time:1700000000\r\n# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\n";

    #[test]
    fn a_server_that_keeps_nothing() {
        let text = format!(
            "{INFO}@save\nsave\n\n@appendonly\nappendonly\nno\n@dir\ndir\n/data\n@dbfilename\ndbfilename\ndump.rdb\n@end\n"
        );
        let found = parse_answer(&text).unwrap();
        assert_eq!(found.persistence, Some(Persistence::None));
        assert_eq!((found.answer.objects, found.changes_since_save, found.answer.complete), (3, 3, true));
        assert_eq!(found.directory.as_deref(), Some("/data"));
        assert!(!found.ends_unsaved);
        let unsaved = text.replace("@end", "@shutdown-on-sigterm\nshutdown-on-sigterm\nnosave force\n@end");
        assert!(parse_answer(&unsaved).unwrap().ends_unsaved);
    }

    #[test]
    fn without_config_the_persistence_is_unknown() {
        let text = format!(
            "{INFO}@save\nERR unknown command\n\n@appendonly\nERR unknown command\n\n@dir\n@dbfilename\n@end\n"
        );
        assert_eq!(parse_answer(&text).unwrap().persistence, None);
    }

    #[test]
    fn a_server_that_asks_for_a_password_has_not_answered() {
        assert_eq!(parse_answer("NOAUTH Authentication required.\n\n@save\n"), None);
    }
}
