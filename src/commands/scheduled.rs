//! One run of a schedule: the snapshot, what is kept of the old ones, and a word to whoever asked for it where
//! something went wrong.

use std::{io::Write, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    app::{App, Failure},
    drill,
    project::Project,
    save::{failed, identity_in},
    snapshot::{self, Order, line},
    snapshots,
};
use crate::{
    act::{
        notify::{self, Word},
        targets::Target,
    },
    exit::Exit,
    model::{
        drill::Drill,
        manifest::{VerificationMethod, VerificationResult},
        schedule::{Run, RunOutcome, SCHEDULE_VERSION, Schedule, may_be_one},
    },
    report::words::{count, size},
    store::{
        Store, StoreError, Stored, drills,
        retention::{self, Candidate, Policy},
        schedules,
    },
    ui::clean,
};

/// A guarded command or another schedule may have the store.
const LOCK_LIMIT: Duration = Duration::from_secs(30 * 60);
const LOCK_EVERY: Duration = Duration::from_secs(2);

/// Runs a schedule, and records what became of it.
///
/// # Errors
/// Where it fails; that is recorded, too.
pub(super) async fn run(
    app: &App,
    store: &Store,
    schedule: &Schedule,
    if_due: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (home, id) = (store.home(), &schedule.id);
    let runs = schedules::runs(home, id).map_err(|error| failed(&error))?;
    if if_due && !schedule.is_due(&runs, app.now()) {
        return Ok(Exit::Done);
    }
    let Some(_at_work) = schedules::work_at(home, id).map_err(|error| failed(&error))? else {
        return Err(Failure::new(format!("a run of the schedule {id} is at work already")));
    };
    let started = app.now();
    let mut run = Run {
        version: SCHEDULE_VERSION,
        started,
        ended: None,
        outcome: RunOutcome::Started,
        snapshot: None,
        detail: String::new(),
    };
    schedules::record(home, id, &run).map_err(|error| failed(&error))?;
    let done = work(app, store, schedule, &mut run, out).await;
    run.ended = Some(app.now());
    match &done {
        Ok(()) => run.outcome = RunOutcome::Done,
        Err(failure) => {
            run.outcome = RunOutcome::Failed;
            run.detail.clone_from(&failure.sentence);
        }
    }
    schedules::record(home, id, &run).map_err(|error| failed(&error))?;
    if let (Err(failure), Some(whom)) = (&done, &schedule.notify) {
        let message =
            format!("docker dbsafe: the scheduled backup {id} failed: {}", clean(&failure.sentence));
        if let Err(why) = notify::tell(whom, Word { schedule: id, message: &message }).await {
            app.ui.note(&format!("{} was not told: {}", clean(&notify::shown(whom)), clean(&why)));
        }
    }
    done.map(|()| Exit::Done)
}

async fn work(
    app: &App,
    store: &Store,
    schedule: &Schedule,
    run: &mut Run,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    wait_for(store).await?;
    let project = Project::of(schedule.project.clone(), &schedule.folder);
    let targets = project.targets(&app.engine, &schedule.targets).await?;
    let command = words(&schedule.id);
    // A timer starts us anywhere: the settings of where it was scheduled count.
    let here = Some(schedule.folder.as_path());
    let order = Order { command: command.clone(), verify: VerificationMethod::Restore, here };
    let stored = snapshot::take(app, store, &targets, order).await?;
    run.snapshot = Some(stored.manifest.id.clone());
    run.detail = format!("snapshot {}, {}", stored.manifest.id, size(stored.bytes()));
    if !schedule.folder.is_dir() {
        let folder = schedule.folder.display();
        run.detail.push_str(&format!("; {folder} is gone, and with it the settings that stood there"));
    }
    line(out, &run.detail)?;
    if !stored.is_proved() {
        let why = clean(&stored.manifest.verification.detail);
        return Err(Failure::new(format!("snapshot {} could not be verified: {why}", stored.manifest.id)));
    }
    let Retired { count, copied } = retire(app, store, schedule, &command)?;
    if count > 0 {
        line(out, &format!("  {count} older removed, as --keep {} says", schedule.keep))?;
    }
    if copied > 0 {
        line(out, &format!("  {copied} of them stay at the remote: {PRUNE_REMOTE}"))?;
    }
    drill(app, store, schedule, &targets, out).await
}

