//! The table of `docs/coverage.md`: every scenario on every engine with every Compose, made by one command.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    play::{Bench, Played, play},
    scenarios::{Scenario, all},
    support::{self, Engine},
};

const ENGINES: &[&str] = &["20", "26", "28", "28c"];
const COMPOSES: &[&str] = &["1.29", "2.26", "2.40", "5.6"];

/// Scenarios at once: an engine waits more than it works.
const JOBS: usize = 6;

/// Between these lines the table is written, so that what stands around it stays.
const BEGIN: &str = "<!-- made by the test: from here -->\n";
const END: &str = "<!-- to here -->\n";

/// What a scenario came to on one engine with one Compose.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// What went, as the engine told it.
    went: Vec<String>,
    /// In words, where the prediction was another.
    remark: String,
}

/// What came of it, and how it differs from what was predicted.
fn seen(played: Result<Played, String>) -> (Seen, Vec<String>) {
    let only = |remark: String| Seen { went: Vec::new(), remark };
    let played = match played {
        Ok(played) => played,
        Err(said) if said.starts_with("no plan") => {
            return (only("dbsafe refuses".to_owned()), vec![said]);
        }
        // A file or a flag that this Compose does not know yet.
        Err(_said) => return (only("not known".to_owned()), Vec::new()),
    };
    let differences = played.differences();
    let needless = played.needless();
    let remark = if !differences.is_empty() {
        format!("**{}**", differences.join(", "))
    } else if played.undetermined {
        "blocked as unknown".to_owned()
    } else if played.status != 0 && played.happened.lines().is_empty() {
        "docker refuses".to_owned()
    } else if needless.is_empty() {
        String::new()
    } else {
        format!("also predicted: {}", needless.join(", "))
    };
    (Seen { went: played.happened.lines(), remark }, differences)
}

/// Things by what became of them: `db-1, web-1; volume named`.
fn words(lines: &[String]) -> String {
    let of = |verb: &str| {
        let things = lines.iter().filter_map(|line| line.strip_prefix(verb)?.strip_prefix(' '));
        let plain = |thing: &str| thing.replace("volume P_", "volume ").replace("P-", "");
        things.map(plain).collect::<Vec<_>>().join(", ")
    };
    let verbs = [("destroyed", ""), ("detached", "detached "), ("stopped", "stopped ")];
    let parts = verbs.iter().map(|(verb, shown)| (of(verb), shown)).filter(|(things, _)| !things.is_empty());
    let parts: Vec<String> = parts.map(|(things, shown)| format!("{shown}{things}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

/// One cell: `=` where the same went as in the column before them all, and just that was predicted.
fn cell(by_engine: &[(&str, Seen)], usual: &Seen) -> String {
    let told = |seen: &Seen| match (seen.went == usual.went, seen.remark.as_str()) {
        (true, "") => "=".to_owned(),
        (_, remark) if seen.went.is_empty() && !remark.is_empty() => remark.to_owned(),
        (true, remark) => format!("= ({remark})"),
        (false, "") => words(&seen.went),
        (false, remark) => format!("{} ({remark})", words(&seen.went)),
    };
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (engine, seen) in by_engine {
        let text = told(seen);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, engines)) => engines.push(engine),
            None => groups.push((text, vec![engine])),
        }
    }
    match groups.as_slice() {
        [] => String::new(),
        [(text, _)] => text.clone(),
        groups => groups
            .iter()
            .map(|(text, engines)| format!("{}: {text}", engines.join(", ")))
            .collect::<Vec<_>>()
            .join("<br>"),
    }
}

/// By scenario, Compose and engine.
type Found = BTreeMap<(usize, String), Vec<(&'static str, Seen)>>;

/// Where results are kept, so that engines and Composes may be played one after the other.
fn kept(engine: &str, compose: &str) -> PathBuf {
    let file = format!("target/coverage/{engine}-{compose}.json");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Puts what was kept of results to the others.
fn read_kept(engine: &'static str, compose: &str, found: &mut Found) {
    let Ok(text) = fs::read_to_string(kept(engine, compose)) else { return };
    let rows: Vec<(String, Vec<String>, String)> = serde_json::from_str(&text).unwrap();
    for (name, went, remark) in rows {
        if let Some(index) = all().position(|scenario| scenario.name == name) {
            found.entry((index, compose.to_owned())).or_default().push((engine, Seen { went, remark }));
        }
    }
}

fn is_of_compose(scenario: &Scenario<'_>) -> bool {
    scenario.command.contains("compose")
}

/// Plays all of them on one engine.
fn on_engine(name: &str, composes: &[&str], wrong: &mut Vec<String>) {
    let engines: Vec<Engine> = composes.iter().map(|compose| Engine::start(name, compose)).collect();
    let benches: Vec<Bench<'_>> = engines.iter().map(Bench::of).collect();
    let scenarios: Vec<&Scenario<'_>> = all().collect();
    let is_last = |bench: usize| COMPOSES.last() == Some(&composes[bench]);
    let jobs: Vec<(usize, usize)> = (0..scenarios.len())
        .flat_map(|scenario| (0..benches.len()).map(move |bench| (scenario, bench)))
        // Compose has no part in docker's own commands.
        .filter(|(scenario, bench)| is_of_compose(scenarios[*scenario]) || is_last(*bench))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some((scenario, bench)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = play(&benches[*bench], scenarios[*scenario]);
                    done.lock().unwrap().push((*scenario, *bench, played));
                }
            });
        }
    });
    let mut rows: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (scenario, bench, played) in done.into_inner().unwrap() {
        let (seen, differences) = seen(played);
        let compose = composes[bench];
        if !differences.is_empty() {
            wrong.push(format!("{name}/{compose} {}: {differences:?}", scenarios[scenario].name));
        }
        rows.entry(compose).or_default().push((scenarios[scenario].name, seen.went, seen.remark));
    }
    for (compose, rows) in rows {
        let path = kept(name, compose);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string(&rows).unwrap()).unwrap();
    }
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn head(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
    format!("{}|{}\n", row(&cells), "---|".repeat(cells.len()))
}

