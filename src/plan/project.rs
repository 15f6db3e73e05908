//! Compose's model of a project, from `docker compose … config --format json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::service::{Service, null_is_default};

/// A loaded project, reduced to what decides about removal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Project {
    pub(super) name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) services: BTreeMap<String, Service>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) volumes: BTreeMap<String, ProjectVolume>,
    #[serde(default, deserialize_with = "networks_with_hashes")]
    pub(super) networks: BTreeMap<String, ProjectNetwork>,
    /// Services that exist in the files and that no profile enables. Filled in apart.
    #[serde(skip)]
    pub(super) disabled: BTreeSet<String>,
}

/// How a service depends on another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Dependency {
    /// A restart of the other one restarts this one, too.
    #[serde(default)]
    pub(super) restart: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Provider {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ProjectVolume {
    /// The engine's name for it.
    pub(super) name: String,
    pub(super) external: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) driver: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) driver_opts: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// A network as the files describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProjectNetwork {
    /// The engine's name for it.
    pub(super) name: String,
    pub(super) external: bool,
    /// What compose labels the network with that it makes of it: SHA-256 of its JSON, as `config` prints it
    /// (compose `hash.go`, `NetworkHash`).
    pub(super) hash: String,
}

fn networks_with_hashes<'de, D>(deserializer: D) -> Result<BTreeMap<String, ProjectNetwork>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Described {
        name: String,
        external: bool,
    }
    let raw: Option<BTreeMap<String, Box<RawValue>>> = Option::deserialize(deserializer)?;
    let network = |(key, raw): (String, Box<RawValue>)| {
        // What is not an object describes nothing that compose could make.
        let described: Described = serde_json::from_str(raw.get()).unwrap_or_default();
        let digest = Sha256::digest(compact(raw.get()).as_bytes());
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (key, ProjectNetwork { name: described.name, external: described.external, hash })
    };
    Ok(raw.unwrap_or_default().into_iter().map(network).collect())
}

/// JSON without the white space between its parts.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let kept = |c: &char| {
        if in_text {
            in_text = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
            return true;
        }
        in_text = *c == '"';
        !c.is_whitespace()
    };
    json.chars().filter(kept).collect()
}

impl Project {
    /// The services among `named` and all that depend on them, as compose goes down a dependency graph; all
    /// services where none is named.
    pub(super) fn with_dependants(&self, named: &[String]) -> BTreeSet<String> {
        self.with_dependants_by(named, |_| true)
    }

    /// As `with_dependants`, along those dependencies only that hand a restart on.
    pub(super) fn with_restarted(&self, named: &[String]) -> BTreeSet<String> {
        self.with_dependants_by(named, |dependency| dependency.restart)
    }

    fn with_dependants_by(&self, named: &[String], counts: impl Fn(&Dependency) -> bool) -> BTreeSet<String> {
        if named.is_empty() {
            return self.services.keys().cloned().collect();
        }
        let mut wanted: BTreeSet<String> =
            named.iter().filter(|name| self.services.contains_key(*name)).cloned().collect();
        loop {
            let more: Vec<String> = self
                .services
                .iter()
                .filter(|(name, service)| {
                    !wanted.contains(*name)
                        && service.depends_on.iter().any(|(name, how)| wanted.contains(name) && counts(how))
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return wanted;
            }
            wanted.extend(more);
        }
    }

    /// Providers that compose would run, of the kinds whose doings we cannot know.
    pub(super) fn unknown_providers(&self, services: &BTreeSet<String>) -> Vec<String> {
        let unknown =
            |service: &Service| service.provider.as_ref().is_some_and(|provider| provider.kind != "model");
        let named =
            self.services.iter().filter(|(name, service)| services.contains(*name) && unknown(service));
        named.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Project {
        serde_json::from_value(serde_json::json!({
            "name": "shop",
            "services": {
                "db": {"image": "postgres"},
                "api": {"depends_on": {"db": {"condition": "service_started"}}},
                "web": {"depends_on": {"api": {"restart": true}}},
                "ai": {"provider": {"type": "model"}},
                "cloud": {"provider": {"type": "awesomecloud"}}
            },
            "volumes": {"pg": {"name": "shop_pg"}, "ext": {"name": "ext", "external": true}}
        }))
        .unwrap()
    }

    #[test]
    fn going_down_takes_those_that_depend() {
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            project().with_dependants(&names).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(named(&["db"]), ["api", "db", "web"]);
        assert_eq!(named(&["web"]), ["web"]);
        assert_eq!(named(&["nothing"]), [""; 0]);
        assert_eq!(named(&[]).len(), 5);
        let restarted = |name: &str| project().with_restarted(&[name.to_owned()]);
        assert_eq!(restarted("api").into_iter().collect::<Vec<_>>(), ["api", "web"]);
        assert_eq!(restarted("db").into_iter().collect::<Vec<_>>(), ["db"]);
    }

    #[test]
    fn only_foreign_providers_are_unknown() {
        let project = project();
        assert_eq!(project.unknown_providers(&project.with_dependants(&[])), ["cloud"]);
    }
}
