//! A server that is made for a dump: like the one that the dump is from, on no network, with nothing in it.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    content,
    dump::{self, Server},
    progress::Progress,
    snapshot::SnapshotError,
    verify::{self, isolated_body},
};
use crate::{
    docker::{archive::Place, engine::Engine, exec::Exec, scratch},
    engines::{
        self,
        recipe::{Recipe, recipe as engine_recipe},
        reload::{self, Form},
    },
    model::{
        container::is_within,
        manifest::{ContainerRecipe, Fingerprint},
    },
    store::{Secrets, StoredFile},
};

/// What images run at the first start only: it would be in the way of a dump.
const INIT_SCRIPTS: &str = "/docker-entrypoint-initdb.d";
/// The dump, at the root: never below a mount.
const FILE: &str = "dbsafe.dump";
const SET_UP_EVERY: Duration = Duration::from_millis(200);
/// Ten minutes.
const SET_UP_TRIES: u32 = 3000;
/// Where something else than the server is the first process, it must serve so often in a row.
const STEADY: u32 = 25;
const QUESTION_LIMIT: Duration = Duration::from_secs(20);

/// The server that a fresh one is made like.
pub(super) struct Like<'a> {
    pub(super) engine: &'a Engine,
    pub(super) recipe: &'a ContainerRecipe,
    pub(super) secrets: &'a Secrets,
    /// The engine's id.
    pub(super) kind: &'a str,
    /// Its data directory.
    pub(super) data: &'a str,
    pub(super) progress: &'a Arc<dyn Progress>,
}

/// A server of our own. What removes it is `remove`, or the sweep at the end of the run.
pub(super) struct Fresh {
    engine: Engine,
    server: Server,
    how: &'static Recipe,
}

/// Why there is no server to load into: nothing is known of the backup then.
pub(super) type NoServer = String;

impl Like<'_> {
    /// What creates it.
    fn body(&self) -> Map<String, Value> {
        let mut body = isolated_body(self.recipe, self.secrets, Vec::new(), json!({}));
        body.insert("Healthcheck".to_owned(), json!({"Test": ["NONE"]}));
        if let Some(host) = body.get_mut("HostConfig").and_then(Value::as_object_mut) {
            // A file must be put into it, and the server be its first process.
            host.remove("ReadonlyRootfs");
            host.remove("Init");
            if let Some(mounts) = host.get_mut("Mounts").and_then(Value::as_array_mut) {
                mounts.retain(|mount| {
                    let target = mount["Target"].as_str().unwrap_or_default();
                    !is_within(self.data, target)
                        && !is_within(target, self.data)
                        && !is_within(target, INIT_SCRIPTS)
                });
            }
        }
        body
    }

    /// The words behind the server's own name, as it is started now.
    fn options(&self) -> Vec<String> {
        let empty = std::collections::BTreeMap::new();
        let config = self.secrets.get(&self.recipe.id).map_or(&empty, |secret| &secret.config);
        let words = |part: &str| -> Vec<String> {
            let words = config.get(part).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (entrypoint, command) = (words("Entrypoint"), words("Cmd"));
        let all: Vec<String> = entrypoint.into_iter().chain(command.iter().cloned()).collect();
        let servers = engines::kind(self.kind).map_or(&[][..], |kind| kind.processes);
        let is_server = |word: &String| servers.contains(&word.rsplit('/').next().unwrap_or_default());
        if let Some(at) = all.iter().position(is_server) {
            return all[at + 1..].to_vec();
        }
        // The usual entrypoint takes options, or a configuration file, for the server's.
        let first = command.first().map(String::as_str).unwrap_or_default();
        if first.starts_with('-') || first.ends_with(".conf") { command } else { Vec::new() }
    }

    /// Starts it, and waits until it serves.
    ///
    /// # Errors
    /// Where the engine does not answer. That the server does not come up is an answer.
    pub(super) async fn start(&self) -> Result<Result<Fresh, NoServer>, SnapshotError> {
        let Some(how) = engine_recipe(self.kind) else {
            return Ok(Err("there is no way to load a dump of this kind".to_owned()));
        };
        let body = Value::Object(self.body());
        let container = scratch::create(self.engine, body).await?;
        let fresh = Fresh { engine: self.engine.clone(), server: self.server(container), how };
        self.progress.stage(&format!("waiting for a fresh {}", self.recipe.name), None);
        Ok(fresh.started().await)
    }

    /// Starts a Redis server on this file.
    ///
    /// # Errors
    /// Where the engine does not answer. That the server does not come up is an answer.
    pub(super) async fn start_on(&self, file: &StoredFile) -> Result<Result<Fresh, NoServer>, SnapshotError> {
        let Some(how) = engine_recipe(self.kind) else {
            return Ok(Err("there is no way to load a dump of this kind".to_owned()));
        };
        let mut body = self.body();
        let mut command = vec!["redis".to_owned()];
        command.extend(self.options());
        command.extend(reload::redis_options(FILE));
        body.insert("Entrypoint".to_owned(), json!(["sh", "-c", reload::REDIS_SERVER]));
        body.insert("Cmd".to_owned(), json!(command));
        let container = scratch::create(self.engine, Value::Object(body)).await?;
        let mut server = self.server(container);
        server.arguments = command.join(" ");
        let fresh = Fresh { engine: self.engine.clone(), server, how };
        self.progress.stage(&format!("loading into a fresh {}", self.recipe.name), None);
        fresh.put(file).await?;
        Ok(fresh.started().await)
    }

    /// Has a SQLite file looked at by the container's own program. What it says: `["OK"]`, `["NONE"]`, or what is
    /// wrong.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub(super) async fn check_file(&self, file: &Path, script: &str) -> Result<String, SnapshotError> {
        let mut body = self.body();
        verify::look_at(&mut body, script, &format!("/{FILE}"));
        // It may have to write beside the file.
        body.insert("User".to_owned(), json!("0"));
        let container = scratch::create(self.engine, Value::Object(body)).await?;
        content::put(&Place::new(self.engine, &container, "/"), &StoredFile::plain(file), FILE).await?;
        let said = verify::run_to_the_end(self.engine, &container).await;
        let _ = self.engine.discard_container(&container).await;
        Ok(said?.unwrap_or_else(|| "it took too long".to_owned()))
    }

    fn server(&self, container: String) -> Server {
        let arguments = verify::arguments(self.recipe, self.secrets);
        Server { container, data: self.data.to_owned(), arguments }
    }
}

