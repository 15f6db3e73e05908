//! What we say after a docker command that nobody guarded: docker's hooks. They run when the command is over,
//! so they can only tell; where there is nothing to tell they print nothing, which docker passes over.

use std::{collections::HashSet, ffi::OsStr, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{audit, project::Project};
use crate::{
    docker::{
        archive::Place,
        endpoint,
        engine::{Engine, is_helper},
        environment::Environment,
        error::EngineError,
        events::Lately,
        globals::DockerGlobals,
        program::DEPTH,
    },
    engines::{self, KINDS},
    inspect::{self, Depth},
    model::{
        container::{Container, ContainerSummary, Labels, Volume, label},
        evidence::{Evidence, Presence},
        plan::Plan,
        policy::Mode,
    },
    plugin::{self, HookRequest},
    settings::{self, Settings},
    ui::clean,
};

/// The prompt waits for us.
const LIMIT: Duration = Duration::from_millis(1500);
/// An older container was not made by the command that has just run: said once is enough. What ran in the
/// foreground may have run for a while.
const NEW: SignedDuration = SignedDuration::from_mins(1);
const NEW_IN_FOREGROUND: SignedDuration = SignedDuration::from_mins(10);
/// As long ago may `down` have removed its first container.
const DOWN: i64 = 120;
/// Hints at once; docker shows ten lines.
const MOST: usize = 3;

/// The answer to a hook: docker's JSON, or nothing.
pub(super) async fn answer(environment: &Environment, globals: &DockerGlobals, request: &OsStr) -> String {
    let Some(request) = HookRequest::parse(request) else { return String::new() };
    if !request.command_error.is_empty() || disposable(environment) {
        return String::new();
    }
    let found = tokio::time::timeout(LIMIT, hints(environment, globals, &request)).await;
    let found = found.ok().and_then(Result::ok).unwrap_or_default();
    if found.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = found.into_iter().take(MOST).flatten().map(|line| plain(&line)).collect();
    plugin::hook_answer(&lines.join("\n"))
}

/// Nothing that a terminal obeys, nothing that docker's template takes for its own.
fn plain(line: &str) -> String {
    clean(line).replace("{{", "{ {")
}

/// Whether the settings here say that nobody misses the data.
fn disposable(environment: &Environment) -> bool {
    let here = settings::working_directory();
    let settings = here.and_then(|here| Settings::gather(environment, &here, &Plan::default()));
    settings.is_ok_and(|settings| settings.here().mode.0 == Mode::Disposable)
}

/// The hints, each as its lines.
async fn hints(
    environment: &Environment,
    globals: &DockerGlobals,
    request: &HookRequest,
) -> Result<Vec<[String; 2]>, EngineError> {
    let Ok(endpoint) = endpoint::resolve_here(globals, environment) else { return Ok(Vec::new()) };
    let engine = Engine::connect(&endpoint)?;
    let has = |flag: &str| request.flags.contains_key(flag);
    let young = if has("detach") || has("d") { NEW } else { NEW_IN_FOREGROUND };
    match request.root_cmd.as_str() {
        // What ran in the foreground and was to be removed is gone.
        "run" | "container run" if has("rm") && !has("detach") => Ok(Vec::new()),
        "run" | "container run" => {
            let all = engine.containers().await?;
            let newest = all.iter().find(|container| !is_helper(&container.labels));
            in_layers(&engine, newest, young, "-v").await
        }
        "compose up" => {
            let all = engine.containers().await?;
            let ours = Project::here(environment);
            let started = all.iter().filter(|container| ours.has(&container.labels));
            in_layers(&engine, started, young, "volumes:").await
        }
        // The guard has told already.
        "compose down" if environment.get(DEPTH).is_none() => left_behind(&engine, environment).await,
        _ => Ok(Vec::new()),
    }
}

/// New containers whose server keeps its data in the writable layer.
async fn in_layers(
    engine: &Engine,
    containers: impl IntoIterator<Item = &ContainerSummary>,
    young: SignedDuration,
    instead: &str,
) -> Result<Vec<[String; 2]>, EngineError> {
    let mut found = Vec::new();
    for summary in containers {
        let Some(container) = engine.container(&summary.id).await? else { continue };
        if !is_new(&container, Timestamp::now(), young) || is_disposable(&container.labels) {
            continue;
        }
        let root = Place::new(engine, &container.id, "/");
        for (name, directory, is_set) in served(&container) {
            // A default that is not there is not where the data goes.
            if is_set || root.exists(&directory).await? {
                found.push([
                    format!(
                        "{}: the {name} data in {directory} goes when the container is removed",
                        container.name
                    ),
                    format!("put it in a volume, which stays: {instead} NAME:{directory}"),
                ]);
                break;
            }
        }
    }
    Ok(found)
}

fn is_new(container: &Container, now: Timestamp, young: SignedDuration) -> bool {
    container.created.parse::<Timestamp>().is_ok_and(|created| now.duration_since(created) < young)
}

fn is_disposable(labels: &Labels) -> bool {
    labels.get(label::POLICY).is_some_and(|policy| policy == "disposable")
}

/// Pure: the databases that a container serves out of its writable layer: name, folder, and whether the folder
/// was set for it.
fn served(container: &Container) -> Vec<(&'static str, String, bool)> {
    let mut found = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.is_served_by(container)) {
        let first =
            engines::candidates(container, &[]).into_iter().find(|candidate| candidate.kind.id == kind.id);
        let Some(directory) = first.map(|candidate| candidate.directory) else { continue };
        let beside = |mount: &str| {
            Path::new(&directory).starts_with(mount) || Path::new(mount).starts_with(&directory)
        };
        if !container.mounts.iter().any(|mount| beside(&mount.destination)) {
            let named = kind.directory_variables.iter().filter_map(|variable| container.env(variable));
            let is_set = named.map(|value| value.trim_end_matches('/')).any(|value| value == directory);
            found.push((kind.name, directory, is_set));
        }
    }
    found
}

