//! `docker dbsafe migrate`: a service's data moves out of its container, into named volumes.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    app::{App, Failure},
    prompt,
    protect::Kept,
    recover::{look, service},
    save::{self, open_store},
    snapshot::line,
};
use crate::{
    act::{
        handover,
        keeper::Keeper,
        migrate::{self, NewVolume, Project},
        moves::{self, Move, Moves},
        targets::Target,
    },
    composefile::{self, Sources},
    exit::Exit,
    model::{
        container::{Container, Labels, is_engine_made, is_within, label},
        evidence::{Evidence, Presence},
        journal::Event,
        manifest::EngineHost,
    },
    report::{
        diff, text,
        words::{quoted, short},
    },
    settings::Settings,
    ui::{Paint, clean},
};

/// Compose's environment files, on the containers that it made.
const ENVIRONMENT_FILE: &str = "com.docker.compose.project.environment_file";
/// How long compose may think about a file.
const LIMIT: Duration = Duration::from_secs(60);

/// Move a service's data out of its container into named volumes, with no write lost
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// A compose service, or its container
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Say what would happen, and stop
    #[arg(long)]
    pub plan: bool,
    /// Go on without a question
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,
}

/// Runs the command.
///
/// # Errors
/// Where there is nothing that can be moved so, or any part of it fails: everything is as it was then.
pub async fn run(app: &App, arguments: &MigrateArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let container = service(app, &arguments.service).await?;
    let name = clean(&container.name);
    let files = Files::of(&container)?;
    check_alone(app, &container).await?;
    let (_, evidence) = look(app, &[], vec![Target::Container(container.id.clone())]).await?;
    let found = moves::find(&app.engine, &container, evidence).await;
    let found = found.map_err(|error| Failure {
        exit: Exit::Failed,
        ..save::not_saved(&format!("{name} cannot be moved so"), &error)
    })?;
    if found.moves.is_empty() {
        let databases = found.evidence.iter().filter(|seen| seen.engine.is_some());
        let places: BTreeSet<String> = databases.map(text::place).collect();
        match places.is_empty() {
            true => app.ui.say(&format!("no database was found in {name}")),
            false => app.ui.say(&format!(
                "there is nothing to move: what {name} has is {}",
                places.into_iter().collect::<Vec<_>>().join(", ")
            )),
        }
        return Ok(Exit::Done);
    }
    let sources = files.sources()?;
    let volumes = name_them(app, &container, &files, &sources, &found.moves).await?;
    let edit = Edit::of(&files, &sources, &volumes)?;
    edit.check(app, &files, &volumes).await?;
    let plan = migrate::plan(&container, &volumes);
    if let Some(target) = Kept::load(app)?.in_the_way(&plan).first() {
        let failure = Failure::new(format!("{} is protected", clean(&target.name)));
        return Err(Failure { exit: Exit::Blocked, ..failure }
            .hint(format!("docker dbsafe unprotect {}", quoted(&target.name))));
    }
    let view =
        if arguments.plan { (app.ui.colour_out, app.ui.width_out) } else { (app.ui.colour, app.ui.width) };
    let shown = describe(
        &Plan { container: &container, found: &found, volumes: &volumes, edit: &edit, files: &files },
        app.now(),
        view,
    );
    if arguments.plan {
        line(out, shown.trim_end())?;
        return Ok(Exit::Done);
    }
    if !arguments.yes {
        app.ui.say(shown.trim_end());
        if !app.ui.interactive {
            let failure = Failure::new("nothing was touched: without a terminal it takes a --yes");
            return Err(Failure { exit: Exit::Declined, ..failure }
                .hint(format!("docker dbsafe migrate {} --yes", quoted(&arguments.service))));
        }
        if !prompt::agreed(&app.ui, "Go on?")? {
            app.ui.say("stopped: nothing was touched");
            return Ok(Exit::Declined);
        }
    }
    let settings = Settings::load_for(app, &migrate::plan(&container, &volumes))?;
    let store = save::sealing(app, &open_store(app)?, &settings)?;
    let engine = app.engine_ref().await;
    let words = ["dbsafe", "migrate", &arguments.service].map(str::to_owned);
    let request = migrate::Request {
        engine: &app.engine,
        store: &store,
        host: EngineHost { host: engine.host, version: engine.version },
        container: &container,
        volumes: &volumes,
        evidence: &found.evidence,
        command: words.to_vec(),
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let mut compose = ComposeProject {
        app,
        files: &files,
        edit: &edit,
        starts: container.state.has_processes(),
        changed: false,
    };
    let keeper = Keeper::start(&app.globals, store.home());
    let migrated = migrate::migrate(&request, &mut compose, keeper).await.map_err(|failed| {
        for sentence in &failed.left {
            app.ui.note(sentence);
        }
        save::not_saved(&format!("{name} was not moved, and runs as it did"), &failed.error)
    })?;
    let names: Vec<String> = volumes.iter().map(|volume| volume.name.clone()).collect();
    let targets = names.iter().cloned().chain([container.name.clone()]).collect();
    app.journal(Event::Migrate, &words, targets, &migrated.snapshot.manifest.id);
    let shown: Vec<String> = names.iter().map(|name| clean(name)).collect();
    line(out, &format!("{name} keeps its data in {} now", shown.join(", ")))?;
    line(out, &format!("  {}", clean(&migrated.compared)))?;
    line(out, &format!("  {} was changed{}", edit.shown(), edit.versioned()))?;
    for sentence in &migrated.left {
        line(out, &format!("  {}", clean(sentence)))?;
    }
    let id = &migrated.snapshot.manifest.id;
    line(out, &format!("  what was there before is snapshot {id}"))?;
    Ok(Exit::Done)
}

/// A data directory cannot be shared: one container alone.
async fn check_alone(app: &App, container: &Container) -> Result<(), Failure> {
    let same = |labels: &Labels| {
        [label::PROJECT, label::SERVICE].iter().all(|key| labels.get(*key) == container.labels.get(*key))
            && labels.get(label::ONE_OFF).is_none_or(|value| value != "True")
    };
    let listed = app.engine.containers().await?;
    let count = listed.iter().filter(|one| same(&one.labels)).count();
    if count > 1 {
        return Err(Failure::new(format!(
            "{} runs in {count} containers, each with data of its own: one volume cannot take the place of all",
            clean(container.service().unwrap_or_default())
        ))
        .hint("scale it down to the one that matters, and save the others: docker dbsafe snapshot CONTAINER"));
    }
    for volume in container.mounts.iter().filter_map(|mount| mount.volume.as_ref()) {
        let other = listed.iter().find(|one| one.id != container.id && one.volumes.contains(volume));
        if let Some(other) = other.filter(|_| is_engine_made(volume)) {
            return Err(Failure::new(format!(
                "{} uses the anonymous volume of {}, too",
                clean(&other.name),
                clean(&container.name)
            )));
        }
    }
    Ok(())
}

/// Where compose read a container's description.
struct Files {
    project: String,
    service: String,
    folder: PathBuf,
    paths: Vec<PathBuf>,
    environment: Vec<String>,
}

impl Files {
    fn of(container: &Container) -> Result<Self, Failure> {
        let name = clean(&container.name);
        let (Some(project), Some(service), Some(folder), Some(paths)) = (
            container.project(),
            container.service(),
            container.labels.get(label::WORKING_DIR),
            container.labels.get(label::CONFIG_FILES),
        ) else {
            return Err(Failure::new(format!(
                "{name} was not made by compose, so there is no file to change"
            ))
            .hint(format!(
                "save it, and create it again with a volume: docker dbsafe snapshot {}",
                quoted(&container.name)
            )));
        };
        let folder = PathBuf::from(folder);
        let paths: Vec<PathBuf> = paths.split(',').map(|path| folder.join(path)).collect();
        if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
            return Err(Failure::new(format!(
                "{}, which {name} was made from, is not on this machine",
                clean(&missing.display().to_string())
            ))
            .hint("run it where the compose file is, with docker's --context or --host for the engine"));
        }
        let environment = container.labels.get(ENVIRONMENT_FILE).map(String::as_str).unwrap_or_default();
        let environment = environment.split(',').filter(|path| Path::new(path).is_file()).map(str::to_owned);
        Ok(Self {
            project: project.to_owned(),
            service: service.to_owned(),
            folder,
            paths,
            environment: environment.collect(),
        })
    }

    fn sources(&self) -> Result<Sources, Failure> {
        let sources = Sources::load(&self.paths, &|path| std::fs::read_to_string(path));
        match sources.unread.first() {
            None => Ok(sources),
            Some((path, cause)) => Err(Failure::new(format!(
                "{} cannot be read: {}",
                clean(&path.display().to_string()),
                clean(cause)
            ))),
        }
    }

    /// Compose's globals for this project; `instead` is a file that comes from standard input.
    fn globals(&self, instead: Option<&Path>) -> Vec<String> {
        let mut words = vec!["compose".to_owned(), "-p".to_owned(), self.project.clone()];
        words.extend(["--project-directory".to_owned(), self.folder.display().to_string()]);
        for path in &self.paths {
            let shown = if instead == Some(path) { "-".to_owned() } else { path.display().to_string() };
            words.extend(["-f".to_owned(), shown]);
        }
        for path in &self.environment {
            words.extend(["--env-file".to_owned(), path.clone()]);
        }
        words
    }
}

