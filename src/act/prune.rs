//! Carries out a prune as the list that was judged: each container by its id and each volume by its name, without
//! force. What was made or has stopped since is not in the list, and stays.

use std::io::{BufRead as _, Write};

use super::handover;
use crate::{
    cancel::Cancellation,
    docker::{
        engine::Engine,
        error::EngineError,
        program::{DockerProgram, ProgramError},
    },
    exit::Exit,
    model::{
        operation::{Prune, PruneScope},
        plan::{Fate, Plan},
    },
};

/// A prune that was let through.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub docker: &'a DockerProgram,
    pub prune: &'a Prune,
    pub plan: &'a Plan,
    pub cancellation: &'a Cancellation,
}

/// Whether the list says all that the command means. `until` is counted by the engine's clock, and takes fewer than
/// the list.
#[must_use]
pub fn is_listed(prune: &Prune, configured: &[String]) -> bool {
    !prune.filters.iter().chain(configured).any(|filter| filter.starts_with("until="))
}

/// Asks as docker asks, unless the command was forced, then removes what the plan lists. Networks, images and the build
/// cache, which hold no data of anybody's, are left to docker's own commands.
///
/// # Errors
/// Where standard output is gone, or docker cannot be started.
pub async fn run(request: &Request<'_>, out: &mut dyn Write) -> Result<Exit, PruneError> {
    let _ours = request.cancellation.hand_over();
    if !request.prune.force && !confirmed(request.prune, out)? {
        return Ok(Exit::Docker(0));
    }
    let mut bytes = 0;
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    for planned in request.plan.containers.iter().filter(|planned| planned.fate == Fate::Destroyed) {
        if request.cancellation.is_cancelled() {
            break;
        }
        match request.engine.remove_container(&planned.container.id).await {
            Ok(()) => {
                bytes += planned.container.size_rw.unwrap_or(0);
                removed.push(planned.container.id.clone());
            }
            Err(error) => failed.extend(left_alone(&planned.container.name, &error)),
        }
    }
    list(out, "Containers", &removed)?;
    removed.clear();
    for planned in request.plan.volumes.iter().filter(|planned| planned.fate == Fate::Destroyed) {
        if request.cancellation.is_cancelled() {
            break;
        }
        let name = &planned.volume.name;
        match request.engine.remove_volume(name).await {
            Ok(()) => removed.push(name.clone()),
            Err(error) => failed.extend(left_alone(name, &error)),
        }
    }
    list(out, "Volumes", &removed)?;
    for sentence in failed {
        writeln!(out, "{sentence}")?;
    }
    if request.cancellation.is_cancelled() {
        return Ok(Exit::Cancelled);
    }
    if request.prune.scope == PruneScope::System {
        return the_rest(request).await;
    }
    writeln!(out, "Total reclaimed space: {}", human_size(bytes))?;
    Ok(Exit::Docker(0))
}

/// Why a prune ended early. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    #[error("standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// What is gone already needs no word; what is in use by now stays, and that is said.
fn left_alone(name: &str, error: &EngineError) -> Option<String> {
    (error.status() != Some(404)).then(|| crate::ui::clean(&format!("{name} is left alone: {error}")))
}

fn list(out: &mut dyn Write, what: &str, names: &[String]) -> std::io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "Deleted {what}:")?;
    for name in names {
        writeln!(out, "{}", crate::ui::clean(name))?;
    }
    writeln!(out)
}

/// Docker's own commands for what no list of ours is about, in docker's order, with the filters of the whole.
async fn the_rest(request: &Request<'_>) -> Result<Exit, PruneError> {
    let prune = request.prune;
    let mut worst = Exit::Docker(0);
    for (family, takes_all) in [("network", false), ("image", true), ("builder", true)] {
        let mut words = vec![family.to_owned(), "prune".to_owned(), "--force".to_owned()];
        words.extend((takes_all && prune.all).then(|| "--all".to_owned()));
        // The build cache has no labels.
        let filters = prune.filters.iter().filter(|_| family != "builder");
        words.extend(filters.flat_map(|filter| ["--filter".to_owned(), filter.clone()]));
        if family == "builder" && !prune.filters.is_empty() {
            continue;
        }
        let exit = handover::run_docker(request.docker, &words, request.cancellation).await?;
        if exit.status() != 0 {
            worst = exit;
        }
    }
    Ok(worst)
}

/// Docker's question; anything but a yes is a no.
fn confirmed(prune: &Prune, out: &mut dyn Write) -> std::io::Result<bool> {
    write!(out, "{}\nAre you sure you want to continue? [y/N] ", warning(prune))?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// Docker's words (docker/cli `command/{container,volume,system}/prune.go`).
fn warning(prune: &Prune) -> String {
    match (prune.scope, prune.all) {
        (PruneScope::Containers, _) => "WARNING! This will remove all stopped containers.".to_owned(),
        (PruneScope::Volumes, false) => {
            "WARNING! This will remove anonymous local volumes not used by at least one container.".to_owned()
        }
        (PruneScope::Volumes, true) => {
            "WARNING! This will remove all local volumes not used by at least one container.".to_owned()
        }
        (PruneScope::System, all) => {
            let mut text = "WARNING! This will remove:\n  - all stopped containers\n".to_owned();
            text.push_str("  - all networks not used by at least one container\n");
            if prune.volumes {
                text.push_str("  - all anonymous volumes not used by at least one container\n");
            }
            text.push_str(if all {
                "  - all images without at least one container associated to them\n  - all build cache\n"
            } else {
                "  - all dangling images\n  - unused build cache\n"
            });
            if !prune.filters.is_empty() {
                text.push_str("\n  Items to be pruned will be filtered with:\n");
                prune.filters.iter().for_each(|filter| text.push_str(&format!("  - {filter}\n")));
            }
            text
        }
    }
}

/// Bytes in docker's form: four digits, in powers of a thousand.
fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = if size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else {
        3
    };
    let text = format!("{size:.decimals$}");
    format!("{}{}", text.trim_end_matches('0').trim_end_matches('.'), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        for (bytes, text) in
            [(0, "0B"), (12, "12B"), (1234, "1.234kB"), (15_600_000, "15.6MB"), (1_000_000, "1MB")]
        {
            assert_eq!(human_size(bytes), text);
        }
    }

    #[test]
    fn a_filter_by_age_is_the_engines_to_count() {
        let prune = |filters: &[&str]| Prune {
            scope: PruneScope::Containers,
            all: false,
            volumes: false,
            force: true,
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        };
        assert!(is_listed(&prune(&["label=x"]), &[]));
        assert!(!is_listed(&prune(&["until=24h"]), &[]));
        assert!(!is_listed(&prune(&[]), &["until=24h".to_owned()]));
    }
}
