//! `docker dbsafe recover`: volumes that no container uses and that hold a database, whose they probably were, and a
//! copy of one back in its service.

use std::{collections::HashSet, io::Write, time::Duration};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    app::{App, Failure, Format},
    project::Project,
    protect::Kept,
    save::{self, open_store},
    snapshot::line,
};
use crate::{
    act::{
        keeper::Keeper,
        recover,
        snapshot::SnapshotError,
        targets::{self, Target},
    },
    docker::engine::is_helper,
    engines,
    exit::Exit,
    inspect::{self, Depth},
    judge::origin::{self, Living, Remembered},
    model::{
        container::{Container, Volume, label},
        evidence::{Evidence, Presence},
        journal::Event,
        manifest::EngineHost,
        origin::{Certainty, Clue, Origin},
        plan::{Fate, Plan, PlannedVolume},
    },
    report::{
        document::{EngineRef, SCHEMA_VERSION},
        text,
        words::{ago, count, quoted, short},
    },
    settings::{Settings, place},
    store::{Store, journal},
    ui::{Paint, Ui, clean},
};

/// Counting every volume's files may take the engine long; without it a size is not shown.
const COUNTING: Duration = Duration::from_secs(20);
/// Fewer letters of a volume's name are more often a word.
const SHORTEST_NAME: usize = 4;

/// Find databases in volumes that no container uses any more, and give one back to its service
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// A volume, or the beginning of its name; without one, all that no container uses
    #[arg(value_name = "VOLUME")]
    pub volume: Option<String>,
    /// Put a copy of it in the place of what this service has now, which is saved first
    #[arg(long, value_name = "SERVICE", requires = "volume", conflicts_with = "format")]
    pub to: Option<String>,
    /// Where the service has the volume mounted, if that is not clear
    #[arg(long, value_name = "PATH", requires = "to")]
    pub at: Option<String>,
    /// Say what would happen, and stop
    #[arg(long, requires = "to")]
    pub plan: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Runs the command.
///
/// # Errors
/// Where the engine does not answer, there is no such volume or service, or the copy cannot be attached.
pub async fn run(app: &App, arguments: &RecoverArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let volumes = app.engine.volumes().await?;
    let chosen = arguments.volume.as_deref().map(|name| choose(&volumes, name)).transpose()?;
    if let (Some(volume), Some(to)) = (chosen, &arguments.to) {
        return attach(app, volume, to, arguments, out).await;
    }
    let listed = app.engine.containers().await?;
    let used: HashSet<&str> = listed
        .iter()
        .filter(|one| !is_helper(&one.labels))
        .flat_map(|one| &one.volumes)
        .map(String::as_str)
        .collect();
    if let Some(user) = chosen.filter(|volume| used.contains(volume.name.as_str())) {
        let users = listed.iter().filter(|one| one.volumes.contains(&user.name)).map(|one| clean(&one.name));
        app.ui.say(&format!(
            "{} is not lost: {} uses it",
            clean(short(&user.name)),
            users.collect::<Vec<_>>().join(", ")
        ));
        return Ok(Exit::Done);
    }
    let wanted = |volume: &&Volume| {
        !is_helper(&volume.labels)
            && !used.contains(volume.name.as_str())
            && chosen.is_none_or(|chosen| chosen.name == volume.name)
    };
    let free: Vec<&Volume> = volumes.iter().filter(wanted).collect();
    let lost = survey(app, &free, &volumes).await?;
    match arguments.format {
        Format::Json => {
            let engine = app.engine_ref().await;
            let document =
                Document { schema_version: SCHEMA_VERSION, engine, looked_at: free.len(), volumes: &lost };
            let json =
                serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
            line(out, &json)?;
        }
        Format::Text => line(out, as_text(&app.ui, &lost, free.len(), app.now()).trim_end())?,
    }
    Ok(Exit::Done)
}

/// The document of `--format json`; its schema is `docs/recover.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    engine: EngineRef,
    /// Volumes that no container uses, with a database in them or without.
    looked_at: usize,
    volumes: &'a [Lost],
}

/// A volume that no container uses, with a database in it.
#[derive(Serialize)]
struct Lost {
    name: String,
    created: String,
    anonymous: bool,
    database: Option<String>,
    size_bytes: Option<u64>,
    last_write: Option<Timestamp>,
    evidence: Vec<Evidence>,
    /// Who probably used it, the surest first.
    origins: Vec<Origin>,
    /// The container that a copy would probably be for.
    to: Option<String>,
    /// The command that attaches a copy.
    attach: String,
}

