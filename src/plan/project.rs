//! Compose's model of a project, from `docker compose … config --format json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// A loaded project, reduced to what decides about removal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Project {
    pub(super) name: String,
    #[serde(default)]
    pub(super) services: BTreeMap<String, Service>,
    #[serde(default)]
    pub(super) volumes: BTreeMap<String, ProjectVolume>,
    /// Services that exist in the files and that no profile enables. Filled in apart.
    #[serde(skip)]
    pub(super) disabled: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Service {
    /// Explicit and implied ones: compose adds links, volumes_from and shared namespaces.
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) provider: Option<Provider>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Provider {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ProjectVolume {
    /// The engine's name for it.
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) external: bool,
}

impl Project {
    /// The services among `named` and all that depend on them, as compose goes down a dependency graph; all
    /// services where none is named.
    pub(super) fn with_dependants(&self, named: &[String]) -> BTreeSet<String> {
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
                        && service.depends_on.keys().any(|dependency| wanted.contains(dependency))
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
                "web": {"depends_on": {"api": {}}},
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
    }

    #[test]
    fn only_foreign_providers_are_unknown() {
        let project = project();
        assert_eq!(project.unknown_providers(&project.with_dependants(&[])), ["cloud"]);
    }
}