/// Anonymous volumes that `down` has just left without a container, with data in them.
async fn left_behind(engine: &Engine, environment: &Environment) -> Result<Vec<[String; 2]>, EngineError> {
    let now = Timestamp::now();
    let (lately, containers, volumes) =
        tokio::try_join!(engine.lately(DOWN, now), engine.containers(), engine.volumes())?;
    let orphans = orphans(&lately, &Project::here(environment), &containers, &volumes);
    if orphans.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&Volume> = orphans.iter().map(|(volume, _)| *volume).collect();
    let plan = audit::hypothetical(engine, &[], &names, &containers).await?;
    let evidence = inspect::inspect(engine, &plan, Depth::Threatened).await;
    Ok(orphans.iter().filter_map(|(volume, owner)| orphan_hint(volume, owner, &evidence)).collect())
}

/// Pure: the volumes, each with the name of the container that had it.
fn orphans<'v>(
    lately: &Lately,
    project: &Project,
    containers: &[ContainerSummary],
    volumes: &'v [Volume],
) -> Vec<(&'v Volume, String)> {
    let used: HashSet<&str> = containers.iter().flat_map(|one| &one.volumes).map(String::as_str).collect();
    let owner = |volume: &Volume| {
        let of_this = lately.unmounted.iter().filter(|(_, name)| *name == volume.name);
        let mut owners = of_this.filter_map(|(id, _)| lately.destroyed.iter().find(|gone| gone.id == *id));
        let gone = owners.find(|gone| project.has(&gone.attributes) && !is_disposable(&gone.attributes))?;
        Some(gone.attributes.get("name").cloned().unwrap_or_default())
    };
    let free = volumes.iter().filter(|volume| volume.is_anonymous() && !used.contains(volume.name.as_str()));
    free.filter_map(|volume| owner(volume).map(|owner| (volume, owner))).collect()
}

