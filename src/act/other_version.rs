//! Restores what a snapshot has of a container into one of another image: where the files are of no use to another
//! version of the server, what its own client wrote is. A file of SQLite's is read by every version.

mod redis;
mod sqlite;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    content,
    dump::{self, Server},
    fresh::Fresh,
    progress::Progress,
    recipe::completed,
    restore::{RESTORED_FROM, check},
    snapshot::SnapshotError,
    verify::{arguments, isolated_body},
};
use crate::{
    docker::{archive::Place, engine::Engine, exec::Exec},
    engines::{
        recipe::{Recipe, recipe as engine_recipe},
        reload::{self, Form, Server as Version, explained, is_kin, obstacle, same_release},
        running_kinds,
    },
    model::{
        container::{Labels, is_within},
        manifest::{Artifact, ArtifactKind, ContainerRecipe, Fingerprint, Item},
    },
    store::{ContainerSecrets, Secrets, Stored},
};

/// What images run at the first start only: it would be in the way of a dump.
const INIT_SCRIPTS: &str = "/docker-entrypoint-initdb.d";
/// The dump, at the root: never below a mount.
const FILE: &str = "dbsafe.dump";
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// Parts of a container's `Config` that come from its image, unless somebody said otherwise.
const FROM_IMAGE: [&str; 8] =
    ["Cmd", "Entrypoint", "WorkingDir", "User", "Volumes", "Healthcheck", "StopSignal", "Shell"];

/// What is to be restored, and as what.
pub struct Request<'a> {
    pub engine: &'a Engine,
    /// The home folder, for what is unpacked on the way.
    pub home: &'a Path,
    pub stored: &'a Stored,
    pub recipe: &'a ContainerRecipe,
    /// The image that the container gets.
    pub image: &'a str,
    /// The container's name.
    pub name: &'a str,
    /// What the snapshot does not hold of its environment.
    pub environment: &'a [String],
    pub progress: Arc<dyn Progress>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub volumes: Vec<String>,
    /// What was compared with what the snapshot saw. One clause.
    pub detail: String,
}

/// The one body of data that has dumps.
struct Source<'a> {
    item: &'a Item,
    how: &'static Recipe,
    /// The engine's id.
    kind: &'a str,
    dumps: Vec<&'a Artifact>,
    globals: Option<&'a Artifact>,
}

/// Makes a container of the image, and loads the dumps into it.
///
/// # Errors
/// Where there is no dump, that image's server does not take it, or what is there then is not what was saved. What was
/// made is removed again.
pub async fn restore(request: &Request<'_>) -> Result<Restored, SnapshotError> {
    let (engine, name) = (request.engine, request.name);
    if engine.container(name).await?.is_some() {
        return Err(SnapshotError::Refused(format!("there is a container {name} already")));
    }
    let mut made = (None, Vec::new());
    let result = make(request, &mut made).await;
    request.progress.end();
    let (container, volumes) = made;
    match result {
        Ok(detail) => Ok(Restored { volumes, detail }),
        Err(error) => {
            // Ours, and of no use to anybody.
            if let Some(container) = container {
                let _ = engine.discard_container(&container).await;
            }
            for volume in volumes {
                let _ = engine.remove_volume(&volume).await;
            }
            Err(error)
        }
    }
}

async fn make(
    request: &Request<'_>,
    made: &mut (Option<String>, Vec<String>),
) -> Result<String, SnapshotError> {
    match what(request)? {
        What::Dumps(source) => load_dumps(request, &source, made).await,
        What::Rdb(source) => redis::restore(request, &source, made).await,
        What::Files(items) => sqlite::restore(request, &items, made).await,
    }
}

