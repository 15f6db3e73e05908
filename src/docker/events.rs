//! The engine's events: what it really destroyed.

use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;

use super::{dial::EngineError, engine::Engine};
use crate::model::container::Labels;

/// Something that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    pub is_volume: bool,
    /// The container's id or the volume's name.
    pub id: String,
    /// The container's labels and its `name`; a volume's driver.
    pub attributes: Labels,
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Actor", default)]
    actor: RawActor,
}

#[derive(Deserialize, Default)]
struct RawActor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Option<Labels>,
}

impl Engine {
    /// Everything destroyed from now on. A label filter would drop every volume's event, so there is none.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn destructions(&self) -> Result<impl Stream<Item = Destroyed> + Send + use<>, EngineError> {
        let filters = r#"{"type":["container","volume"],"event":["destroy"]}"#;
        let path = format!("/events?filters={}", super::engine::encode(filters));
        let body = self.transport.get_stream(&path).await?;
        let body = body.ok_or_else(|| EngineError::unexpected("the engine has no events"))?;
        let lines = body.scan(Vec::new(), |pending: &mut Vec<u8>, chunk| {
            let Ok(chunk) = chunk else { return std::future::ready(None) };
            pending.extend_from_slice(&chunk);
            let whole = pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            let lines: Vec<u8> = pending.drain(..whole).collect();
            let events: Vec<Destroyed> = lines.split(|&byte| byte == b'\n').filter_map(parse).collect();
            std::future::ready(Some(stream::iter(events)))
        });
        Ok(lines.flatten())
    }
}

/// Containers that were destroyed lately, and the volumes that they had mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lately {
    pub destroyed: Vec<Destroyed>,
    /// The container's id and the volume's name.
    pub unmounted: Vec<(String, String)>,
}

impl Engine {
    /// What happened in the seconds before a time. The engine remembers 256 events.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn lately(&self, seconds: i64, until: Timestamp) -> Result<Lately, EngineError> {
        let filters = r#"{"type":["container","volume"],"event":["destroy","unmount"]}"#;
        let filters = super::engine::encode(filters);
        // To the nanosecond: the engine waits for a time that is yet to come.
        let (second, nanosecond) = (until.as_second(), until.subsec_nanosecond());
        let since = second - seconds;
        let path = format!("/events?since={since}&until={second}.{nanosecond:09}&filters={filters}");
        let body = self.transport.get_stream(&path).await?;
        let mut body = body.ok_or_else(|| EngineError::unexpected("the engine has no events"))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        let mut found = Lately::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let Some(event) = parse(line) else { continue };
            if !event.is_volume {
                found.destroyed.push(event);
            } else if let Some(container) = event.attributes.get("container") {
                found.unmounted.push((container.clone(), event.id));
            }
        }
        Ok(found)
    }
}

fn parse(line: &[u8]) -> Option<Destroyed> {
    let event: RawEvent = serde_json::from_slice(line).ok()?;
    let attributes = event.actor.attributes.unwrap_or_default();
    Some(Destroyed { is_volume: event.kind == "volume", id: event.actor.id, attributes })
}
