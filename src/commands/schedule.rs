//! `docker dbsafe schedule`: snapshots again and again, by a timer of the machine; and the run that it starts.

use std::{collections::BTreeMap, io::Write, path::Path};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::{
    app::{App, Failure},
    project::Project,
    remote,
    save::{failed, open_store},
    scheduled::{self, PRUNE_REMOTE},
    snapshot::line,
};
use crate::{
    act::{
        notify,
        targets::{self, Target},
        timer::{self, Job, Machine},
    },
    exit::Exit,
    model::schedule::{Keep, Run, RunOutcome, SCHEDULE_VERSION, Schedule, Timer, Trouble},
    report::{
        table,
        words::{ago, span},
    },
    settings::{age, place},
    store::{Store, plain_name, schedules},
    ui::clean,
};

/// Variables that decide which engine, which settings, which store and which remote are meant, and for whom copies are
/// encrypted. None of them is secret: keys that stand in variables are not remembered.
const VARIABLES: &[&str] = &[
    "AWS_ALLOW_HTTP",
    "AWS_CHECKSUM_ALGORITHM",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "DBSAFE_AGE_IDENTITY",
    "DBSAFE_AGE_RECIPIENTS",
    "DBSAFE_HOME",
    "DBSAFE_CONFIG",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "PATH",
    "SSH_AUTH_SOCK",
    "STORAGE_EMULATOR_HOST",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// Take snapshots again and again, and drill their restore
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    pub command: Option<ScheduleCommand>,
    /// Containers, compose services or volumes
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
    /// How often: `15m`, `6h`, `1d`
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    pub every: String,
    /// How many of its snapshots to keep: `7` for the last seven, or `last=4,daily=7,weekly=4,monthly=6`
    #[arg(long, value_name = "N|RULES", default_value_t = Keep::default().to_string())]
    pub keep: String,
    /// How often a run drills the restore of the newest backup: a span, or `never`
    #[arg(long, value_name = "SPAN|never", default_value = "30d")]
    pub drill: String,
    /// Who is told of a run that failed: a URL, which gets a POST, or a command line, which gets DBSAFE_MESSAGE
    #[arg(long, value_name = "URL|COMMAND")]
    pub notify: Option<String>,
    /// Its name, where the first target's will not do
    #[arg(long, value_name = "ID")]
    pub name: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List the schedules, and what became of their last runs
    Ls {
        /// Print them and their runs as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a schedule away; its snapshots stay
    Rm {
        /// Its name
        id: String,
    },
    /// Do now what a schedule does: what the timer starts
    Run {
        /// Its name
        id: String,
        /// Only where its time has come
        #[arg(long)]
        if_due: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// Where a target is not there, no timer can be had, or a run fails.
pub async fn run(app: &App, arguments: &ScheduleArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = open_store(app)?;
    match &arguments.command {
        None => add(app, &store, arguments, out).await,
        Some(ScheduleCommand::Ls { json }) => list(app, &store, *json, out),
        Some(ScheduleCommand::Rm { id }) => remove(app, &store, id, out),
        Some(ScheduleCommand::Run { id, if_due }) => {
            scheduled::run(app, &store, &find(&store, id)?, *if_due, out).await
        }
    }
}

fn find(store: &Store, id: &str) -> Result<Schedule, Failure> {
    let found = schedules::load(store.home(), id).map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        Failure::usage(format!("there is no schedule {id:?}")).hint("docker dbsafe schedule ls")
    })
}

async fn add(
    app: &App,
    store: &Store,
    arguments: &ScheduleArgs,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let usage = |what: &'static str| move |why: String| Failure::usage(format!("{what}: {why}"));
    let every = age::parse(&arguments.every).map_err(usage("--every"))?;
    if every < SignedDuration::from_mins(1) {
        return Err(Failure::usage("--every: no timer ticks more than once a minute"));
    }
    let keep = Keep::parse(&arguments.keep).map_err(usage("--keep"))?;
    let drill = match arguments.drill.as_str() {
        "never" => None,
        text => Some(age::parse(text).map_err(usage("--drill"))?),
    };
    let off_host = remote::off_host(&app.environment)?;
    let targets = Project::here(&app.environment).targets(&app.engine, &arguments.targets).await?;
    let id = new_id(store, arguments)?;
    let (containers, volumes) = names(app, &targets).await?;
    let mut schedule = Schedule {
        version: SCHEDULE_VERSION,
        id: id.clone(),
        created: app.now(),
        targets: arguments.targets.clone(),
        containers,
        volumes,
        docker_engine: app.engine.id().await,
        folder: crate::settings::working_directory()?,
        project: app.environment.text("COMPOSE_PROJECT_NAME"),
        every: every.as_secs(),
        keep,
        drill_every: drill.map(|every| every.as_secs()),
        notify: arguments.notify.clone(),
        timer: Timer::Cron,
        command: command(app, &id)?,
        environment: environment(app, store.home()),
    };
    // A crontab's line ends where a line ends, whatever quotes are around it.
    let mut words = schedule.command.iter().chain(schedule.environment.values());
    if words.any(|word| word.contains(['\n', '\r'])) {
        return Err(Failure::usage(
            "docker's options and DOCKER_* and DBSAFE_* variables must be of one line each",
        ));
    }
    // Known before anything can start it.
    schedules::save(store.home(), &schedule).map_err(|error| failed(&error))?;
    let installed = match timer::install(&machine(app), &job(&schedule)) {
        Ok(installed) => installed,
        Err(error) => {
            schedules::forget(store.home(), &id).map_err(|error| failed(&error))?;
            return Err(Failure::new(format!("nothing was scheduled: {error}")).hint(error.hint(&id)));
        }
    };
    schedule.timer = installed.timer;
    schedules::save(store.home(), &schedule).map_err(|error| failed(&error))?;
    let drills = match drill {
        Some(every) => format!("drills a restore every {}", age::show(every)),
        None => "never drills a restore".to_owned(),
    };
    line(out, &format!("schedule {id}: saves {} every {}", clean(&targets_of(&schedule)), age::show(every)))?;
    line(out, &format!("  keeps {keep}, {drills}"))?;
    if let Some(url) = off_host.url.as_deref().filter(|_| off_host.auto) {
        line(out, &format!("  copies each to {}; there all stay, until {PRUNE_REMOTE}", clean(url)))?;
        if let Some(name) = KEYS.iter().find(|name| app.environment.text(name).is_some()) {
            app.ui.note(&format!(
                "{name} is set here, and not where the timer starts us: no copy is made unless there are credentials \
                 in a file, such as ~/.aws/credentials"
            ));
        }
    }
    if let Some(whom) = &schedule.notify {
        line(out, &format!("  tells {} of a run that fails", clean(&notify::shown(whom))))?;
    }
    for (place, text) in &installed.written {
        line(out, &format!("\n{}", clean(place)))?;
        for written in text.lines() {
            line(out, &format!("  {}", clean(written)))?;
        }
    }
    line(out, "")?;
    if let Some(note) = &installed.note {
        line(out, note)?;
    }
    line(out, &format!("try it now     docker dbsafe schedule run {id}"))?;
    line(out, &format!("take it away   docker dbsafe schedule rm {id}"))?;
    Ok(Exit::Done)
}

/// What the targets are by name, for `audit`.
async fn names(app: &App, targets: &[Target]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let plan = targets::plan_for(&app.engine, targets).await;
    let plan = plan.map_err(|error| Failure::new(format!("nothing was scheduled: {error}")))?;
    let own = |id: &str| targets.iter().any(|target| matches!(target, Target::Container(own) if own == id));
    let containers = plan.containers.iter().map(|planned| &planned.container);
    let containers: Vec<_> = containers.filter(|container| own(&container.id)).collect();
    let mounted = containers.iter().flat_map(|container| &container.mounts);
    let mut volumes: Vec<String> = mounted.filter_map(|mount| mount.volume.clone()).collect();
    volumes.extend(plan.volumes.iter().map(|planned| planned.volume.name.clone()));
    Ok((containers.into_iter().map(|container| container.name.clone()).collect(), volumes))
}

/// A name that no other schedule has. A second one of the same target needs one of its own, so that nobody makes two
/// by mistake.
fn new_id(store: &Store, arguments: &ScheduleArgs) -> Result<String, Failure> {
    let wanted = arguments.name.as_ref().or(arguments.targets.first()).cloned().unwrap_or_default();
    let id = plain_name(&wanted);
    if arguments.name.is_some() && id != wanted {
        return Err(Failure::usage("--name takes letters, digits, - and _, at most sixty"));
    }
    if schedules::load(store.home(), &id).map_err(|error| failed(&error))?.is_some() {
        return Err(Failure::usage(format!("there is a schedule {id} already"))
            .hint(format!("docker dbsafe schedule rm {id} takes it away; --name NAME makes another")));
    }
    Ok(id)
}

/// What the timer starts: docker with the globals that we were called with.
fn command(app: &App, id: &str) -> Result<Vec<String>, Failure> {
    let words =
        std::iter::once(app.docker.path().as_os_str().to_owned()).chain(app.globals.arguments.clone());
    let words =
        words.map(|word| word.into_string().map_err(|_raw| Failure::usage("docker's path is not UTF-8")));
    let mut words: Vec<String> = words.collect::<Result<_, _>>()?;
    words.extend(["dbsafe", "schedule", "run", id].map(str::to_owned));
    Ok(words)
}

/// Credentials that may stand in variables: too secret for a timer's line, which others may read.
const KEYS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
];

