//! Looks at one engine: which containers and volumes, what is in them, what was found about it.

use std::collections::HashSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    checks,
    commands::{
        app::{App, Failure},
        checked, evidence,
    },
    docker::{
        endpoint::DEFAULT_CONTEXT,
        engine::{Engine, is_helper},
        error::EngineError,
        globals::DockerGlobals,
    },
    inspect::{Counter, Depth},
    judge,
    model::{
        check::Class,
        container::{Container, ContainerSummary, MountKind, Volume, is_engine_made, label},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
        verdict::Finding,
    },
    report::{audit::Gathered, words::quoted},
    settings::Settings,
};

const PARALLEL: usize = 16;

/// What an engine has.
pub(super) struct Listed {
    containers: Vec<ContainerSummary>,
    volumes: Vec<Volume>,
}

/// Everything on the engine but helpers of ours.
pub(super) async fn list(engine: &Engine) -> Result<Listed, EngineError> {
    let (mut containers, volumes) = tokio::try_join!(engine.containers(), engine.volumes())?;
    containers.retain(|container| !is_helper(&container.labels));
    Ok(Listed { containers, volumes })
}

impl Listed {
    /// Whether a target names something here.
    pub(super) fn has(&self, target: &str) -> bool {
        self.containers.iter().any(|container| is_container(container, target))
            || self.volumes.iter().any(|volume| is_volume(volume, target))
    }

    /// The containers and volumes that the targets name; all where there are none.
    fn choose(&self, targets: &[String]) -> (Vec<&ContainerSummary>, Vec<&Volume>) {
        let meant = |is: &dyn Fn(&str) -> bool| targets.is_empty() || targets.iter().any(|target| is(target));
        let containers = self.containers.iter().filter(|one| meant(&|target| is_container(one, target)));
        let volumes = self.volumes.iter().filter(|one| meant(&|target| is_volume(one, target)));
        (containers.collect(), volumes.collect())
    }

    /// The plan that removes every container that the targets name, and leaves volumes alone.
    pub(super) async fn plan(&self, engine: &Engine, targets: &[String]) -> Result<Plan, EngineError> {
        let (containers, volumes) = self.choose(targets);
        hypothetical(engine, &containers, &volumes, &self.containers).await
    }
}

fn is_container(container: &ContainerSummary, target: &str) -> bool {
    let labelled = |name: &str| container.labels.get(name).is_some_and(|value| value == target);
    container.name == target
        || container.id.starts_with(target) && target.len() >= 4
        || [label::PROJECT, label::SERVICE, label::STACK].into_iter().any(labelled)
}

fn is_volume(volume: &Volume, target: &str) -> bool {
    volume.name == target || volume.labels.get(label::PROJECT).is_some_and(|project| project == target)
}

/// Looks at what the targets name, and judges it by the guard's own rules, as if every container were removed. What
/// settings had to say comes with it.
pub(super) async fn gather(
    app: &App,
    listed: &Listed,
    targets: &[String],
    counter: &Counter,
) -> Result<(Gathered, Vec<String>), Failure> {
    let plan = listed.plan(&app.engine, targets).await?;
    let settings = Settings::load_for(app, &plan)?;
    let look = evidence::gather(app, &settings, &plan, Depth::Everything, counter);
    let swarm = async {
        // Services stand beside the containers; what is not told of them is no failure of the audit.
        if targets.is_empty() { app.engine.swarm().await.ok().flatten() } else { None }
    };
    let (evidence, swarm, engine) = tokio::join!(look, swarm, app.engine_ref());
    let mut findings = judge::judge(&plan, &evidence, |seen| settings.stance(&plan, seen, &[])).findings;
    let used =
        listed.containers.iter().flat_map(|container| &container.volumes).map(String::as_str).collect();
    let looked = checked::Looked { plan: &plan, evidence: &evidence, volumes: &listed.volumes, used: &used };
    findings.extend(checked::findings(app, &settings, &looked).await);
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.target.cmp(&b.target)));
    let everything = targets.is_empty();
    let labelled = checked::labelled(&plan, if everything { &listed.volumes } else { &[] });
    let unused = settings.unused_acceptances(&findings, &labelled, everything);
    let notes = settings.notes(&[], &[]).into_iter().chain(unused).collect();
    let findings = findings.into_iter().map(|finding| (class(&finding), finding)).collect();
    let context = app.endpoint.context.clone();
    let docker = docker(&app.globals, &context);
    Ok((Gathered { context, engine, docker, plan, evidence, findings, swarm }, notes))
}

