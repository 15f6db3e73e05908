//! What a Redis or Valkey is told on its command line.

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
    /// A file of options was named: what it says is not known.
    pub(super) has_file: bool,
}

impl Options {
    /// The options of a service; `None` where it is no Redis or kin.
    pub(super) fn of(setup: &Setup) -> Option<Self> {
        if !matches!(setup.engine.as_deref(), Some("redis" | "valkey" | "dragonfly")) {
            return None;
        }
        let words = setup.words();
        let value = |flag: &str| {
            let at = words.iter().rposition(|word| word.eq_ignore_ascii_case(flag))?;
            words.get(at + 1).copied()
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
            has_file: words.iter().any(|word| word.ends_with(".conf")),
        })
    }

    pub(super) fn evicts_all(&self) -> bool {
        self.policy.starts_with("allkeys-")
    }
}