fn orphan_hint(volume: &Volume, owner: &str, evidence: &[Evidence]) -> Option<[String; 2]> {
    let seen = evidence.iter().find(|seen| {
        seen.volume.as_deref() == Some(&volume.name) && !matches!(seen.presence, Presence::Empty { .. })
    })?;
    let what = match (&seen.presence, &seen.engine_name) {
        (Presence::Found, Some(name)) => format!("{name} data"),
        (Presence::Found, None) => "data".to_owned(),
        _ => "what may be data".to_owned(),
    };
    Some([
        format!("{owner} left {what} in an anonymous volume, which no later up will find"),
        format!("save it: docker dbsafe snapshot {}", volume.name),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        docker::events::Destroyed,
        model::container::{Mount, MountKind, State},
    };

    fn postgres(mounts: &[&str]) -> Container {
        let mount = |destination: &&str| Mount {
            kind: MountKind::AnonymousVolume,
            destination: (*destination).to_owned(),
            volume: None,
            source: None,
            writable: true,
            part: None,
        };
        Container {
            environment: vec!["PGDATA=/srv/pg".to_owned()],
            command: vec!["docker-entrypoint.sh".to_owned(), "postgres".to_owned()],
            mounts: mounts.iter().map(mount).collect(),
            ..Container::sample("1", "db")
        }
    }

    #[test]
    fn a_server_beside_its_volume_is_seen_and_one_on_it_is_not() {
        assert_eq!(
            served(&postgres(&["/var/lib/postgresql/data"])),
            [("PostgreSQL", "/srv/pg".to_owned(), true)]
        );
        assert!(served(&postgres(&["/srv"])).is_empty());
        assert!(served(&postgres(&["/srv/pg"])).is_empty());
        assert!(served(&postgres(&["/srv/pg/pgdata"])).is_empty());
        assert!(served(&Container::sample("2", "web")).is_empty());
    }

    #[test]
    fn only_new_containers_are_worth_a_word() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let made = |created: &str| Container { created: created.to_owned(), ..Container::sample("1", "db") };
        assert!(is_new(&made("2026-01-01T11:59:00.5Z"), now, NEW));
        assert!(!is_new(&made("2026-01-01T11:59:00Z"), now, NEW) && !is_new(&made(""), now, NEW));
    }

    #[test]
    fn only_free_volumes_of_this_projects_destroyed_containers_are_orphans() {
        let labels = |folder: &str| {
            Labels::from([
                (label::WORKING_DIR.to_owned(), folder.to_owned()),
                ("name".to_owned(), "shop-db-1".to_owned()),
            ])
        };
        let gone = |id: &str, folder: &str| Destroyed {
            is_volume: false,
            id: id.to_owned(),
            attributes: labels(folder),
        };
        let volume = |digit: &str| Volume {
            name: digit.repeat(64),
            driver: "local".to_owned(),
            labels: Labels::new(),
            options: Labels::new(),
            created: String::new(),
            keeps_created: true,
            mountpoint: String::new(),
        };
        let unmounted = |id: &str, digit: &str| (id.to_owned(), digit.repeat(64));
        let lately = Lately {
            destroyed: vec![gone("c1", "/srv/shop"), gone("c2", "/srv/other")],
            unmounted: vec![unmounted("c1", "a"), unmounted("c1", "b"), unmounted("c2", "c")],
        };
        let user = ContainerSummary {
            id: "c3".to_owned(),
            name: "user".to_owned(),
            image: String::new(),
            state: State::Running,
            labels: Labels::new(),
            volumes: vec!["b".repeat(64)],
        };
        let project = Project::of_folder("/srv/shop/sub");
        let volumes = [volume("a"), volume("b"), volume("c"), volume("d")];
        let found = orphans(&lately, &project, &[user], &volumes);
        assert_eq!(found, [(&volumes[0], "shop-db-1".to_owned())]);
    }

    #[test]
    fn nothing_of_a_name_reaches_dockers_template_or_the_terminal() {
        assert_eq!(plain("a{{flag . \"x\"}}\x1b[2J"), "a{ {flag . \"x\"}}\\u{1b}[2J");
    }
}