/// Names for the new volumes that neither the files nor the engine know.
async fn name_them(
    app: &App,
    container: &Container,
    files: &Files,
    sources: &Sources,
    moves: &[Move],
) -> Result<Vec<NewVolume>, Failure> {
    let there: BTreeSet<String> = app.engine.volumes().await?.into_iter().map(|volume| volume.name).collect();
    let declared: BTreeSet<String> = sources
        .files()
        .filter_map(|path| sources.document(path))
        .flat_map(|document| document.keys(&["volumes"]))
        .collect();
    let project = container.project().unwrap_or_default();
    let mut volumes: Vec<NewVolume> = Vec::new();
    for of in moves {
        let wanted = wanted_key(&files.service, of, moves.len());
        let free = |key: &String| {
            let name = format!("{project}_{key}");
            !declared.contains(key)
                && !there.contains(&name)
                && !volumes.iter().any(|volume| volume.key == *key)
        };
        let numbered = (2..100).map(|number| format!("{wanted}{number}"));
        let key = std::iter::once(wanted.clone()).chain(numbered).find(free);
        let key = key.ok_or_else(|| Failure::new(format!("there are too many volumes named {wanted}")))?;
        volumes.push(NewVolume { name: format!("{project}_{key}"), key, of: of.clone() });
    }
    Ok(volumes)
}

