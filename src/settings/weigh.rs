//! Weighs what was set where, for one body of data. Pure.

use std::{borrow::Cow, path::Path};

use jiff::SignedDuration;

use super::{
    ProjectFile, Settings, age,
    file::SettingsFile,
    folder_of,
    holder::{Holder, is_service},
};
use crate::{
    judge::{self, Stance, loss_name},
    model::{
        container::label,
        evidence::{Evidence, Location, TargetKind},
        plan::{Fate, Plan},
        policy::{AcceptLoss, Acceptance, Mode, OnSurvivors, Policy},
    },
};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin<'a> {
    Default,
    User(&'a Path),
    Label(&'static str),
    Project(&'a Path),
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::User(path) | Self::Project(path) => write!(out, "{}", path.display()),
            Self::Label(name) => write!(out, "label {name}"),
        }
    }
}

/// A policy with the origin of each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed<'a> {
    pub mode: (Mode, Origin<'a>),
    /// The error is a label's value that is no span of time.
    pub max_backup_age: (Result<SignedDuration, String>, Origin<'a>),
    pub on_survivors: (OnSurvivors, Origin<'a>),
    pub accept_loss: (AcceptLoss, Origin<'a>),
}

/// The file that governs a body of data. What loosens counts only where the data is the project's own.
#[derive(Clone, Copy)]
pub(super) struct Governing<'a> {
    pub(super) project: &'a ProjectFile,
    pub(super) is_own: bool,
}

impl<'a> Governing<'a> {
    pub(super) fn may_loosen(&self) -> bool {
        self.project.trusted && self.is_own
    }

    fn path(&self) -> &'a Path {
        &self.project.file.path
    }
}

impl Settings {
    /// The project's file that governs a body of data.
    pub(super) fn governing(&self, plan: &Plan, seen: &Evidence) -> Option<Governing<'_>> {
        let holder = Holder::of(plan, seen);
        let folder = match holder.container {
            Some(container) => folder_of(container),
            // A volume knows its project's name only; a container of that project knows the folder.
            None => seen.target.project.as_deref().and_then(|project| {
                let mut containers = plan.containers.iter().map(|planned| &planned.container);
                containers.find(|container| container.project() == Some(project)).and_then(folder_of)
            }),
        };
        if let Some(governs) = folder.and_then(|folder| self.folders.get(folder)) {
            let project = self.projects.get((*governs)?)?;
            return Some(Governing { project, is_own: !holder.volume_of_another(seen) });
        }
        let project = self.project_here()?;
        let folder_name = project.file.path.parent().and_then(Path::file_name).unwrap_or_default();
        let by_name = normal(&folder_name.to_string_lossy());
        let is_volume = seen.target.kind == TargetKind::Volume;
        let is_own = is_volume && seen.target.project.as_ref() == Some(&by_name);
        Some(Governing { project, is_own })
    }

    /// What counts for a body of data.
    #[must_use]
    pub fn weigh(&self, plan: &Plan, seen: &Evidence) -> Weighed<'_> {
        let holder = Holder::of(plan, seen);
        let mut weighed = self.without_labels(self.governing(plan, seen));
        let by_user = |origin: &Origin<'_>| matches!(origin, Origin::User(_));
        let mode = holder.own_labels(seen).and_then(|labels| labels.get(label::POLICY));
        if let (Some(word), false) = (mode, by_user(&weighed.mode.1)) {
            // A word that is not known guards.
            weighed.mode = (Mode::parse(word).unwrap_or(Mode::Guard), Origin::Label(label::POLICY));
        }
        let span = holder.backup_label(seen, label::MAX_BACKUP_AGE);
        if let (Some(span), false) = (span, by_user(&weighed.max_backup_age.1)) {
            weighed.max_backup_age = (age::parse(span), Origin::Label(label::MAX_BACKUP_AGE));
        }
        weighed
    }

    /// What the files say where no container is meant, for the working directory.
    #[must_use]
    pub fn here(&self) -> Weighed<'_> {
        self.without_labels(self.project_here().map(|project| Governing { project, is_own: true }))
    }

    fn without_labels<'a>(&'a self, governing: Option<Governing<'a>>) -> Weighed<'a> {
        let standard = Policy::default();
        let user = self.user.as_ref();
        macro_rules! value {
            ($key:ident, $loosens:expr) => {{
                let loosens: fn(_, _) -> bool = $loosens;
                let by_user =
                    user.and_then(|file| Some((file.$key.as_ref()?.value, Origin::User(&file.path))));
                let by_project = governing.and_then(|governing| {
                    let value = governing.project.file.$key.as_ref()?.value;
                    let counts = governing.may_loosen() || !loosens(value, standard.$key);
                    counts.then(|| (value, Origin::Project(governing.path())))
                });
                by_user.or(by_project).unwrap_or((standard.$key, Origin::Default))
            }};
        }
        let (age, age_origin) = value!(max_backup_age, |age, standard| age > standard);
        Weighed {
            mode: value!(mode, |mode, _| mode == Mode::Disposable),
            max_backup_age: (Ok(age), age_origin),
            on_survivors: value!(on_survivors, |set, standard| set < standard),
            accept_loss: value!(accept_loss, |set, standard| set < standard),
        }
    }

    /// What a person wishes for one body of data.
    #[must_use]
    pub fn stance(&self, plan: &Plan, seen: &Evidence, accepted: &[String]) -> Stance {
        let weighed = self.weigh(plan, seen);
        let by_flag = || {
            let counts = weighed.accept_loss.0 == AcceptLoss::Flag;
            let name = accepted.iter().find(|name| counts && self.names(name, seen))?;
            Some(format!("--accept-loss {name}"))
        };
        let by_mode = || {
            (weighed.mode.0 == Mode::Disposable).then(|| match &weighed.mode.1 {
                Origin::Label(name) => format!("its label {name}=disposable"),
                origin => format!("mode = \"disposable\" in {origin}"),
            })
        };
        Stance {
            accepted: by_flag().or_else(by_mode).or_else(|| self.by_acceptance(plan, seen)),
            on_survivors: weighed.on_survivors.0,
        }
    }

    /// How a loss of this data may be accepted: at the prompt, `Never` forbids that too.
    #[must_use]
    pub fn accept_loss(&self, plan: &Plan, seen: &Evidence) -> AcceptLoss {
        self.weigh(plan, seen).accept_loss.0
    }

    fn by_acceptance(&self, plan: &Plan, seen: &Evidence) -> Option<String> {
        let by = |file: &SettingsFile, named: &dyn Fn(&str) -> bool| {
            let fits = |accept: &Acceptance| accept.check == judge::check_id(seen) && named(&accept.target);
            let accept = file.accepts.iter().find(|accept| fits(&accept.value))?;
            Some(format!("{}:{}: {}", file.path.display(), accept.line, accept.value.reason))
        };
        let with_project =
            |name: &str| seen.location != Location::NamedVolume && is_service(name, seen, false);
        // The user's file is for every project: there a bare service means nothing.
        let own = |name: &str| name == loss_name(seen) || with_project(name);
        let by_user = self.user.as_ref().and_then(|file| by(file, &own));
        let labels = Holder::of(plan, seen).own_labels(seen);
        let by_label = || super::suppress::by_label(labels?, judge::check_id(seen));
        by_user.or_else(by_label).or_else(|| {
            let governing = self.governing(plan, seen).filter(Governing::may_loosen)?;
            by(&governing.project.file, &|name| self.names(name, seen) || with_project(name))
        })
    }

    /// Whether a name means this data: its own, or its container's or service's where that cannot be mistaken.
    fn names(&self, name: &str, seen: &Evidence) -> bool {
        if name == loss_name(seen) {
            return true;
        }
        // A named volume is lost under its own name only: the container's says nothing of what else uses it.
        if seen.location == Location::NamedVolume {
            return false;
        }
        let is_service = seen.target.service.as_deref() == Some(name);
        let ambiguous = self.container_names.contains(name)
            || self.services.get(name).is_some_and(|projects| projects.len() > 1);
        name == seen.target.name || is_service && !ambiguous
    }

    /// Lines worth saying before anything happens.
    #[must_use]
    pub fn notes(&self, evidence: &[Evidence], accepted: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        for project in &self.projects {
            let ignored = project.ignored();
            if !ignored.is_empty() {
                let keys: Vec<Cow<'_, str>> =
                    ignored.iter().map(|(key, line)| format!("{key} (line {line})").into()).collect();
                notes.push(format!(
                    "{}: ignored until it is trusted: {}; docker dbsafe config trust",
                    project.file.path.display(),
                    keys.join(", ")
                ));
            }
        }
        for name in accepted {
            let at_risk = |seen: &&Evidence| seen.fate >= Fate::Detached && self.names(name, seen);
            if !evidence.iter().any(|seen| at_risk(&seen)) {
                notes.push(format!("--accept-loss {name}: nothing at risk has this name"));
            }
        }
        if let Some(origin) = self.flags_do_not_count().filter(|_| !accepted.is_empty()) {
            notes.push(format!("--accept-loss does not count: accept_loss is set in {origin}"));
        }
        notes
    }

    /// The file that makes `--accept-loss` not count, where one does.
    fn flags_do_not_count(&self) -> Option<String> {
        let set = |file: &SettingsFile| file.accept_loss.as_ref().map(|set| set.value);
        let strict = |file: &&SettingsFile| set(file).is_some_and(|value| value != AcceptLoss::Flag);
        let file = match self.user.as_ref().filter(|user| set(user).is_some()) {
            Some(user) => Some(user).filter(strict),
            None => self.projects.iter().map(|project| &project.file).find(strict),
        };
        file.map(|file| file.path.display().to_string())
    }
}

/// A folder's name as compose makes a project's name of it (compose-go `NormalizeProjectName`).
fn normal(name: &str) -> String {
    let lower = name.to_lowercase();
    let kept: String = lower.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
