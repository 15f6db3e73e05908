//! What dbsafe predicts against what the engine then says was destroyed, scenario by scenario.
//!
//! Nothing in these stacks is a database, so only the plan is looked at; the command is then run by docker
//! itself, and the engine's events are compared with every row of the plan.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use support::{Engine, Stack, unique};

#[path = "plan_events/scenarios.rs"]
mod scenarios;

use scenarios::{EVERYWHERE, OF_2_26, SCENARIOS, Scenario};

/// How long the engine may take to tell of an end that it brings about by itself (`--rm`).
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of each thing, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    destroyed: BTreeSet<String>,
    stopped: BTreeSet<String>,
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
struct Names(BTreeMap<String, String>);

impl Names {
    /// Everything whose name has `part` in it, and the volumes of such containers.
    fn of(engine: &Engine, part: &str) -> Self {
        let mut names = BTreeMap::new();
        let listed = engine.docker(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]).expect(0);
        // The newest comes first; a volume is named after the oldest of its containers.
        let listed = listed.stdout.lines().rev().filter_map(|line| line.split_once(' '));
        for (id, name) in listed.filter(|(_, name)| name.contains(part)) {
            names.insert(id.to_owned(), name.to_owned());
            let format = "{{range .Mounts}}{{.Name}} {{.Destination}}\n{{end}}";
            let mounts = engine.docker(&["inspect", "--format", format, id]).expect(0).stdout;
            for (volume, destination) in mounts.lines().filter_map(|line| line.split_once(' ')) {
                if volume.len() == 64 {
                    names.entry(volume.to_owned()).or_insert_with(|| format!("{name}:{destination}"));
                }
            }
        }
        let volumes = engine.docker(&["volume", "ls", "-q"]).expect(0).stdout;
        let named = volumes.lines().filter(|volume| volume.contains(part));
        names.extend(named.map(|volume| (volume.to_owned(), format!("volume {volume}"))));
        Self(names)
    }

    fn outcome(&self, events: &[serde_json::Value]) -> Outcome {
        let mut outcome = Outcome::default();
        for event in events {
            let Some(name) = event["Actor"]["ID"].as_str().and_then(|id| self.0.get(id)) else { continue };
            match event["Action"].as_str() {
                Some("destroy") => drop(outcome.destroyed.insert(name.clone())),
                Some("die") => drop(outcome.stopped.insert(name.clone())),
                _ => {}
            }
        }
        outcome.stopped.retain(|name| !outcome.destroyed.contains(name));
        outcome
    }

    fn of_plan(&self, plan: &serde_json::Value) -> Outcome {
        let mut outcome = Outcome::default();
        for row in plan["plan"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            let name = self.0.get(id).cloned().unwrap_or_else(|| format!("{} {id}", row["kind"]));
            match row["fate"].as_str().unwrap() {
                "destroyed" => drop(outcome.destroyed.insert(name)),
                "stopped" => drop(outcome.stopped.insert(name)),
                _ => {}
            }
        }
        outcome
    }

    /// With the project's name put back to what the scenario calls it.
    fn told(outcome: &Outcome, project: &str) -> Vec<String> {
        let of = |verb: &str, names: &BTreeSet<String>| {
            names.iter().map(|name| format!("{verb} {}", name.replace(project, "P"))).collect::<Vec<_>>()
        };
        [of("destroyed", &outcome.destroyed), of("stopped", &outcome.stopped)].concat()
    }
}

/// Words of a line, with the project's name in place of `P`.
fn words(line: &str, project: &str) -> Vec<String> {
    let word = |word: &str| match word.strip_prefix('P') {
        Some(rest) if rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric()) => {
            format!("{project}{rest}")
        }
        _ => word.replace("=P", &format!("={project}")),
    };
    line.split_whitespace().map(word).collect()
}

/// What a scenario was predicted to do, and did.
struct Observed {
    predicted: Vec<String>,
    happened: Vec<String>,
    /// What docker said.
    said: String,
    /// Why the plan does not know everything.
    undetermined: serde_json::Value,
}

