//! `docker dbsafe restore` and `undo`: out of a snapshot, back to the engine.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::Timestamp;

use super::{
    app::{App, Failure},
    remote::{self, RemoteArgs},
    save::{self, open_store_with},
    snapshot::line,
};
use crate::{
    act::{keeper::Keeper, other_version, restore, snapshot::SnapshotError, swap, undo},
    exit::Exit,
    model::{
        journal::Event,
        manifest::{ContainerRecipe, EngineHost},
    },
    report::words::{ago, short},
    settings::Settings,
    store::{Store, Stored},
    ui::clean,
};

/// Restore out of a snapshot, beside what is there
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The beginning of its id, or `latest`
    pub snapshot: String,
    /// Where to: `volume:NAME` or `container:NAME`, which must not exist yet; with `--database`, the container
    /// whose server a dump is loaded into
    #[arg(long, value_name = "volume:NAME|container:NAME")]
    pub to: Option<String>,
    /// Put it in the place of what is there now, which is saved first
    #[arg(long, conflicts_with_all = ["to", "of", "database", "new_name"])]
    pub swap: bool,
    /// Which copy, where the snapshot has several: a volume's or a container's name
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// Load the dump of this database instead
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The database's new name
    #[arg(long = "as", value_name = "NAME", requires = "database")]
    pub new_name: Option<String>,
    /// The container's image, where it is to be another: what can be is loaded into a server of another version
    #[arg(long, value_name = "IMAGE", requires = "to", conflicts_with = "database")]
    pub image: Option<String>,
    /// For a container whose snapshot came from another host, without the values of its environment: lines NAME=VALUE
    #[arg(long, value_name = "FILE", requires = "to")]
    pub env_file: Option<PathBuf>,
    #[command(flatten)]
    pub source: RemoteArgs,
}

