//! `docker dbsafe guard --check`: judges a command, or a whole line of a shell, and runs nothing. For the hooks of
//! coding agents and for CI.

use std::{ffi::OsString, io::Read as _, path::PathBuf, process::Stdio};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use super::{
    app::{App, Failure},
    guard,
};
use crate::{
    cancel::Cancellation,
    docker::{environment::Environment, globals::DockerGlobals},
    exit::Exit,
    model::{operation::Operation, verdict::Verdict},
    plan::{
        parse::{self, DOCKER_COMPOSE, Parsed},
        shell::{self, DockerCommand, Known, Step},
    },
    report::document::SCHEMA_VERSION,
    ui::{Ui, clean},
};

/// A line longer than this is no command that anybody typed.
const LONGEST_LINE: u64 = 1 << 20;
/// Stands for the unknown part of a word where only the words before it matter.
const UNKNOWN: &str = "\u{1}";

/// Judge a command and run nothing; the answer is JSON, the exit status 0, 10 or 11
#[derive(Debug, Parser)]
#[command(name = "docker dbsafe guard", no_binary_name = true, disable_version_flag = true)]
struct CheckArgs {
    #[arg(long, required = true)]
    check: bool,
    /// Read one line of a shell from standard input, with pipes, `&&` and all
    #[arg(long, conflicts_with = "command")]
    stdin: bool,
    /// Read what a coding agent hands to its hook from standard input, and answer as it wants
    #[arg(long, value_enum, conflicts_with_all = ["command", "stdin"])]
    hook: Option<Hook>,
    /// The command comes after others that may have changed what it finds
    #[arg(long, hide = true)]
    later: bool,
    /// The command is one of the program docker-compose
    #[arg(long)]
    docker_compose: bool,
    /// Docker's arguments
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hook {
    ClaudeCode,
    Cursor,
    GeminiCli,
}

/// Whether the words after `docker dbsafe` ask for a check.
#[must_use]
pub fn is_asked_for(arguments: &[String]) -> bool {
    let own = arguments.iter().take_while(|word| *word != "--");
    arguments.first().is_some_and(|word| word == "guard") && own.into_iter().any(|word| word == "--check")
}

/// Runs the command.
///
/// # Errors
/// Where the line cannot be read or a command cannot be judged; who asks must take that for a no.
pub async fn run(
    ui: &Ui,
    environment: &Environment,
    globals: &DockerGlobals,
    cancellation: &Cancellation,
    arguments: &[String],
) -> Result<Exit, Failure> {
    let asked = match CheckArgs::try_parse_from(&arguments[1..]) {
        Ok(asked) => asked,
        Err(error) if error.use_stderr() => {
            return Err(Failure::usage(error.render().to_string().trim().to_owned()));
        }
        Err(error) => {
            ui.print(&error.render().to_string());
            return Ok(Exit::Done);
        }
    };
    if let Some(hook) = asked.hook {
        return hooked(ui, globals, hook).await;
    }
    if asked.stdin || asked.command.is_empty() {
        let line = standard_input()?;
        let answer = judge_line(globals, &line, None).await?;
        ui.print(&format!("{:#}\n", answer.document()));
        return Ok(answer.exit());
    }
    let old = asked.docker_compose.then(|| format!("--{DOCKER_COMPOSE}"));
    let door: Vec<String> = std::iter::once("guard".to_owned())
        .chain(old)
        .chain(std::iter::once("--".to_owned()))
        .chain(asked.command.iter().cloned())
        .collect();
    let (globals, door) = super::dispatch::through_the_door(globals.clone(), door)?;
    let mut parsed = parse::parse(&door)?;
    if let Operation::Harmless { .. } = parsed.operation {
        ui.print(&format!("{:#}\n", plain_document(&parsed.docker_arguments, Verdict::Allow, None)));
        return Ok(Exit::Done);
    }
    if asked.later {
        judge_as_later(&mut parsed);
    }
    let app = App::new(*ui, globals, environment.clone(), cancellation.clone())?;
    // Where there is no such program, it may be another name for docker's plugin.
    parsed.own.docker_compose &= app.docker.docker_compose(environment).is_ok();
    guard::check(&app, &parsed).await
}

/// What ran before may have stopped its targets, and let go of its volumes: it is judged as if it had.
fn judge_as_later(parsed: &mut Parsed) {
    match &mut parsed.operation {
        Operation::ContainerRm(rm) => rm.force = true,
        Operation::ComposeRm(rm) => rm.stop = true,
        Operation::VolumeRm(_) | Operation::Prune(_) | Operation::SwarmRm(_) => {
            let command = parsed.operation.name().to_owned();
            let why = "another command before it may change what it takes";
            parsed.operation = Operation::Unjudged { command, why };
        }
        Operation::ComposeDown(_)
        | Operation::ComposeStop(_)
        | Operation::ComposeUp(_)
        | Operation::ContainerStop(_)
        | Operation::Unjudged { .. }
        | Operation::Harmless { .. } => {}
    }
}

/// The document of a command that no engine was asked about.
pub(super) fn plain_document(command: &[String], verdict: Verdict, why: Option<&str>) -> Value {
    let exit = match verdict {
        Verdict::Allow | Verdict::Warn => Exit::Done,
        Verdict::Block => Exit::Blocked,
        Verdict::Undetermined => Exit::Undetermined,
    };
    let mut document = json!({
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "engine": {"host": "", "version": ""},
        "plan": [], "evidence": [], "findings": [],
        "verdict": verdict.name(),
        "snapshots": [],
        "exit": {"by": "dbsafe", "status": exit.status()},
    });
    if let (Some(why), Some(fields)) = (why, document.as_object_mut()) {
        fields.insert("undetermined".to_owned(), json!([why]));
    }
    document
}

fn standard_input() -> Result<String, Failure> {
    let mut line = Vec::new();
    let read = std::io::stdin().take(LONGEST_LINE + 1).read_to_end(&mut line);
    read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    if line.len() as u64 > LONGEST_LINE {
        return Err(Failure::usage("the line is too long to be judged"));
    }
    String::from_utf8(line).map_err(|_not_text| Failure::usage("the line is not valid UTF-8"))
}

/// What came of every docker command in a line.
struct Answer {
    commands: Vec<Value>,
}

impl Answer {
    /// The worst of them.
    fn verdict(&self) -> Verdict {
        let of = |name: &str| self.commands.iter().any(|command| command["verdict"] == name);
        match () {
            () if of("undetermined") => Verdict::Undetermined,
            () if of("block") => Verdict::Block,
            () if of("warn") => Verdict::Warn,
            () => Verdict::Allow,
        }
    }

