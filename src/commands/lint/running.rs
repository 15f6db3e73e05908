//! What an engine says about a service that a file describes: `--fix` alone asks, and only where an edit depends on it.

use super::Context;
use crate::{
    commands::{app::App, audit},
    docker::engine::is_helper,
    engines::habits,
    inspect::{self, Depth},
    model::{
        container::{ContainerSummary, label},
        evidence::{Location, Presence},
    },
    ui::clean,
};

/// The containers of the engine, or why there are none to see.
pub(super) struct Running {
    seen: Result<(App, Vec<ContainerSummary>), String>,
}

impl Running {
    pub(super) async fn look(context: &Context<'_>) -> Self {
        let parts =
            (*context.ui, context.globals.clone(), context.environment.clone(), context.cancellation.clone());
        let app = match App::new(parts.0, parts.1, parts.2, parts.3) {
            Ok(app) => app,
            Err(failure) => return Self { seen: Err(failure.sentence) },
        };
        match app.engine.containers().await {
            Ok(containers) => Self { seen: Ok((app, containers)) },
            Err(error) => Self { seen: Err(error.to_string()) },
        }
    }

    /// Why a named volume must not simply be mounted where a service keeps its data: what it has there would be
    /// hidden, and then lost with its container.
    pub(super) async fn holds_data(&self, project: Option<&str>, service: &str) -> Option<String> {
        let move_it = format!("docker dbsafe migrate {service} moves it onto a named volume");
        let (app, containers) = match &self.seen {
            Ok(seen) => seen,
            Err(cause) => {
                return Some(format!(
                    "whether a container keeps data there already is not known ({}); where one does, {move_it}",
                    clean(cause)
                ));
            }
        };
        let own: Vec<&ContainerSummary> =
            containers.iter().filter(|listed| is_of(listed, project, service)).collect();
        if own.is_empty() {
            return None;
        }
        let plan = match audit::hypothetical(&app.engine, &own, &[], containers).await {
            Ok(plan) => plan,
            Err(error) => return Some(format!("its container could not be looked at: {error}")),
        };
        let evidence = inspect::inspect(&app.engine, &plan, Depth::Everything).await;
        evidence
            .iter()
            .filter(|seen| matches!(seen.location, Location::WritableLayer | Location::AnonymousVolume))
            .find_map(|seen| match &seen.presence {
                Presence::Found => {
                    let name = clean(&seen.target.name);
                    Some(format!(
                        "{name} has data in {}, which a new volume would hide; {move_it}",
                        clean(&seen.path)
                    ))
                }
                Presence::Undetermined { cause } => Some(format!(
                    "whether {} keeps data there is not known ({}); where it does, {move_it}",
                    clean(&seen.target.name),
                    clean(cause)
                )),
                Presence::Empty { .. } => None,
            })
    }

    /// The image with a version, as the container that runs has it.
    pub(super) async fn pinned(
        &self,
        project: Option<&str>,
        service: &str,
        image: &str,
    ) -> Result<String, String> {
        let (app, containers) = self
            .seen
            .as_ref()
            .map_err(|cause| format!("which version runs is not known ({})", clean(cause)))?;
        let listed = containers.iter().find(|listed| is_of(listed, project, service));
        let listed = listed.ok_or("no container of it runs, so which version to name is not known")?;
        let container = app.engine.container(&listed.id).await.map_err(|error| error.to_string())?;
        let container = container.ok_or("its container went meanwhile")?;
        if container.image != image {
            return Err(format!(
                "its container was made of {}, not of {}",
                clean(&container.image),
                clean(image)
            ));
        }
        let tags = app.engine.image_tags(&container.image_id).await.map_err(|error| error.to_string())?;
        let repository = habits::repository(image);
        most_exact(&tags, repository)
            .or_else(|| by_environment(image, repository, &|name| container.env(name)))
            .ok_or_else(|| format!("nothing tells which version {} is", clean(image)))
    }
}

fn is_of(listed: &ContainerSummary, project: Option<&str>, service: &str) -> bool {
    let label = |name: &str| listed.labels.get(name).map(String::as_str);
    label(label::SERVICE) == Some(service) && label(label::PROJECT) == project && !is_helper(&listed.labels)
}

/// The tag of the same image that says most: `postgres:15.4` before `postgres:15`.
fn most_exact(tags: &[String], repository: &str) -> Option<String> {
    let version = |tag: &&String| {
        let own = tag.strip_prefix(repository).and_then(|rest| rest.strip_prefix(':'));
        own.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    tags.iter().filter(version).max_by_key(|tag| tag.len()).cloned()
}

/// What official images say of their version, in their own environment.
fn by_environment<'a>(
    image: &str,
    repository: &str,
    value: &dyn Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    let variable = match repository {
        "postgres" => "PG_VERSION",
        "mysql" => "MYSQL_VERSION",
        "mariadb" => "MARIADB_VERSION",
        "redis" => "REDIS_VERSION",
        "valkey/valkey" => "VALKEY_VERSION",
        "mongo" => "MONGO_VERSION",
        _ => return None,
    };
    let said = value(variable)?;
    // `15.4-1.pgdg120+1`, `1:10.11.6+maria~ubu2204`, `8.0.36-1.el8`.
    let said = said.rsplit(':').next().unwrap_or(said);
    let end = said.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(said.len());
    let version = said[..end].trim_end_matches('.');
    // `alpine`, `bookworm`: the tag's other half stays.
    let variant = habits::tag(image).filter(|tag| *tag != "latest").map(|tag| format!("-{tag}"));
    (!version.is_empty()).then(|| format!("{repository}:{version}{}", variant.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_says_most_is_taken() {
        let tags = ["postgres:latest", "postgres:15", "postgres:15.4", "other:15.4.1"].map(str::to_owned);
        assert_eq!(most_exact(&tags, "postgres").as_deref(), Some("postgres:15.4"));
        assert_eq!(most_exact(&tags[..1], "postgres"), None);
    }

    #[test]
    fn official_images_tell_their_version() {
        let of = |image: &str, repository: &str, said: &'static str| {
            by_environment(image, repository, &|_| Some(said))
        };
        assert_eq!(of("postgres", "postgres", "15.4-1.pgdg120+1").as_deref(), Some("postgres:15.4"));
        assert_eq!(
            of("mariadb:latest", "mariadb", "1:10.11.6+maria~ubu").as_deref(),
            Some("mariadb:10.11.6")
        );
        assert_eq!(of("redis:alpine", "redis", "7.2.4").as_deref(), Some("redis:7.2.4-alpine"));
        assert_eq!(of("mine", "mine", "1"), None);
    }
}