/// Pure: `db_data`, or by its folder where there are several.
fn wanted_key(service: &str, of: &Move, count: usize) -> String {
    let folder = of.destination.rsplit('/').next().unwrap_or_default();
    let tail = if count == 1 || folder.is_empty() { "data" } else { folder };
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    format!("{service}_{tail}").chars().map(plain).collect()
}

/// The change of one compose file.
struct Edit {
    file: PathBuf,
    old: String,
    new: String,
    folder: PathBuf,
}

impl Edit {
    fn of(files: &Files, sources: &Sources, volumes: &[NewVolume]) -> Result<Self, Failure> {
        let by_hand = |cause: String| {
            let lines: Vec<String> =
                volumes.iter().map(|volume| format!("{}:{}", volume.key, volume.of.destination)).collect();
            Failure::new(cause).hint(format!(
                "declare the volume by hand, under volumes of {} ({}), once docker dbsafe snapshot has saved the data",
                files.service,
                lines.join(", ")
            ))
        };
        let path = ["services", &files.service];
        let file = sources
            .home(&path)
            .filter(|file| sources.document(file).is_some_and(|document| document.has(&path)));
        let Some((file, document)) = file.and_then(|file| Some((file, sources.document(file)?))) else {
            return Err(by_hand(format!("no file of the project has a service {}", clean(&files.service))));
        };
        let mut changed = document.clone();
        for volume in volumes {
            composefile::service::mount_volume(
                &mut changed,
                &files.service,
                &volume.key,
                &volume.of.destination,
            )
            .map_err(|error| by_hand(clean(&format!("{}: {error}", file.display()))))?;
        }
        Ok(Self {
            file: file.to_owned(),
            old: document.text().to_owned(),
            new: changed.text().to_owned(),
            folder: files.folder.clone(),
        })
    }

