//! Looks first where the engines that a container seems to run would keep their data: a few `HEAD`s, 2 ms
//! each, instead of a listing.

use futures_util::{StreamExt as _, stream};

use super::{hit::Hit, listing, subject::Subject};
use crate::{
    docker::{archive::Place, dial::EngineError},
    engines::{self, Candidate, Kind, kind, recognise::is_literal},
};

/// Looks in one container at once. The engine answers them in parallel.
const PARALLEL: usize = 16;
/// Links in one path; more is a loop.
const MAX_LINKS: usize = 20;

/// The data directories that are where they are expected.
///
/// # Errors
/// Where the container is gone or the engine does not answer.
pub(super) async fn probe(subject: &Subject<'_>) -> Result<Vec<Hit>, EngineError> {
    let candidates = engines::candidates(&subject.planned.container, &subject.processes);
    let looks = candidates.into_iter().map(|candidate| async move {
        Ok(if is_there(subject, &candidate).await? { Some(hit(subject, candidate).await?) } else { None })
    });
    let looked: Vec<Result<Option<Hit>, EngineError>> =
        stream::iter(looks).buffered(PARALLEL).collect().await;
    if looked.iter().any(|look| matches!(look, Ok(None))) {
        subject.root().confirm().await?;
    }
    let mut hits: Vec<Hit> = Vec::new();
    for hit in looked {
        let Some(hit) = hit? else { continue };
        // Two names of one folder, or MySQL's and MariaDB's view of it: the first, more telling, stays.
        let known = |other: &Hit| other.path == hit.path && other.kind.in_memory == hit.kind.in_memory;
        if !hits.iter().any(known) {
            hits.push(hit);
        }
    }
    Ok(hits)
}

async fn hit(subject: &Subject<'_>, candidate: Candidate) -> Result<Hit, EngineError> {
    let path = resolve(&subject.root(), &candidate.directory).await?;
    let spot = subject.spot(&path);
    Ok(Hit {
        kind: candidate.kind,
        path,
        is_file: false,
        spot,
        size: None,
        newest: None,
        user_data: None,
        head: Vec::new(),
    })
}

/// Whether one of the kind's signatures seems whole in the directory.
async fn is_there(subject: &Subject<'_>, candidate: &Candidate) -> Result<bool, EngineError> {
    let root = subject.root();
    for signature in signatures(candidate.kind) {
        if signature.iter().all(|pattern| is_literal(pattern)) {
            let mut whole = true;
            for pattern in *signature {
                whole = whole && root.seems_there(&format!("{}/{pattern}", candidate.directory)).await?;
            }
            if whole {
                return Ok(true);
            }
        } else if root.seems_there(&candidate.directory).await? {
            let listing = listing::of(&root, &candidate.directory, listing::QUICK).await?;
            let found = listing.recogniser.finish();
            if found.iter().any(|found| found.kind.id == candidate.kind.id && found.path.is_empty()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Valkey's files are Redis's.
fn signatures(of: &'static Kind) -> &'static [&'static [&'static str]] {
    if of.signatures.is_empty() && of.in_memory {
        kind("redis").map_or(&[], |redis| redis.signatures)
    } else {
        of.signatures
    }
}

/// Follows the symbolic links in a path, so that the place it names is the place where it lies.
async fn resolve(root: &Place, path: &str) -> Result<String, EngineError> {
    let mut path = path.to_owned();
    'links: for _ in 0..MAX_LINKS {
        let ends: Vec<usize> =
            path.match_indices('/').map(|(index, _)| index).skip(1).chain([path.len()]).collect();
        for end in ends {
            let Some(stat) = root.stat(&path[..end]).await? else { return Ok(path) };
            if stat.is_link && stat.link_target.starts_with('/') && stat.link_target != path[..end] {
                path = format!("{}{}", stat.link_target.trim_end_matches('/'), &path[end..]);
                continue 'links;
            }
        }
        return Ok(path);
    }
    Ok(path)
}
