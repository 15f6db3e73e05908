//! Memory file systems of running containers. The archive API does not see them, so the container's own
//! `tar` or `find` lists them.

use std::{ops::ControlFlow, time::Duration};

use super::{
    hit::Hit,
    listing::as_seen,
    spot::{SHARED_MEMORY, Spot},
    subject::Subject,
};
use crate::{
    docker::{
        archive::{Entry, EntryKind, walk_tar},
        exec::Exec,
    },
    engines::{
        self,
        recognise::{Recogniser, is_tool_cache},
    },
    model::{
        container::{MountKind, State, is_within},
        plan::Ending,
    },
};

const TIME_LIMIT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 64 << 20;
/// Mounts of every base image's making that hold sockets and process ids.
const NEVER: &[&str] = &["/run/lock", "/sys/fs/cgroup"];

/// Names, sizes and first bytes in one go where there is `tar`; names alone where there is `find`.
const LIST: &str = r#"cd "$DBSAFE_FOLDER/.." && command -v tar >/dev/null && exec tar -cf - --one-file-system "./${DBSAFE_FOLDER##*/}" 2>/dev/null"#;
const FIND: &str = r#"cd "$DBSAFE_FOLDER" && find . -xdev -type f"#;

/// The databases in a container's memory file systems that the command ends, or why they cannot be known.
pub(super) async fn look(subject: &Subject<'_>) -> Vec<(Spot, Result<Vec<Hit>, String>)> {
    if subject.planned.ending == Ending::Untouched && !subject.thorough || !subject.runs() {
        return Vec::new();
    }
    let container = &subject.planned.container;
    let mut folders: Vec<String> = container
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Tmpfs && !NEVER.contains(&mount.destination.as_str()))
        .map(|mount| mount.destination.clone())
        .collect();
    let candidates = engines::candidates(container, &subject.processes);
    let expected = candidates.iter().any(|candidate| candidate.directory.starts_with(SHARED_MEMORY));
    // An application may keep a file of its own there, and mostly says so where it is told where to.
    let container_words = container.environment.iter().chain(&container.command).chain(&subject.processes);
    let is_named = container_words.into_iter().any(|word| word.contains(SHARED_MEMORY));
    let mounted = container.mounts.iter().any(|mount| mount.destination == SHARED_MEMORY);
    if !mounted && (expected || is_named || subject.shares_memory == Some(true)) {
        folders.push(SHARED_MEMORY.to_owned());
    }
    let mut found = Vec::new();
    for folder in folders {
        let spot = subject.spot(&folder);
        let listed = list(subject, &folder).await;
        let hits = match listed {
            Ok(recogniser) => Ok(hits(recogniser, &folder, &spot)),
            // A folder for scratch files is not worth a block because there is no `tar`. In a paused container nothing
            // can be run at all.
            Err(_)
                if container.state != State::Paused
                    && is_scratch(&folder)
                    && !(folder == SHARED_MEMORY && is_named)
                    && !candidates.iter().any(|c| is_within(&c.directory, &folder)) =>
            {
                Ok(Vec::new())
            }
            Err(cause) => Err(cause),
        };
        found.push((spot, hits));
    }
    found
}

/// Whether programs put into a folder what is of no use once they have ended. Any other folder was made memory by
/// somebody who keeps something there.
fn is_scratch(folder: &str) -> bool {
    const FOLDERS: &[&str] = &["/tmp", "/var/tmp", "/run", "/var/run", "/var/cache", "/var/log", "/var/lock"];
    is_tool_cache(&format!("{folder}/")) || FOLDERS.iter().any(|scratch| is_within(folder, scratch))
}

fn hits(recogniser: Recogniser, folder: &str, spot: &Spot) -> Vec<Hit> {
    recogniser
        .finish()
        .into_iter()
        .map(|found| Hit::from_listing(found, folder, spot.clone(), true))
        .collect()
}

async fn list(subject: &Subject<'_>, folder: &str) -> Result<Recogniser, String> {
    let id = &subject.planned.container.id;
    let run = async |script: &str| {
        let environment = vec![format!("DBSAFE_FOLDER={folder}")];
        let exec = Exec { environment, user: Some("0".to_owned()), ..Exec::shell(script) };
        subject.engine.exec(id, exec, TIME_LIMIT, MAX_BYTES).await
    };
    let mut recogniser = Recogniser::default();
    let cause = match run(LIST).await {
        Ok(output) if output.succeeded() => {
            let listed = walk_tar(output.stdout.as_slice(), u64::MAX, &mut |entry| {
                recogniser.see(as_seen(&entry));
                ControlFlow::Continue(())
            });
            match listed {
                Ok(_) => return Ok(recogniser),
                Err(error) => error.to_string(),
            }
        }
        Ok(_) => "no `tar` in the container".to_owned(),
        Err(error) => error.to_string(),
    };
    let mut recogniser = Recogniser::default();
    match run(FIND).await {
        Ok(output) if output.succeeded() => {
            for path in String::from_utf8_lossy(&output.stdout).lines() {
                let path = path.trim_start_matches("./").to_owned();
                // Of an unknown size and so never taken for empty.
                let entry = Entry { path, kind: EntryKind::File, size: 1, modified: None, head: Vec::new() };
                recogniser.see(as_seen(&entry));
            }
            // By their names alone, single files cannot be told from databases.
            if recogniser.file_count > 0 && !recogniser.has_certain_data() {
                return Err(format!("{folder} is in memory, and its files could not be read: {cause}"));
            }
            Ok(recogniser)
        }
        _ => Err(format!("{folder} is in memory and could not be listed: {cause}")),
    }
}
