//! `docker dbsafe config`: what counts here and where it comes from; and the trust in a project's file.

use clap::{Args, Subcommand};
use dialoguer::Confirm;

use super::app::Failure;
use crate::{
    docker::environment::Environment,
    exit::Exit,
    model::{
        plan::Plan,
        policy::{BackupSource, Selector},
    },
    report::table,
    settings::{self, Origin, Settings, age, file::SettingsFile, needs_trust, place, trust::Trust},
    ui::{Ui, clean},
};

/// Show the settings that count here, and where each comes from
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Let the project's settings loosen and run programs, as they are written now
    Trust,
}

/// Runs the command. No engine is asked.
///
/// # Errors
/// Where a settings file cannot be read, or the trust cannot be given.
pub fn run(ui: &Ui, environment: &Environment, arguments: &ConfigArgs) -> Result<Exit, Failure> {
    let settings = Settings::gather(environment, &settings::working_directory()?, &Plan::default())?;
    match arguments.command {
        None => {
            ui.print(&shown(&settings, environment, ui.width_out));
            Ok(Exit::Done)
        }
        Some(ConfigCommand::Trust) => trust(ui, environment, &settings),
    }
}

/// Every value with its origin, the rules, and what is ignored.
fn shown(settings: &Settings, environment: &Environment, width: usize) -> String {
    let weighed = settings.here();
    let age = weighed.max_backup_age.0.as_ref().map_or_else(Clone::clone, |span| age::show(*span));
    let row =
        |key: &str, value: String, origin: &Origin<'_>| [key.to_owned(), value, clean(&origin.to_string())];
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned)];
    rows.push(row("mode", weighed.mode.0.to_string(), &weighed.mode.1));
    rows.push(row("max_backup_age", age, &weighed.max_backup_age.1));
    rows.push(row("on_survivors", weighed.on_survivors.0.to_string(), &weighed.on_survivors.1));
    rows.push(row("accept_loss", weighed.accept_loss.0.to_string(), &weighed.accept_loss.1));
    let project = settings.project_here();
    let user = settings.user_file();
    if let Some(file) = user {
        lists(file, true, &mut rows);
    }
    if let Some(project) = project {
        lists(&project.file, project.trusted, &mut rows);
    }
    let mut out = table::plain(&rows, width);
    out.push('\n');
    let user_path = match (user, place::user_file(environment)) {
        (Some(file), _) => clean(&file.path.display().to_string()),
        (None, Some((path, _))) => format!("none, would be {}", clean(&path.display().to_string())),
        (None, None) => "none".to_owned(),
    };
    out.push_str(&format!("user's settings     {user_path}\n"));
    match project {
        None => {
            out.push_str(&format!("project's settings  none: no {} here or above\n", place::PROJECT_FILE))
        }
        Some(project) => {
            let word = match (project.trusted, project.ignored().is_empty()) {
                (true, _) => "trusted",
                (false, true) => "not trusted, and nothing in it needs to be",
                (false, false) => "not trusted",
            };
            out.push_str(&format!(
                "project's settings  {}: {word}\n",
                clean(&project.file.path.display().to_string())
            ));
            for (key, line) in project.ignored() {
                out.push_str(&format!("  ignored, line {line}: {}\n", clean(&key)));
            }
            if !project.ignored().is_empty() {
                out.push_str("  docker dbsafe config trust   lets them count\n");
            }
        }
    }
    out.push_str(
        "\nlabels on containers and volumes win over the project's settings, and the user's over labels\n",
    );
    out
}

/// The lists of a file; what needs trust and lacks it is told apart.
fn lists(file: &SettingsFile, trusted: bool, rows: &mut Vec<[String; 3]>) {
    let mut row = |key: &str, value: String, line: usize| {
        rows.push([key.to_owned(), clean(&value), clean(&format!("{}:{line}", file.path.display()))]);
    };
    for rule in &file.backups {
        let whose = match &rule.value.selector {
            Selector::Service(name) => format!("service {name}"),
            Selector::Volume(name) => format!("volume {name}"),
            Selector::Container(name) => format!("container {name}"),
        };
        let source = match &rule.value.source {
            BackupSource::Files { glob, .. } => glob.clone(),
            BackupSource::Program(program) if trusted => program.name().to_owned(),
            BackupSource::Program(_) => continue,
        };
        row("backup", format!("{whose}: {source}"), rule.line);
    }
    if let Some(at_rest) = &file.at_rest {
        row("encrypted at rest", at_rest.value.to_string(), at_rest.line);
    }
    if !trusted {
        return;
    }
    for accept in &file.accepts {
        let told = &accept.value;
        row("accept", format!("{} of {}: {}", told.check, told.target, told.reason), accept.line);
    }
    if let Some(remote) = &file.remote {
        row("remote", remote.value.clone(), remote.line);
    }
    if let Some(auto) = &file.remote_auto {
        row("remote auto", auto.value.to_string(), auto.line);
    }
    if let Some(recipients) = &file.recipients {
        row("recipients", recipients.value.join(", "), recipients.line);
    }
    if let Some(identity) = &file.identity {
        row("identity", identity.value.display().to_string(), identity.line);
    }
}

/// Asks a person, and remembers the answer for exactly what was shown.
fn trust(ui: &Ui, environment: &Environment, settings: &Settings) -> Result<Exit, Failure> {
    let Some(project) = settings.project_here() else {
        return Err(Failure::usage(format!("there is no {} here or above to trust", place::PROJECT_FILE)));
    };
    let path = clean(&project.file.path.display().to_string());
    let keys = needs_trust(&project.file);
    if project.trusted || keys.is_empty() {
        let why = if project.trusted { "is trusted already" } else { "asks for nothing that needs trust" };
        ui.say(&format!("{path} {why}"));
        return Ok(Exit::Done);
    }
    // A program that can write the file must not be able to trust it.
    if !ui.interactive {
        return Err(Failure::usage("trust is given on a terminal only, by a person who has read the file")
            .hint("run docker dbsafe config trust in a terminal"));
    }
    let home = place::home(environment)
        .ok_or_else(|| Failure::new("no folder to remember it in").hint("set DBSAFE_HOME or HOME"))?;
    ui.say(&format!("{path} wants, beyond what every project's settings may:\n"));
    for (key, line) in &keys {
        ui.say(&format!("  line {line}: {}", clean(key)));
    }
    ui.say("\ndata may then be lost without a question where these lines say so");
    let asked = Confirm::new().with_prompt("Trust it as it is written now?").default(false).interact_opt();
    if !matches!(asked, Ok(Some(true))) {
        // Ctrl-C leaves the cursor hidden.
        let _ = console::Term::stderr().show_cursor();
        ui.say("not trusted");
        return Ok(Exit::Declined);
    }
    let mut trust = Trust::load(Some(&home));
    trust.add(&project.file);
    trust.save(&home).map_err(|error| {
        Failure::new(format!("the trust cannot be remembered in {}: {error}", home.display()))
    })?;
    ui.say("trusted, until the file changes");
    Ok(Exit::Done)
}
