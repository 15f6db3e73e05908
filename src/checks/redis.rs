//! What a Redis or Valkey is told on its command line, and in the file of options that it names.

use super::values;
use crate::model::setup::Setup;

/// The options that decide what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Whether snapshots are written: they are, unless `--save ""`.
    pub(super) saves: bool,
    /// `--appendonly yes`.
    pub(super) appends: bool,
    pub(super) maxmemory: Option<u64>,
    /// `allkeys-lru`; empty where nothing is said, which is `noeviction`.
    pub(super) policy: String,
    pub(super) asks_for_password: bool,
    /// A file of options was named: how the server is reached is its matter.
    pub(super) has_file: bool,
    /// What decides about saving may stand where it cannot be seen.
    pub(super) is_partly_unknown: bool,
}

impl Options {
    /// The options of a service; `None` where it is no Redis or kin.
    pub(super) fn of(setup: &Setup) -> Option<Self> {
        if !matches!(setup.engine.as_deref(), Some("redis" | "valkey" | "dragonfly")) {
            return None;
        }
        let words = setup.words();
        let named = words.iter().any(|word| word.ends_with(".conf"));
        let file = file_of_options(setup).and_then(|path| setup.text_of(path));
        // The command line comes after the file, and so counts.
        let value = |flag: &str| {
            let at = words.iter().rposition(|word| word.eq_ignore_ascii_case(flag));
            at.and_then(|at| words.get(at + 1).copied())
                .or_else(|| in_file(file?, flag.trim_start_matches('-')))
        };
        let set = |name: &str| setup.value(name).filter(|value| !value.is_empty());
        let appends =
            value("--appendonly").or_else(|| set("REDIS_AOF_ENABLED")).or_else(|| set("VALKEY_AOF_ENABLED"));
        let password = value("--requirepass").filter(|password| !password.is_empty());
        Some(Self {
            saves: value("--save").is_none_or(|points| !points.is_empty()),
            appends: appends.is_some_and(|is| is.eq_ignore_ascii_case("yes")),
            maxmemory: value("--maxmemory").and_then(values::bytes).filter(|bytes| *bytes > 0),
            policy: value("--maxmemory-policy").unwrap_or_default().to_ascii_lowercase(),
            asks_for_password: password
                .or_else(|| set("REDIS_PASSWORD"))
                .or_else(|| set("VALKEY_PASSWORD"))
                .is_some(),
            has_file: named,
            is_partly_unknown: named && file.is_none_or(|text| in_file(text, "include").is_some()),
        })
    }

    /// Whether it says of itself that nothing is written to disk.
    pub(super) fn writes_nothing(&self) -> bool {
        !self.saves && !self.appends && !self.is_partly_unknown
    }

    pub(super) fn evicts_all(&self) -> bool {
        self.policy.starts_with("allkeys-")
    }
}

/// The path of the file of options that the command names.
pub(super) fn file_of_options(setup: &Setup) -> Option<&str> {
    if !matches!(setup.engine.as_deref(), Some("redis" | "valkey")) {
        return None;
    }
    setup.words().into_iter().find(|word| word.starts_with('/') && word.ends_with(".conf"))
}

/// The first word of an option's value in a file; the last that is given counts.
fn in_file<'t>(text: &'t str, option: &str) -> Option<&'t str> {
    let value = |line: &'t str| {
        let (name, value) = line.trim().split_once(char::is_whitespace)?;
        let first = value.split_whitespace().next()?;
        name.eq_ignore_ascii_case(option).then(|| first.trim_matches(['"', '\'']))
    };
    text.lines().filter_map(value).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{from_compose, named_files};

    fn options(command: &str, file: Option<&str>) -> Options {
        let model = serde_json::json!({"services": {"store": {"image": "redis:7", "command": command}}});
        let mut setup = from_compose::setups(&model, None).remove(0);
        for path in named_files::wanted(&setup) {
            if let Some(text) = file {
                named_files::note(&mut setup, path, text.as_bytes().to_vec());
            }
        }
        Options::of(&setup).unwrap()
    }

    #[test]
    fn a_file_of_options_counts_where_it_is_read_and_the_command_line_before_it() {
        let command = "redis-server /etc/redis.conf";
        assert!(!options(command, None).writes_nothing(), "what is not read says nothing");
        let off = "# save 900 1\nsave \"\"\nappendonly no\nmaxmemory 100mb\nrequirepass \"x y\"\n";
        let read = options(command, Some(off));
        assert!(read.writes_nothing() && read.asks_for_password);
        assert_eq!(read.maxmemory, Some(104_857_600));
        assert!(!options(command, Some("save \"\"\nsave 900 1\n")).writes_nothing());
        assert!(!options(command, Some("#save \"\"\n")).writes_nothing());
        assert!(!options("redis-server /etc/redis.conf --appendonly yes", Some(off)).writes_nothing());
        assert!(!options(command, Some("include /etc/more.conf\nsave \"\"\n")).writes_nothing());
    }
}
