//! The compose project of the working directory, and what a person's word for a container or a volume means there.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use super::app::Failure;
use crate::{
    act::targets::Target,
    docker::{
        engine::{Engine, is_helper},
        environment::Environment,
        error::EngineError,
    },
    model::container::{ContainerSummary, Labels, label},
};

/// Engines take a unique beginning of an ID for the ID; shorter ones are more often words.
const SHORTEST_ID: usize = 4;

/// The compose project of the working directory, as far as containers' labels tell.
pub(super) struct Project {
    name: Option<String>,
    folders: HashSet<PathBuf>,
}

impl Project {
    pub(super) fn here(environment: &Environment) -> Self {
        // The shell's path may go through a link; compose keeps the one it was given.
        let logical = environment.get("PWD").map(PathBuf::from);
        let folders = std::env::current_dir().ok().into_iter().chain(logical);
        let folders: Vec<PathBuf> = folders.collect();
        Self {
            name: environment.text("COMPOSE_PROJECT_NAME"),
            folders: folders.iter().flat_map(|folder| folder.ancestors()).map(Path::to_owned).collect(),
        }
    }

    /// The project of another folder, and of another time's environment.
    pub(super) fn of(name: Option<String>, folder: &Path) -> Self {
        Self { name, folders: folder.ancestors().map(Path::to_owned).collect() }
    }

    #[cfg(test)]
    pub(super) fn of_folder(folder: &str) -> Self {
        Self::of(None, Path::new(folder))
    }

    pub(super) fn has(&self, labels: &Labels) -> bool {
        match &self.name {
            Some(name) => labels.get(label::PROJECT) == Some(name),
            None => labels
                .get(label::WORKING_DIR)
                .is_some_and(|folder| folder != "/" && self.folders.contains(Path::new(folder))),
        }
    }

    /// What names mean: a container's name or ID, a volume's name, or a compose service of this project; of
    /// another project only where it is the only one that has such a service.
    ///
    /// # Errors
    /// Where a name is nobody's or several projects', or the engine does not answer.
    pub(super) async fn targets(&self, engine: &Engine, names: &[String]) -> Result<Vec<Target>, Failure> {
        let answers = |error: EngineError| Failure::new(error.to_string());
        let mut containers = engine.containers().await.map_err(answers)?;
        containers.retain(|listed| !is_helper(&listed.labels));
        let volumes = engine.volumes().await.map_err(answers)?;
        let mut targets = Vec::new();
        for name in names {
            let of_containers = self.containers(&containers, name)?;
            if !of_containers.is_empty() {
                targets.extend(of_containers);
            } else if volumes.iter().any(|volume| volume.name == *name) {
                targets.push(Target::Volume(name.clone()));
            } else {
                return Err(Failure::usage(format!("there is no container, service or volume {name:?}"))
                    .hint("docker dbsafe audit"));
            }
        }
        Ok(targets)
    }

    fn containers(&self, all: &[ContainerSummary], name: &str) -> Result<Vec<Target>, Failure> {
        let chosen = |found: &[&ContainerSummary]| {
            found.iter().map(|listed| Target::Container(listed.id.clone())).collect::<Vec<_>>()
        };
        let named: Vec<_> = all.iter().filter(|listed| listed.name == name || listed.id == name).collect();
        if !named.is_empty() {
            return Ok(chosen(&named));
        }
        let serving: Vec<_> = all
            .iter()
            .filter(|listed| listed.labels.get(label::SERVICE).is_some_and(|own| own == name))
            .collect();
        let here: Vec<_> = serving.iter().copied().filter(|listed| self.has(&listed.labels)).collect();
        if !here.is_empty() {
            return Ok(chosen(&here));
        }
        let projects: BTreeSet<&str> = serving
            .iter()
            .map(|listed| listed.labels.get(label::PROJECT).map_or("", String::as_str))
            .collect();
        if projects.len() > 1 {
            let listed = projects.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format!(
                "several projects have a service {name:?}: {listed}; name its container, or go to the project's folder"
            )));
        }
        if !serving.is_empty() {
            return Ok(chosen(&serving));
        }
        let begun: Vec<_> =
            all.iter().filter(|listed| name.len() >= SHORTEST_ID && listed.id.starts_with(name)).collect();
        if begun.len() > 1 {
            return Err(Failure::usage(format!("several containers' IDs begin with {name:?}")));
        }
        Ok(chosen(&begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::State;

    fn container(id: &str, name: &str, project: &str, folder: &str) -> ContainerSummary {
        let labels = [(label::PROJECT, project), (label::SERVICE, "db"), (label::WORKING_DIR, folder)];
        ContainerSummary {
            id: id.to_owned(),
            name: name.to_owned(),
            image: "postgres:15".to_owned(),
            state: State::Running,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            volumes: Vec::new(),
        }
    }

    #[test]
    fn a_service_is_the_one_of_this_folder() {
        let all = [
            container("aaaa11", "shop-db-1", "shop", "/srv/shop"),
            container("aaaa22", "blog-db-1", "blog", "/srv/blog"),
        ];
        let one = |id: &str| vec![Target::Container(id.to_owned())];
        assert_eq!(Project::of_folder("/srv/blog/app").containers(&all, "db").unwrap(), one("aaaa22"));
        assert!(
            Project::of_folder("/home").containers(&all, "db").unwrap_err().sentence.contains("blog, shop")
        );
        assert_eq!(Project::of_folder("/home").containers(&all[..1], "db").unwrap(), one("aaaa11"));
    }

    #[test]
    fn a_name_comes_before_a_service_and_that_before_an_id() {
        let mut all =
            [container("aaaa11", "db", "shop", "/srv/shop"), container("db0022", "x", "blog", "/srv/blog")];
        let one = |id: &str| vec![Target::Container(id.to_owned())];
        assert_eq!(Project::of_folder("/srv/blog").containers(&all, "db").unwrap(), one("aaaa11"));
        assert_eq!(Project::of_folder("/").containers(&all, "db00").unwrap(), one("db0022"));
        assert_eq!(Project::of_folder("/").containers(&all, "aaa").unwrap(), vec![]);
        all[1].id = "aaaa22".to_owned();
        assert!(Project::of_folder("/").containers(&all, "aaaa").is_err());
    }
}
