//! The writing half: starts, stops, creates and removes. Only `act` may use it.
//!
//! Bodies travel as the JSON that the engine itself gave, so that what we do not know survives.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    archive::Place,
    engine::{Engine, encode},
    error::EngineError,
};
use crate::model::container::Labels;

/// How long an answer may take beyond the work that was asked for.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A change in a writable layer, as `/changes` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    pub kind: ChangeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Modified,
    Added,
    Deleted,
}

impl Engine {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, EngineError> {
        self.transport.send_json(method, path, body, Some(ANSWER_LIMIT)).await
    }

    /// A container's inspection as the engine gives it.
    ///
    /// # Errors
    /// Where it is gone or the engine does not answer.
    pub async fn inspect_raw(&self, id: &str) -> Result<Value, EngineError> {
        self.transport.get_json(&format!("/containers/{}/json", encode(id))).await
    }

    /// An image's inspection; `None` where it is not there.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn image_raw(&self, reference: &str) -> Result<Option<Value>, EngineError> {
        absent(self.transport.get_json(&format!("/images/{}/json", encode(reference))).await)
    }

    /// A network's inspection; `None` where it is not there.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn network_raw(&self, reference: &str) -> Result<Option<Value>, EngineError> {
        absent(self.transport.get_json(&format!("/networks/{}", encode(reference))).await)
    }

    /// What differs in a writable layer from its image. Costs about a second.
    ///
    /// # Errors
    /// Where the container is gone or the engine does not answer.
    pub async fn layer_changes(&self, id: &str) -> Result<Vec<Change>, EngineError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            path: String,
            #[serde(default)]
            kind: u8,
        }
        let raw: Option<Vec<Raw>> =
            self.transport.get_json(&format!("/containers/{}/changes", encode(id))).await?;
        let kind = |kind| match kind {
            0 => ChangeKind::Modified,
            2 => ChangeKind::Deleted,
            _ => ChangeKind::Added,
        };
        Ok(raw
            .unwrap_or_default()
            .into_iter()
            .map(|raw| Change { path: raw.path, kind: kind(raw.kind) })
            .collect())
    }

    /// Creates a container; its id.
    ///
    /// # Errors
    /// Where the engine refuses: a name that is taken, an image that is gone.
    pub async fn create_container_raw(
        &self,
        name: Option<&str>,
        body: &Value,
    ) -> Result<String, EngineError> {
        let path = match name {
            Some(name) => format!("/containers/create?name={}", encode(name)),
            None => "/containers/create".to_owned(),
        };
        let created = self.call(Method::POST, &path, Some(body)).await?;
        let id = created.get("Id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| EngineError::unexpected("the engine did not name the container that it created"))
    }

    /// Starts a container; one that runs already is fine.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.call(Method::POST, &format!("/containers/{}/start", encode(id)), None).await.map(drop)
    }

    /// Stops a container by its own signal, and kills it after the grace; one that does not run is fine.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub async fn stop(&self, id: &str, grace_seconds: Option<i64>) -> Result<(), EngineError> {
        let query = grace_seconds.map(|seconds| format!("?t={seconds}")).unwrap_or_default();
        let path = format!("/containers/{}/stop{query}", encode(id));
        // A grace of -1 waits for ever.
        self.transport.send_json(Method::POST, &path, None, None).await.map(drop)
    }

    /// Freezes a container's processes.
    ///
    /// # Errors
    /// Where it does not run or the engine cannot.
    pub async fn pause(&self, id: &str) -> Result<(), EngineError> {
        self.call(Method::POST, &format!("/containers/{}/pause", encode(id)), None).await.map(drop)
    }

    /// Lets a frozen container go on.
    ///
    /// # Errors
    /// Where it is not frozen.
    pub async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        self.call(Method::POST, &format!("/containers/{}/unpause", encode(id)), None).await.map(drop)
    }

    /// Removes a container that we made, running or not, with its anonymous volumes.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub async fn discard_container(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{}?force=1&v=1", encode(id));
        self.transport.send_json(Method::DELETE, &path, None, None).await.map(drop)
    }

    /// Removes a container that does not run, and none of its volumes.
    ///
    /// # Errors
    /// Where it runs, or the engine refuses.
    pub async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{}", encode(id));
        self.transport.send_json(Method::DELETE, &path, None, None).await.map(drop)
    }

    /// Removes a network that we made.
    ///
    /// # Errors
    /// Where it is in use, or the engine refuses.
    pub async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.call(Method::DELETE, &format!("/networks/{}", encode(name)), None).await.map(drop)
    }

    /// Creates a volume.
    ///
    /// # Errors
    /// Where the engine or the driver refuses.
    pub async fn create_volume(
        &self,
        name: &str,
        driver: &str,
        options: &Labels,
        labels: &Labels,
    ) -> Result<(), EngineError> {
        let body = json!({"Name": name, "Driver": driver, "DriverOpts": options, "Labels": labels});
        self.call(Method::POST, "/volumes/create", Some(&body)).await.map(drop)
    }

    /// Removes a volume that we made.
    ///
    /// # Errors
    /// Where it is in use, or the engine refuses.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let path = format!("/volumes/{}", encode(name));
        self.transport.send_json(Method::DELETE, &path, None, None).await.map(drop)
    }

    /// Creates a network.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub async fn create_network(&self, body: &Value) -> Result<(), EngineError> {
        self.call(Method::POST, "/networks/create", Some(body)).await.map(drop)
    }

    /// Connects a container to one more network.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        endpoint: &Value,
    ) -> Result<(), EngineError> {
        let body = json!({"Container": container, "EndpointConfig": endpoint});
        self.call(Method::POST, &format!("/networks/{}/connect", encode(network)), Some(&body))
            .await
            .map(drop)
    }

    /// The exit status and the last lines of a container's log, for the message why it did not come up.
    pub async fn last_words(&self, id: &str) -> String {
        use bollard::query_parameters::LogsOptionsBuilder;
        use futures_util::StreamExt as _;
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("5").build();
        let mut logs = self.api().logs(id, Some(options));
        let mut text = String::new();
        while let Some(Ok(line)) = logs.next().await {
            text.push_str(&String::from_utf8_lossy(&line.into_bytes()));
            if text.len() > 2000 {
                break;
            }
        }
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

impl Place {
    /// Unpacks a tar stream in this folder.
    ///
    /// # Errors
    /// Where the folder is not there, the engine refuses, or the stream fails.
    pub async fn unpack(
        &self,
        content: impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static,
    ) -> Result<(), EngineError> {
        let base = if self.base.is_empty() { "/" } else { &self.base };
        let path = format!("/containers/{}/archive?path={}", encode(&self.container), encode(base));
        self.engine.transport.put_stream(&path, content).await
    }
}

fn absent(result: Result<Value, EngineError>) -> Result<Option<Value>, EngineError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
