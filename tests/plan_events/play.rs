//! Plays a scenario: asks dbsafe for its plan, lets docker or compose itself run the command, and compares the
//! plan with the engine's events and with what lies around afterwards.
#![cfg_attr(all(), allow(dead_code, reason = "every test binary uses its own part"))]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::BufRead as _,
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    scenarios::Scenario,
    support::{Engine, Ran, api::Api, lab_folder, unique},
};

/// How long the engine may take to tell of an end that it brings about by itself (`--rm`).
const PATIENCE: Duration = Duration::from_secs(10);

/// An engine with a compose: docker's plugin, or the program `docker-compose` of 1.29.
pub(crate) struct Bench<'a> {
    engine: &'a Engine,
    api: Api,
    pub(crate) is_old: bool,
}

impl<'a> Bench<'a> {
    pub(crate) fn of(engine: &'a Engine) -> Self {
        let is_old = engine.compose_version == "1.29";
        Self { engine, api: Api::of(&engine.host), is_old }
    }

    /// Whether this compose can be told to answer its own questions with yes.
    pub(crate) fn knows_yes(&self) -> bool {
        !self.is_old && self.engine.compose_version != "2.26"
    }

    /// Runs a line as a person would.
    fn run(&self, scene: &Scene<'_>, line: &[String], environment: &[(&str, &str)]) -> Ran {
        if self.is_old && line.first().is_some_and(|word| word == "compose") {
            return self.prepare(scene, line, environment);
        }
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        self.engine.docker_in(&scene.folder, &words, environment)
    }

    /// Runs a line that only prepares the scene: compose by itself, which is quicker than through docker.
    fn prepare(&self, scene: &Scene<'_>, line: &[String], environment: &[(&str, &str)]) -> Ran {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["compose", rest @ ..] => {
                self.engine.program_in("docker-compose", &scene.folder, rest, environment)
            }
            words => self.engine.docker_in(&scene.folder, words, environment),
        }
    }

    /// Waits until a container of such a name runs.
    fn wait_for(&self, name: &str) {
        let start = Instant::now();
        let is_there = |container: &Value| {
            let names = container["Names"].as_array().into_iter().flatten();
            container["State"] == "running"
                && names.filter_map(Value::as_str).any(|own| own.trim_start_matches('/').starts_with(name))
        };
        while !self.api.containers().iter().any(is_there) {
            assert!(start.elapsed() < 6 * PATIENCE, "{name} runs");
            std::thread::yield_now();
        }
    }

    /// Asks the plugin, as docker would.
    fn plan(&self, scene: &Scene<'_>, line: &[String], environment: &[(&str, &str)]) -> Ran {
        let mut words = vec!["dbsafe", "guard", "--plan", "--format", "json"];
        let mut rest: Vec<&str> = line.iter().map(String::as_str).collect();
        if self.is_old && rest.first() == Some(&"compose") {
            words.push("--docker-compose");
            rest.remove(0);
        }
        words.push("--");
        let plugin = env!("CARGO_BIN_EXE_docker-dbsafe");
        self.engine.program_in(plugin, &scene.folder, &[words, rest].concat(), environment)
    }
}

/// A scenario's project: its name, and its folder. All of it goes when it is dropped.
struct Scene<'b> {
    api: &'b Api,
    name: String,
    folder: PathBuf,
    swarm: Option<MutexGuard<'static, ()>>,
}