/// Runs a scenario; answers what differs from what it must do.
fn play(engine: &Engine, scenario: &Scenario) -> Result<(), String> {
    let Observed { predicted, happened, said, undetermined } = observe(engine, scenario)?;
    if predicted != happened || happened != scenario.expect {
        return Err(format!(
            "{}: `{}`\n  predicted {predicted:#?}\n  happened  {happened:#?}\n  expected  {:#?}\n  docker said: {said}\n  undetermined: {undetermined}",
            scenario.name, scenario.command, scenario.expect
        ));
    }
    Ok(())
}

/// Runs a scenario. An error where it cannot be.
fn observe(engine: &Engine, scenario: &Scenario) -> Result<Observed, String> {
    let stack = Stack::new(engine, &scenario.yaml.replace("NAME", ""));
    let project = stack.name.clone();
    stack.write("compose.yaml", &scenario.yaml.replace("PROJECT", &project));
    let run = |line: &str| {
        let line = words(line, &project);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        engine.docker_in(&stack.folder, &line, scenario.environment)
    };
    for line in scenario.before {
        // The compose file may change between the commands.
        match line.strip_prefix("edit ") {
            Some(edit) => {
                let (from, to) = edit.split_once(" => ").unwrap();
                let path = stack.folder.join("compose.yaml");
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.contains(from), "{}: {edit}", scenario.name);
                std::fs::write(path, text.replace(from, to)).unwrap();
            }
            None => {
                let ran = run(line);
                if ran.status != 0 {
                    return Err(format!("{}: `{line}` failed: {}", scenario.name, ran.stderr));
                }
            }
        }
    }
    let names = Names::of(engine, &project);
    let asked = run(&format!("dbsafe guard --plan --format json -- {}", scenario.command));
    if asked.status != 0 {
        return Err(format!("{}: no plan: {}", scenario.name, asked.stderr));
    }
    let plan = asked.json();
    let predicted = names.of_plan(&plan);
    let mut events = Events::listen(engine);
    let ran = run(scenario.command);
    let happened = events.so_far(engine, &names, &predicted.destroyed);
    for line in ["rm -fv P-x P-y P-z", "rmi P_image"] {
        let _ = run(line);
    }
    let volumes = engine.docker(&["volume", "ls", "-q"]).stdout;
    for volume in volumes.lines().filter(|volume| names.0.contains_key(*volume)) {
        engine.docker(&["volume", "rm", volume]);
    }
    Ok(Observed {
        predicted: Names::told(&predicted, &project),
        happened: Names::told(&happened, &project),
        said: ran.stderr,
        undetermined: plan["undetermined"].clone(),
    })
}

fn play_all(engine: &Engine, which: impl Fn(&Scenario) -> bool) {
    play_these(engine, SCENARIOS.iter().filter(|scenario| which(scenario)));
}