fn choose<'v>(volumes: &'v [Volume], name: &str) -> Result<&'v Volume, Failure> {
    if let Some(exact) = volumes.iter().find(|volume| volume.name == name) {
        return Ok(exact);
    }
    let begun: Vec<&Volume> = volumes
        .iter()
        .filter(|volume| {
            name.len() >= SHORTEST_NAME && volume.name.starts_with(name) && volume.is_anonymous()
        })
        .collect();
    match begun.as_slice() {
        [volume] => Ok(volume),
        [] => {
            Err(Failure::usage(format!("there is no volume {}", clean(name))).hint("docker dbsafe recover"))
        }
        several => Err(Failure::usage(format!("{} volumes begin with {}", several.len(), clean(name)))),
    }
}

/// A plan that touches nothing, to look at these volumes and containers.
pub(super) async fn look(
    app: &App,
    volumes: &[&Volume],
    containers: Vec<Target>,
) -> Result<(Plan, Vec<Evidence>), Failure> {
    let plan = targets::plan_for(&app.engine, &containers).await;
    let mut plan = plan.map_err(|error| save::not_saved("nothing could be looked at", &error))?;
    plan.volumes.extend(volumes.iter().map(|volume| PlannedVolume {
        volume: (*volume).clone(),
        fate: if volume.is_anonymous() { Fate::Detached } else { Fate::Survives },
        cause: "no container uses it".to_owned(),
        used_by: Vec::new(),
    }));
    let evidence = inspect::inspect(&app.engine, &plan, Depth::Everything).await;
    Ok((plan, evidence))
}

/// Looks into the volumes, and around them for whose they were.
async fn survey(app: &App, free: &[&Volume], all: &[Volume]) -> Result<Vec<Lost>, Failure> {
    if free.is_empty() {
        return Ok(Vec::new());
    }
    let (_, found) = look(app, free, Vec::new()).await?;
    let held = |volume: &Volume| -> Vec<Evidence> {
        let own = found.iter().filter(|seen| seen.volume.as_deref() == Some(&volume.name));
        let worth = |seen: &&Evidence| match seen.presence {
            Presence::Found => seen.engine.is_some(),
            Presence::Undetermined { .. } => true,
            Presence::Empty { .. } => false,
        };
        own.filter(worth).cloned().collect()
    };
    let held: Vec<(&Volume, Vec<Evidence>)> =
        free.iter().map(|volume| (*volume, held(volume))).filter(|(_, seen)| !seen.is_empty()).collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let around = Around::gather(app, all).await?;
    let sizes = tokio::time::timeout(COUNTING, app.engine.volumes_bytes()).await;
    let sizes = sizes.ok().and_then(Result::ok).unwrap_or_default();
    let living = around.living();
    let mut lost: Vec<Lost> = held
        .into_iter()
        .map(|(volume, mut evidence)| {
            let size = sizes.get(&volume.name).copied();
            if let [only] = evidence.as_mut_slice() {
                only.size_bytes = only.size_bytes.or(size);
                only.consequence = "no container uses it".to_owned();
            }
            let origins = origin::origins(around.clues(volume, &evidence, &living, &app.endpoint.host));
            let to = around.destination(&origins, &evidence, &living);
            let attach = format!(
                "docker dbsafe recover {} --to {}",
                quoted(short(&volume.name)),
                to.as_deref().map_or_else(|| "SERVICE".to_owned(), quoted)
            );
            Lost {
                name: volume.name.clone(),
                created: volume.created.clone(),
                anonymous: volume.is_anonymous(),
                database: evidence.iter().find_map(|seen| seen.engine.clone()),
                size_bytes: size.or_else(|| evidence.iter().filter_map(|seen| seen.size_bytes).max()),
                last_write: evidence.iter().filter_map(|seen| seen.last_write).max(),
                evidence,
                origins,
                to,
                attach,
            }
        })
        .collect();
    lost.sort_by(|a, b| b.last_write.cmp(&a.last_write).then_with(|| a.name.cmp(&b.name)));
    Ok(lost)
}

/// What stands around lost volumes and may tell whose they were.
struct Around {
    plan: Plan,
    evidence: Vec<Evidence>,
    manifests: Vec<crate::store::Stored>,
    journal: Vec<crate::model::journal::Entry>,
    mounts: Vec<crate::docker::events::Mounted>,
    /// When something of a project was made: the time, the project, what.
    made: Vec<(String, String, String)>,
}

