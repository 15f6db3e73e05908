//! `docker dbsafe snapshots`: what is in the store, whether it is good, and what may go.

use std::io::Write;

use clap::{Args, Subcommand};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    app::{App, Failure, Format},
    remote::{self, RemoteArgs},
    save::{self, open_store_with},
};
use crate::{
    act::verify,
    exit::Exit,
    model::manifest::{Manifest, Verification, VerificationMethod, VerificationResult},
    report::{
        document::SCHEMA_VERSION,
        table,
        words::{ago, short, size},
    },
    store::{
        Stored,
        retention::{self, Candidate, Policy},
    },
    ui::clean,
};

/// List, show, verify and remove snapshots
#[derive(Debug, Args)]
pub struct SnapshotsArgs {
    #[command(subcommand)]
    pub command: SnapshotsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SnapshotsCommand {
    /// List the snapshots, newest first
    Ls {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// The manifests as a bare list, as it was before `--format json`
        #[arg(long, hide = true, conflicts_with = "format")]
        json: bool,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Copy snapshots off this host: what is there already is not sent again
    Push {
        /// The beginning of an id, or `latest`; without one, every snapshot
        snapshot: Vec<String>,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Fetch a snapshot from the remote
    Pull {
        /// The beginning of its id, or `latest`
        snapshot: String,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Show what a snapshot holds
    Show {
        /// The beginning of its id, or `latest`
        snapshot: String,
        /// Print the manifest as JSON
        #[arg(long)]
        json: bool,
    },
    /// Prove a snapshot: start a server on a copy and compare, or read its files back
    Verify {
        /// The beginning of its id, or `latest`
        snapshot: String,
        /// Only read the files back; no engine is needed
        #[arg(long)]
        checksum: bool,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Remove a snapshot
    Rm {
        /// The beginning of its id
        snapshot: String,
        /// Even where it is the last proved one of its data
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Remove old snapshots; without --yes, only say which
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Keep so many of the newest of each body of data
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub keep_last: usize,
    /// Keep the newest of each of so many days
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub keep_daily: usize,
    /// Keep the newest of each of so many weeks
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub keep_weekly: usize,
    /// Keep the newest of each of so many months
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub keep_monthly: usize,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// Runs the command.
///
/// # Errors
/// Where the store cannot be read or written, or there is no such snapshot.
pub async fn run(app: &App, arguments: &SnapshotsArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let identity = match &arguments.command {
        SnapshotsCommand::Verify { remote, .. } => remote.identity.as_deref(),
        _ => None,
    };
    let store = open_store_with(app, identity)?;
    let refused = |error| save::failed(&error);
    match &arguments.command {
        SnapshotsCommand::Ls { format, json, remote } if remote.is_remote() => {
            remote::ls(app, *json || *format == Format::Json, remote, out).await
        }
        SnapshotsCommand::Push { snapshot, remote } => remote::push(app, &store, snapshot, remote, out).await,
        SnapshotsCommand::Pull { snapshot, remote } => {
            let stored = remote::pull(app, &store, snapshot, remote).await?;
            write(out, &format!("{}  {}\n", stored.manifest.id, stored.folder.display()))?;
            Ok(Exit::Done)
        }
        SnapshotsCommand::Verify { snapshot, remote, .. } if remote.is_remote() => {
            remote::verify(app, snapshot, remote, out).await
        }
        SnapshotsCommand::Rm { snapshot, force, remote } if remote.is_remote() => {
            remote::rm(app, &store, snapshot, *force, remote, out).await
        }
        SnapshotsCommand::Prune(prune) if prune.remote.is_remote() => {
            remote::prune(app, &store, prune, out).await
        }
        SnapshotsCommand::Ls { format, json, .. } => {
            let listing = store.list().map_err(refused)?;
            let manifests: Vec<_> = listing.snapshots.iter().map(|stored| &stored.manifest).collect();
            if *json {
                print_json(out, &manifests)?;
            } else if *format == Format::Json {
                let document = Document { schema_version: SCHEMA_VERSION, snapshots: &manifests };
                print_json(out, &document)?;
            } else {
                write(out, &list(&listing.snapshots, app.now(), app.ui.width_out))?;
            }
            for unreadable in &listing.unreadable {
                app.ui.note(&unreadable.error.to_string());
            }
            Ok(Exit::Done)
        }
        SnapshotsCommand::Show { snapshot, json } => {
            let stored = store.find(snapshot).map_err(refused)?;
            if *json {
                print_json(out, &stored.manifest)?;
            } else {
                write(out, &show(&stored, app.now()))?;
            }
            Ok(Exit::Done)
        }
        SnapshotsCommand::Verify { snapshot, checksum, .. } => {
            let stored = store.find(snapshot).map_err(refused)?;
            let method = if *checksum { VerificationMethod::Checksum } else { VerificationMethod::Restore };
            let progress = save::progress();
            let proving = verify::verify_stored(&app.engine, &store, &stored, method, &progress, app.now());
            let verification =
                proving.await.map_err(|error| save::not_saved("could not be verified", &error))?;
            write(out, &format!("{}  {}\n", stored.manifest.id, verdict(&verification, app.now())))?;
            write(out, &format!("  {}\n", clean(&verification.detail)))?;
            Ok(match verification.result {
                VerificationResult::Proved => Exit::Done,
                VerificationResult::Failed | VerificationResult::Unverified => Exit::SnapshotFailed,
            })
        }
        SnapshotsCommand::Rm { snapshot, force, .. } => {
            let stored = store.find(snapshot).map_err(refused)?;
            let all = store.list().map_err(refused)?.snapshots;
            if let (Some(subject), false) = (last_proved_of(&stored, &all), force) {
                return Err(Failure::new(format!(
                    "{} is the last proved snapshot of {subject}",
                    stored.manifest.id
                ))
                .hint(format!("docker dbsafe snapshots rm --force {}", stored.manifest.id)));
            }
            store.remove(&stored, app.now()).map_err(refused)?;
            write(out, &format!("removed {}\n", stored.manifest.id))?;
            Ok(Exit::Done)
        }
        SnapshotsCommand::Prune(prune) => {
            let snapshots = store.list().map_err(refused)?.snapshots;
            let candidates: Vec<Candidate> = snapshots.iter().map(candidate).collect();
            let doomed = decide(app, prune, &candidates, out)?;
            let doomed: Vec<&Stored> =
                snapshots.iter().filter(|stored| doomed.contains(&stored.manifest.id)).collect();
            if prune.yes {
                for stored in &doomed {
                    store.remove(stored, app.now()).map_err(refused)?;
                }
            } else if !doomed.is_empty() {
                app.ui.say("nothing was removed; add --yes to do it");
            }
            Ok(Exit::Done)
        }
    }
}

/// The list as a document. docs/snapshots.schema.json describes it.
#[derive(serde::Serialize)]
struct Document<'a> {
    schema_version: u32,
    snapshots: &'a [&'a Manifest],
}

/// Shows what retention decides, and returns the ids of what goes.
pub(super) fn decide(
    app: &App,
    prune: &PruneArgs,
    candidates: &[Candidate],
    out: &mut dyn Write,
) -> Result<Vec<String>, Failure> {
    let policy = Policy {
        keep_last: prune.keep_last,
        keep_daily: prune.keep_daily,
        keep_weekly: prune.keep_weekly,
        keep_monthly: prune.keep_monthly,
    };
    let plan = retention::plan(candidates, policy, app.now(), &TimeZone::system());
    let mut rows = vec![["SNAPSHOT", "WHAT", "WHY"].map(str::to_owned)];
    for decision in &plan {
        let (what, why) = match decision.is_removal() {
            true => ("remove", String::new()),
            false => ("keep", decision.reasons.join(", ")),
        };
        rows.push([decision.id.clone(), what.to_owned(), why]);
    }
    write(out, &table::plain(&rows, app.ui.width_out))?;
    Ok(plan.into_iter().filter(retention::Decision::is_removal).map(|decision| decision.id).collect())
}

pub(super) fn write(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn print_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))?;
    write(out, &format!("{json}\n"))
}

pub(super) fn candidate(stored: &Stored) -> Candidate {
    Candidate {
        id: stored.manifest.id.clone(),
        created: stored.manifest.created,
        proved: stored.is_proved(),
        subjects: stored.subjects(),
        kept_until: stored.manifest.kept_until,
    }
}

/// What of a snapshot no other proved one has.
fn last_proved_of(stored: &Stored, all: &[Stored]) -> Option<String> {
    if !stored.is_proved() {
        return None;
    }
    let others = || all.iter().filter(|other| other.manifest.id != stored.manifest.id && other.is_proved());
    let kept = |subject: &String| others().any(|other| other.subjects().contains(subject));
    stored.subjects().into_iter().find(|subject| !kept(subject)).map(|subject| clean(&subject))
}

/// `proved by a restore 2 h ago`.
fn verdict(verification: &Verification, now: Timestamp) -> String {
    let when = verification.at.map(|at| format!(" {}", ago(at, now))).unwrap_or_default();
    let how = match verification.how {
        VerificationMethod::Restore => "by a restore",
        VerificationMethod::Checksum => "by checksum",
    };
    match verification.result {
        VerificationResult::Proved => format!("proved {how}{when}"),
        VerificationResult::Failed => format!("FAILED{when}"),
        VerificationResult::Unverified => match verification.at {
            Some(_) => format!("could not be verified{when}"),
            None => "not verified".to_owned(),
        },
    }
}

pub(super) fn names(stored: &Stored) -> String {
    names_of(&stored.manifest)
}

pub(super) fn names_of(manifest: &Manifest) -> String {
    let items = manifest.items.iter();
    let mut names: Vec<String> = items.map(|item| clean(short(&item.target.name))).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

fn list(snapshots: &[Stored], now: Timestamp, width: usize) -> String {
    let mut rows = vec![["SNAPSHOT", "MADE", "OF", "SIZE", "VERIFIED", "COPY", "FOR"].map(str::to_owned)];
    for stored in snapshots {
        let manifest = &stored.manifest;
        let command = match manifest.command.is_empty() {
            true => "snapshot".to_owned(),
            false => clean(&manifest.command.join(" ")),
        };
        let undone = stored.outcome().is_some_and(|outcome| outcome.undone.is_some());
        rows.push([
            manifest.id.clone(),
            ago(manifest.created, now),
            names(stored),
            size(stored.bytes()),
            verdict(&manifest.verification, now),
            copy(stored, now),
            if undone { format!("{command} (undone)") } else { command },
        ]);
    }
    table::plain(&rows, width)
}

/// `off this host 2 h ago`, in the words of the last push.
fn copy(stored: &Stored, now: Timestamp) -> String {
    let copies = stored.copies();
    if let Some((at, _cause)) =
        copies.iter().filter_map(|copy| copy.failed.as_ref()).max_by_key(|(at, _)| *at)
    {
        return format!("FAILED {}", ago(*at, now));
    }
    match copies.iter().filter(|copy| !copy.same_disk).filter_map(|copy| copy.pushed).max() {
        Some(at) => format!("off this host {}", ago(at, now)),
        None if copies.is_empty() => "none".to_owned(),
        None => "on the same disk".to_owned(),
    }
}

fn show(stored: &Stored, now: Timestamp) -> String {
    let manifest = &stored.manifest;
    let mut lines = vec![
        format!("snapshot   {}", manifest.id),
        format!(
            "made       {} ({}) by dbsafe {}",
            manifest.created,
            ago(manifest.created, now),
            clean(&manifest.dbsafe)
        ),
        format!("engine     {} {}", clean(&manifest.engine.host), clean(&manifest.engine.version)),
        format!("verified   {}", verdict(&manifest.verification, now)),
        format!("           {}", clean(&manifest.verification.detail)),
        format!("files      {}", stored.folder.display()),
    ];
    if !manifest.recipients.is_empty() {
        lines.push(format!("encrypted  for {}", clean(&manifest.recipients.join(", "))));
    }
    if let Some(until) = manifest.kept_until {
        lines.push(format!("kept       until {until}, whatever prune is told"));
    }
    for copy in stored.copies() {
        let remote = clean(&copy.remote);
        let how = if copy.encrypted { ", encrypted" } else { "" };
        if let Some(at) = copy.pushed {
            lines.push(format!("copy       {remote} ({}{how})", ago(at, now)));
        }
        if let Some((at, cause)) = &copy.failed {
            lines.push(format!("copy       {remote} FAILED {}: {}", ago(*at, now), clean(cause)));
        }
    }
    if !manifest.command.is_empty() {
        lines.push(format!("command    docker {}", clean(&manifest.command.join(" "))));
    }
    for item in &manifest.items {
        lines.push(String::new());
        let engine = item.engine.as_deref().unwrap_or("files");
        let version = item.engine_version.as_deref().unwrap_or_default();
        let place =
            item.volume.as_deref().map(short).map(|name| format!(" in volume {name}")).unwrap_or_default();
        lines.push(clean(&format!("{}: {engine} {version} {}{place}", item.target.name, item.path)));
        if let Some(fingerprint) = &item.fingerprint {
            let (tables, rows) = fingerprint.totals();
            lines.push(format!("  {tables} tables, {rows} rows"));
        }
        for artifact in &item.artifacts {
            let database = artifact.database.as_deref().map(|name| format!(" of {name}")).unwrap_or_default();
            let seconds = std::time::Duration::from_millis(artifact.milliseconds).as_secs_f64();
            let line = format!(
                "  {}  {}{database}, {}, made in {seconds:.1} s",
                artifact.file,
                artifact.format,
                size(artifact.bytes)
            );
            lines.push(clean(&line));
        }
        for clause in &item.not_kept {
            lines.push(format!("  not kept: {}", clean(clause)));
        }
    }
    lines.join("\n") + "\n"
}