/// Restores the newest backup of everything that it saves, where it is time to.
async fn drill(
    app: &App,
    store: &Store,
    schedule: &Schedule,
    targets: &[Target],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let drills = drills::list(store.home()).map_err(|error| failed(&error))?;
    let here = |drill: &&Drill| {
        may_be_one(drill.docker_engine.as_deref(), schedule.docker_engine.as_deref())
            && schedule.is_of(&drill.container, drill.volume.as_deref())
    };
    let own = drills.iter().filter(here);
    if !schedule.is_drill_due(own.map(|drill| drill.at).max(), app.now()) {
        return Ok(());
    }
    // A timer starts us anywhere.
    let store = store.opened_by(identity_in(app, Some(&schedule.folder)));
    let done = drill::all(app, &store, targets).await?;
    if let Some(bad) = done.iter().find(|drill| drill.result != VerificationResult::Proved) {
        let source = bad.source.as_deref().unwrap_or("a backup");
        let (name, detail) = (clean(&bad.container), clean(&bad.detail));
        return Err(Failure::new(format!(
            "the drill of {name}: {} is not restored: {detail}",
            clean(source)
        )));
    }
    line(out, &format!("  {} restored in a drill", count(done.len() as u64, "backup")))?;
    Ok(())
}

/// docker's arguments that a snapshot of a schedule carries: they tell it from those that people made.
fn words(id: &str) -> Vec<String> {
    ["dbsafe", "schedule", "run", id].map(str::to_owned).into()
}

/// Waits until nobody else writes to the store. Whoever comes right then is waited for by nobody, and said.
async fn wait_for(store: &Store) -> Result<(), Failure> {
    let deadline = tokio::time::Instant::now() + LOCK_LIMIT;
    loop {
        match store.lock("docker dbsafe schedule run", Timestamp::now()) {
            Ok(_free) => return Ok(()),
            Err(StoreError::Locked { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(LOCK_EVERY).await;
            }
            Err(error) => return Err(failed(&error)),
        }
    }
}

/// What thins out the copies off this host. A schedule does not: who can only add to a remote cannot lose what is there.
pub(super) const PRUNE_REMOTE: &str = "docker dbsafe snapshots prune --remote";

/// Snapshots that are no longer in the store.
#[derive(Default)]
struct Retired {
    count: usize,
    /// Of these, those with a copy off this host, which stays.
    copied: usize,
}

/// Removes what the schedule's own rules no longer keep, of its own snapshots alone.
fn retire(app: &App, store: &Store, schedule: &Schedule, command: &[String]) -> Result<Retired, Failure> {
    let keep = schedule.keep;
    let policy = Policy {
        keep_last: keep.last,
        keep_daily: keep.daily,
        keep_weekly: keep.weekly,
        keep_monthly: keep.monthly,
    };
    let mut own = store.list().map_err(|error| failed(&error))?.snapshots;
    own.retain(|stored| stored.manifest.command == command);
    let candidates: Vec<Candidate> = own.iter().map(snapshots::candidate).collect();
    let plan = retention::plan(&candidates, policy, app.now(), &TimeZone::system());
    let doomed = |stored: &&Stored| {
        plan.iter().any(|decision| decision.is_removal() && decision.id == stored.manifest.id)
    };
    let mut retired = Retired::default();
    for stored in own.iter().filter(doomed) {
        let has_copy = stored.copies().iter().any(|copy| copy.pushed.is_some());
        store.remove(stored, app.now()).map_err(|error| failed(&error))?;
        retired.count += 1;
        retired.copied += usize::from(has_copy);
    }
    Ok(retired)
}
