//! Plays a scenario: asks dbsafe for its plan, lets docker or compose itself run the command, and compares the
//! plan with the engine's events and with what lies around afterwards.
#![cfg_attr(all(), allow(dead_code, reason = "every test binary uses its own part"))]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use super::{
    scenarios::Scenario,
    support::{Engine, Ran, Stack, unique},
};

/// How long the engine may take to tell of an end that it brings about by itself (`--rm`).
const PATIENCE: Duration = Duration::from_secs(10);

/// An engine with a compose: docker's plugin, or the program `docker-compose` of 1.29.
pub(crate) struct Bench<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) is_old: bool,
}

impl<'a> Bench<'a> {
    pub(crate) fn of(engine: &'a Engine) -> Self {
        Self { engine, is_old: engine.compose_version == "1.29" }
    }

    /// Runs a line: `compose …` is this bench's own.
    fn run(&self, stack: &Stack<'_>, line: &[String], environment: &[(&str, &str)]) -> Ran {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["compose", rest @ ..] if self.is_old => {
                self.engine.program_in("docker-compose", &stack.folder, rest, environment)
            }
            words => self.engine.docker_in(&stack.folder, words, environment),
        }
    }

    fn plan(&self, stack: &Stack<'_>, line: &[String], environment: &[(&str, &str)]) -> Ran {
        let mut words = vec!["dbsafe", "guard", "--plan", "--format", "json"];
        let mut rest: Vec<&str> = line.iter().map(String::as_str).collect();
        if self.is_old && rest.first() == Some(&"compose") {
            words.push("--docker-compose");
            rest.remove(0);
        }
        words.push("--");
        self.engine.docker_in(&stack.folder, &[words, rest].concat(), environment)
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
    child: Child,
    lines: Receiver<serde_json::Value>,
}

