//! What every command starts from: the engine that docker would use, the terminal, the clock.

use jiff::Timestamp;

use crate::{
    docker::{
        endpoint::{self, Endpoint, EndpointError},
        engine::Engine,
        environment::Environment,
        error::EngineError,
        globals::DockerGlobals,
    },
    exit,
    report::document::EngineRef,
    ui::Ui,
};

/// The surroundings of one command.
pub struct App {
    pub ui: Ui,
    pub globals: DockerGlobals,
    pub environment: Environment,
    pub endpoint: Endpoint,
    pub engine: Engine,
}

impl App {
    /// Finds the engine that docker would use; no call is made yet.
    ///
    /// # Errors
    /// Where docker itself would refuse the context, the host or its configuration.
    pub fn new(ui: Ui, globals: DockerGlobals, environment: Environment) -> Result<Self, Failure> {
        let endpoint = endpoint::resolve_here(&globals, &environment)?;
        let engine = Engine::connect(&endpoint)?;
        Ok(Self { ui, globals, environment, endpoint, engine })
    }

    /// The time, read at the edge only.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Which engine answers, for documents.
    pub async fn engine_ref(&self) -> EngineRef {
        let version = self.engine.version().await.map(|version| version.server.clone()).unwrap_or_default();
        EngineRef { host: self.endpoint.host.clone(), version }
    }
}

/// Why a command ended without doing anything, and what mends it.
#[derive(Debug)]
pub struct Failure {
    pub sentence: String,
    pub hint: Option<String>,
    pub status: u8,
}

impl Failure {
    /// dbsafe could not do its work, and nothing was destroyed.
    #[must_use]
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: None, status: exit::FAILED }
    }

    /// A command that cannot be meant.
    #[must_use]
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { status: exit::USAGE, ..Self::new(sentence) }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says it, and returns the exit status.
    #[must_use]
    pub fn say(&self, ui: &Ui) -> u8 {
        ui.fail(&self.sentence, self.hint.as_deref());
        self.status
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { hint, ..Self::new(error.to_string()) }
    }
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}