    /// Has compose read the changed file before anything is touched, where it can; and whether it may be written.
    async fn check(&self, app: &App, files: &Files, volumes: &[NewVolume]) -> Result<(), Failure> {
        if let Err(error) = std::fs::File::options().append(true).open(&self.file) {
            return Err(Failure::new(format!("{} cannot be written: {error}", self.shown())));
        }
        if !files.paths.contains(&self.file) {
            return Ok(());
        }
        let mut words = files.globals(Some(&self.file));
        words.extend(["config", "--format", "json"].map(str::to_owned));
        let output = app.docker.output_with_input(&words, self.new.as_bytes(), LIMIT).await?;
        let refused = |why: &str| {
            Failure::new(format!("compose refuses the changed {}: {}", self.shown(), clean(why))).hint(
                format!(
                    "see what it says of the file as it is: docker compose -p {} config -q",
                    files.project
                ),
            )
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(refused(
                said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why"),
            ));
        }
        let model: Value =
            serde_json::from_slice(&output.stdout).map_err(|_unread| refused("its model is not readable"))?;
        match mismatch(&model, &files.service, volumes) {
            None => Ok(()),
            Some(why) => Err(refused(&why)),
        }
    }

    /// The file as a person in the project's folder would call it.
    fn shown(&self) -> String {
        let path = self.file.strip_prefix(&self.folder).unwrap_or(&self.file);
        clean(&path.display().to_string())
    }

    /// A word on a file that is under version control: committing is a person's matter.
    fn versioned(&self) -> &'static str {
        let under = self.file.ancestors().skip(1).any(|folder| folder.join(".git").exists());
        if under { ": commit it, or the next checkout brings the old place back" } else { "" }
    }
}

/// Pure: what of compose's model is not as it was meant.
fn mismatch(model: &Value, service: &str, volumes: &[NewVolume]) -> Option<String> {
    volumes.iter().find_map(|volume| {
        let (key, target) = (&volume.key, &volume.of.destination);
        if model["volumes"][key]["name"] != volume.name.as_str() {
            return Some(format!(
                "it would name the volume {} and not {}",
                model["volumes"][key]["name"], volume.name
            ));
        }
        let mounts = model["services"][service]["volumes"].as_array();
        let at: Vec<&Value> =
            mounts.into_iter().flatten().filter(|mount| mount["target"] == target.as_str()).collect();
        match at.as_slice() {
            [mount] if mount["type"] == "volume" && mount["source"] == key.as_str() => None,
            [] => Some(format!("it would mount nothing at {target}")),
            _ => Some(format!("it would mount something else at {target}")),
        }
    })
}

/// The compose file and compose, as the move uses them.
struct ComposeProject<'a> {
    app: &'a App,
    files: &'a Files,
    edit: &'a Edit,
    /// Whether the container ran.
    starts: bool,
    changed: bool,
}

impl Project for ComposeProject<'_> {
    fn change_file(&mut self) -> Result<(), String> {
        let edit = self.edit;
        composefile::replace_file(&edit.file, &edit.folder, &edit.old, &edit.new)
            .map_err(|error| error.to_string())?;
        self.changed = true;
        Ok(())
    }

    async fn recreate(&mut self) -> Result<(), String> {
        let mut words = self.files.globals(None);
        let how = if self.starts { "-d" } else { "--no-start" };
        words.extend(["up", how, "--no-deps", &self.files.service].map(str::to_owned));
        let ran = handover::run_docker(&self.app.docker, &words, &self.app.cancellation).await;
        match ran.map_err(|error| error.to_string())?.status() {
            0 => Ok(()),
            status => Err(format!("docker compose up ended with status {status}")),
        }
    }

    fn restore_file(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let edit = self.edit;
        composefile::replace_file(&edit.file, &edit.folder, &edit.new, &edit.old)
            .map_err(|error| format!("the compose file could not be put back: {error}"))
    }
}