/// Take back the last command that removed something
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The beginning of a snapshot's id; without one, that of the last command
    pub snapshot: Option<String>,
    /// List what can be taken back
    #[arg(long)]
    pub list: bool,
    /// The age identity that opens an encrypted snapshot
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Runs `restore`.
///
/// # Errors
/// Where there is no such snapshot, its copy is damaged, or what it would be restored to exists.
pub async fn restore(app: &App, arguments: &RestoreArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store_with(app, arguments.source.identity.as_deref())?;
    let stored = remote::find(app, &store, &arguments.snapshot, &arguments.source).await?;
    let refused = |error: SnapshotError| save::not_saved("nothing was restored", &error);
    let to = arguments.to.as_deref().map(|to| to.split_once(':').ok_or(to)).transpose();
    let to =
        to.map_err(|to| Failure::usage(format!("--to takes volume:NAME or container:NAME, not {to}")))?;
    if let Some(database) = &arguments.database {
        let container = match to {
            Some(("container", name)) => name.to_owned(),
            Some((other, _)) => {
                return Err(Failure::usage(format!("a dump cannot be restored to a {other}")));
            }
            None => dumped_from(&stored, database).ok_or_else(|| {
                Failure::new(format!("the snapshot has no dump of a database {}", clean(database)))
            })?,
        };
        let new_name = arguments.new_name.as_ref().unwrap_or(database);
        let progress = save::progress();
        let loading = restore::into_database(&app.engine, &stored, database, &container, new_name, &progress);
        loading.await.map_err(refused)?;
        note(app, Event::Restore, &["restore", "--database", database, "--as", new_name], &stored);
        line(out, &format!("{} is in {} as {}", clean(database), clean(&container), clean(new_name)))?;
        return Ok(Exit::Done);
    }
    if arguments.swap {
        return swap_in(app, &store, &stored, out).await;
    }
    if let Some(("container", name)) = to {
        return restore_container(app, &store, &stored, arguments, name, out).await;
    }
    let progress = save::progress();
    let mut copies = restore::copies(&stored);
    if let Some(of) = &arguments.of {
        copies.retain(|copy| copy.item.target.name == *of || copy.item.volume.as_ref() == Some(of));
    }
    let name_of =
        |copy: &restore::Copy<'_>| copy.item.volume.clone().unwrap_or_else(|| copy.item.target.name.clone());
    match (copies.as_slice(), to) {
        ([], _) => Err(Failure::new("the snapshot holds no copy of that")),
        (_, Some((kind, _))) if kind != "volume" => {
            Err(Failure::usage(format!("a copy can be restored to a volume, not to a {kind}")))
        }
        ([_, _, ..], Some(_)) => {
            let names: Vec<String> = copies.iter().map(|copy| clean(short(&name_of(copy)))).collect();
            Err(Failure::usage(format!("the snapshot holds several copies: {}", names.join(", ")))
                .hint("choose one with --of NAME"))
        }
        (copies, to) => {
            for copy in copies {
                let tail = stored.manifest.id.rsplit('-').next().unwrap_or("restored");
                let volume = match to {
                    Some((_, name)) => name.to_owned(),
                    None => format!("{}-{tail}", short(&name_of(copy))),
                };
                let restoring = restore::into_volume(&app.engine, &stored, *copy, &volume, &progress);
                restoring.await.map_err(refused)?;
                note(app, Event::Restore, &["restore", "--to", &format!("volume:{volume}")], &stored);
                let from = clean(&format!("{} of {}", copy.item.path, copy.item.target.name));
                line(out, &format!("volume {} holds {from}", clean(&volume)))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// Notes in the journal what was restored.
fn note(app: &App, event: Event, words: &[&str], stored: &Stored) {
    let words: Vec<String> =
        std::iter::once("dbsafe").chain(words.iter().copied()).map(str::to_owned).collect();
    let targets = stored.manifest.items.iter().map(|item| item.target.name.clone()).collect();
    app.journal(event, &words, targets, &stored.manifest.id);
}

/// Puts a snapshot in the place of what is there.
async fn swap_in(app: &App, store: &Store, stored: &Stored, out: &mut dyn Write) -> Result<Exit, Failure> {
    let refused = |error: SnapshotError| save::not_saved("nothing was put in its place", &error);
    let plan = swap::in_the_way(&app.engine, &stored.manifest).await.map_err(refused)?;
    let store = &save::sealing(app, store, &Settings::load_for(app, &plan)?)?;
    let engine = app.engine_ref().await;
    let request = swap::Request {
        engine: &app.engine,
        store,
        stored,
        host: EngineHost { host: engine.host, version: engine.version },
        command: ["dbsafe", "restore", "--swap", &stored.manifest.id].map(str::to_owned).into(),
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let swapping = swap::swap(&request, Keeper::start(&app.globals, store.home()));
    let swapped = swapping.await.map_err(refused)?;
    note(app, Event::Restore, &["restore", "--swap"], stored);
    for sentence in &swapped.said {
        line(out, &clean(sentence))?;
    }
    if let Some(before) = swapped.before {
        let id = before.manifest.id;
        let until =
            before.manifest.kept_until.map(|until| until.strftime(", kept until %Y-%m-%d").to_string());
        line(out, &format!("what was there before is snapshot {id}{}", until.unwrap_or_default()))?;
        line(out, &format!("  put that back   docker dbsafe restore {id} --swap"))?;
    }
    Ok(Exit::Done)
}

/// Restores one container of a snapshot under a new name.
async fn restore_container(
    app: &App,
    store: &Store,
    stored: &Stored,
    arguments: &RestoreArgs,
    name: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut recipes: Vec<_> = stored.manifest.containers.iter().collect();
    recipes.retain(|recipe| arguments.of.as_ref().is_none_or(|of| recipe.name == *of));
    let recipe = match recipes.as_slice() {
        [recipe] => recipe,
        [] => return Err(Failure::new("the snapshot holds no container of that name")),
        several => {
            let names: Vec<String> = several.iter().map(|recipe| clean(&recipe.name)).collect();
            let sentence = format!("the snapshot holds several containers: {}", names.join(", "));
            return Err(Failure::usage(sentence).hint("choose one with --of NAME"));
        }
    };
    let environment = arguments.env_file.as_deref().map(environment_in).transpose()?.unwrap_or_default();
    if let Some(image) = &arguments.image {
        return restore_into_image(app, store.home(), stored, recipe, (image, name, &environment), out).await;
    }
    let progress = save::progress();
    let restoring = restore::into_container(&app.engine, stored, recipe, name, &environment, &progress);
    let volumes =
        restoring.await.map_err(|error: SnapshotError| save::not_saved("nothing was restored", &error))?;
    note(app, Event::Restore, &["restore", "--to", &format!("container:{name}")], stored);
    let with = match volumes.as_slice() {
        [] => String::new(),
        volumes => format!(", with the volumes {}", volumes.join(", ")),
    };
    let (from, name) = (clean(&recipe.name), clean(name));
    line(out, &clean(&format!("container {name} runs with the data of {from}{with}")))?;
    line(out, "  it is on no network and has no port: docker network connect NETWORK NAME gives it one")?;
    Ok(Exit::Done)
}

/// Loads one container's dumps into a container of another image.
async fn restore_into_image(
    app: &App,
    home: &Path,
    stored: &Stored,
    recipe: &ContainerRecipe,
    (image, name, environment): (&str, &str, &[String]),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (engine, progress) = (&app.engine, save::progress());
    let request = other_version::Request { engine, home, stored, recipe, image, name, environment, progress };
    let restored = other_version::restore(&request).await;
    let restored = restored.map_err(|error| save::not_saved("nothing was restored", &error))?;
    note(app, Event::Restore, &["restore", "--to", &format!("container:{name}"), "--image", image], stored);
    let volumes = restored.volumes.join(", ");
    let told =
        format!("container {name} of {image} runs with the data of {}: {}", recipe.name, restored.detail);
    line(out, &clean(&told))?;
    if !volumes.is_empty() {
        line(out, &clean(&format!("  its volumes: {volumes}")))?;
    }
    line(out, "  it is on no network and has no port: docker network connect NETWORK NAME gives it one")?;
    Ok(Exit::Done)
}

/// The lines `NAME=VALUE` of a file, as docker's own `--env-file` reads them; a name alone takes no value from here.
fn environment_in(path: &Path) -> Result<Vec<String>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let pair = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((name, _)) if !name.is_empty() && !name.contains(char::is_whitespace) => Ok(line.to_owned()),
        // The line may hold a secret: only its number is told.
        _ => Err(Failure::usage(format!("{shown}, line {number}: not NAME=VALUE"))),
    };
    lines.map(pair).collect()
}

/// The container whose server a database's dump is from.
fn dumped_from(stored: &Stored, database: &str) -> Option<String> {
    let has = |item: &&crate::model::manifest::Item| {
        item.artifacts.iter().any(|artifact| artifact.database.as_deref() == Some(database))
    };
    stored.manifest.items.iter().find(has).map(|item| item.target.name.clone())
}

/// Runs `undo`.
///
/// # Errors
/// Where there is nothing to take back, something is in the way, or the engine refuses.
pub async fn undo(app: &App, arguments: &UndoArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store_with(app, arguments.identity.as_deref())?;
    let mut guarded = store.list().map_err(|error| save::failed(&error))?.snapshots;
    guarded.retain(|stored| stored.outcome().is_some());
    if arguments.list {
        for stored in &guarded {
            let command = clean(&stored.manifest.command.join(" "));
            let undone = stored.outcome().is_some_and(|outcome| outcome.undone.is_some());
            let state = if undone { "  (undone)" } else { "" };
            let when = ago(stored.manifest.created, app.now());
            line(out, &format!("{}  {when}  docker {command}{state}", stored.manifest.id))?;
        }
        return Ok(Exit::Done);
    }
    let stored = match &arguments.snapshot {
        Some(prefix) => store.find(prefix).map_err(|error| save::failed(&error))?,
        None => guarded
            .into_iter()
            .find(|stored| stored.outcome().is_some_and(|outcome| outcome.undone.is_none()))
            .ok_or_else(|| {
                Failure::new("there is no command to take back").hint("docker dbsafe undo --list")
            })?,
    };
    let request = undo::Request {
        engine: &app.engine,
        store: &store,
        stored: &stored,
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let said = undo::undo(&request).await.map_err(|error| {
        let failure = save::not_saved("nothing was taken back", &error);
        match error {
            SnapshotError::Refused(_) => {
                failure.hint(format!("restore beside it: docker dbsafe restore {}", stored.manifest.id))
            }
            _ => failure,
        }
    })?;
    note(app, Event::Undo, &["undo"], &stored);
    for sentence in said {
        line(out, &clean(&sentence))?;
    }
    Ok(Exit::Done)
}
