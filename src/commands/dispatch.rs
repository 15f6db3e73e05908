//! Finds the command that is meant, and runs it.

use std::ffi::OsString;

use clap::Parser as _;

use super::{
    app::{App, Failure},
    audit, backups, check, completion, config, doctor, drill, explain, guard, hints, hooks, journal, lint,
    man, migrate, protect, recover, restore, schedule, shell_init, snapshot, snapshots,
};
use crate::{
    act::keeper,
    cancel::Cancellation,
    cli::{self, Cli, OwnCommand},
    docker::{caller, environment::Environment, globals::DockerGlobals, scratch},
    exit::Exit,
    plan::parse,
    plugin::Invocation,
    ui::Ui,
};

/// Runs what docker, or a person, asked for.
pub async fn run(ui: Ui, environment: Environment, invocation: Invocation) -> Exit {
    match invocation {
        // Answered before anything was set up.
        Invocation::Metadata => Exit::Done,
        Invocation::Help { topic } => help(&ui, &topic),
        Invocation::Complete { words, descriptions } => {
            ui.print(&completion::answer(&environment, &caller::globals(), &words, descriptions).await);
            Exit::Done
        }
        Invocation::Hook { request } => {
            let answer = hints::answer(&environment, &caller::globals(), &request).await;
            ui.print(&answer);
            scratch::leave_nothing().await;
            Exit::Done
        }
        Invocation::Run { globals, arguments } => {
            match run_command(ui, environment, globals, arguments).await {
                Ok(exit) => exit,
                Err(failure) => failure.say(&ui),
            }
        }
    }
}

fn help(ui: &Ui, topic: &[OsString]) -> Exit {
    let topic: Vec<String> = topic.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match topic.first().filter(|word| cli::is_own(word)) {
        Some(word) => own(ui, &[word.clone(), "--help".to_owned()]).err().unwrap_or(Exit::Done),
        None => {
            ui.print(&cli::help());
            Exit::Done
        }
    }
}

/// Reads one of our own commands; help and refusals are printed here.
fn own(ui: &Ui, arguments: &[String]) -> Result<OwnCommand, Exit> {
    let words = std::iter::once("docker-dbsafe").chain(arguments.iter().map(String::as_str));
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| {
        if error.use_stderr() {
            ui.say(error.render().to_string().trim_end());
            Exit::Usage
        } else {
            ui.print(&error.render().to_string());
            Exit::Done
        }
    })
}

