//! `docker dbsafe hooks on|off`: whether docker asks us for a hint after its own commands. Docker calls them
//! after a command has run, on a terminal only (docker/cli `cli-plugins/manager/hooks.go`, 26.1 and later).

use clap::{Args, Subcommand};

use super::app::Failure;
use crate::{
    docker::{
        client_config::{self, Fields},
        endpoint::{self, DockerConfig},
        environment::Environment,
        globals::DockerGlobals,
    },
    exit::Exit,
    plugin::NAME,
    ui::Ui,
};

/// The commands after which docker asks. It compares the first words, so that `compose -f x up` is missed.
pub(super) const COMMANDS: &str = "run,container run,compose up,compose down";

/// Turn hints after docker's own commands on or off, in docker's config.json
#[derive(Debug, Args)]
pub struct HooksArgs {
    #[command(subcommand)]
    pub command: HooksCommand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HooksCommand {
    /// After run and compose up: a database in the writable layer; after compose down: data left behind
    On,
    /// No hints
    Off,
}

/// Whether docker will ask us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    On,
    Off,
    /// Ours are set, but docker's hooks as a whole are off, as they are unless somebody turns them on.
    Disabled,
}

/// What docker's configuration says of our hooks.
pub(super) fn state(config: &DockerConfig) -> State {
    let ours = config.plugins[NAME]["hooks"].as_str().is_some_and(|hooks| !hooks.is_empty());
    let all = config.features["hooks"].as_str().is_some_and(|word| word == "true" || word == "1");
    match (ours, all) {
        (false, _) => State::Off,
        (true, true) => State::On,
        (true, false) => State::Disabled,
    }
}

/// Changes docker's configuration.
///
/// # Errors
/// Where it cannot be read, understood or written.
pub(super) fn run(
    ui: &Ui,
    environment: &Environment,
    globals: &DockerGlobals,
    arguments: &HooksArgs,
) -> Result<Exit, Failure> {
    let folder = endpoint::config_folder(globals, environment)
        .map_err(|error| Failure::new(error.to_string()).hint(error.hint()))?;
    let shown = folder.join("config.json").display().to_string();
    let unreadable = |cause: String| {
        Failure::new(format!("{shown} cannot be read: {cause}")).hint("mend the file; nothing was changed")
    };
    let (path, text) = client_config::load(&folder).map_err(|error| unreadable(error.to_string()))?;
    let changed = changed(&text, arguments.command).map_err(|error| unreadable(error.to_string()))?;
    if let Some(changed) = &changed {
        client_config::save(&path, changed).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", path.display())).hint("nothing was changed")
        })?;
    }
    ui.say(match (arguments.command, changed.is_some()) {
        (HooksCommand::On, true) => "docker shows hints now, on a terminal (docker 26.1 and later)",
        (HooksCommand::On, false) => "docker shows hints already",
        (HooksCommand::Off, true) => "docker shows no hints any more",
        (HooksCommand::Off, false) => "docker showed no hints",
    });
    Ok(Exit::Done)
}

/// The configuration's new text; `None` where nothing changes.
fn changed(text: &str, command: HooksCommand) -> Result<Option<String>, serde_json::Error> {
    let mut all = Fields::read(text)?;
    let mut plugins = all.object("plugins")?;
    let mut ours = plugins.object(NAME)?;
    let mut features = all.object("features")?;
    match command {
        HooksCommand::On => {
            if ours.text("hooks").as_deref() == Some(COMMANDS)
                && features.text("hooks").as_deref() == Some("true")
            {
                return Ok(None);
            }
            ours.set_text("hooks", COMMANDS);
            features.set_text("hooks", "true");
        }
        HooksCommand::Off => {
            if ours.text("hooks").is_none() {
                return Ok(None);
            }
            ours.remove("hooks");
            // Without it no other plugin's hooks would run, if there are any.
            let others = plugins.names().filter(|name| *name != NAME);
            let mut others = others.filter_map(|name| plugins.object(name).ok());
            if !others.any(|other| other.text("hooks").or(other.text("error-hooks")).is_some()) {
                features.remove("hooks");
            }
        }
    }
    plugins.set_object(NAME, &ours, 2);
    all.set_object("plugins", &plugins, 1);
    all.set_object("features", &features, 1);
    Ok(Some(all.write(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_of(text: &str) -> State {
        state(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn on_and_off_leave_the_rest_as_it_was() {
        for text in [
            "{\n\t\"auths\": {\n\t\t\"r\": {\"auth\": \"c2VjcmV0\"}\n\t},\n\t\"credsStore\": \"pass\"\n}",
            "{\n\t\"plugins\": {\n\t\t\"scout\": {\"hooks\": \"pull\"}\n\t},\n\t\"features\": {\n\t\t\"hooks\": \"true\"\n\t}\n}",
            "{}",
        ] {
            let on = changed(text, HooksCommand::On).unwrap().unwrap();
            assert_eq!(state_of(&on), State::On, "{on}");
            assert_eq!(changed(&on, HooksCommand::On).unwrap(), None);
            assert_eq!(changed(&on, HooksCommand::Off).unwrap().as_deref(), Some(text));
            assert_eq!(changed(text, HooksCommand::Off).unwrap(), None);
        }
        assert!(changed("", HooksCommand::On).unwrap().is_some());
        assert!(changed("{ broken", HooksCommand::On).is_err());
        assert!(changed("[]", HooksCommand::On).is_err());
    }

    #[test]
    fn hooks_that_docker_has_turned_off_are_not_on() {
        let ours = r#"{"plugins": {"dbsafe": {"hooks": "run"}}}"#;
        assert_eq!(state_of(ours), State::Disabled);
        assert_eq!(state_of("{}"), State::Off);
    }
}