/// How a person reaches the engine again: docker's flags as they were typed, and the context that was used, which may be
/// another one later.
fn docker(globals: &DockerGlobals, context: &str) -> String {
    let typed = globals.arguments.iter().map(|word| word.to_string_lossy());
    let mut words: Vec<String> =
        typed.filter(|word| !["-D", "--debug", "--"].contains(&&**word)).map(|word| quoted(&word)).collect();
    if globals.context.is_none() && context != DEFAULT_CONTEXT {
        words.extend(["--context".to_owned(), quoted(context)]);
    }
    std::iter::once("docker".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn class(finding: &Finding) -> Class {
    checks::check(&finding.id).map_or(Class::Data, |check| check.class)
}

/// The plan that removes every container and leaves volumes alone.
pub(in crate::commands) async fn hypothetical(
    engine: &Engine,
    chosen: &[&ContainerSummary],
    volumes: &[&Volume],
    all: &[ContainerSummary],
) -> Result<Plan, EngineError> {
    let inspected = stream::iter(chosen.iter().map(|summary| engine.container(&summary.id)));
    // One that vanished meanwhile has nothing left to audit.
    let containers: Vec<Container> =
        inspected.buffered(PARALLEL).try_filter_map(|found| async { Ok(found) }).try_collect().await?;
    let used: HashSet<&str> = all.iter().flat_map(|summary| &summary.volumes).map(String::as_str).collect();
    let dangling =
        volumes.iter().filter(|volume| !used.contains(volume.name.as_str())).map(|volume| PlannedVolume {
            volume: (*volume).clone(),
            fate: if volume.is_anonymous() { Fate::Detached } else { Fate::Survives },
            cause: "no container uses it".to_owned(),
            used_by: Vec::new(),
        });
    Ok(Plan {
        containers: containers.into_iter().map(removed).collect(),
        volumes: dangling.collect(),
        ..Plan::default()
    })
}

fn removed(container: Container) -> PlannedContainer {
    let mounts = container.mounts.iter().map(|mount| PlannedMount {
        destination: mount.destination.clone(),
        fate: match mount.kind {
            MountKind::AnonymousVolume => Fate::Detached,
            MountKind::Tmpfs => Fate::Destroyed,
            MountKind::NamedVolume if mount.volume.as_deref().is_some_and(is_engine_made) => Fate::Detached,
            MountKind::NamedVolume | MountKind::Bind | MountKind::Other => Fate::Survives,
        },
        cause: String::new(),
    });
    let grace_seconds = container.stop_timeout.unwrap_or(10);
    PlannedContainer {
        fate: Fate::Destroyed,
        ending: if container.state.has_processes() {
            Ending::Stop { grace_seconds }
        } else {
            Ending::Untouched
        },
        cause: "if it were removed".to_owned(),
        mounts: mounts.collect(),
        container,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_reaches_the_engine_that_was_audited() {
        let told = |line: &[&str], context: &str| {
            let words: Vec<_> = line.iter().map(std::ffi::OsString::from).collect();
            docker(&DockerGlobals::parse(&words).unwrap().0, context)
        };
        assert_eq!(told(&[], DEFAULT_CONTEXT), "docker");
        assert_eq!(told(&[], "prod"), "docker --context prod");
        assert_eq!(told(&["-D", "-H", "ssh://prod"], DEFAULT_CONTEXT), "docker -H ssh://prod");
        assert_eq!(told(&["--context", "a b"], "a b"), "docker --context 'a b'");
        assert_eq!(told(&["--context=default"], DEFAULT_CONTEXT), "docker --context=default");
        assert_eq!(told(&["--config", "/x"], "prod"), "docker --config /x --context prod");
    }
}