fn play_these<'a>(engine: &Engine, scenarios: impl Iterator<Item = &'a Scenario>) {
    let only = std::env::var("DBSAFE_SCENARIO").ok();
    let wanted = scenarios.filter(|scenario| only.as_ref().is_none_or(|part| scenario.name.contains(part)));
    let wrong: Vec<String> = wanted.filter_map(|scenario| play(engine, scenario).err()).collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_everywhere(scenario: &Scenario) -> bool {
    EVERYWHERE.contains(&scenario.name)
}

#[test]
fn those_that_are_played_everywhere_are_there() {
    for name in EVERYWHERE {
        assert!(SCENARIOS.iter().any(|scenario| scenario.name == *name), "{name}");
    }
}

#[test]
fn compose_down_and_rm_do_what_was_predicted() {
    play_all(Engine::usual(), |s| {
        s.command.contains("down") || s.command.contains("compose") && s.command.contains(" rm")
    });
}

#[test]
fn compose_stops_do_what_was_predicted() {
    let is_stop = |s: &Scenario| ["stop", "kill", "restart"].iter().any(|word| s.command.contains(word));
    play_all(Engine::usual(), |s| s.command.contains("compose") && is_stop(s));
}

#[test]
fn compose_up_and_its_kin_do_what_was_predicted() {
    let words = ["compose up", "compose create", "compose scale", "compose run"];
    play_all(Engine::usual(), |s| words.iter().any(|word| s.command.starts_with(word)));
}

#[test]
fn docker_commands_do_what_was_predicted() {
    play_all(Engine::usual(), |s| !s.command.contains("compose"));
}

#[test]
fn the_same_on_engine_20_10() {
    play_all(&Engine::start("20", "5.6"), is_everywhere);
}

#[test]
fn the_same_on_engine_26_1() {
    play_all(&Engine::start("26", "5.6"), is_everywhere);
}

#[test]
fn the_same_with_the_containerd_image_store() {
    play_all(&Engine::start("28c", "5.6"), is_everywhere);
}

#[test]
fn the_same_with_compose_2_26() {
    let engine = Engine::start("28", "2.26");
    let common = SCENARIOS.iter().filter(|s| is_everywhere(s) && s.command.contains("compose"));
    play_these(&engine, common.chain(OF_2_26));
}

/// What the table says of a scenario, and whether something was destroyed or stopped that was not predicted.
fn cell(engine: &Engine, scenario: &Scenario) -> (String, Option<String>) {
    let seen = match observe(engine, scenario) {
        Ok(seen) => seen,
        // Refused by dbsafe, or by a compose that does not know such a file.
        Err(why) if why.contains("no plan") => return ("refused".to_owned(), None),
        Err(_) => return ("-".to_owned(), None),
    };
    let (happened, predicted) = (seen.happened.len(), seen.predicted.len());
    if seen.happened == seen.predicted {
        return (happened.to_string(), None);
    }
    if !seen.undetermined.is_null() {
        return ("unknown".to_owned(), None);
    }
    if seen.happened.iter().all(|thing| seen.predicted.contains(thing)) {
        return (format!("{happened} of {predicted}"), None);
    }
    let missed = format!("{}: {:#?} but {:#?}", scenario.name, seen.predicted, seen.happened);
    ("**missed**".to_owned(), Some(missed))
}

const COVERAGE: &str = "# What commands do, and what was predicted

Each scenario is planned by dbsafe, then run by docker itself, and the engine's events are compared with the plan. A number is how
many containers and volumes were destroyed or stopped, every one of them predicted, and nothing else; `1 of 2` means that one more was
predicted than went; `unknown` and `refused` are blocked; `-` is a file that this Compose does not take. Made by
`DBSAFE_COVERAGE='20/2.26 26/2.26 28/2.26 28/2.40 28/5.6 28c/5.6' cargo test --test plan_events coverage -- --ignored`, which fails
where anything went that was not predicted.

";

/// Plays every scenario with the engines and Composes that `DBSAFE_COVERAGE` names, and writes `docs/coverage.md`.
#[test]
#[ignore = "two minutes for each engine: DBSAFE_COVERAGE='28/5.6' cargo test --test plan_events coverage -- --ignored"]
fn the_table_of_coverage() {
    let wanted = std::env::var("DBSAFE_COVERAGE").unwrap_or_else(|_| "28/5.6".to_owned());
    let pairs: Vec<(&str, &str)> =
        wanted.split_whitespace().map(|pair| pair.split_once('/').unwrap()).collect();
    let mut rows: Vec<Vec<String>> = SCENARIOS
        .iter()
        .map(|scenario| vec![scenario.name.to_owned(), format!("`docker {}`", scenario.command)])
        .collect();
    let mut all_missed = Vec::new();
    for (name, compose) in &pairs {
        let engine = Engine::start(name, compose);
        for (scenario, row) in SCENARIOS.iter().zip(&mut rows) {
            let (text, missed) = cell(&engine, scenario);
            row.push(text);
            all_missed.extend(missed.map(|what| format!("{name}/{compose} {what}")));
        }
        drop(engine);
        support::wipe(name);
    }
    let heads: Vec<String> =
        pairs.iter().map(|(name, compose)| format!("engine {name}, Compose {compose}")).collect();
    let mut text = format!("{COVERAGE}| scenario | command | {} |\n", heads.join(" | "));
    text.push_str(&format!("|---|---|{}\n", "---|".repeat(heads.len())));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    let file = std::env::var("DBSAFE_COVERAGE_FILE").unwrap_or_else(|_| "docs/coverage.md".to_owned());
    std::fs::write(file, text).unwrap();
    assert!(all_missed.is_empty(), "{}", all_missed.join("\n"));
}
