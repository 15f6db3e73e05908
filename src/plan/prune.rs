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

/// From this major version of the client on, a label filter of the configuration was seen to be left out where the
/// command line has none of the opposite kind (28.2, 28.5; 20.10 and 26.1 honour it).
const FORGETFUL_SINCE: u32 = 27;

/// The client that would run the prune.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// The version that its requests would have.
    pub api: (u32, u32),
    pub version: (u32, u32),
}

/// Labels that choose.
#[derive(Debug, Default, PartialEq, Eq)]
struct LabelFilters {
    all_of: Vec<String>,
    not_all_of: Vec<String>,
}

/// How the engine chooses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    given: LabelFilters,
    /// Of the configuration, and the client may leave them out.
    hoped_for: LabelFilters,
    /// Named volumes, too.
    all_volumes: bool,
    /// `until` was given: the engine takes fewer containers than we say.
    until: bool,
    /// Filters that we do not know; the engine refuses most of them.
    unknown: Vec<String>,
}

impl Rules {
    pub(super) fn read(prune: &Prune, configured: &[String], client: Client) -> Self {
        let all_volumes =
            client.api < ANONYMOUS_ONLY_SINCE || prune.scope == PruneScope::Volumes && prune.all;
        let mut rules = Self { all_volumes, ..Self::default() };
        for filter in &prune.filters {
            rules.add(filter);
        }
        for filter in configured {
            rules.add_configured(filter, client);
        }
        rules
    }

    /// docker/cli `PruneFilters`: what the command line says of a label wins.
    fn add_configured(&mut self, filter: &str, client: Client) {
        let (name, value, opposite) = match filter.split_once('=') {
            Some((name @ "label", value)) => (name, value, &self.given.not_all_of),
            Some((name @ "label!", value)) => (name, value, &self.given.all_of),
            Some(_) => return self.add(filter),
            None => return,
        };
        let overruled = opposite.iter().any(|known| known == value);
        if overruled {
            return;
        }
        let honoured = client.version < (FORGETFUL_SINCE, 0) || !opposite.is_empty();
        let filters = if honoured { &mut self.given } else { &mut self.hoped_for };
        let list = if name == "label" { &mut filters.all_of } else { &mut filters.not_all_of };
        list.push(value.to_owned());
    }

    fn add(&mut self, filter: &str) {
        match filter.split_once('=') {
            Some(("label", value)) => self.given.all_of.push(value.to_owned()),
            // `label!=x` is cut at its `=`.
            Some(("label!", value)) => self.given.not_all_of.push(value.to_owned()),
            Some(("until", _)) => self.until = true,
            // For volumes; any value that is not a plain no is taken for a yes.
            Some(("all", value)) => {
                self.all_volumes |= !matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False")
            }
            _ => self.unknown.push(filter.to_owned()),
        }
    }

    fn take(&self, labels: &Labels) -> bool {
        self.given.take(labels)
    }

    /// Whether it stays if docker honours its configuration.
    fn may_spare(&self, labels: &Labels) -> bool {
        !self.hoped_for.take(labels)
    }
}

impl LabelFilters {
    /// moby `matchLabels`: all of `label`, and not all of `label!`.
    fn take(&self, labels: &Labels) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.all_of.iter().all(has) && (self.not_all_of.is_empty() || !self.not_all_of.iter().all(has))
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
                let spared = rules.may_spare(&container.labels);
                steps.containers.push(Step::new(&container.id, does, cause("it does not run", spared)));
                steps.possible.extend(spared.then(|| container.id.clone()));
            }
        }
    }
    if prune.scope == PruneScope::Volumes || prune.scope == PruneScope::System && prune.volumes {
        let going: Vec<&str> = steps.containers.iter().map(|step| step.id.as_str()).collect();
        let spared = steps.possible.clone();
        for volume in state.volumes.values() {
            let used = state.users(&volume.name).any(|c| !going.contains(&c.id.as_str()));
            let may_be_used = state.users(&volume.name).any(|c| spared.contains(&c.id));
            let wanted = volume.driver == "local"
                && volume.options.is_empty()
                && (rules.all_volumes || volume.labelled_anonymous());
            if wanted && !used && rules.take(&volume.labels) {
                let spared = may_be_used || rules.may_spare(&volume.labels);
                let cause = cause("no container uses it", spared);
                steps.volumes.push(VolumeStep { name: volume.name.clone(), cause });
                steps.possible.extend(spared.then(|| volume.name.clone()));
            }
        }
    }
}

fn cause(why: &str, spared: bool) -> String {
    if spared { format!("{why}, and docker may pass over its `pruneFilters`") } else { why.to_owned() }
}

impl Client {
    /// `1.51 28.5.2`. What cannot be read is an old API, which takes more, of a client that keeps no promise.
    pub(super) fn read(versions: &str) -> Self {
        let mut words = versions.split_whitespace();
        let api = words.next().and_then(two_numbers).unwrap_or_default();
        Self { api, version: words.next().and_then(two_numbers).unwrap_or((FORGETFUL_SINCE, 0)) }
    }
}

/// The first two numbers of a version.
fn two_numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-', '+']).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Client = Client { api: (1, 45), version: (26, 1) };
    const FORGETFUL: Client = Client { api: (1, 51), version: (28, 5) };

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
    fn what_is_not_known_of_the_client_is_taken_for_the_worse() {
        let old = Client::read("1.41 20.10.24+dfsg1\n");
        assert!(old.api < ANONYMOUS_ONLY_SINCE && old.version < (FORGETFUL_SINCE, 0));
        let new = Client::read("1.100 28.5.2+dfsg4");
        assert!(new.api > (1, 51) && new.version >= (FORGETFUL_SINCE, 0));
        let unknown = Client::read("");
        assert!(unknown.api < ANONYMOUS_ONLY_SINCE && unknown.version >= (FORGETFUL_SINCE, 0));
    }

    #[test]
    fn named_volumes_go_on_an_old_api_with_all_and_by_a_filter_in_the_configuration() {
        assert!(!rules(&[], &[]).all_volumes);
        assert!(rules(&["all=1"], &[]).all_volumes && rules(&[], &["all=true"]).all_volumes);
        assert!(!rules(&["all=false"], &[]).all_volumes);
        assert!(
            Rules::read(&prune(PruneScope::System, &[]), &[], Client { api: (1, 41), ..NEW }).all_volumes
        );
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
    fn a_later_client_leaves_the_labels_of_its_configuration_out_and_that_is_no_promise() {
        let kept = labels(&[("keep", "1")]);
        let forgetful = |filters: &[&str], configured: &str| {
            Rules::read(&prune(PruneScope::Volumes, filters), &[configured.to_owned()], FORGETFUL)
        };
        let rules = forgetful(&[], "label!=keep");
        assert!(rules.take(&kept) && rules.may_spare(&kept) && !rules.may_spare(&labels(&[])));
        let rules = forgetful(&[], "label=other");
        assert!(rules.take(&kept) && rules.may_spare(&kept));
        // With one of the opposite kind on the command line, it is honoured.
        let rules = forgetful(&["label=other"], "label!=keep");
        assert!(!rules.take(&labels(&[("keep", ""), ("other", "")])) && !rules.may_spare(&kept));
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