async fn load_dumps(
    request: &Request<'_>,
    source: &Source<'_>,
    made: &mut (Option<String>, Vec<String>),
) -> Result<String, SnapshotError> {
    let Request { engine, stored, image, progress, .. } = request;
    for artifact in source.dumps.iter().chain(source.globals.iter()) {
        check(stored, artifact, progress).await?;
    }
    let new = New::prepare(request).await?;
    let data = new.data(&source.item.path);
    let mounts = new.volumes(request, &data, &mut made.1).await?;
    progress.stage(&format!("starting {image}"), None);
    let container = new.create(request, mounts).await?;
    made.0 = Some(container.clone());
    engine.start(&container).await?;
    let server = Server { container: container.clone(), data, arguments: new.arguments() };
    let fresh = Fresh::of(engine, server.clone(), source.how);
    // What is another server altogether would be waited for in vain.
    let up = tokio::select! {
        failed = fresh.wait() => failed,
        other = stranger(engine, &container, source.kind) => Some(format!("it runs {other}")),
    };
    if let Some(cause) = up {
        return Err(SnapshotError::NotProved(format!("{image} does not serve what was saved: {cause}")));
    }
    load(request, source, &server, &fresh).await
}

/// The container that is to be, as far as it can be told before anything is made.
struct New {
    /// The image, as the engine describes it.
    image: Value,
    /// The old one's recipe, with the new image.
    recipe: ContainerRecipe,
    /// What the old image said is not in them.
    secrets: Secrets,
}

impl New {
    async fn prepare(request: &Request<'_>) -> Result<Self, SnapshotError> {
        let Request { engine, stored, recipe, image: name, .. } = request;
        let Some(image) = engine.image_raw(name).await? else {
            return Err(SnapshotError::Refused(format!(
                "there is no image {name} on this engine: docker pull {name}"
            )));
        };
        let old = engine.image_raw(&recipe.image_id).await?;
        let kept = stored.secrets()?;
        let own = completed(recipe, kept.get(&recipe.id), request.environment)?;
        let own = without_image(own, recipe, old.as_ref());
        let recipe = of_image(recipe, old.as_ref(), name);
        let secrets = Secrets::from([(recipe.id.clone(), own)]);
        Ok(Self { image, recipe, secrets })
    }

    fn arguments(&self) -> String {
        arguments(&self.recipe, &self.secrets)
    }

    /// Where the server's data will be, which the old one had at this path.
    fn data(&self, old: &str) -> String {
        let own = self.secrets.values().flat_map(|own| &own.environment).map(String::as_str);
        let by_image = self.image["Config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let pgdata = variable(own, "PGDATA").or(variable(by_image, "PGDATA"));
        pgdata.unwrap_or(old).to_owned()
    }

    /// The places that the image declares volumes for.
    fn declared(&self) -> Vec<String> {
        let declared = self.image["Config"]["Volumes"].as_object();
        declared.map(|volumes| volumes.keys().cloned().collect()).unwrap_or_default()
    }

    /// Makes the volumes: what the image declares, and the place of the data where that is another. The mounts of them.
    async fn volumes(
        &self,
        request: &Request<'_>,
        data: &str,
        made: &mut Vec<String>,
    ) -> Result<Vec<Value>, SnapshotError> {
        let mut destinations = self.declared();
        if !destinations.iter().any(|volume| is_within(data, volume)) {
            destinations.push(data.to_owned());
        }
        let mut mounts = Vec::new();
        for (index, destination) in destinations.iter().enumerate() {
            let volume = format!("{}-{index}", request.name);
            let labels = Labels::from([(RESTORED_FROM.to_owned(), request.stored.manifest.id.clone())]);
            if request.engine.volume(&volume).await?.is_some() {
                return Err(SnapshotError::Refused(format!("there is a volume {volume} already")));
            }
            request.engine.create_volume(&volume, "local", &Labels::new(), &labels).await?;
            made.push(volume.clone());
            mounts.push(json!({"Type": "volume", "Source": volume, "Target": destination}));
        }
        Ok(mounts)
    }

    /// Creates the container, which is then the caller's to remove.
    async fn create(&self, request: &Request<'_>, mounts: Vec<Value>) -> Result<String, SnapshotError> {
        let body =
            body(&self.recipe, &self.secrets, mounts, json!({RESTORED_FROM: request.stored.manifest.id}));
        Ok(request.engine.create_container_raw(Some(request.name), &Value::Object(body)).await?)
    }
}

/// Waits for the container's first process to be a server of another kind; its name.
async fn stranger(engine: &Engine, container: &str, kind: &str) -> String {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let asked = engine.exec(container, Exec::shell("cat /proc/1/comm"), LOOK_LIMIT, 1 << 12).await;
        let Ok(answer) = asked else { continue };
        let name = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let processes = [name];
        let mut kinds = running_kinds(&processes).peekable();
        if kinds.peek().is_some() && !kinds.any(|other| is_kin(other.id, kind)) {
            return processes.concat();
        }
    }
}

