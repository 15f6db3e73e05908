//! `docker dbsafe protect` and `unprotect`: what no flag lets go, until a person types its name.

use clap::Args;

use super::{
    app::{App, Failure},
    prompt,
    save::failed,
};
use crate::{
    exit::Exit,
    model::{
        container::Labels,
        evidence::{TargetKind, TargetRef},
        journal::Event,
        plan::{Fate, Plan},
    },
    report::table,
    settings::place,
    store::protected::{Protected, Thing},
    ui::clean,
};

/// Keep containers and volumes from being removed, whatever the flags; without a name, list what is kept
#[derive(Debug, Args)]
pub struct ProtectArgs {
    /// Containers and volumes
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Let what is protected be removed again; its name has to be typed
#[derive(Debug, Args)]
pub struct UnprotectArgs {
    /// A container or a volume
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Runs `protect`.
///
/// # Errors
/// Where a name is nobody's, or the list cannot be read or written.
pub async fn protect(app: &App, arguments: &ProtectArgs) -> Result<Exit, Failure> {
    let home = place::home(&app.environment).ok_or_else(no_home)?;
    let mut protected = Protected::load(&home).map_err(|error| failed(&error))?;
    if arguments.names.is_empty() {
        return list(app, &protected).await;
    }
    let mut found = Vec::new();
    for name in &arguments.names {
        found.push(find(app, name).await?);
    }
    for (thing, _) in found {
        app.ui.say(&format!("{} is protected", clean(&thing.name)));
        app.journal(Event::Protect, &words("protect", &thing.name), vec![thing.name.clone()], "protected");
        protected.add(thing);
    }
    protected.save(&home).map_err(|error| failed(&error))?;
    Ok(Exit::Done)
}

/// Runs `unprotect`.
///
/// # Errors
/// Where there is no terminal to type the name at, or it is nobody's.
pub async fn unprotect(app: &App, arguments: &UnprotectArgs) -> Result<Exit, Failure> {
    let home = place::home(&app.environment).ok_or_else(no_home)?;
    let mut protected = Protected::load(&home).map_err(|error| failed(&error))?;
    let (thing, labels) = match find(app, &arguments.name).await {
        Ok(found) => found,
        // It may be gone, and still be in the list.
        Err(failure) => match protected.things.iter().find(|thing| thing.name == arguments.name) {
            Some(thing) => (thing.clone(), Labels::new()),
            None => return Err(failure),
        },
    };
    if !app.ui.interactive {
        let sentence =
            format!("{} stays protected: its name must be typed on a terminal", clean(&thing.name));
        return Err(Failure { exit: Exit::Declined, ..Failure::new(sentence) });
    }
    if !prompt::typed(&app.ui, &thing.name)? {
        app.ui.say(&format!("{} stays protected", clean(&thing.name)));
        return Ok(Exit::Declined);
    }
    let name = thing.name.clone();
    protected.remove(thing, &labels);
    protected.save(&home).map_err(|error| failed(&error))?;
    app.journal(Event::Unprotect, &words("unprotect", &name), vec![name.clone()], "may be removed");
    app.ui.say(&format!("{} may be removed", clean(&name)));
    Ok(Exit::Done)
}

fn words(command: &str, name: &str) -> Vec<String> {
    ["dbsafe", command, name].map(str::to_owned).into()
}

fn no_home() -> Failure {
    Failure::new("there is no folder to remember it in").hint("export DBSAFE_HOME=/a/folder")
}

/// A container, else a volume, of that name.
async fn find(app: &App, name: &str) -> Result<(Thing, Labels), Failure> {
    let thing = |kind, name: &str, id: &str| Thing {
        kind,
        name: name.to_owned(),
        id: id.to_owned(),
        engine: app.endpoint.host.clone(),
        since: app.now(),
    };
    if let Some(container) = app.engine.container(name).await? {
        return Ok((thing(TargetKind::Container, &container.name, &container.id), container.labels));
    }
    if let Some(volume) = app.engine.volume(name).await? {
        return Ok((thing(TargetKind::Volume, &volume.name, &volume.name), volume.labels));
    }
    Err(Failure::new(format!("there is no container or volume {}", clean(name)))
        .hint("docker ps -a; docker volume ls"))
}

async fn list(app: &App, protected: &Protected) -> Result<Exit, Failure> {
    if protected.things.is_empty() {
        app.ui.say("nothing is protected by hand");
        return Ok(Exit::Done);
    }
    let mut rows = vec![["NAME", "KIND", "SINCE", "ENGINE", ""].map(str::to_owned)];
    for thing in &protected.things {
        let here = thing.engine == app.endpoint.host;
        // A name that fits nothing any more protects nothing.
        let gone = here && find(app, &thing.name).await.is_err();
        rows.push([
            clean(&thing.name),
            if thing.kind == TargetKind::Container { "container" } else { "volume" }.to_owned(),
            thing.since.strftime("%Y-%m-%d").to_string(),
            clean(&thing.engine),
            if gone { "there is none by now".to_owned() } else { String::new() },
        ]);
    }
    app.ui.print(&table::plain(&rows, app.ui.width_out));
    Ok(Exit::Done)
}

/// What of a plan's losses is protected.
pub(super) struct Kept {
    protected: Protected,
    engine: String,
}

impl Kept {
    /// Reads what is protected.
    ///
    /// # Errors
    /// Where it cannot be read: nothing may go then.
    pub(super) fn load(app: &App) -> Result<Self, Failure> {
        let protected = match place::home(&app.environment) {
            Some(home) => Protected::load(&home).map_err(|error| failed(&error))?,
            None => Protected::default(),
        };
        Ok(Self { protected, engine: app.endpoint.host.clone() })
    }

    fn has(&self, target: &TargetRef, labels: &Labels) -> bool {
        self.protected.has(target, labels, &self.engine)
    }

    /// Takes what is protected out of a prune's list, and returns its names.
    pub(super) fn spare(&self, plan: &mut Plan) -> Vec<String> {
        let mut spared = Vec::new();
        plan.containers.retain(|planned| {
            let kept = self.has(&TargetRef::of_container(&planned.container), &planned.container.labels);
            spared.extend(kept.then(|| planned.container.name.clone()));
            !kept
        });
        plan.volumes.retain(|planned| {
            let volume = &planned.volume;
            let kept = self.has(&TargetRef::of_volume(&volume.name, &volume.labels), &volume.labels);
            spared.extend(kept.then(|| volume.name.clone()));
            !kept
        });
        spared
    }

    /// What goes or gets lost and is protected.
    pub(super) fn in_the_way(&self, plan: &Plan) -> Vec<TargetRef> {
        let mut found = Vec::new();
        for planned in &plan.containers {
            let target = TargetRef::of_container(&planned.container);
            if planned.fate >= Fate::Detached && self.has(&target, &planned.container.labels) {
                found.push(target);
            }
            for mount in planned.mounts.iter().filter(|mount| mount.fate >= Fate::Detached) {
                let real = planned.container.mounts.iter().find(|real| real.destination == mount.destination);
                let Some(name) = real.and_then(|real| real.volume.as_deref()) else { continue };
                let target = TargetRef::of_volume(name, &Labels::new());
                if self.has(&target, &Labels::new()) {
                    found.push(target);
                }
            }
        }
        for planned in plan.volumes.iter().filter(|planned| planned.fate >= Fate::Detached) {
            let target = TargetRef::of_volume(&planned.volume.name, &planned.volume.labels);
            if self.has(&target, &planned.volume.labels) && !found.contains(&target) {
                found.push(target);
            }
        }
        found
    }
}
