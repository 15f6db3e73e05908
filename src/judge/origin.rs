//! Pure: who probably used a volume that no container uses any more. Clues in, origins out, the surest first.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    container::{Container, Volume, label},
    evidence::{Evidence, Presence},
    journal::{Entry, Event},
    manifest::Manifest,
    origin::{Certainty, Clue, Origin},
};

/// What one `up` makes, it makes within so many seconds.
const TOGETHER: SignedDuration = SignedDuration::from_secs(15);
/// Environment variables that name the database which a server's image makes first.
const DATABASE_VARIABLES: &[&str] =
    &["POSTGRES_DB", "POSTGRESQL_DATABASE", "MARIADB_DATABASE", "MYSQL_DATABASE"];
/// Databases that every server of a kind has.
const EVERYBODYS: &[&str] = &["postgres", "template0", "template1", "mysql", "sys"];

/// A container that is there, and what it keeps.
pub struct Living<'a> {
    pub container: &'a Container,
    pub evidence: Vec<&'a Evidence>,
}

/// A mount that the engine remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The container's name and its compose labels, as far as the engine remembers them.
    pub container: String,
    pub project: Option<String>,
    pub service: Option<String>,
    pub destination: Option<String>,
}

/// Puts clues together: those that speak of one project, and not of two services, are one origin.
#[must_use]
pub fn origins(mut clues: Vec<Clue>) -> Vec<Origin> {
    clues.sort_by_key(|clue| std::cmp::Reverse(clue.strength));
    let mut found: Vec<Origin> = Vec::new();
    for clue in clues {
        let agrees =
            |one: &Option<String>, other: &Option<String>| one == other || one.is_none() || other.is_none();
        let same = |origin: &&mut Origin| {
            let by_name = origin.container.is_some() && origin.container == clue.container;
            by_name
                || origin.project.is_some()
                    && origin.project == clue.project
                    && agrees(&origin.service, &clue.service)
        };
        match found.iter_mut().find(same) {
            Some(origin) => {
                // Two things that fit are more than one.
                if clue.strength == Certainty::Possible && origin.certainty == Certainty::Possible {
                    origin.certainty = Certainty::Likely;
                }
                for (own, more) in [
                    (&mut origin.project, clue.project),
                    (&mut origin.service, clue.service),
                    (&mut origin.container, clue.container),
                    (&mut origin.destination, clue.destination),
                ] {
                    *own = own.take().or(more);
                }
                origin.because.push(clue.because);
            }
            None => found.push(Origin {
                project: clue.project,
                service: clue.service,
                container: clue.container,
                destination: clue.destination,
                certainty: clue.strength,
                because: vec![clue.because],
            }),
        }
    }
    found.sort_by(|a, b| b.certainty.cmp(&a.certainty).then(b.because.len().cmp(&a.because.len())));
    // What only may be says nothing beside what is known.
    if found.first().is_some_and(|best| best.certainty == Certainty::Certain) {
        found.retain(|origin| origin.certainty >= Certainty::Likely);
    }
    found
}

/// What compose wrote on the volume.
#[must_use]
pub fn from_labels(volume: &Volume) -> Option<Clue> {
    let project = volume.labels.get(label::PROJECT)?;
    let key = volume.labels.get(label::VOLUME);
    let as_its = key.map(|key| format!(", as its volume {key}")).unwrap_or_default();
    Some(Clue {
        project: Some(project.clone()),
        service: None,
        container: None,
        destination: None,
        strength: Certainty::Certain,
        because: format!("compose made it for the project {project}{as_its}"),
    })
}

/// What our own snapshots know of it.
#[must_use]
pub fn from_snapshot(volume: &Volume, manifest: &Manifest) -> Option<Clue> {
    manifest.containers.iter().find_map(|recipe| {
        let (destination, _) = recipe.volumes.iter().find(|(_, name)| **name == volume.name)?;
        // A named volume's namesake may be another one.
        let same = manifest.volumes.iter().find(|known| known.name == volume.name);
        if same.is_some_and(|known| known.created != volume.created) {
            return None;
        }
        Some(Clue {
            project: recipe.labels.get(label::PROJECT).cloned(),
            service: recipe.labels.get(label::SERVICE).cloned(),
            container: Some(recipe.name.clone()),
            destination: Some(destination.clone()),
            strength: Certainty::Certain,
            because: format!("snapshot {} saw it at {destination} of {}", manifest.id, recipe.name),
        })
    })
}

/// What the engine's events say.
#[must_use]
pub fn from_events(seen: &Remembered) -> Clue {
    let at = seen.destination.as_ref().map(|path| format!(" at {path}")).unwrap_or_default();
    Clue {
        project: seen.project.clone(),
        service: seen.service.clone(),
        container: Some(seen.container.clone()),
        destination: seen.destination.clone(),
        strength: Certainty::Certain,
        because: format!("the engine remembers that {} had it mounted{at}", seen.container),
    }
}

/// What our journal says: a command that left it behind, together with a container.
#[must_use]
pub fn from_journal(volume: &Volume, entry: &Entry, engine: &str) -> Vec<Clue> {
    let about = entry.event == Event::Verdict || entry.event == Event::HandOver;
    if !about || entry.engine != engine || !entry.targets.contains(&volume.name) {
        return Vec::new();
    }
    let others: Vec<&String> = entry.targets.iter().filter(|name| **name != volume.name).collect();
    // With many containers at once it may be anybody's.
    let strength = if others.len() == 1 { Certainty::Likely } else { Certainty::Possible };
    let when = entry.at.strftime("%Y-%m-%d %H:%M UTC");
    let command = entry.command.join(" ");
    let clue = |container: &String| Clue {
        project: None,
        service: None,
        container: Some(container.clone()),
        destination: None,
        strength,
        because: format!("the journal has it with {container} in `{command}`, {when}"),
    };
    others.into_iter().map(clue).collect()
}