/// What can be restored into another version.
enum What<'a> {
    Dumps(Source<'a>),
    Rdb(redis::Source<'a>),
    /// SQLite's.
    Files(Vec<&'a Item>),
}

/// What the snapshot has of the container, of which there must be one kind.
fn what<'a>(request: &Request<'a>) -> Result<What<'a>, SnapshotError> {
    let recipe = request.recipe;
    // A file in a volume is of everybody who mounts it; a server is of one container.
    let shares = |item: &Item| {
        item.engine.as_deref() == Some("sqlite")
            && item.volume.as_ref().is_some_and(|volume| recipe.volumes.values().any(|own| own == volume))
    };
    let own = |item: &&Item| item.target.id == recipe.id || shares(item);
    let mut found: Vec<What<'_>> = Vec::new();
    let mut files = Vec::new();
    for item in request.stored.manifest.items.iter().filter(own) {
        let Some(kind) = item.engine.as_deref() else { continue };
        let of = |kind| item.artifacts.iter().filter(move |artifact| artifact.kind == kind);
        let dumps: Vec<&Artifact> = of(ArtifactKind::LogicalDump).collect();
        if kind == "sqlite" {
            files.push(item);
        } else if let (Some(how), false) = (engine_recipe(kind), dumps.is_empty()) {
            found.push(What::Dumps(Source {
                item,
                how,
                kind,
                dumps,
                globals: of(ArtifactKind::Globals).next(),
            }));
        } else if let (Some(how), Some(artifact)) = (engine_recipe(kind), of(ArtifactKind::Rdb).next()) {
            found.push(What::Rdb(redis::Source { item, how, kind, artifact }));
        }
    }
    if !files.is_empty() {
        found.push(What::Files(files));
    }
    let refused = |sentence: String| Err(SnapshotError::Refused(sentence));
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => refused(format!("{} has several databases in one container", recipe.name)),
        (None, _) => refused(format!(
            "the snapshot has no dump of {}, and another version does not read the files of {}: leave --image away",
            recipe.name, recipe.image
        )),
    }
}

async fn load(
    request: &Request<'_>,
    source: &Source<'_>,
    server: &Server,
    fresh: &Fresh,
) -> Result<String, SnapshotError> {
    let (engine, files, progress) = (request.engine, request.stored.files(), &request.progress);
    let told = dump::databases(engine, server, source.how.version).await?.join(" ");
    let kind = match source.kind {
        // Both answer to the same client.
        "mysql" | "mariadb" if told.contains("MariaDB") => "mariadb",
        "mysql" | "mariadb" => "mysql",
        kind => kind,
    };
    let from =
        Version { kind: source.kind, version: source.item.engine_version.as_deref().unwrap_or_default() };
    let to = Version { kind, version: told.trim() };
    if let Some(obstacle) = obstacle(from, to) {
        return Err(SnapshotError::Refused(format!("{}: {}", obstacle.why, obstacle.remedy)));
    }
    let is_postgres = source.kind == "postgres";
    let place = Place::new(engine, &server.container, "/");
    let file = format!("/{FILE}");
    // Accounts of another release stand in tables of another shape.
    let globals = source.globals.filter(|_| is_postgres || same_release(from, to));
    let form = if is_postgres { Form::PgGlobals } else { Form::MySqlGlobals };
    let globals = globals.map(|artifact| (artifact, form.script(), ""));
    let dumps = source.dumps.iter().map(|artifact| {
        let script = if is_postgres { reload::WHOLE_DATABASE } else { Form::MySql.script() };
        (*artifact, script, if is_postgres { artifact.database.as_deref().unwrap_or_default() } else { "" })
    });
    for (artifact, script, database) in globals.into_iter().chain(dumps) {
        progress.stage(&format!("loading {}", artifact.file), None);
        content::put(&place, &files.of(artifact), FILE).await?;
        let more = [("DBSAFE_FILE", file.as_str()), ("DBSAFE_DATABASE", database)];
        dump::ask(engine, server, script, &more).await.map_err(|error| match error {
            SnapshotError::Dump(complaint) => SnapshotError::NotProved(explained(&complaint)),
            error => error,
        })?;
    }
    fresh.forget_file().await;
    progress.stage("comparing", None);
    let after = fresh.fingerprint().await?;
    let (tables, rows) = after.totals();
    match source.item.fingerprint.as_ref().map(|before| difference(before, &after)) {
        Some(Some(difference)) => Err(SnapshotError::NotProved(difference)),
        Some(None) => Ok(format!("{tables} tables, {rows} rows, as they were saved")),
        None => Ok(format!("{tables} tables, {rows} rows")),
    }
}