/// Everything that was found out before anything is touched.
struct Plan<'a> {
    container: &'a Container,
    found: &'a Moves,
    volumes: &'a [NewVolume],
    edit: &'a Edit,
    files: &'a Files,
}

/// What would happen, and the change of the file.
fn describe(plan: &Plan<'_>, now: Timestamp, (colour, width): (bool, usize)) -> String {
    let (volumes, edit) = (plan.volumes, plan.edit);
    let mut out = format!("{} would keep its data in a volume of its own:\n\n", clean(&plan.container.name));
    let moved = |seen: &&Evidence| {
        let within = |volume: &NewVolume| is_within(&seen.path, &volume.of.destination);
        seen.engine.is_some() && seen.presence == Presence::Found && volumes.iter().any(within)
    };
    for seen in plan.found.evidence.iter().filter(moved) {
        let engine = Paint::Strong.apply(colour, &text::engine(seen));
        out.push_str(&format!("  {engine}   {}\n    {}\n", text::contents(seen, now), text::place(seen)));
    }
    out.push('\n');
    let stops = if plan.container.state.has_processes() {
        "dump what the server holds, stop it, copy it after the stop"
    } else {
        "copy what is there"
    };
    out.push_str(&step(&format!("1. {stops}, and prove the copy on a scratch server"), width));
    for volume in volumes {
        let from = match &volume.of.anonymous {
            Some(volume) => format!("the anonymous volume {}", clean(short(volume))),
            None => format!("{} in the container", clean(&volume.of.destination)),
        };
        let (name, at) = (clean(&volume.name), clean(&volume.of.destination));
        out.push_str(&step(&format!("2. copy {from} into the new volume {name}, mounted at {at}"), width));
    }
    out.push_str(&step(&format!("3. change {}:", edit.shown()), width));
    out.push('\n');
    for line in diff::unified(&edit.old, &edit.new) {
        let paint = match line.chars().next() {
            Some('+') => Paint::Good,
            Some('-') => Paint::Danger,
            _ => Paint::Dim,
        };
        out.push_str(&format!("     {}\n", paint.apply(colour, &clean(&line))));
    }
    out.push('\n');
    out.push_str(&step(
        &format!(
            "4. docker compose up -d --no-deps {}, and compare what it serves with what was there",
            clean(&plan.files.service)
        ),
        width,
    ));
    out.push_str(&step("Whatever fails, the old container runs again as it was.", width));
    out
}

/// A line of the list, broken where the terminal ends.
fn step(text: &str, width: usize) -> String {
    let lines = text::wrap(text, width.saturating_sub(5));
    format!("  {}\n", lines.join("\n     "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(destination: &str) -> Move {
        Move { destination: destination.to_owned(), anonymous: None }
    }

    #[test]
    fn volumes_are_named_by_their_service() {
        assert_eq!(wanted_key("db", &at("/var/lib/postgresql/data"), 1), "db_data");
        assert_eq!(wanted_key("app", &at("/srv/up loads"), 2), "app_up_loads");
    }

    #[test]
    fn compose_must_mean_what_was_meant() {
        let volume = NewVolume { key: "db_data".to_owned(), name: "shop_db_data".to_owned(), of: at("/pg") };
        let model = |name: &str, target: &str, source: &str| {
            serde_json::json!({
                "services": {"db": {"volumes": [{"type": "volume", "source": source, "target": target}]}},
                "volumes": {"db_data": {"name": name}},
            })
        };
        let wrong = |model: Value| mismatch(&model, "db", std::slice::from_ref(&volume));
        assert_eq!(wrong(model("shop_db_data", "/pg", "db_data")), None);
        assert!(wrong(model("other_db_data", "/pg", "db_data")).unwrap().contains("would name"));
        assert!(wrong(model("shop_db_data", "/other", "db_data")).unwrap().contains("nothing at /pg"));
        assert!(wrong(model("shop_db_data", "/pg", "old")).unwrap().contains("something else"));
    }
}