/// Whether it was made together with something of a project.
#[must_use]
pub fn from_creation(volume: &Volume, created: &str, project: &str, what: &str) -> Option<Clue> {
    let (one, other): (Timestamp, Timestamp) = (volume.created.parse().ok()?, created.parse().ok()?);
    let apart = one.duration_since(other).abs();
    (apart <= TOGETHER).then(|| Clue {
        project: Some(project.to_owned()),
        service: None,
        container: None,
        destination: None,
        strength: Certainty::Possible,
        because: format!("it was made within {} s of {what}", apart.as_secs().max(1)),
    })
}

/// Whether a container that is there misses just this data: the same kind of server, which has nothing by now, or
/// has made what it has after this was written last.
#[must_use]
pub fn from_living(evidence: &Evidence, living: &Living<'_>) -> Option<Clue> {
    let kind = evidence.engine.as_deref()?;
    let own = living.evidence.iter().find(|own| own.engine.as_deref() == Some(kind))?;
    let name = &living.container.name;
    let clue = |strength, because| {
        Some(Clue {
            project: living.container.project().map(str::to_owned),
            service: living.container.service().map(str::to_owned),
            container: None,
            destination: None,
            strength,
            because,
        })
    };
    let server = evidence.engine_name.as_deref().unwrap_or(kind);
    if own.identity.is_some() && own.identity == evidence.identity {
        return clue(Certainty::Likely, format!("{name} has the same cluster: one is a copy of the other"));
    }
    let is_empty = matches!(own.presence, Presence::Empty { .. });
    let made: Option<Timestamp> = living.container.created.parse().ok();
    let is_newer = made.zip(evidence.last_write).is_some_and(|(made, written)| made >= written);
    if !is_empty && !is_newer {
        return None;
    }
    let has = if is_empty { "has an empty one" } else { "was made after this was written last" };
    let wanted = DATABASE_VARIABLES.iter().filter_map(|variable| living.container.env(variable));
    let wanted = wanted.into_iter().find(|wanted| {
        !EVERYBODYS.contains(wanted)
            && evidence.contents.databases.iter().any(|database| database.name == *wanted)
    });
    match wanted {
        Some(database) => clue(
            Certainty::Likely,
            format!("{name} serves {server}, {has}, and wants a database {database}, which is in it"),
        ),
        None => clue(Certainty::Possible, format!("{name} serves {server}, too, and {has}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clue(project: Option<&str>, service: Option<&str>, strength: Certainty, because: &str) -> Clue {
        Clue {
            project: project.map(str::to_owned),
            service: service.map(str::to_owned),
            container: None,
            destination: None,
            strength,
            because: because.to_owned(),
        }
    }

    fn volume(created: &str, labels: &[(&str, &str)]) -> Volume {
        Volume {
            name: "shop_pg".to_owned(),
            driver: "local".to_owned(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            options: Default::default(),
            created: created.to_owned(),
            keeps_created: true,
            mountpoint: String::new(),
        }
    }

    #[test]
    fn clues_of_one_project_add_up_and_those_of_others_stay_apart() {
        let found = origins(vec![
            clue(Some("shop"), None, Certainty::Possible, "made together"),
            clue(Some("blog"), Some("db"), Certainty::Possible, "same engine"),
            clue(Some("shop"), Some("db"), Certainty::Possible, "same engine"),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].project.as_deref(), found[0].service.as_deref()), (Some("shop"), Some("db")));
        assert_eq!((found[0].certainty, found[1].certainty), (Certainty::Likely, Certainty::Possible));
        assert_eq!(found[0].because, ["made together", "same engine"]);
    }

    #[test]
    fn what_is_written_down_silences_what_only_may_be() {
        let found = origins(vec![
            clue(Some("blog"), Some("db"), Certainty::Possible, "same engine"),
            clue(Some("shop"), None, Certainty::Certain, "label"),
        ]);
        assert_eq!(found.iter().map(|origin| origin.project.as_deref()).collect::<Vec<_>>(), [Some("shop")]);
    }

    #[test]
    fn composes_labels_and_the_time_of_making_are_clues() {
        let labelled = volume("2026-01-01T10:00:00Z", &[(label::PROJECT, "shop"), (label::VOLUME, "pg")]);
        let clue = from_labels(&labelled).unwrap();
        assert_eq!(clue.because, "compose made it for the project shop, as its volume pg");
        assert!(from_labels(&volume("", &[])).is_none());
        let near = from_creation(&labelled, "2026-01-01T10:00:09.5Z", "shop", "shop-web-1").unwrap();
        assert_eq!(near.because, "it was made within 9 s of shop-web-1");
        assert!(from_creation(&labelled, "2026-01-01T10:01:00Z", "shop", "x").is_none());
        assert!(from_creation(&labelled, "?", "shop", "x").is_none());
    }

    #[test]
    fn the_journal_speaks_of_its_own_engine_alone() {
        let entry = Entry {
            version: 1,
            at: "2026-01-01T10:00:00Z".parse().unwrap(),
            user: "ann".to_owned(),
            engine: "unix:///a".to_owned(),
            event: Event::Verdict,
            command: ["compose", "down"].map(str::to_owned).into(),
            targets: ["shop-db-1", "shop_pg"].map(str::to_owned).into(),
            outcome: "block".to_owned(),
        };
        let known = volume("", &[]);
        let clues = from_journal(&known, &entry, "unix:///a");
        assert_eq!((clues.len(), clues[0].strength), (1, Certainty::Likely));
        assert_eq!(clues[0].container.as_deref(), Some("shop-db-1"));
        assert!(from_journal(&known, &entry, "unix:///b").is_empty());
    }
}
