//! What tells one engine from another, whatever address it is reached by.

use serde::Deserialize;

use super::engine::Engine;

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "ID", default)]
    id: String,
}

impl Engine {
    /// The engine's ID, which it keeps beside its data; `None` where it tells none.
    pub async fn id(&self) -> Option<String> {
        let info: Info = self.transport.get_json("/info").await.ok()?;
        Some(info.id).filter(|id| !id.is_empty())
    }
}
