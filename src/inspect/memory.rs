//! What only a running Redis or its kin has: keys that no file holds yet.

use super::{hit::Hit, server::Reply, settle, spot::Spot, subject::Subject};
use crate::{
    docker::dial::EngineError,
    engines::{
        KINDS, Kind,
        redis::{Persistence, ServerAnswer},
    },
    model::{
        coverage::Coverage,
        evidence::{Contents, Evidence, Location, Presence},
        plan::{Ending, Fate},
    },
};

/// Shells that do not hand the stop signal on to the server they started.
const SHELLS: &[&str] = &["sh", "bash", "ash", "dash", "busybox", "zsh"];
/// How fast a save is taken to be at the least: bytes of data a second.
const SAVE_SPEED: u64 = 50_000_000;

/// Evidence on every in-memory server of a container, beside what its files say.
///
/// # Errors
/// Where the container is gone or the engine does not answer.
pub(super) async fn look(subject: &Subject<'_>, hits: &[Hit]) -> Result<Vec<Evidence>, EngineError> {
    let mut found = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.in_memory) {
        if !subject.serves(kind) {
            continue;
        }
        let own_hits: Vec<&Hit> = hits.iter().filter(|hit| hit.kind.in_memory).collect();
        match subject.ask(kind).await {
            Reply::Redis(answer) => found.extend(answered(subject, kind, &answer, &own_hits).await?),
            Reply::Silent(cause) => found.extend(silent(subject, kind, &cause, &own_hits).await?),
            Reply::Answer(_) | Reply::NotAsked => {
                found.extend(silent(subject, kind, "there is no way to ask it", &own_hits).await?);
            }
        }
    }
    Ok(found)
}

async fn answered(
    subject: &Subject<'_>,
    kind: &'static Kind,
    answer: &ServerAnswer,
    hits: &[&Hit],
) -> Result<Option<Evidence>, EngineError> {
    let directory = answer
        .directory
        .clone()
        .or_else(|| hits.first().map(|hit| hit.path.clone()))
        .unwrap_or_else(|| subject.planned.container.working_dir.clone());
    let spot = subject.spot(&directory);
    let files_hold_data = hits.iter().any(|hit| hit.path == directory && hit.user_data != Some(false));
    if answer.answer.says_empty() {
        // Files with keys in them that the server does not know are judged by themselves.
        let says = (!files_hold_data && (spot.is_at_risk() || ends(subject))).then(|| {
            let presence = Presence::Empty { why: "the server holds no keys".to_owned() };
            evidence(subject, kind, answer, spot, directory, presence)
        });
        return Ok(says);
    }
    if !spot.is_at_risk()
        && let Some(loss) = loss(subject, answer, files_hold_data)
    {
        let memory =
            Spot { location: Location::Memory, root: "/".to_owned(), volume: None, fate: Fate::Destroyed };
        let presence = match loss {
            Loss::Certain(_) => Presence::Found,
            Loss::Unknown(ref cause) => Presence::Undetermined { cause: cause.clone() },
        };
        let mut evidence = evidence(subject, kind, answer, memory, "RAM".to_owned(), presence);
        if let Loss::Certain(note) = loss {
            evidence.contents.note = Some(note);
        }
        return Ok(Some(evidence));
    }
    // The files' own evidence is told with the server's words by `settle`; without files, an orderly stop
    // would write them to this place.
    let told = files_hold_data || !(spot.is_at_risk() || subject.thorough);
    Ok((!told).then(|| {
        let mut evidence = evidence(subject, kind, answer, spot, directory, Presence::Found);
        evidence.contents.note = Some("in memory; no file holds it yet".to_owned());
        evidence
    }))
}

