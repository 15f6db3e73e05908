//! Asks compose for its model of the project. Asked once; the second look, right before the hand-over, takes
//! the same model and lists the engine anew.

use std::{ffi::OsString, time::Duration};

use tokio::sync::OnceCell;

use super::{PlanError, compose::Scope, project::Project};
use crate::{
    docker::{
        environment::Environment,
        program::{ComposeProgram, DockerProgram, NestedOutput},
    },
    model::operation::ComposeGlobals,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Compose's majors whose behaviour is known. There was no 3 and no 4.
const KNOWN_MAJORS: &[&str] = &["2", "5"];

/// The compose plugin, and what it said.
pub struct ComposeSource {
    docker: DockerProgram,
    environment: Environment,
    program: OnceCell<ComposeProgram>,
    scope: OnceCell<Scope>,
    version: OnceCell<String>,
}

impl ComposeSource {
    /// Nothing is run yet.
    #[must_use]
    pub fn new(docker: DockerProgram, environment: Environment) -> Self {
        let (program, scope, version) = Default::default();
        Self { docker, environment, program, scope, version }
    }

    /// Whether `COMPOSE_REMOVE_ORPHANS` turns the flag on (compose `utils.StringToBool`).
    pub(super) fn removes_orphans(&self) -> bool {
        let value = self.environment.text("COMPOSE_REMOVE_ORPHANS").unwrap_or_default().to_lowercase();
        matches!(value.as_str(), "true" | "1" | "y" | "yes" | "on" | "t")
    }

    /// Which project the globals mean.
    pub(super) async fn scope(
        &self,
        globals: &ComposeGlobals,
        services: &[String],
        need_disabled: bool,
    ) -> Result<Scope, PlanError> {
        let scope = self.scope.get_or_try_init(|| async {
            let (scope, _version) =
                tokio::try_join!(self.ask_scope(globals, services, need_disabled), self.ask_version())?;
            Ok::<_, PlanError>(scope)
        });
        scope.await.cloned()
    }

    /// Why this compose may do other things than those we know.
    pub(super) async fn version_doubt(&self) -> Option<String> {
        let version = self.version.get()?;
        let major = version.split('.').next().unwrap_or_default();
        (!KNOWN_MAJORS.contains(&major)).then(|| {
            format!(
                "what Compose {version} removes: dbsafe knows the versions {}",
                KNOWN_MAJORS.join(" and ")
            )
        })
    }

    async fn ask_version(&self) -> Result<(), PlanError> {
        let output = self.run(&words(&["version", "--short"])).await?;
        let text = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned();
        // Set once; a second look has the first one's answer.
        let _ = self.version.set(text);
        Ok(())
    }

    async fn ask_scope(
        &self,
        globals: &ComposeGlobals,
        services: &[String],
        need_disabled: bool,
    ) -> Result<Scope, PlanError> {
        if let (Some(name), true) = (&globals.project_name, globals.files.is_empty()) {
            return Ok(Scope::Labels(name.clone()));
        }
        let mut project = match self.load(globals, &[], services).await {
            Ok(project) => project,
            // Compose falls back to labels, silently, where the environment names the project.
            Err(error @ PlanError::Project(_)) => match self.environment.text("COMPOSE_PROJECT_NAME") {
                Some(name) => return Ok(Scope::Labels(name)),
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        if need_disabled {
            let all = self.load(globals, &["--profile", "*"], &[]).await?;
            project.disabled =
                all.services.keys().filter(|name| !project.services.contains_key(*name)).cloned().collect();
        }
        Ok(Scope::Files(project))
    }

    /// The model with these globals, more globals, and service arguments.
    async fn load(
        &self,
        globals: &ComposeGlobals,
        more: &[&str],
        services: &[String],
    ) -> Result<Project, PlanError> {
        let mut arguments: Vec<OsString> = globals.arguments.iter().map(OsString::from).collect();
        arguments.extend(words(more));
        arguments.extend(words(&["config", "--format", "json"]));
        // `down` does not read the services' env files, so a missing one must not stop us.
        let lenient: Vec<OsString> = [arguments.clone(), words(&["--no-env-resolution"])].concat();
        let named: Vec<OsString> = services.iter().map(OsString::from).collect();
        let mut output = self.run(&[lenient, named.clone()].concat()).await?;
        if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("unknown flag") {
            // Compose before 2.32 does not know the flag.
            output = self.run(&[arguments, named].concat()).await?;
        }
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let line =
                said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").to_owned();
            return Err(PlanError::Project(line));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| PlanError::Project(format!("its model is not readable: {error}")))
    }

    async fn run(&self, arguments: &[OsString]) -> Result<NestedOutput, PlanError> {
        let program =
            self.program.get_or_try_init(|| async { self.docker.compose(&self.environment) }).await?;
        Ok(program.output(arguments, LIMIT).await?)
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