async fn run_command(
    ui: Ui,
    environment: Environment,
    globals: DockerGlobals,
    arguments: Vec<OsString>,
) -> Result<Exit, Failure> {
    if globals.version {
        ui.print(&format!("docker-dbsafe {}\n", env!("CARGO_PKG_VERSION")));
        return Ok(Exit::Done);
    }
    let arguments = as_text(arguments)?;
    let Some(first) = arguments.first() else {
        ui.print(&cli::help());
        return Ok(Exit::Done);
    };
    if first == "--version" {
        ui.print(&format!("docker-dbsafe {}\n", env!("CARGO_PKG_VERSION")));
        return Ok(Exit::Done);
    }
    if first == keeper::COMMAND {
        let app = App::new(ui, globals, environment, Cancellation::manual())?;
        keeper::run(&app.engine).await;
        return Ok(Exit::Done);
    }
    let cancellation = Cancellation::listen(&environment)
        .map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))?;
    let cancelled = cancellation.clone();
    let work = async {
        if cli::is_own(first) {
            let command = match own(&ui, &arguments) {
                Ok(command) => command,
                Err(exit) => return Ok(exit),
            };
            let app = || App::new(ui, globals.clone(), environment.clone(), cancellation.clone());
            return match command {
                OwnCommand::Audit(arguments) => audit::run(app()?, &arguments).await,
                OwnCommand::Backups(arguments) => backups::run(&app()?, &arguments).await,
                OwnCommand::Lint(arguments) => {
                    lint::run(&ui, &environment, &globals, &cancellation, &arguments).await
                }
                OwnCommand::Explain(arguments) => explain::run(&ui, &arguments),
                OwnCommand::Snapshot(arguments) => {
                    snapshot::snapshot(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Snapshots(arguments) => {
                    snapshots::run(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Restore(arguments) => {
                    restore::restore(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Undo(arguments) => {
                    restore::undo(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Migrate(arguments) => {
                    migrate::run(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Recover(arguments) => {
                    recover::run(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Schedule(arguments) => {
                    schedule::run(&app()?, &arguments, &mut std::io::stdout()).await
                }
                OwnCommand::Drill(arguments) => drill::run(&app()?, &arguments, &mut std::io::stdout()).await,
                OwnCommand::Allow(arguments) => {
                    let door = ["guard", "--"].map(str::to_owned).into_iter().chain(arguments.command);
                    let (globals, door) = through_the_door(globals.clone(), door.collect())?;
                    let parsed = parse::parse(&door)?;
                    let app = App::new(ui, globals, environment.clone(), cancellation.clone())?;
                    guard::allow(&app, &parsed).await
                }
                OwnCommand::Protect(arguments) => protect::protect(&app()?, &arguments).await,
                OwnCommand::Unprotect(arguments) => protect::unprotect(&app()?, &arguments).await,
                OwnCommand::Journal(arguments) => {
                    journal::run(&ui, &environment, &arguments, jiff::Timestamp::now())
                }
                OwnCommand::Config(arguments) => config::run(&ui, &environment, &arguments),
                OwnCommand::ShellInit(arguments) => Ok(shell_init::run(&ui, &arguments)),
                OwnCommand::Hooks(arguments) => hooks::run(&ui, &environment, &globals, &arguments),
                OwnCommand::Doctor(arguments) => {
                    Ok(doctor::run(&ui, &environment, &globals, &arguments).await)
                }
                OwnCommand::Completion(arguments) => Ok(completion::run(&ui, &arguments)),
                OwnCommand::Man(_) => man::run(&ui),
            };
        }
        if check::is_asked_for(&arguments) {
            return check::run(&ui, &environment, &globals, &cancellation, &arguments).await;
        }
        let (globals, arguments) = through_the_door(globals.clone(), arguments.clone())?;
        let parsed = parse::parse(&arguments)?;
        let app = App::new(ui, globals, environment.clone(), cancellation.clone())?;
        guard::run(&app, &parsed).await
    };
    let done = tokio::select! {
        done = work => done,
        () = guard::before_hand_over(&cancelled) => {
            ui.say("cancelled: nothing was touched");
            Ok(Exit::Cancelled)
        }
    };
    scratch::leave_nothing().await;
    done
}

/// Everything that we judge is text; what is not could only be guessed.
fn as_text(arguments: Vec<OsString>) -> Result<Vec<String>, Failure> {
    let text = |argument: OsString| {
        argument
            .into_string()
            .map_err(|raw| Failure::usage(format!("not valid UTF-8: {}", raw.to_string_lossy())))
    };
    arguments.into_iter().map(text).collect()
}

/// Docker's globals inside `guard -- -H HOST rm …` belong in front, where they mean the same.
pub(super) fn through_the_door(
    globals: DockerGlobals,
    arguments: Vec<String>,
) -> Result<(DockerGlobals, Vec<String>), Failure> {
    let dashes = arguments.iter().position(|word| word == "--");
    let (Some("guard"), Some(dashes)) = (arguments.first().map(String::as_str), dashes) else {
        return Ok((globals, arguments));
    };
    let refused = |error: crate::docker::globals::GlobalsError| Failure::usage(error.to_string());
    let flag = format!("--{}", parse::DOCKER_COMPOSE);
    if arguments[..dashes].contains(&flag) {
        if !globals.arguments.is_empty() {
            return Err(Failure::usage("with --docker-compose, flags for the engine stand behind the --"));
        }
        let (docker, rest) = parse::docker_globals(&arguments[dashes + 1..])?;
        let docker: Vec<OsString> = docker.iter().map(OsString::from).collect();
        let (globals, _) = DockerGlobals::parse(&docker).map_err(refused)?;
        return Ok((globals, arguments[..=dashes].iter().cloned().chain(rest).collect()));
    }
    let inner: Vec<OsString> = arguments[dashes + 1..].iter().map(OsString::from).collect();
    let (_, used) = DockerGlobals::parse(&inner).map_err(refused)?;
    let all: Vec<OsString> = globals.arguments.iter().cloned().chain(inner[..used].iter().cloned()).collect();
    let (globals, _) = DockerGlobals::parse(&all).map_err(refused)?;
    let rest = arguments[..=dashes].iter().chain(&arguments[dashes + 1 + used..]).cloned().collect();
    Ok((globals, rest))
}