impl Events {
    fn listen(engine: &Engine) -> Self {
        let arguments =
            ["events", "--format", "{{json .}}", "--filter", "type=container", "--filter", "type=volume"];
        let mut child = engine
            .command(&std::env::temp_dir(), &arguments)
            .env("DOCKER_HOST", &engine.host)
            .env("DOCKER_CONFIG", &engine.config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut events = Self { child, lines };
        // The stream tells of a volume that is made now: so it listens.
        while !events.has_mark(engine, &unique("mark"), &mut Vec::new()) {}
        events
    }

    /// Makes an event and reads up to it.
    fn has_mark(&mut self, engine: &Engine, mark: &str, seen: &mut Vec<serde_json::Value>) -> bool {
        engine.docker(&["volume", "create", mark]).expect(0);
        engine.docker(&["volume", "rm", mark]).expect(0);
        while let Ok(event) = self.lines.recv_timeout(Duration::from_millis(500)) {
            let is_mark = event["Actor"]["ID"] == mark && event["Action"] == "destroy";
            seen.push(event);
            if is_mark {
                return true;
            }
        }
        false
    }

    /// Every event so far; waits a while for `wanted` things to be destroyed.
    fn so_far(&mut self, engine: &Engine, names: &Names, wanted: &BTreeSet<String>) -> Outcome {
        let start = Instant::now();
        let mut seen = Vec::new();
        loop {
            self.has_mark(engine, &unique("mark"), &mut seen);
            let outcome = names.outcome(&seen);
            if outcome.destroyed.is_superset(wanted) || start.elapsed() > PATIENCE {
                return outcome;
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The things that a scenario is about: by id, the names to tell them by.
struct Names {
    by_id: BTreeMap<String, String>,
    /// Anonymous volumes that a container had before.
    attached: BTreeSet<String>,
}

impl Names {
    /// Everything whose name has `part` in it, and the volumes of such containers.
    fn of(engine: &Engine, part: &str) -> Self {
        let mut by_id = BTreeMap::new();
        let mut attached = BTreeSet::new();
        let listed = engine.docker(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]).expect(0);
        // The newest comes first; a volume is named after the oldest of its containers.
        let listed = listed.stdout.lines().rev().filter_map(|line| line.split_once(' '));
        for (id, name) in listed.filter(|(_, name)| name.contains(part)) {
            by_id.insert(id.to_owned(), name.to_owned());
            let format = "{{range .Mounts}}{{.Name}} {{.Destination}}\n{{end}}";
            let mounts = engine.docker(&["inspect", "--format", format, id]).expect(0).stdout;
            for (volume, destination) in mounts.lines().filter_map(|line| line.split_once(' ')) {
                if volume.len() == 64 {
                    by_id.entry(volume.to_owned()).or_insert_with(|| format!("{name}:{destination}"));
                    attached.insert(volume.to_owned());
                }
            }
        }
        let volumes = engine.docker(&["volume", "ls", "-q"]).expect(0).stdout;
        let named = volumes.lines().filter(|volume| volume.contains(part));
        by_id.extend(named.map(|volume| (volume.to_owned(), format!("volume {volume}"))));
        Self { by_id, attached }
    }

    fn outcome(&self, events: &[serde_json::Value]) -> Outcome {
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

    /// Anonymous volumes that lie around now, and did not before.
    fn detached(&self, engine: &Engine) -> BTreeSet<String> {
        let dangling = engine.docker(&["volume", "ls", "-q", "--filter", "dangling=true"]).expect(0).stdout;
        let lost = dangling.lines().filter(|volume| self.attached.contains(*volume));
        lost.map(|volume| self.by_id[volume].clone()).collect()
    }

    /// What the plan says, and what of it may come otherwise.
    fn of_plan(&self, plan: &serde_json::Value) -> (Outcome, BTreeSet<String>) {
        let mut outcome = Outcome::default();
        let mut possible = BTreeSet::new();
        for row in plan["plan"].as_array().unwrap() {
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

    /// With the project's name put back to what the scenario calls it, and names as later composes make them.
    fn told(outcome: &Outcome, project: &str) -> Outcome {
        let told = |names: &BTreeSet<String>| names.iter().map(|name| plain_name(name, project)).collect();
        Outcome {
            destroyed: told(&outcome.destroyed),
            stopped: told(&outcome.stopped),
            detached: told(&outcome.detached),
        }
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
        [of("destroyed", &self.destroyed), of("stopped", &self.stopped)].concat()
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
/// Where what comes before the command fails, or there is no plan: what was said.
pub(crate) fn play(bench: &Bench<'_>, scenario: &Scenario) -> Result<Played, String> {
    let engine = bench.engine;
    let stack = Stack::new(engine, "");
    let project = stack.name.clone();
    stack.write("compose.yaml", &scenario.yaml.replace("PROJECT", &project));
    let line = |line: &str| words(line, &project, bench.is_old);
    let run = |text: &str| bench.run(&stack, &line(text), scenario.environment);
    for step in scenario.before {
        // The compose file may change between the commands, and files may appear.
        if let Some(edit) = step.strip_prefix("edit ") {
            let (from, to) = edit.split_once(" => ").unwrap();
            let path = stack.folder.join("compose.yaml");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{}: {edit}", scenario.name);
            std::fs::write(path, text.replace(from, to)).unwrap();
        } else if let Some(file) = step.strip_prefix("file ") {
            let (name, text) = file.split_once(" => ").unwrap();
            stack.write(name, &text.replace("PROJECT", &project));
        } else {
            let ran = run(step);
            if ran.status != 0 {
                return Err(format!("`{step}` failed: {}", last_line(&ran.stderr)));
            }
        }
    }
    let names = Names::of(engine, &project);
    let asked = bench.plan(&stack, &line(scenario.command), scenario.environment);
    if asked.status != 0 {
        return Err(format!("no plan: {}", asked.stderr));
    }
    let plan = asked.json();
    let (predicted, possible) = names.of_plan(&plan);
    let mut events = Events::listen(engine);
    let mut ran = run(scenario.command);
    // The old program prints its usage, and calls that a success.
    if bench.is_old && format!("{}{}", ran.stdout, ran.stderr).contains("Usage:") {
        ran.status = 64;
    }
    let certain: BTreeSet<String> = if ran.status == 0 {
        predicted.destroyed.difference(&possible).cloned().collect()
    } else {
        BTreeSet::new()
    };
    let mut happened = events.so_far(engine, &names, &certain);
    happened.detached = names.detached(engine);
    for text in ["rm -fv P-x P-y P-z P-s P-t P-u P-w", "rmi P_image"] {
        engine.docker_in(&stack.folder, &line(text).iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    }
    drop(stack);
    let volumes = engine.docker(&["volume", "ls", "-q"]).stdout;
    for volume in volumes.lines().filter(|volume| names.by_id.contains_key(*volume)) {
        engine.docker(&["volume", "rm", volume]);
    }
    Ok(Played {
        predicted: Played::told(&predicted, &project),
        possible: possible.iter().map(|name| plain_name(name, &project)).collect(),
        happened: Played::told(&happened, &project),
        undetermined: plan["undetermined"].is_array(),
        status: ran.status,
        said: last_line(&ran.stderr),
    })
}

fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}
