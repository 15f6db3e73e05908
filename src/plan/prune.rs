//! `container prune`, `volume prune`, `system prune`: what the engine would choose, from the command, the
//! filters of docker's configuration and the API version (moby `daemon/prune.go`, `volume/service/service.go`).

use super::{
    compose::Steps,
    simulate::{Does, EngineState, Step, VolumeStep},
};
use crate::model::{
    container::{Labels, State},
    operation::{Prune, PruneScope},
};

/// Below this API a volume prune takes every unused volume, named ones too.
const ANONYMOUS_ONLY_SINCE: (u32, u32) = (1, 42);

/// How the engine chooses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    labels: Vec<String>,
    not_labels: Vec<String>,
    /// Named volumes, too.
    all_volumes: bool,
    /// `until` was given: the engine takes fewer containers than we say.
    until: bool,
    /// Filters that we do not know; the engine refuses most of them.
    unknown: Vec<String>,
}

impl Rules {
    /// `api` is the version that docker's requests would have.
    pub(super) fn read(prune: &Prune, configured: &[String], api: (u32, u32)) -> Self {
        let all_volumes = api < ANONYMOUS_ONLY_SINCE || prune.scope == PruneScope::Volumes && prune.all;
        let mut rules = Self { all_volumes, ..Self::default() };
        for filter in &prune.filters {
            rules.add(filter);
        }
        let (labels, not_labels) = (rules.labels.clone(), rules.not_labels.clone());
        for filter in configured {
            // docker/cli `PruneFilters`: what the command line says of a label wins.
            let overruled = match filter.split_once('=') {
                Some(("label", value)) => not_labels.iter().any(|known| known == value),
                Some(("label!", value)) => labels.iter().any(|known| known == value),
                Some(_) => false,
                None => true,
            };
            if !overruled {
                rules.add(filter);
            }
        }
        rules
    }

    fn add(&mut self, filter: &str) {
        match filter.split_once('=') {
            Some(("label", value)) => self.labels.push(value.to_owned()),
            // `label!=x` is cut at its `=`.
            Some(("label!", value)) => self.not_labels.push(value.to_owned()),
            Some(("until", _)) => self.until = true,
            // For volumes; any value that is not a plain no is taken for a yes.
            Some(("all", value)) => {
                self.all_volumes |= !matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False")
            }
            _ => self.unknown.push(filter.to_owned()),
        }
    }

    /// moby `matchLabels`: all of `label`, and not all of `label!`.
    fn take(&self, labels: &Labels) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.labels.iter().all(has) && (self.not_labels.is_empty() || !self.not_labels.iter().all(has))
    }
}

/// The steps of a prune, in docker's order: containers first, which frees their volumes.
pub(super) fn steps(prune: &Prune, rules: &Rules, state: &EngineState, steps: &mut Steps) {
    if !rules.unknown.is_empty() {
        steps.undetermined.push(format!("what the filter {} chooses", rules.unknown.join(", ")));
    }
    if prune.scope != PruneScope::Volumes {
        if rules.until {
            steps
                .notes
                .push("`until` is not looked at: every container that does not run is counted".to_owned());
        }
        for container in state.summaries.iter().filter(|c| rules.take(&c.labels)) {
            let stands = !container.state.refuses_removal() && container.state != State::Removing;
            if stands {
                let does = Does::RemoveIfStopped { volumes: false };
                let cause = "it does not run".to_owned();
                steps.containers.push(Step::new(&container.id, does, cause));
            }
        }
    }
    if prune.scope == PruneScope::Volumes || prune.scope == PruneScope::System && prune.volumes {
        let going: Vec<&str> = steps.containers.iter().map(|step| step.id.as_str()).collect();
        let stays = |id: &str| !going.contains(&id);
        for volume in state.volumes.values() {
            let used = state.users(&volume.name).any(|c| stays(&c.id));
            let wanted = volume.driver == "local"
                && volume.options.is_empty()
                && (rules.all_volumes || volume.labelled_anonymous());
            if wanted && !used && rules.take(&volume.labels) {
                let cause = "no container uses it".to_owned();
                steps.volumes.push(VolumeStep { name: volume.name.clone(), cause });
            }
        }
    }
}

/// `1.51` as numbers; what cannot be read is old, which takes more.
pub(super) fn api_number(version: &str) -> (u32, u32) {
    let mut parts = version.trim().split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: (u32, u32) = (1, 51);

    fn prune(scope: PruneScope, filters: &[&str]) -> Prune {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        Prune { scope, all: false, volumes: true, force: true, filters }
    }

    fn rules(filters: &[&str], configured: &[&str]) -> Rules {
        let configured: Vec<String> = configured.iter().map(|&filter| filter.to_owned()).collect();
        Rules::read(&prune(PruneScope::Volumes, filters), &configured, NEW)
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn api_versions_are_numbers() {
        assert!(api_number("1.41") < ANONYMOUS_ONLY_SINCE && api_number("") < ANONYMOUS_ONLY_SINCE);
        assert!(api_number("1.42") >= ANONYMOUS_ONLY_SINCE && api_number("1.100\n") > (1, 51));
    }

    #[test]
    fn named_volumes_go_on_an_old_api_with_all_and_by_a_filter_in_the_configuration() {
        assert!(!rules(&[], &[]).all_volumes);
        assert!(rules(&["all=1"], &[]).all_volumes && rules(&[], &["all=true"]).all_volumes);
        assert!(!rules(&["all=false"], &[]).all_volumes);
        assert!(Rules::read(&prune(PruneScope::System, &[]), &[], (1, 41)).all_volumes);
        // `system prune -a` is about images.
        let images = Prune { all: true, ..prune(PruneScope::System, &[]) };
        assert!(!Rules::read(&images, &[], NEW).all_volumes);
    }

    #[test]
    fn labels_choose_as_the_engine_has_it() {
        let kept = labels(&[("keep", "1")]);
        assert!(rules(&["label=keep"], &[]).take(&kept) && !rules(&["label=keep=2"], &[]).take(&kept));
        assert!(!rules(&["label!=keep"], &[]).take(&kept) && rules(&["label!=keep"], &[]).take(&labels(&[])));
        // Two `label!` exclude only what has both.
        assert!(rules(&["label!=keep", "label!=more"], &[]).take(&kept));
        assert!(!rules(&[], &["label!=keep"]).take(&kept));
        // The command line overrules the configuration.
        assert!(rules(&["label=keep"], &["label!=keep"]).take(&kept));
    }

    #[test]
    fn an_unknown_filter_is_not_guessed() {
        assert_eq!(rules(&["name=x"], &[]).unknown, ["name=x"]);
        let mut found = Steps::default();
        steps(
            &prune(PruneScope::Volumes, &[]),
            &rules(&["name=x"], &[]),
            &EngineState::default(),
            &mut found,
        );
        assert_eq!(found.undetermined.len(), 1);
    }
}
