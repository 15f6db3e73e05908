//! What every command starts from: the engine that docker would use, the terminal, the clock.

use jiff::Timestamp;

use crate::{
    cancel::Cancellation,
    docker::{
        endpoint::{self, Endpoint, EndpointError},
        engine::Engine,
        environment::Environment,
        error::EngineError,
        globals::DockerGlobals,
        program::{DockerProgram, ProgramError},
    },
    exit::Exit,
    plan::{PlanError, parse::ParseError},
    report::document::EngineRef,
    ui::Ui,
};

/// How most commands may tell what they found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// The surroundings of one command.
pub struct App {
    pub ui: Ui,
    pub globals: DockerGlobals,
    pub environment: Environment,
    pub endpoint: Endpoint,
    pub engine: Engine,
    pub docker: DockerProgram,
    pub cancellation: Cancellation,
}

impl App {
    /// Finds the engine that docker would use; no call is made yet.
    ///
    /// # Errors
    /// Where docker itself would refuse the context, the host or its configuration.
    pub fn new(
        ui: Ui,
        globals: DockerGlobals,
        environment: Environment,
        cancellation: Cancellation,
    ) -> Result<Self, Failure> {
        let endpoint = endpoint::resolve_here(&globals, &environment)?;
        let engine = Engine::connect(&endpoint)?;
        let docker = DockerProgram::find(&globals, &environment)?;
        Ok(Self { ui, globals, environment, endpoint, engine, docker, cancellation })
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
    pub exit: Exit,
}

impl Failure {
    /// dbsafe could not do its work, and nothing was destroyed.
    #[must_use]
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: None, exit: Exit::Failed }
    }

    /// A command that cannot be meant.
    #[must_use]
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(sentence) }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says it, and returns the exit status.
    #[must_use]
    pub fn say(&self, ui: &Ui) -> Exit {
        ui.fail(&self.sentence, self.hint.as_deref());
        self.exit
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

impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let hint = error.hint();
        Self { hint, ..Self::new(error.to_string()) }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::usage(error.to_string()).hint(error.hint())
    }
}