/// A server that holds we do not know what.
async fn silent(
    subject: &Subject<'_>,
    kind: &'static Kind,
    cause: &str,
    hits: &[&Hit],
) -> Result<Option<Evidence>, EngineError> {
    // An append-only file holds every acknowledged write, and is judged by where it lies.
    for hit in hits {
        if subject.root().exists(&format!("{}/appendonlydir", hit.path)).await? {
            return Ok(None);
        }
    }
    let any_at_risk = hits.iter().any(|hit| hit.spot.is_at_risk() && hit.user_data != Some(false));
    if any_at_risk || !ends(subject) {
        return Ok(None);
    }
    let spot = Spot { location: Location::Memory, root: "/".to_owned(), volume: None, fate: Fate::Destroyed };
    let presence = Presence::Undetermined {
        cause: format!("the server may hold writes in memory that no file has, and did not say: {cause}"),
    };
    Ok(Some(evidence(subject, kind, &ServerAnswer::default(), spot, "RAM".to_owned(), presence)))
}

/// What the end of the process would take with it.
enum Loss {
    Certain(String),
    Unknown(String),
}

/// What is lost of a server's keys when it ends as planned, though its directory stays.
fn loss(subject: &Subject<'_>, answer: &ServerAnswer, has_files: bool) -> Option<Loss> {
    if !ends(subject) || answer.persistence == Some(Persistence::AppendOnly) {
        return None;
    }
    let changes = answer.changes_since_save;
    if changes == 0 && has_files {
        return None;
    }
    let unsaved = || match (changes, has_files) {
        (0, _) => "no file holds its keys".to_owned(),
        (1, _) => "1 write since its last save".to_owned(),
        (many, _) => format!("{many} writes since its last save"),
    };
    match answer.persistence {
        Some(Persistence::None) => Some(Loss::Certain(format!("in memory only: {}", unsaved()))),
        Some(_) => killed(subject, answer).map(|why| Loss::Certain(format!("{}, and {why}", unsaved()))),
        None => Some(Loss::Unknown(format!("{}; whether a stop saves them it does not say", unsaved()))),
    }
}

/// Why the server would get no time to save at its end; `None` where it would.
fn killed(subject: &Subject<'_>, answer: &ServerAnswer) -> Option<String> {
    let grace = match subject.planned.ending {
        Ending::Untouched => return None,
        Ending::Kill => return Some("it is killed without one more".to_owned()),
        Ending::Stop { grace_seconds } => grace_seconds,
    };
    if grace == 0 {
        return Some("a stop without grace kills it before one more".to_owned());
    }
    if answer.ends_unsaved {
        return Some("it is set not to save at a stop".to_owned());
    }
    if answer.save_failing {
        return Some("its saves fail".to_owned());
    }
    let first = subject.processes.first().and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    if SHELLS.contains(&first.rsplit('/').next().unwrap_or_default()) {
        return Some(format!(
            "the shell that started it swallows the stop signal, so after {grace} s it is killed"
        ));
    }
    let needs = answer.memory.unwrap_or(0) / SAVE_SPEED;
    let has = u64::try_from(grace).unwrap_or(u64::MAX);
    (needs >= has).then(|| format!("one more may take longer than the {grace} s until it is killed"))
}

fn ends(subject: &Subject<'_>) -> bool {
    subject.planned.ending != Ending::Untouched
}

fn evidence(
    subject: &Subject<'_>,
    kind: &Kind,
    answer: &ServerAnswer,
    spot: Spot,
    path: String,
    presence: Presence,
) -> Evidence {
    let mut evidence = Evidence {
        target: subject.target(),
        engine: Some(kind.id.to_owned()),
        engine_name: Some(kind.name.to_owned()),
        engine_version: None,
        location: spot.location,
        path,
        volume: spot.volume.clone(),
        presence,
        size_bytes: answer.memory,
        contents: Contents::default(),
        last_write: None,
        running: true,
        fate: spot.fate,
        consequence: spot.consequence(),
        identity: None,
        coverage: Coverage::none(),
    };
    settle::tell(&mut evidence, &answer.answer);
    evidence
}