    fn exit(&self) -> Exit {
        match self.verdict() {
            Verdict::Allow | Verdict::Warn => Exit::Done,
            Verdict::Block => Exit::Blocked,
            Verdict::Undetermined => Exit::Undetermined,
        }
    }

    fn document(&self) -> Value {
        json!({
            "schema_version": SCHEMA_VERSION,
            "commands": self.commands,
            "verdict": self.verdict().name(),
            "message": self.message(),
            "exit": {"by": "dbsafe", "status": self.exit().status()},
        })
    }

    /// Why it is not let through, for a person or an agent; empty where it is.
    fn message(&self) -> String {
        let stopped =
            self.commands.iter().filter(|c| c["verdict"] == "block" || c["verdict"] == "undetermined");
        let lines = stopped.map(|command| {
            let words: Vec<&str> =
                command["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let words = words.join(" ");
            let findings = command["findings"].as_array().into_iter().flatten();
            let found = findings
                .filter(|finding| finding.get("suppressed").is_none_or(Value::is_null))
                .filter(|finding| finding["severity"] == "critical" || finding["severity"] == "high")
                .filter_map(|f| {
                    Some(format!("{}: {}", f["target"]["name"].as_str()?, f["message"].as_str()?))
                });
            let unknown = command["undetermined"].as_array().into_iter().flatten();
            let unknown = unknown.filter_map(|why| Some(format!("not known: {}", why.as_str()?)));
            let why: Vec<String> = found.chain(unknown).collect();
            let way = if command["verdict"] == "block" {
                format!(" To save it and go on: docker dbsafe guard --snapshot -- {words}")
            } else {
                String::new()
            };
            clean(&format!("docker {words} is not let through: {}.{way}", why.join("; ")))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Judges every docker command in a line, each by a process of its own: in the folder and with the variables that it
/// would have.
async fn judge_line(globals: &DockerGlobals, line: &str, folder: Option<PathBuf>) -> Result<Answer, Failure> {
    let mut answer = Answer { commands: Vec::new() };
    if !shell::is_about_docker(line) {
        return Ok(answer);
    }
    let unknown = |why: &str| plain_document(&[], Verdict::Undetermined, Some(why));
    let steps = match shell::steps(line) {
        Ok(steps) => steps,
        Err(why) => {
            answer.commands.push(unknown(&format!("the line is not understood: {why}")));
            return Ok(answer);
        }
    };
    let folder = match folder {
        Some(folder) => folder,
        None => std::env::current_dir()
            .map_err(|error| Failure::new(format!("the working directory is gone: {error}")))?,
    };
    let mut place = Surroundings { folder: Some(folder), variables: Vec::new() };
    let mut outer = Vec::new();
    let mut later = false;
    for step in steps {
        match step {
            Step::Enter => outer.push(place.clone()),
            Step::Leave => place = outer.pop().unwrap_or(place),
            Step::Folder(to) => place.folder = place.folder.zip(to).map(|(folder, to)| folder.join(to)),
            Step::Export(name, value) => place.variables.push((name, value)),
            Step::Unknown(why) => answer.commands.push(unknown(&why)),
            Step::Docker(command) => {
                let judged = judge_one(globals, &command, &place, later).await?;
                later |= judged["plan"].as_array().is_some_and(|plan| !plan.is_empty())
                    || judged["verdict"] != "allow";
                answer.commands.push(judged);
            }
        }
    }
    Ok(answer)
}

/// What a command in the line finds around itself.
#[derive(Clone)]
struct Surroundings {
    /// `None` where only the shell knows.
    folder: Option<PathBuf>,
    variables: Vec<(String, Option<String>)>,
}

async fn judge_one(
    globals: &DockerGlobals,
    command: &DockerCommand,
    place: &Surroundings,
    later: bool,
) -> Result<Value, Failure> {
    let old = command.is_old_compose.then(|| "compose".to_owned());
    let words: Vec<String> = old
        .into_iter()
        .chain(command.words.iter().map(|word| {
            let text = word.text.clone();
            if word.known == Known::Whole { text } else { format!("{text}{UNKNOWN}") }
        }))
        .collect();
    let known =
        command.words.iter().position(|word| word.known == Known::Nothing).unwrap_or(command.words.len());
    let sure: Vec<String> = words[..known + usize::from(command.is_old_compose)].to_vec();
    if words.first().is_some_and(|word| word == "dbsafe") && sure.len() == words.len() {
        // It guards itself when it runs.
        return Ok(plain_document(&words, Verdict::Allow, None));
    }
    if is_harmless(&sure, known < command.words.len()) {
        return Ok(plain_document(&shown(&words), Verdict::Allow, None));
    }
    let unknown = |why: &str| Ok(plain_document(&shown(&words), Verdict::Undetermined, Some(why)));
    if command.words.iter().any(|word| word.known != Known::Whole) {
        return unknown("some of its words are only known to the shell");
    }
    let Some(folder) = &place.folder else { return unknown("its folder is only known to the shell") };
    if !folder.is_dir() {
        return unknown("its folder is not there yet");
    }
    let mut process = tokio::process::Command::new(
        std::env::current_exe()
            .map_err(|error| Failure::new(format!("dbsafe does not find itself: {error}")))?,
    );
    for (name, value) in place.variables.iter().chain(&command.environment) {
        match value {
            Some(value) => process.env(name, value),
            None if decides(name) => return unknown(&format!("{name} is only known to the shell")),
            None => &mut process,
        };
    }
    if !command.is_old_compose {
        process.args(&globals.arguments);
    }
    process.args(["guard", "--check"]).args(later.then_some("--later"));
    process.args(command.is_old_compose.then(|| format!("--{DOCKER_COMPOSE}")));
    process.arg("--").args(&words[usize::from(command.is_old_compose)..]).current_dir(folder);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = process
        .output()
        .await
        .map_err(|error| Failure::new(format!("dbsafe cannot be started again: {error}")))?;
    match serde_json::from_slice(&output.stdout) {
        Ok(document) => Ok(document),
        Err(_) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let sentence =
                said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it could not be judged");
            unknown(&clean(sentence))
        }
    }
}

/// Whether the words before the first unknown one make the command harmless, whatever comes after them.
fn is_harmless(sure: &[String], goes_on: bool) -> bool {
    let raw: Vec<OsString> = sure.iter().map(OsString::from).collect();
    let Ok((_, used)) = DockerGlobals::parse(&raw) else { return false };
    let mut words = sure[used..].to_vec();
    if goes_on {
        words.push(format!("{UNKNOWN}x"));
    }
    let door: Vec<String> = ["guard", "--"].map(str::to_owned).into_iter().chain(words).collect();
    parse::parse(&door).is_ok_and(|parsed| matches!(parsed.operation, Operation::Harmless { .. }))
}

/// Whether a variable decides what a docker command does.
fn decides(name: &str) -> bool {
    name.starts_with("DOCKER")
        || name.starts_with("COMPOSE")
        || name.starts_with("DBSAFE")
        || name == "PATH"
        || name == "HOME"
}

/// The words, with the unknown parts as a shell's reader would expect them.
fn shown(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.replace(UNKNOWN, "…")).collect()
}

/// Answers a coding agent's hook. What cannot be read is refused: the agent asks its person then.
async fn hooked(ui: &Ui, globals: &DockerGlobals, hook: Hook) -> Result<Exit, Failure> {
    let request: Value = serde_json::from_str(&standard_input()?)
        .map_err(|error| Failure::usage(format!("the hook's request is no JSON: {error}")))?;
    let line = match hook {
        Hook::ClaudeCode | Hook::GeminiCli => &request["tool_input"]["command"],
        Hook::Cursor => &request["command"],
    };
    // Another tool than a shell runs no command.
    let Some(line) = line.as_str() else { return Ok(Exit::Done) };
    let folder = request["cwd"].as_str().map(PathBuf::from);
    let answer = judge_line(globals, line, folder).await?;
    let stopped = matches!(answer.verdict(), Verdict::Block | Verdict::Undetermined);
    let message = answer.message();
    let said = match (hook, stopped) {
        (Hook::ClaudeCode, false) | (Hook::GeminiCli, false) => return Ok(Exit::Done),
        (Hook::ClaudeCode, true) => json!({"hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": message,
        }}),
        (Hook::GeminiCli, true) => json!({"decision": "deny", "reason": message}),
        (Hook::Cursor, false) => json!({"permission": "allow"}),
        (Hook::Cursor, true) => {
            json!({"permission": "deny", "userMessage": message, "agentMessage": message})
        }
    };
    ui.print(&format!("{said}\n"));
    Ok(Exit::Done)
}