/// Of `VARIABLES`, those that name a file or a folder: a timer starts us anywhere.
const PATHS: &[&str] = &[
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "DBSAFE_AGE_IDENTITY",
    "DBSAFE_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// The variables that were set, and the store's place in any case.
fn environment(app: &App, home: &Path) -> BTreeMap<String, String> {
    let value = |name: &str| {
        let text = app.environment.text(name).filter(|text| !text.is_empty())?;
        let whole = std::path::absolute(&text).ok().filter(|_| PATHS.contains(&name));
        Some(whole.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or(text))
    };
    let set = VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?)));
    let mut set: BTreeMap<String, String> = set.collect();
    let home = std::path::absolute(home).unwrap_or_else(|_error| home.to_owned());
    set.insert("DBSAFE_HOME".to_owned(), home.display().to_string());
    set
}

fn job(schedule: &Schedule) -> Job<'_> {
    Job {
        id: &schedule.id,
        what: format!(
            "docker dbsafe: a snapshot of {} every {}",
            clean(&targets_of(schedule)),
            age::show(schedule.period())
        ),
        every: schedule.period(),
        command: &schedule.command,
        environment: &schedule.environment,
    }
}

fn machine(app: &App) -> Machine {
    Machine {
        is_root: is_root(),
        user: app.environment.text("USER").or_else(|| app.environment.text("LOGNAME")),
        configuration: place::configuration(&app.environment),
        path: app.environment.get("PATH").map(ToOwned::to_owned),
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn targets_of(schedule: &Schedule) -> String {
    schedule.targets.join(", ")
}

fn remove(app: &App, store: &Store, id: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let schedule = find(store, id)?;
    timer::remove(&machine(app), schedule.timer, &schedule.id).map_err(|error| {
        Failure::new(format!("the timer of {id} is still there: {error}")).hint("mend that, then try again")
    })?;
    schedules::forget(store.home(), &schedule.id).map_err(|error| failed(&error))?;
    line(out, &format!("schedule {id} is gone; its snapshots stay: docker dbsafe snapshots ls"))?;
    Ok(Exit::Done)
}

/// A schedule with what is known of it, for `ls --json`; docs/schedule.schema.json describes the document.
#[derive(serde::Serialize)]
struct Row {
    #[serde(flatten)]
    schedule: Schedule,
    running: bool,
    trouble: Option<Trouble>,
    runs: Vec<Run>,
}

#[derive(serde::Serialize)]
struct Document {
    schema_version: u32,
    schedules: Vec<Row>,
}

fn list(app: &App, store: &Store, json: bool, out: &mut dyn Write) -> Result<Exit, Failure> {
    let home = store.home();
    let mut rows = Vec::new();
    for mut schedule in schedules::list(home).map_err(|error| failed(&error))? {
        schedule.notify = schedule.notify.as_deref().map(notify::shown);
        let runs = schedules::runs(home, &schedule.id).map_err(|error| failed(&error))?;
        let running = schedules::is_at_work(home, &schedule.id);
        rows.push(Row { trouble: schedule.trouble(&runs, running, app.now()), running, runs, schedule });
    }
    if json {
        let document = Document { schema_version: SCHEDULE_VERSION, schedules: rows };
        let text =
            serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
        line(out, &text)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        app.ui.say("nothing is scheduled");
        return Ok(Exit::Done);
    }
    let mut shown = vec![["SCHEDULE", "SAVES", "EVERY", "KEEPS", "BY", "LAST RUN"].map(str::to_owned)];
    for row in &rows {
        let schedule = &row.schedule;
        shown.push([
            schedule.id.clone(),
            clean(&targets_of(schedule)),
            age::show(schedule.period()),
            schedule.keep.to_string(),
            schedule.timer.name().to_owned(),
            last_run(row, app.now()),
        ]);
    }
    line(out, table::plain(&shown, app.ui.width_out).trim_end_matches('\n'))?;
    Ok(Exit::Done)
}

fn last_run(row: &Row, now: Timestamp) -> String {
    let Some(last) = row.runs.last() else {
        return if row.trouble.is_some() {
            "NEVER, and it is overdue".to_owned()
        } else {
            "not yet".to_owned()
        };
    };
    let when = ago(last.started, now);
    let said = match last.outcome {
        _ if row.running => "runs now".to_owned(),
        RunOutcome::Done => {
            let took = last.ended.map(|ended| ended.duration_since(last.started).as_secs().unsigned_abs());
            let took = took.map(|seconds| format!(", took {}", span(seconds))).unwrap_or_default();
            format!("{}{took}", clean(&last.detail))
        }
        RunOutcome::Failed => format!("FAILED: {}", clean(&last.detail)),
        RunOutcome::Started => "FAILED: it was cut off".to_owned(),
    };
    match row.trouble {
        Some(Trouble::Overdue { .. }) => format!("OVERDUE; {when}: {said}"),
        Some(Trouble::Failed { .. }) | None => format!("{when}: {said}"),
    }
}
