//! Looks for the backups that rules and labels tell of.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;

use super::{
    Settings, folder_of,
    holder::{Holder, is_service},
    place,
};
use crate::{
    commands::app::App,
    inspect::backups::{self, Limits},
    model::{
        container::label,
        coverage::{Coverage, CoverageStatus},
        evidence::{Evidence, Presence},
        plan::Plan,
        policy::{BackupSource, Selector},
    },
    store::{self, Store, Stored},
};

/// What the store holds. Where it cannot be read, it backs nothing up.
fn snapshots(app: &App) -> std::sync::Arc<Vec<Stored>> {
    let listed = place::home(&app.environment)
        // Only to look: where there is no store, none is made.
        .filter(|home| home.join("snapshots").is_dir())
        .and_then(|home| Store::open(&home).ok()?.list().ok());
    std::sync::Arc::new(listed.map(|listing| listing.snapshots).unwrap_or_default())
}

/// One place to look into for one body of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    Files {
        glob: String,
        base: PathBuf,
        /// What a file's name must have in it, where the place holds backups of several bodies of data.
        words: Option<Vec<String>>,
    },
    /// It cannot be looked into, and why.
    Unknown(String),
}

impl Settings {
    /// Fills in what backs each body of data up, as far as rules and labels tell.
    pub async fn cover(&self, app: &App, plan: &Plan, evidence: &mut [Evidence]) {
        let looks: Vec<Vec<Look>> =
            (0..evidence.len()).map(|index| self.looks(plan, evidence, index)).collect();
        let memory = place::home(&app.environment).map(|home| home.join("cache/backups.json"));
        let snapshots = snapshots(app);
        for (seen, looks) in evidence.iter_mut().zip(looks) {
            let kept = seen.presence == Presence::Found && seen.engine.is_some() && !snapshots.is_empty();
            if looks.is_empty() && !kept {
                continue;
            }
            let created = match &seen.volume {
                Some(name) if kept => {
                    app.engine.volume(name).await.ok().flatten().map(|volume| volume.created)
                }
                Some(_) | None => None,
            };
            let snapshots = if kept { std::sync::Arc::clone(&snapshots) } else { Default::default() };
            let (max_age, origin) = self.weigh(plan, seen).max_backup_age;
            let max_age = match max_age {
                Ok(max_age) => max_age,
                Err(why) => {
                    seen.coverage = undetermined(format!("{origin}: {why}"));
                    continue;
                }
            };
            let limits = Limits { max_age, now: app.now(), zone: TimeZone::system(), memory: memory.clone() };
            let copy = seen.clone();
            // Backups are large: whoever waits for something else shall not wait for their disk.
            let work = tokio::task::spawn_blocking(move || {
                looks
                    .iter()
                    .map(|look| look_into(look, &copy, &limits))
                    .chain(store::coverage(&snapshots, &copy, created.as_deref(), limits.max_age, limits.now))
                    .min_by_key(|found| rank(found.status))
            });
            seen.coverage = match work.await {
                Ok(found) => found.unwrap_or_else(Coverage::none),
                Err(_panicked) => undetermined("the backups could not be read".to_owned()),
            };
        }
    }

    /// Where backups of one body of data may be.
    pub(super) fn looks(&self, plan: &Plan, evidence: &[Evidence], index: usize) -> Vec<Look> {
        let seen = &evidence[index];
        if seen.presence != Presence::Found || seen.engine.is_none() {
            return Vec::new();
        }
        let mut looks = Vec::new();
        // A bare service is clear only in the file of the project that it belongs to.
        let user = self.user.iter().flat_map(|file| &file.backups).map(|rule| (&rule.value, true, false));
        let governing = self.governing(plan, seen);
        let project = governing.iter().flat_map(|governing| {
            let rules = governing.project.file.backups.iter();
            rules.map(|rule| (&rule.value, governing.project.trusted, governing.is_own))
        });
        for (rule, trusted, is_own) in user.chain(project) {
            if !selects(&rule.selector, seen, is_own) {
                continue;
            }
            match &rule.source {
                BackupSource::Files { glob, base_folder } => looks.push(Look::Files {
                    glob: glob.clone(),
                    base: base_folder.clone(),
                    words: words(evidence, index, |other| selects(&rule.selector, other, is_own)),
                }),
                BackupSource::Program(program) if trusted => {
                    looks.push(Look::Unknown(format!("backups by {} cannot be checked yet", program.name())));
                }
                BackupSource::Program(_) => {}
            }
        }
        looks.extend(label_look(plan, evidence, index));
        looks
    }
}