impl Fresh {
    /// A server in a container that somebody else made.
    pub(super) fn of(engine: &Engine, server: Server, how: &'static Recipe) -> Self {
        Self { engine: engine.clone(), server, how }
    }

    async fn started(self) -> Result<Self, NoServer> {
        let failed = match self.engine.start(&self.server.container).await {
            Ok(()) => self.wait().await,
            Err(error) => Some(error.to_string()),
        };
        match failed {
            None => Ok(self),
            Some(cause) => {
                self.remove().await;
                Err(cause)
            }
        }
    }

    /// Waits until the server itself serves, and not the one for the set-up before it; why it never will, else.
    pub(super) async fn wait(&self) -> Option<String> {
        let mut steady = 0;
        for _ in 0..SET_UP_TRIES {
            if let Some(cause) = verify::wait_until_ready(&self.engine, &self.server, self.how).await {
                return Some(cause);
            }
            let asked = Exec::shell(reload::IS_FIRST);
            let asked = self.engine.exec(&self.server.container, asked, QUESTION_LIMIT, 1 << 12).await;
            match asked.map(|answer| answer.status) {
                // It may have gone between the two questions: once more.
                Ok(0) => return verify::wait_until_ready(&self.engine, &self.server, self.how).await,
                Ok(2) => steady += 1,
                Ok(_) | Err(_) => steady = 0,
            }
            if steady >= STEADY {
                return None;
            }
            tokio::time::sleep(SET_UP_EVERY).await;
        }
        Some("its set-up did not end in time".to_owned())
    }

    async fn put(&self, file: &StoredFile) -> Result<(), SnapshotError> {
        let place = Place::new(&self.engine, &self.server.container, "/");
        Ok(content::put(&place, file, FILE).await?)
    }

    /// Loads a dump. An error is the server's own word on it, with its meaning where that is known.
    ///
    /// # Errors
    /// Where the file is not readable or the engine does not answer.
    pub(super) async fn load(
        &self,
        form: Form,
        database: &str,
        file: &Path,
    ) -> Result<Result<(), String>, SnapshotError> {
        self.put(&StoredFile::plain(file)).await?;
        let path = format!("/{FILE}");
        let more = [("DBSAFE_FILE", path.as_str()), ("DBSAFE_DATABASE", database)];
        let loaded = dump::ask(&self.engine, &self.server, form.script(), &more).await;
        self.forget_file().await;
        match loaded {
            Ok(_told) => Ok(Ok(())),
            Err(SnapshotError::Dump(complaint)) => Ok(Err(reload::explained(&complaint))),
            Err(error) => Err(error),
        }
    }

    /// Takes the dump away again.
    pub(super) async fn forget_file(&self) {
        let remove = Exec { user: Some("0".to_owned()), ..Exec::shell(&format!("rm -f /{FILE}")) };
        // A file at the root is all that is left, should it refuse.
        let _ = self.engine.exec(&self.server.container, remove, QUESTION_LIMIT, 1 << 12).await;
    }

    /// Counts everything in it.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub(super) async fn fingerprint(&self) -> Result<Fingerprint, SnapshotError> {
        verify::fingerprint(&self.engine, &self.server, self.how).await
    }

    pub(super) async fn remove(self) {
        // What is left, the sweep at the end of the run finds by its label.
        let _ = self.engine.discard_container(&self.server.container).await;
    }
}
