//! `docker dbsafe doctor`: whether everything that the guard leans on is in order, and what to do where it is
//! not. Looks only; no check keeps another from being made.

use clap::Args;
use console::measure_text_width;
use serde::Serialize;

use super::{app::Format, doctor_checks as checks};
use crate::{
    docker::{
        endpoint, engine::Engine, environment::Environment, globals::DockerGlobals, program::DockerProgram,
    },
    exit::Exit,
    ui::{Paint, Ui, clean},
};

/// Check that plugin, shell, hooks, engine, compose, store and settings are in order
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// The guard works; this could be better, or is off by choice.
    Note,
    /// The guard, or a part of it, does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// One line.
    pub(super) detail: String,
    /// What to type or do.
    pub(super) remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), remedy: None }
    }

    pub(super) fn note(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Note, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn bad(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Bad, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    /// Nothing is bad.
    ok: bool,
    checks: &'a [Check],
}

/// Runs every check.
pub(super) async fn run(
    ui: &Ui,
    environment: &Environment,
    globals: &DockerGlobals,
    arguments: &DoctorArgs,
) -> Exit {
    let all = look(environment, globals).await;
    let good = all.iter().all(|check| check.state != State::Bad);
    match arguments.format {
        Format::Text => ui.print(&shown(&all, ui.colour_out)),
        Format::Json => {
            let document = Document { schema_version: 1, ok: good, checks: &all };
            let text = serde_json::to_string_pretty(&document).unwrap_or_default();
            ui.print(&format!("{text}\n"));
        }
    }
    if good { Exit::Done } else { Exit::Failed }
}

async fn look(environment: &Environment, globals: &DockerGlobals) -> Vec<Check> {
    let docker = DockerProgram::find(globals, environment);
    let config = endpoint::config_folder(globals, environment)
        .and_then(|folder| endpoint::read_config(&folder, &|path| std::fs::read(path)));
    let endpoint = endpoint::resolve_here(globals, environment);
    let engine = endpoint
        .as_ref()
        .map_err(|error| (error.to_string(), error.hint()))
        .map(|endpoint| (endpoint, Engine::connect(endpoint).map_err(|error| error.to_string())));
    let (client, engine, compose, remote) = tokio::join!(
        checks::client(docker.as_ref()),
        checks::engine(engine),
        checks::compose(docker.as_ref(), environment),
        super::doctor_remote::copies(environment),
    );
    let mut all = vec![
        client,
        checks::plugin(docker.as_ref(), environment),
        checks::shell(environment),
        checks::hooks(&config),
        engine,
        compose,
        checks::store(environment),
        checks::settings(environment),
        remote,
    ];
    all.extend(super::doctor_remote::key(environment));
    all
}

/// One line each, what to do below it.
fn shown(all: &[Check], colour: bool) -> String {
    let widest = all.iter().map(|check| measure_text_width(check.name)).max().unwrap_or(0);
    let mut text = String::new();
    for check in all {
        let (word, paint) = match check.state {
            State::Ok => ("ok  ", Paint::Good),
            State::Note => ("note", Paint::Warning),
            State::Bad => ("bad ", Paint::Danger),
        };
        let name = format!("{:widest$}", check.name);
        text.push_str(&format!("  {}  {name}  {}\n", paint.apply(colour, word), clean(&check.detail)));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("{}{}\n", " ".repeat(widest + 10), clean(remedy)));
        }
    }
    let count = |state| all.iter().filter(|check| check.state == state).count();
    text.push_str(&match (count(State::Bad), count(State::Note)) {
        (0, 0) => "\nall is in order\n".to_owned(),
        (0, _) => "\nthe guard works; see the notes\n".to_owned(),
        (1, _) => "\n1 thing is not in order\n".to_owned(),
        (bad, _) => format!("\n{bad} things are not in order\n"),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_with_what_to_do_below_it() {
        let checks = [
            Check::ok("plugin", "0.1.0"),
            Check::note("shell", "off", "eval …"),
            Check::bad("engine", "gone\x1b[2J", "start it"),
        ];
        let text = "  ok    plugin  0.1.0\n  note  shell   off\n                eval …\n  \
                    bad   engine  gone\\u{1b}[2J\n                start it\n\n1 thing is not in order\n";
        assert_eq!(shown(&checks, false), text);
        assert!(shown(&checks[..2], false).ends_with("see the notes\n"));
        assert!(shown(&checks[..1], false).ends_with("all is in order\n"));
    }
}
