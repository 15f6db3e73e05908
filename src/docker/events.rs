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
        let since = until.as_second() - seconds;
        let path = format!("/events?since={since}&until={}&filters={filters}", moment(until));
        let body = self.transport.get_stream(&path).await?;
        let bytes = whole(body.ok_or_else(|| EngineError::unexpected("the engine has no events"))?).await?;
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

/// A mount of a volume that the engine still remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    pub volume: String,
    /// The container's id.
    pub container: String,
    /// Its labels and its `name`; empty where the engine has forgotten it.
    pub attributes: Labels,
    pub destination: Option<String>,
}

impl Engine {
    /// The mounts that the engine remembers, oldest first: of its last 256 events.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn mounts_remembered(&self, until: Timestamp) -> Result<Vec<Mounted>, EngineError> {
        let filters = super::engine::encode(r#"{"type":["container","volume"]}"#);
        let path = format!("/events?since=1&until={}&filters={filters}", moment(until));
        let body = self.transport.get_stream(&path).await?;
        let bytes = whole(body.ok_or_else(|| EngineError::unexpected("the engine has no events"))?).await?;
        Ok(mounts(bytes.split(|&byte| byte == b'\n').filter_map(parse).collect()))
    }
}

/// Pure: the volumes' events with what the containers' say of who had them.
fn mounts(events: Vec<Destroyed>) -> Vec<Mounted> {
    let (volumes, containers): (Vec<Destroyed>, Vec<Destroyed>) =
        events.into_iter().partition(|event| event.is_volume);
    let mut found: Vec<Mounted> = Vec::new();
    for event in volumes {
        let Some(container) = event.attributes.get("container") else { continue };
        let destination = event.attributes.get("destination").cloned();
        let known = found.iter_mut().find(|known| known.volume == event.id && known.container == *container);
        if let Some(known) = known {
            known.destination = known.destination.take().or(destination);
            continue;
        }
        let owner = containers.iter().find(|other| other.id == *container);
        let attributes = owner.map(|owner| owner.attributes.clone()).unwrap_or_default();
        found.push(Mounted { volume: event.id, container: container.clone(), attributes, destination });
    }
    found
}

/// To the nanosecond: the engine waits for a time that is yet to come.
fn moment(time: Timestamp) -> String {
    format!("{}.{:09}", time.as_second(), time.subsec_nanosecond())
}

async fn whole(mut body: super::dial::Body) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

fn parse(line: &[u8]) -> Option<Destroyed> {
    let event: RawEvent = serde_json::from_slice(line).ok()?;
    let attributes = event.actor.attributes.unwrap_or_default();
    Some(Destroyed { is_volume: event.kind == "volume", id: event.actor.id, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_told_by_the_container_that_had_it() {
        let lines = [
            r#"{"Type":"container","Action":"create","Actor":{"ID":"c1","Attributes":{"name":"shop-db-1"}}}"#,
            r#"{"Type":"volume","Action":"mount","Actor":{"ID":"v","Attributes":{"container":"c1","destination":"/data"}}}"#,
            r#"{"Type":"volume","Action":"unmount","Actor":{"ID":"v","Attributes":{"container":"c1"}}}"#,
            r#"{"Type":"volume","Action":"create","Actor":{"ID":"w","Attributes":{"driver":"local"}}}"#,
        ];
        let found = mounts(lines.iter().filter_map(|line| parse(line.as_bytes())).collect());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].volume.as_str(), found[0].destination.as_deref()), ("v", Some("/data")));
        assert_eq!(found[0].attributes["name"], "shop-db-1");
    }
}