impl<'b> Scene<'b> {
    fn new(api: &'b Api, swarm: Option<MutexGuard<'static, ()>>) -> Self {
        // No name begins another one.
        let name = format!("{}e", unique("p"));
        let folder = lab_folder().join("stacks").join(&name);
        fs::create_dir_all(&folder).unwrap();
        Self { api, name, folder, swarm }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn delete(&self, path: &str) {
        self.api.call("DELETE", path, "");
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if self.swarm.is_some() {
            self.api.call("POST", "/swarm/leave?force=1", "");
        }
        let names = Names::of(self.api, &self.name);
        for id in names.by_id.keys().filter(|id| !names.volumes.contains(*id)) {
            self.delete(&format!("/containers/{id}?force=1&v=1"));
        }
        for volume in &names.volumes {
            self.delete(&format!("/volumes/{volume}"));
        }
        let networks = self.api.get("/networks");
        for network in networks.as_array().into_iter().flatten() {
            if network["Name"].as_str().is_some_and(|name| name.contains(&self.name)) {
                self.delete(&format!("/networks/{}", network["Id"].as_str().unwrap_or_default()));
            }
        }
        self.delete(&format!("/images/{}_image", self.name));
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What became of each thing, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Outcome {
    pub(crate) destroyed: BTreeSet<String>,
    pub(crate) stopped: BTreeSet<String>,
    pub(crate) detached: BTreeSet<String>,
}

/// The engine's events, from when it was started on.
struct Events {
    stream: UnixStream,
    lines: Receiver<Value>,
}

impl Events {
    fn listen(api: &Api) -> Self {
        let reader = api.events();
        let stream = reader.get_ref().try_clone().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut events = Self { stream, lines };
        // The stream tells of a volume that is made now: so it listens.
        while !events.has_mark(api, &unique("mark"), &mut Vec::new()) {}
        events
    }

    /// Makes an event and reads up to it.
    fn has_mark(&mut self, api: &Api, mark: &str, seen: &mut Vec<Value>) -> bool {
        api.call("POST", "/volumes/create", &format!("{{\"Name\":\"{mark}\"}}"));
        api.call("DELETE", &format!("/volumes/{mark}"), "");
        while let Ok(event) = self.lines.recv_timeout(Duration::from_millis(500)) {
            let is_mark = event["Actor"]["ID"] == mark && event["Action"] == "destroy";
            seen.push(event);
            if is_mark {
                return true;
            }
        }
        false
    }

    /// Every event so far; waits a while for what is `wanted`: a signal is sent before its process has died of it.
    fn so_far(&mut self, api: &Api, names: &Names, wanted: &Outcome) -> Outcome {
        let start = Instant::now();
        let mut seen = Vec::new();
        loop {
            self.has_mark(api, &unique("mark"), &mut seen);
            let mut outcome = names.outcome(&seen);
            outcome.destroyed.extend(names.gone(api));
            let all_came = outcome.destroyed.is_superset(&wanted.destroyed)
                && outcome.stopped.is_superset(&wanted.stopped);
            if all_came || start.elapsed() > PATIENCE {
                return outcome;
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The things that a scenario is about: by id, the names to tell them by.
#[derive(Default)]
struct Names {
    by_id: BTreeMap<String, String>,
    /// Those of them that are volumes.
    volumes: BTreeSet<String>,
    /// Anonymous volumes that a container had before.
    attached: BTreeSet<String>,
    /// Volumes kept in memory, with a file that we put into each: it goes with the contents, the volume stays.
    marked: BTreeMap<String, PathBuf>,
}

impl Names {
    /// Everything whose name has `part` in it, and the anonymous volumes of such containers.
    fn of(api: &Api, part: &str) -> Self {
        let mut names = Self::default();
        // The newest comes first; a volume is named after the oldest of its containers.
        for container in api.containers().iter().rev() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let own = container["Names"].as_array().into_iter().flatten().map(text);
            let Some(name) = own.map(|name| without_task(name.trim_start_matches('/'))).min() else {
                continue;
            };
            if !name.contains(part) {
                continue;
            }
            names.by_id.insert(text(&container["Id"]), name.clone());
            for mount in container["Mounts"].as_array().into_iter().flatten() {
                let volume = text(&mount["Name"]);
                if volume.len() == 64 {
                    let destination = text(&mount["Destination"]);
                    names.volumes.insert(volume.clone());
                    names.attached.insert(volume.clone());
                    names.by_id.entry(volume).or_insert_with(|| format!("{name}:{destination}"));
                }
            }
        }
        for volume in api.volumes(false) {
            let name = volume["Name"].as_str().unwrap_or_default().to_owned();
            let is_labelled = volume["Labels"].get(part).is_some();
            if name.contains(part) {
                names.by_id.insert(name.clone(), format!("volume {name}"));
            } else if is_labelled && !names.volumes.contains(&name) {
                names.by_id.insert(name.clone(), "volume without a name".to_owned());
            } else {
                continue;
            }
            let folder = Path::new(volume["Mountpoint"].as_str().unwrap_or_default());
            if volume["Options"]["type"] == "tmpfs" && is_mounted(folder) {
                let mark = folder.join("dbsafe-mark");
                fs::write(&mark, "").unwrap();
                names.marked.insert(name.clone(), mark);
            }
            names.volumes.insert(name);
        }
        names
    }

    fn outcome(&self, events: &[Value]) -> Outcome {
        let mut outcome = Outcome::default();
        for event in events {
            let Some(name) = event["Actor"]["ID"].as_str().and_then(|id| self.by_id.get(id)) else {
                continue;
            };
            match event["Action"].as_str() {
                Some("destroy") => drop(outcome.destroyed.insert(name.clone())),
                Some("die") => drop(outcome.stopped.insert(name.clone())),
                _ => {}
            }
        }
        outcome.stopped.retain(|name| !outcome.destroyed.contains(name));
        outcome
    }

    /// Volumes that are there no more, or of which the contents are not. Engine 20.10 tells of none that a prune takes.
    fn gone(&self, api: &Api) -> BTreeSet<String> {
        let all = api.volumes(false);
        let left: BTreeSet<&str> = all.iter().filter_map(|volume| volume["Name"].as_str()).collect();
        let is_empty = |name: &String| self.marked.get(name).is_some_and(|mark| !mark.exists());
        let gone = self.volumes.iter().filter(|name| !left.contains(name.as_str()) || is_empty(name));
        gone.map(|name| self.by_id[name].clone()).collect()
    }

    /// Anonymous volumes that lie around now, and did not before.
    fn detached(&self, api: &Api) -> BTreeSet<String> {
        let dangling = api.volumes(true);
        let lost = dangling.iter().filter_map(|volume| self.attached.get(volume["Name"].as_str()?));
        lost.map(|volume| self.by_id[volume].clone()).collect()
    }

    /// What the plan says, and what of it may come otherwise.
    fn of_plan(&self, plan: &Value) -> (Outcome, BTreeSet<String>) {
        let mut outcome = Outcome::default();
        let mut possible = BTreeSet::new();
        for row in plan["plan"].as_array().into_iter().flatten() {
            let id = row["id"].as_str().unwrap();
            let name = self.by_id.get(id).cloned().unwrap_or_else(|| format!("{} {id}", row["kind"]));
            if row["possible"] == true {
                possible.insert(name.clone());
            }
            match row["fate"].as_str().unwrap() {
                "destroyed" => drop(outcome.destroyed.insert(name)),
                "stopped" => drop(outcome.stopped.insert(name)),
                "detached" => drop(outcome.detached.insert(name)),
                _ => {}
            }
        }
        (outcome, possible)
    }
}

/// Whether something is mounted on this folder: the engine runs in our own mount namespace.
fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == folder))
}

/// A scenario, played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) predicted: Outcome,
    pub(crate) possible: BTreeSet<String>,
    pub(crate) happened: Outcome,
    pub(crate) undetermined: bool,
    pub(crate) status: i32,
    /// The last words of the command.
    pub(crate) said: String,
}

impl Played {
    /// What happened unforeseen, or was foreseen and did not happen; a command that failed may have done less.
    pub(crate) fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        let (predicted, happened) = (&self.predicted, &self.happened);
        let may_stay =
            |name: &&String| self.status != 0 || self.undetermined || self.possible.contains(*name);
        for (verb, foreseen, done, worse) in [
            ("destroyed", &predicted.destroyed, &happened.destroyed, None),
            ("detached", &predicted.detached, &happened.detached, Some(&predicted.destroyed)),
            ("stopped", &predicted.stopped, &happened.stopped, Some(&predicted.destroyed)),
        ] {
            let was_worse =
                |name: &&String| worse.is_some_and(|worse| worse.contains(*name)) && may_stay(name);
            let unforeseen = done.difference(foreseen).filter(|name| !was_worse(name));
            differences.extend(unforeseen.map(|name| format!("{verb} unforeseen: {name}")));
            let spared = foreseen.difference(done).filter(|name| !may_stay(name));
            differences.extend(spared.map(|name| format!("not {verb}: {name}")));
        }
        differences
    }

    /// What was foreseen and did not happen, nor worse.
    pub(crate) fn needless(&self) -> Vec<String> {
        let happened = self.happened.lines();
        self.predicted.lines().into_iter().filter(|line| !happened.contains(line)).collect()
    }
}

/// A swarm's task has a random end to its name.
fn without_task(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((service, task)) if task.len() == 25 => service.to_owned(),
        _ => name.to_owned(),
    }
}