impl Around {
    async fn gather(app: &App, volumes: &[Volume]) -> Result<Self, Failure> {
        let listed = app.engine.containers().await?;
        let mut serving = Vec::new();
        let mut made = Vec::new();
        for summary in listed.iter().filter(|one| !is_helper(&one.labels)) {
            let Some(container) = app.engine.container(&summary.id).await? else { continue };
            if let Some(project) = container.project() {
                made.push((container.created.clone(), project.to_owned(), container.name.clone()));
            }
            if !engines::candidates(&container, &[]).is_empty() {
                serving.push(Target::Container(container.id));
            }
        }
        for volume in volumes {
            if let Some(project) = volume.labels.get(label::PROJECT) {
                let what = format!("the volume {}", volume.name);
                made.push((volume.created.clone(), project.clone(), what));
            }
        }
        let (plan, evidence) = look(app, &[], serving).await?;
        // What cannot be read tells nothing; the volumes themselves are what was asked for.
        let home = place::home(&app.environment).filter(|home| home.is_dir());
        let journal = home.as_ref().and_then(|home| journal::read(home).ok()).unwrap_or_default().entries;
        let store = home.and_then(|home| Store::open(&home).ok());
        let manifests =
            store.and_then(|store| store.list().ok()).map(|list| list.snapshots).unwrap_or_default();
        let mounts = app.engine.mounts_remembered(app.now()).await.unwrap_or_default();
        Ok(Self { plan, evidence, manifests, journal, mounts, made })
    }

    fn living(&self) -> Vec<Living<'_>> {
        let containers = self.plan.containers.iter().map(|planned| &planned.container);
        let of = |container: &Container| {
            self.evidence.iter().filter(|seen| seen.target.id == container.id).collect::<Vec<_>>()
        };
        containers.map(|container| Living { container, evidence: of(container) }).collect()
    }

    fn clues(&self, volume: &Volume, evidence: &[Evidence], living: &[Living<'_>], host: &str) -> Vec<Clue> {
        let mut clues: Vec<Clue> = origin::from_labels(volume).into_iter().collect();
        let known =
            self.manifests.iter().filter_map(|stored| origin::from_snapshot(volume, &stored.manifest));
        // The newest says what all of them say.
        clues.extend(known.take(1));
        for mount in self.mounts.iter().rev().filter(|mount| mount.volume == volume.name) {
            let word = |name: &str| mount.attributes.get(name).cloned();
            // A helper of ours, or one that the engine has forgotten, is nobody.
            let Some(container) = word("name").filter(|_| !is_helper(&mount.attributes)) else { continue };
            clues.push(origin::from_events(&Remembered {
                container,
                project: word(label::PROJECT),
                service: word(label::SERVICE),
                destination: mount.destination.clone(),
            }));
            break;
        }
        let told = self.journal.iter().rev().map(|entry| origin::from_journal(volume, entry, host));
        clues.extend(told.into_iter().find(|clues| !clues.is_empty()).unwrap_or_default());
        for clue in &mut clues {
            self.complete(clue);
        }
        let mut near: Vec<&str> = Vec::new();
        for (created, project, what) in &self.made {
            if near.contains(&project.as_str()) || *what == format!("the volume {}", volume.name) {
                continue;
            }
            if let Some(clue) = origin::from_creation(volume, created, project, what) {
                near.push(project);
                clues.push(clue);
            }
        }
        for living in living {
            clues.extend(evidence.iter().find_map(|seen| origin::from_living(seen, living)));
        }
        clues
    }

    /// A container's name that is still somebody's says the rest.
    fn complete(&self, clue: &mut Clue) {
        let containers = self.plan.containers.iter().map(|planned| &planned.container);
        let named = containers.into_iter().find(|container| Some(&container.name) == clue.container.as_ref());
        if let Some(container) = named {
            clue.project = clue.project.take().or_else(|| container.project().map(str::to_owned));
            clue.service = clue.service.take().or_else(|| container.service().map(str::to_owned));
        }
    }

    /// The container that a copy is probably for: the origin's own service, else the only one that misses such data.
    fn destination(
        &self,
        origins: &[Origin],
        evidence: &[Evidence],
        living: &[Living<'_>],
    ) -> Option<String> {
        let serves = |living: &&Living<'_>| {
            living.evidence.iter().any(|own| evidence.iter().any(|seen| seen.engine == own.engine))
        };
        let best = origins.first();
        let own = living.iter().filter(serves).find(|living| {
            best.is_some_and(|best| {
                best.project.as_deref() == living.container.project()
                    && best.project.is_some()
                    && best
                        .service
                        .as_deref()
                        .is_none_or(|service| living.container.service() == Some(service))
            })
        });
        if let Some(own) = own {
            return Some(own.container.name.clone());
        }
        let misses =
            |living: &&Living<'_>| evidence.iter().any(|seen| origin::from_living(seen, living).is_some());
        let missing: Vec<&Living<'_>> = living.iter().filter(misses).collect();
        match missing.as_slice() {
            [only] => Some(only.container.name.clone()),
            _ => None,
        }
    }
}

