//! Findings that somebody has decided to live with: by a settings file or by a label. Pure.
//!
//! A project's file accepts the set-up of its own project by itself; what is about data counts only once the file
//! is trusted. Labels count as they stand on the container, or on the volume that outlives it.

use super::{Settings, file::SettingsFile, folder_of, holder::Holder};
use crate::{
    checks,
    judge::loss_name,
    model::{
        check::Class,
        container::{Container, Labels, label},
        evidence::Evidence,
        plan::Plan,
        policy::{Acceptance, Mode},
        verdict::Finding,
    },
};

/// What a finding is called by, where somebody accepts it.
struct Names<'a> {
    /// The container's or volume's own name.
    own: &'a str,
    project: Option<&'a str>,
    service: Option<&'a str>,
}

impl Names<'_> {
    /// Whether a name means it. A bare service is clear only in the file of its own project.
    fn are(&self, name: &str, bare_is_clear: bool) -> bool {
        let is_service = |wanted: &str| self.service == Some(wanted);
        name == self.own
            || match name.split_once('/') {
                Some((project, service)) => self.project == Some(project) && is_service(service),
                None => bare_is_clear && is_service(name),
            }
    }
}

impl Settings {
    /// Why a finding about a container's set-up does not count, where it does not.
    #[must_use]
    pub fn accepts_setup(&self, container: &Container, finding: &Finding) -> Option<String> {
        let names =
            Names { own: &container.name, project: container.project(), service: container.service() };
        let governs = folder_of(container).and_then(|folder| *self.folders.get(folder)?);
        let project = governs.and_then(|index| self.projects.get(index));
        by_label(&container.labels, &finding.id)
            .or_else(|| by_file(self.user.as_ref(), &finding.id, |name| names.are(name, false)))
            .or_else(|| {
                let file = project.filter(|project| project.trusted || !needs_trust(&finding.id))?;
                by_file(Some(&file.file), &finding.id, |name| names.are(name, true))
            })
            .or_else(|| {
                let mode =
                    project.filter(|project| project.trusted).and_then(|project| project.file.mode.as_ref());
                disposable(&container.labels).or_else(|| {
                    let project =
                        project.filter(|_| mode.is_some_and(|mode| mode.value == Mode::Disposable))?;
                    Some(format!("mode = \"disposable\" in {}", project.file.path.display()))
                })
            })
    }

    /// Why a finding about data does not count, where it does not.
    #[must_use]
    pub fn accepts_data(&self, plan: &Plan, seen: &Evidence, finding: &Finding) -> Option<String> {
        let labels = Holder::of(plan, seen).own_labels(seen);
        let names = Names {
            own: loss_name(seen),
            project: seen.target.project.as_deref(),
            service: seen.target.service.as_deref(),
        };
        let governing = self.governing(plan, seen).filter(super::weigh::Governing::may_loosen);
        labels
            .and_then(|labels| by_label(labels, &finding.id))
            .or_else(|| by_file(self.user.as_ref(), &finding.id, |name| names.are(name, false)))
            .or_else(|| by_file(Some(&governing?.project.file), &finding.id, |name| names.are(name, true)))
            .or_else(|| {
                let (mode, origin) = self.weigh(plan, seen).mode;
                (mode == Mode::Disposable).then(|| format!("disposable by {origin}"))
            })
    }

    /// Acceptances that met nothing: sentences. `all` is whether everything was looked at, so that a name that was not
    /// seen is nobody's; `labelled` has the names and labels of what was looked at.
    #[must_use]
    pub fn unused_acceptances(
        &self,
        findings: &[Finding],
        labelled: &[(&str, &Labels)],
        all: bool,
    ) -> Vec<String> {
        let used = |place: &str| {
            findings
                .iter()
                .any(|finding| finding.suppressed.as_deref().is_some_and(|why| why.starts_with(place)))
        };
        let seen = |name: &str| {
            let bare = name.rsplit('/').next().unwrap_or(name);
            labelled.iter().any(|(own, labels)| {
                *own == name || labels.get(label::SERVICE).is_some_and(|service| service == bare)
            })
        };
        let mut notes = Vec::new();
        let user = self.user.iter().map(|file| (file, true));
        let projects = self.projects.iter().map(|project| (&project.file, project.trusted));
        for (file, trusted) in user.chain(projects) {
            for accept in &file.accepts {
                let Acceptance { check, target, .. } = &accept.value;
                let place = format!("{}:{}:", file.path.display(), accept.line);
                let counts = trusted || !needs_trust(check);
                if !counts || used(&place) || !all && !seen(target) {
                    continue;
                }
                let why = if checks::check(check).is_none() {
                    "there is no such check".to_owned()
                } else if seen(target) {
                    format!("{target} has no such finding")
                } else {
                    format!("there is no {target}")
                };
                notes.push(format!("{place} accept {check} of {target} meets nothing: {why}"));
            }
        }
        for (name, labels) in labelled {
            for key in labels.keys().filter_map(|key| key.strip_prefix(label::ACCEPT)) {
                let place = format!("label {}{key}:", label::ACCEPT);
                let own = |finding: &&Finding| finding.target.name == *name;
                let met = findings
                    .iter()
                    .filter(own)
                    .any(|finding| finding.suppressed.as_deref().is_some_and(|why| why.starts_with(&place)));
                if !met {
                    notes.push(format!("{name}: {place} meets nothing"));
                }
            }
        }
        notes
    }
}

/// Whether a project's file may accept a check's findings only once it is trusted: what is about data. A check that
/// is not known loosens nothing.
#[must_use]
pub(super) fn needs_trust(check: &str) -> bool {
    checks::check(check).is_some_and(|check| check.class != Class::Setup)
}

/// A label's reason. An empty one is none.
pub(super) fn by_label(labels: &Labels, check: &str) -> Option<String> {
    let reason = labels.get(&format!("{}{check}", label::ACCEPT))?.trim();
    (!reason.is_empty()).then(|| format!("label {}{check}: {reason}", label::ACCEPT))
}

/// Why everything about a service or a container is lived with: its label says that it is a test.
#[must_use]
pub fn disposable(labels: &Labels) -> Option<String> {
    let mode = labels.get(label::POLICY).and_then(|word| Mode::parse(word));
    (mode == Some(Mode::Disposable)).then(|| format!("label {}=disposable", label::POLICY))
}

fn by_file(file: Option<&SettingsFile>, check: &str, named: impl Fn(&str) -> bool) -> Option<String> {
    let file = file?;
    let accept =
        file.accepts.iter().find(|accept| accept.value.check == check && named(&accept.value.target))?;
    Some(format!("{}:{}: {}", file.path.display(), accept.line, accept.value.reason))
}

#[cfg(test)]
#[path = "suppress_tests.rs"]
mod tests;