/// `P-db-1` for `p1x2-db-1` and for `p1x2_db_1`.
fn plain_name(name: &str, project: &str) -> String {
    let short = name.replace(project, "P");
    let (container, rest) = short.split_once(':').map_or((short.as_str(), None), |(c, r)| (c, Some(r)));
    let container = match container.strip_prefix("P_") {
        Some(own) => match own.rsplit_once('_') {
            Some((service, number)) if number.parse::<u32>().is_ok() => format!("P-{service}-{number}"),
            _ => container.to_owned(),
        },
        None => container.to_owned(),
    };
    rest.map_or(container.clone(), |rest| format!("{container}:{rest}"))
}

impl Outcome {
    /// As the scenarios write it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let of = |verb: &str, names: &BTreeSet<String>| {
            names.iter().map(|name| format!("{verb} {name}")).collect::<Vec<_>>()
        };
        let (destroyed, detached) = (of("destroyed", &self.destroyed), of("detached", &self.detached));
        [destroyed, detached, of("stopped", &self.stopped)].concat()
    }

    /// With the project's name put back to what the scenario calls it, and names as later composes make them.
    fn told(&self, project: &str) -> Self {
        let told = |names: &BTreeSet<String>| names.iter().map(|name| plain_name(name, project)).collect();
        Self {
            destroyed: told(&self.destroyed),
            stopped: told(&self.stopped),
            detached: told(&self.detached),
        }
    }
}