fn as_text(ui: &Ui, lost: &[Lost], looked_at: usize, now: Timestamp) -> String {
    if lost.is_empty() {
        return match looked_at {
            0 => "every volume is in use by a container".to_owned(),
            looked_at => format!(
                "no database is lost: {} that no container uses, and none holds one",
                count(looked_at as u64, "volume")
            ),
        };
    }
    let mut out = format!(
        "{} that no container uses {} a database\n",
        count(lost.len() as u64, "volume"),
        if lost.len() == 1 { "holds" } else { "hold" }
    );
    for lost in lost {
        out.push('\n');
        let name = Paint::Strong.apply(ui.colour_out, &clean(short(&lost.name)));
        let kind = if lost.anonymous { "an anonymous volume" } else { "a named volume" };
        let made = lost.created.parse().map(|made| format!(", made {}", ago(made, now))).unwrap_or_default();
        out.push_str(&format!("  {name}   {kind}{made}\n"));
        let mut lines = Vec::new();
        for seen in &lost.evidence {
            match &seen.presence {
                Presence::Undetermined { cause } => {
                    lines.push(format!("could not be looked into: {}", clean(cause)));
                }
                _ => lines.push(format!("{}   {}", text::engine(seen), text::contents(seen, now))),
            }
        }
        if lost.origins.is_empty() {
            lines.push("nothing tells whose it was".to_owned());
        }
        for origin in &lost.origins {
            lines.push(format!(
                "{} {}: {}",
                certainty(origin.certainty),
                whose(origin),
                clean(&origin.because.join("; "))
            ));
        }
        for text in lines {
            for (index, part) in text::wrap(&text, ui.width_out.saturating_sub(6)).iter().enumerate() {
                out.push_str(&format!("    {}{part}\n", if index == 0 { "" } else { "  " }));
            }
        }
        let command = Paint::Strong.apply(ui.colour_out, &lost.attach);
        out.push_str(&format!("    attach a copy   {command}\n"));
    }
    out
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => "was of",
        Certainty::Likely => "probably of",
        Certainty::Possible => "perhaps of",
    }
}

fn whose(origin: &Origin) -> String {
    let text = match (&origin.project, &origin.service, &origin.container) {
        (Some(project), Some(service), _) => format!("{project}, its service {service}"),
        (Some(project), None, _) => format!("the project {project}"),
        (None, _, Some(container)) => container.clone(),
        (None, _, None) => "somebody".to_owned(),
    };
    clean(&text)
}

