//! Stacks and command lines that nobody thought of: made from a seed, played, and cut down where the engine did
//! other things than were predicted.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::{
    play::{Bench, Played, play},
    scenarios::{PLAIN, Scenario},
    stack::Case,
    support::Engine,
};

/// Played by every run of the tests: one of each kind of command, and those that once differed.
const USUAL: &[u64] = &[1, 2, 3, 4, 5, 6];

/// Cases at once: an engine waits more than it works.
const JOBS: usize = 6;

/// How often a case is played again, to cut it down.
const PATIENCE: usize = 60;

fn run(bench: &Bench<'_>, case: &Case) -> Result<Played, String> {
    let (yaml, mut before, mut command) = (case.yaml(), case.before(), case.command());
    if !bench.knows_yes() {
        before.iter_mut().chain([&mut command]).for_each(|line| *line = line.replace(" -y", ""));
    }
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    play(bench, &Scenario { name: "random", yaml: &yaml, before: &before, command: &command, ..PLAIN })
}

fn differs(bench: &Bench<'_>, case: &Case) -> Option<Played> {
    run(bench, case).ok().filter(|played| !played.differences().is_empty())
}

/// The smallest case that still differs.
fn cut_down(bench: &Bench<'_>, mut case: Case, mut played: Played) -> (Case, Played) {
    let mut left = PATIENCE;
    'smaller: loop {
        for smaller in case.smaller() {
            left = left.saturating_sub(1);
            if left == 0 {
                return (case, played);
            }
            if let Some(found) = differs(bench, &smaller) {
                (case, played) = (smaller, found);
                continue 'smaller;
            }
        }
        return (case, played);
    }
}

/// What came of many cases.
#[derive(Debug, Default)]
struct Tally {
    played: usize,
    /// Of those, where the command itself failed.
    failed: usize,
    /// Where compose took the stack for wrong, so that there was nothing to play.
    skipped: usize,
    /// Where more was predicted than could be known, and less went.
    wider: Vec<String>,
    wrong: Vec<String>,
}

fn one(bench: &Bench<'_>, seed: u64, tally: &Mutex<Tally>) {
    let case = Case::of_seed(seed);
    let played = run(bench, &case);
    let mut report = None;
    if let Ok(played) = &played
        && !played.differences().is_empty()
        && let Some(again) = differs(bench, &case)
    {
        let (case, played) = cut_down(bench, case.clone(), again);
        report = Some(format!(
            "seed {seed}: {:?} ({})\n{}\n{:#?}\n`docker {}`\n{played:#?}",
            played.differences(),
            played.said,
            case.yaml(),
            case.before(),
            case.command()
        ));
    }
    let mut tally = tally.lock().unwrap();
    match played {
        Ok(played) => {
            tally.played += 1;
            tally.failed += usize::from(played.status != 0);
            if played.status == 0 && !played.needless().is_empty() {
                tally.wider.push(format!("seed {seed}: `{}` {:?}", case.command(), played.needless()));
            }
        }
        Err(said) if said.starts_with("no plan") => {
            tally.wrong.push(format!("seed {seed}: `docker {}`: {said}", case.command()));
        }
        Err(_said) => tally.skipped += 1,
    }
    tally.wrong.extend(report);
}

fn play_seeds(engine: &Engine, seeds: &[u64]) -> Tally {
    let bench = Bench::of(engine);
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..JOBS.min(seeds.len()) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    one(&bench, *seed, &tally);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

#[track_caller]
fn expect_none_wrong(tally: &Tally) {
    assert!(tally.wrong.is_empty(), "{} differ:\n{}", tally.wrong.len(), tally.wrong.join("\n\n"));
}

#[test]
fn a_few_random_stacks_do_what_was_predicted() {
    expect_none_wrong(&play_seeds(Engine::usual(), USUAL));
}

/// Plays the seeds `DBSAFE_SEEDS` (`1-300`) on `DBSAFE_BENCH` (`28/5.6`).
#[test]
#[ignore = "a quarter of an hour: DBSAFE_SEEDS=1-300 cargo test --test plan_events many_random -- --ignored --nocapture"]
fn many_random_stacks_do_what_was_predicted() {
    let seeds = std::env::var("DBSAFE_SEEDS").unwrap_or_else(|_| "1-300".to_owned());
    let (first, last) = seeds.split_once('-').unwrap_or((&seeds, &seeds));
    let seeds: Vec<u64> = (first.parse().unwrap()..=last.parse().unwrap()).collect();
    let bench = std::env::var("DBSAFE_BENCH").unwrap_or_else(|_| "28/5.6".to_owned());
    let (name, compose) = bench.split_once('/').unwrap();
    let tally = play_seeds(&Engine::start(name, compose), &seeds);
    println!(
        "{} played on {bench}, of which {} commands failed; {} stacks that compose does not take; {} predicted wider:\n{}",
        tally.played,
        tally.failed,
        tally.skipped,
        tally.wider.len(),
        tally.wider.join("\n")
    );
    expect_none_wrong(&tally);
}