/// Words of a line, with the project's name in place of `P`.
fn words(line: &str, project: &str, is_old: bool) -> Vec<String> {
    let word = |word: &str| match word.strip_prefix('P') {
        Some(rest) if rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric()) => {
            let numbered = rest.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
            let rest = if is_old && numbered { rest.replace('-', "_") } else { rest.to_owned() };
            format!("{project}{rest}")
        }
        _ => word.replace("=P", &format!("={project}")),
    };
    line.split_whitespace().map(word).collect()
}

/// Runs a scenario.
///
/// # Errors
/// Where what comes before the command fails, or there is no plan of what the command does: what was said.
pub(crate) fn play(bench: &Bench<'_>, scenario: &Scenario<'_>) -> Result<Played, String> {
    // A swarm is the whole engine's: one at a time, and left at the end.
    static SWARM: Mutex<()> = Mutex::new(());
    let in_swarm = scenario.before.iter().any(|step| step.starts_with("swarm init"));
    let held = in_swarm.then(|| SWARM.lock().unwrap_or_else(PoisonError::into_inner));
    let scene = Scene::new(&bench.api, held);
    let project = scene.name.clone();
    scene.write("compose.yaml", &scenario.yaml.replace("PROJECT", &project));
    let line = |line: &str| words(line, &project, bench.is_old);
    for step in scenario.before {
        // The compose file may change between the commands, and files may appear.
        if let Some(edit) = step.strip_prefix("edit ") {
            let (from, to) = edit.split_once(" => ").unwrap();
            let path = scene.folder.join("compose.yaml");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{}: {edit}", scenario.name);
            fs::write(path, text.replace(from, to)).unwrap();
        } else if let Some(file) = step.strip_prefix("file ") {
            let (name, text) = file.split_once(" => ").unwrap();
            scene.write(name, &text.replace("PROJECT", &project));
        } else if let Some(container) = step.strip_prefix("await ") {
            bench.wait_for(&container.replacen('P', &project, 1));
        } else {
            let ran = bench.prepare(&scene, &line(step), scenario.environment);
            if ran.status != 0 {
                return Err(format!("`{step}` failed: {}", last_line(&ran.stderr)));
            }
        }
    }
    let names = Names::of(&bench.api, &project);
    let asked = bench.plan(&scene, &line(scenario.command), scenario.environment);
    let has_plan = asked.status == 0;
    let plan = if has_plan { asked.json() } else { Value::Null };
    let (predicted, possible) = names.of_plan(&plan);
    let mut events = Events::listen(&bench.api);
    let mut ran = bench.run(&scene, &line(scenario.command), scenario.environment);
    // One prune at a time, whoever asks.
    while ran.stderr.contains("a prune operation is already running") {
        ran = bench.run(&scene, &line(scenario.command), scenario.environment);
    }
    // The old program prints its usage, and calls that a success.
    if bench.is_old && format!("{}{}", ran.stdout, ran.stderr).contains("Usage:") {
        ran.status = 64;
    }
    let mut certain = Outcome::default();
    if ran.status == 0 {
        certain.destroyed = predicted.destroyed.difference(&possible).cloned().collect();
        certain.stopped = predicted.stopped.difference(&possible).cloned().collect();
    }
    let mut happened = events.so_far(&bench.api, &names, &certain);
    // No plan is right where the command is refused as well.
    if !has_plan && (ran.status == 0 || happened != Outcome::default()) {
        return Err(format!("no plan: {}", asked.stderr));
    }
    happened.detached = names.detached(&bench.api);
    Ok(Played {
        predicted: predicted.told(&project),
        possible: possible.iter().map(|name| plain_name(name, &project)).collect(),
        happened: happened.told(&project),
        undetermined: plan["undetermined"].is_array(),
        status: ran.status,
        said: last_line(&ran.stderr),
    })
}

fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}