/// `recover VOLUME --to SERVICE`.
async fn attach(
    app: &App,
    volume: &Volume,
    to: &str,
    arguments: &RecoverArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let shown = clean(short(&volume.name));
    let container = service(app, to).await?;
    let users = app.engine.containers().await?;
    let users = users.iter().filter(|one| !is_helper(&one.labels) && one.volumes.contains(&volume.name));
    for user in users {
        if user.id == container.id {
            return Err(Failure::usage(format!("{} has {shown} already", clean(&container.name))));
        }
        if user.state.has_processes() {
            return Err(Failure::new(format!("{} is at work on {shown}", clean(&user.name)))
                .hint(format!("stop it first: docker stop {}", quoted(&user.name))));
        }
    }
    let (plan, evidence) = look(app, &[volume], vec![Target::Container(container.id.clone())]).await?;
    let holds = |seen: &&Evidence| {
        seen.volume.as_deref() == Some(&volume.name)
            && seen.engine.is_some()
            && seen.presence == Presence::Found
    };
    let Some(found) = evidence.iter().find(holds) else {
        return Err(Failure::new(format!("no database was found in {shown}")).hint("docker dbsafe recover"));
    };
    let own: Vec<Evidence> = evidence.iter().filter(|seen| seen.target.id == container.id).cloned().collect();
    let placement =
        recover::placement(&container, &own, found, arguments.at.as_deref()).map_err(|cause| {
            let failure = Failure::new(cause.clone());
            if cause.contains("writable layer") {
                failure.hint(format!("docker dbsafe migrate {}", quoted(to)))
            } else {
                failure.hint(format!(
                    "restore it by hand out of: docker dbsafe snapshot {}",
                    quoted(&volume.name)
                ))
            }
        })?;
    if let Some(target) = Kept::load(app)?.in_the_way(&replaced(&plan, &container, &placement)).first() {
        return Err(Failure {
            exit: Exit::Blocked,
            ..Failure::new(format!("{} is protected", clean(&target.name)))
        }
        .hint(format!("docker dbsafe unprotect {}", quoted(&target.name))));
    }
    let what = format!("{} {}", text::engine(found), text::contents(found, app.now()));
    let into = clean(short(&placement.volume));
    if arguments.plan {
        let now = own.iter().find(|seen| seen.volume.as_ref() == Some(&placement.volume));
        let now = now.filter(|_| recover::replaces_data(&own, &placement)).map_or_else(
            || "holds no data now".to_owned(),
            |seen| format!("holds now: {} {}", text::engine(seen), text::contents(seen, app.now())),
        );
        line(out, &format!("would copy {shown}: {what}"))?;
        line(
            out,
            &format!(
                "  into {into}, at {} of {}, which {now}",
                clean(&placement.destination),
                clean(&container.name)
            ),
        )?;
        line(out, "  the service is stopped, what it has is saved, the copy is proved on a scratch server,")?;
        line(out, &format!("  and {shown} itself stays as it is"))?;
        return Ok(Exit::Done);
    }
    let store = save::sealing(app, &open_store(app)?, &Settings::load_for(app, &plan)?)?;
    let engine = app.engine_ref().await;
    let words = ["dbsafe", "recover", &volume.name, "--to", to].map(str::to_owned);
    let request = recover::Request {
        engine: &app.engine,
        store: &store,
        host: EngineHost { host: engine.host, version: engine.version },
        volume,
        found,
        container: &container,
        placement: &placement,
        command: words.to_vec(),
        progress: save::progress(),
        cancellation: &app.cancellation,
        now: Timestamp::now,
    };
    let keeper = Keeper::start(&app.globals, store.home());
    let recovered = recover::recover(&request, keeper).await.map_err(|error: SnapshotError| {
        save::not_saved(&format!("nothing was attached, and {} is as it was", clean(&container.name)), &error)
    })?;
    let names = vec![volume.name.clone(), container.name.clone(), placement.volume.clone()];
    let before = recovered.before.map(|stored| stored.manifest.id).unwrap_or_default();
    app.journal(Event::Restore, &words, names, &before);
    line(out, &format!("{} has a copy of {shown}: {what}", clean(&container.name)))?;
    line(out, &format!("  {shown} is still there; what {into} had before is snapshot {before}"))?;
    line(out, &format!("  put that back   docker dbsafe restore {before} --swap"))?;
    Ok(Exit::Done)
}

/// What of a plan is replaced: the container and its volume.
fn replaced(plan: &Plan, container: &Container, placement: &recover::Placement) -> Plan {
    let mut plan = plan.clone();
    plan.containers.retain(|planned| planned.container.id == container.id);
    for planned in &mut plan.containers {
        planned.mounts.retain(|mount| mount.destination == placement.destination);
    }
    plan.volumes.clear();
    plan
}

/// The only container of a service.
pub(super) async fn service(app: &App, name: &str) -> Result<Container, Failure> {
    let targets = Project::here(&app.environment).targets(&app.engine, &[name.to_owned()]).await?;
    let ids: Vec<&String> = targets
        .iter()
        .filter_map(|target| match target {
            Target::Container(id) => Some(id),
            Target::Volume(_) => None,
        })
        .collect();
    match ids.as_slice() {
        [id] => {
            let container = app.engine.container(id).await?;
            container.ok_or_else(|| Failure::new(format!("{} is gone", clean(name))))
        }
        [] => Err(Failure::usage(format!("{} is a volume, and no service", clean(name)))),
        several => Err(Failure::usage(format!(
            "{} has {} containers, which cannot share one data directory",
            clean(name),
            several.len()
        ))
        .hint("name one of its containers: docker ps")),
    }
}