fn table(found: &Found, engines: &[&'static str], composes: &[&str]) -> String {
    let last = composes.last().copied().unwrap_or_default();
    let at = |index: usize, compose: &str| {
        let cells = found.get(&(index, compose.to_owned())).cloned().unwrap_or_default();
        let order = |name: &str| engines.iter().position(|engine| *engine == name);
        let mut cells: Vec<(&str, Seen)> = cells;
        cells.sort_by_key(|(name, _)| order(name));
        cells
    };
    let usual = |index: usize| {
        let cells = at(index, last);
        let usual = cells.iter().find(|(name, _)| *name == "28").or(cells.last());
        usual.map_or(Seen { went: Vec::new(), remark: String::new() }, |(_, seen)| seen.clone())
    };
    let first = |index: usize, scenario: &Scenario<'_>| {
        vec![
            scenario.name.to_owned(),
            format!("`docker {}`", scenario.command.replace('|', "\\|")),
            words(&usual(index).went),
        ]
    };
    let mut text = String::new();
    let titles: Vec<String> = composes.iter().map(|compose| format!("Compose {compose}")).collect();
    let titles: Vec<&str> =
        ["scenario", "command", "what went"].into_iter().chain(titles.iter().map(String::as_str)).collect();
    text.push_str(&head(&titles));
    for (index, scenario) in all().enumerate().filter(|(_, scenario)| is_of_compose(scenario)) {
        let cells = composes.iter().map(|compose| cell(&at(index, compose), &usual(index)));
        text.push_str(&row(&first(index, scenario).into_iter().chain(cells).collect::<Vec<_>>()));
    }
    let titles: Vec<String> = engines.iter().map(|engine| format!("engine {engine}")).collect();
    let titles: Vec<&str> =
        ["scenario", "command", "what went"].into_iter().chain(titles.iter().map(String::as_str)).collect();
    text.push('\n');
    text.push_str(&head(&titles));
    for (index, scenario) in all().enumerate().filter(|(_, scenario)| !is_of_compose(scenario)) {
        let own = at(index, last);
        let one = |engine: &&str| own.iter().filter(|(name, _)| name == engine).cloned().collect::<Vec<_>>();
        let cells = engines.iter().map(|engine| cell(&one(engine), &usual(index)));
        text.push_str(&row(&first(index, scenario).into_iter().chain(cells).collect::<Vec<_>>()));
    }
    text
}

/// Plays every scenario on the engines that `DBSAFE_ENGINES` names (`20 28c`) with the Composes of `DBSAFE_COMPOSES`, or
/// on all with all, and writes the table into `docs/coverage.md`. Of the others the results of before are taken.
#[test]
#[ignore = "all of it takes half an hour: cargo test --test plan_events coverage -- --ignored"]
fn coverage_of_everything() {
    let named = |variable: &str, known: &[&'static str]| -> Vec<&'static str> {
        let wanted = std::env::var(variable).unwrap_or_else(|_| known.join(" "));
        known.iter().filter(|name| wanted.split(' ').any(|word| word == **name)).copied().collect()
    };
    let (engines, composes) = (named("DBSAFE_ENGINES", ENGINES), named("DBSAFE_COMPOSES", COMPOSES));
    let mut wrong = Vec::new();
    for name in engines {
        on_engine(name, &composes, &mut wrong);
        support::wipe(name);
    }
    let mut found = Found::new();
    for name in ENGINES {
        for compose in COMPOSES {
            read_kept(name, compose, &mut found);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let whole = fs::read_to_string(&path).unwrap_or_else(|_| format!("{BEGIN}{END}"));
    let (before, rest) = whole.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table(&found, ENGINES, COMPOSES))).unwrap();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