/// What `dbsafe.backup` tells.
fn label_look(plan: &Plan, evidence: &[Evidence], index: usize) -> Option<Look> {
    let seen = &evidence[index];
    let holder = Holder::of(plan, seen);
    let glob = holder.backup_label(seen, label::BACKUP)?;
    let mut containers = plan.containers.iter().map(|planned| &planned.container);
    let project = seen.target.project.as_deref();
    let maker = holder
        .container
        .or_else(|| containers.find(|container| project.is_some() && container.project() == project));
    let folder = maker.and_then(folder_of);
    let base = match folder {
        Some(folder) if folder.is_dir() => folder,
        _ if Path::new(glob).is_absolute() => Path::new("/"),
        Some(folder) => {
            let why = format!("label {}: {} is not on this machine", label::BACKUP, folder.display());
            return Some(Look::Unknown(why));
        }
        None => {
            let why =
                format!("label {}: {glob} is relative, and to which folder is not known", label::BACKUP);
            return Some(Look::Unknown(why));
        }
    };
    let same = |other: &Evidence| Holder::of(plan, other).backup_label(other, label::BACKUP) == Some(glob);
    let words = words(evidence, index, same);
    Some(Look::Files { glob: glob.to_owned(), base: base.to_owned(), words })
}

fn selects(selector: &Selector, seen: &Evidence, bare_is_clear: bool) -> bool {
    match selector {
        Selector::Service(name) => is_service(name, seen, bare_is_clear),
        Selector::Container(name) => seen.target.name == *name,
        Selector::Volume(name) => seen.volume.as_ref().unwrap_or(&seen.target.id) == name,
    }
}

/// Where several bodies of data of one engine share one place of backups, a file must say by its name whose it
/// is: the container's name, its number, the volume's, the database file's. `None` where there is one alone.
fn words(evidence: &[Evidence], index: usize, shares: impl Fn(&Evidence) -> bool) -> Option<Vec<String>> {
    let seen = &evidence[index];
    let sharing =
        |other: &&Evidence| other.engine == seen.engine && other.presence == Presence::Found && shares(other);
    let bodies: HashSet<String> = evidence.iter().filter(sharing).map(body).collect();
    if bodies.len() < 2 {
        return None;
    }
    let own = own_words(seen);
    let others: HashSet<String> = evidence
        .iter()
        .filter(sharing)
        .filter(|other| body(other) != body(seen))
        .flat_map(own_words)
        .collect();
    Some(own.into_iter().filter(|word| !others.contains(word)).collect())
}

/// What tells one body of data from another. A server's memory and its files are one.
fn body(seen: &Evidence) -> String {
    let in_memory = matches!(seen.engine.as_deref(), Some("redis" | "valkey"));
    let path = if in_memory { "" } else { seen.path.as_str() };
    format!("{:?} {} {path}", seen.target.kind, seen.target.id)
}

fn own_words(seen: &Evidence) -> Vec<String> {
    let file = Path::new(&seen.path);
    let names =
        [file.file_stem(), file.file_name()].into_iter().flatten().map(|name| name.to_string_lossy().into());
    let is_file = seen.engine.as_deref() == Some("sqlite");
    let target = [Some(seen.target.name.clone()), seen.volume.clone()].into_iter().flatten();
    names.filter(|_| is_file).chain(target).collect()
}

fn look_into(look: &Look, seen: &Evidence, limits: &Limits) -> Coverage {
    let (glob, base, words) = match look {
        Look::Files { glob, base, words } => (glob, base, words),
        Look::Unknown(why) => return undetermined(why.clone()),
    };
    let all = match backups::matching(glob, base) {
        Ok(all) => all,
        Err(why) => return undetermined(why),
    };
    let count = all.len();
    let own: Vec<PathBuf> = match words {
        Some(words) => {
            all.into_iter().filter(|path| words.iter().any(|word| backups::names(path, word))).collect()
        }
        None => all,
    };
    if own.is_empty() && count > 0 {
        let why = format!("the names of the files at {glob} do not tell of which data each is");
        return Coverage { detail: Some(why), ..Coverage::none() };
    }
    let mut found = backups::coverage(&own, seen, limits);
    if found.status == CoverageStatus::None {
        found.detail = Some(format!("no file at {glob} in {}", base.display()));
    }
    found
}

/// Which of two answers says more.
fn rank(status: CoverageStatus) -> u8 {
    match status {
        CoverageStatus::Covered => 0,
        CoverageStatus::Stale => 1,
        CoverageStatus::Undetermined => 2,
        CoverageStatus::None => 3,
    }
}

fn undetermined(why: String) -> Coverage {
    Coverage { status: CoverageStatus::Undetermined, detail: Some(why), ..Coverage::none() }
}

#[cfg(test)]
#[path = "cover_tests.rs"]
mod tests;