/// What was saved and is not there, or in another number. The server's own databases may differ between versions.
fn difference(before: &Fingerprint, after: &Fingerprint) -> Option<String> {
    before.databases.iter().find_map(|(database, tables)| {
        tables.iter().find_map(|(table, saved)| {
            let now = after.databases.get(database).and_then(|tables| tables.get(table));
            match now {
                Some(now) if now.rows == saved.rows => None,
                Some(now) => Some(format!("{database}.{table} has {} rows and not {}", now.rows, saved.rows)),
                None => Some(format!("{database}.{table} is not there")),
            }
        })
    })
}

/// The environment and the command line without what the old image said: the new one says it anew.
fn without_image(
    mut own: ContainerSecrets,
    recipe: &ContainerRecipe,
    old: Option<&Value>,
) -> ContainerSecrets {
    let pairs: BTreeSet<&str> = old
        .and_then(|old| old["Config"]["Env"].as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    own.environment.retain(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pairs.contains(pair.as_str()) && !recipe.environment_of_image.iter().any(|known| known == name)
    });
    own.config.retain(|part, value| old.is_none_or(|old| old["Config"][part] != *value));
    own
}

/// The recipe as that of a container of another image.
fn of_image(recipe: &ContainerRecipe, old: Option<&Value>, image: &str) -> ContainerRecipe {
    let mut config = recipe.config.as_object().cloned().unwrap_or_default();
    config.retain(|part, value| {
        let is_image = old.is_some_and(|old| old["Config"][part] == *value);
        !(FROM_IMAGE.contains(&part.as_str()) && (is_image || old.is_none() || part == "Volumes"))
    });
    ContainerRecipe {
        image: image.to_owned(),
        image_id: image.to_owned(),
        config: Value::Object(config),
        ..recipe.clone()
    }
}

fn variable<'a>(pairs: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    pairs.into_iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn body(
    recipe: &ContainerRecipe,
    secrets: &Secrets,
    mounts: Vec<Value>,
    labels: Value,
) -> Map<String, Value> {
    let volumes: Vec<String> =
        mounts.iter().filter_map(|mount| mount["Target"].as_str().map(str::to_owned)).collect();
    let mut body = isolated_body(recipe, secrets, mounts, labels);
    if let Some(mounts) = body.get_mut("HostConfig").and_then(|host| host["Mounts"].as_array_mut()) {
        mounts.retain(|mount| {
            let target = mount["Target"].as_str().unwrap_or_default();
            let is_ours = volumes.iter().any(|volume| volume == target);
            is_ours
                || !is_within(target, INIT_SCRIPTS)
                    && !volumes.iter().any(|volume| is_within(target, volume) || is_within(volume, target))
        });
    }
    body
}
