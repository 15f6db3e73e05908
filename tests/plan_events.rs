//! What dbsafe predicts against what the engine then says was destroyed, scenario by scenario.
//!
//! Nothing in these stacks is a database, so only the plan is looked at; the command is then run by docker
//! itself, and the engine's events are compared with every row of the plan. `plan_events/coverage.rs` plays the
//! same on every engine with every Compose.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod support;

use support::Engine;

#[path = "plan_events/coverage.rs"]
mod coverage;
#[path = "plan_events/play.rs"]
mod play;
#[path = "plan_events/random.rs"]
mod random;
#[path = "plan_events/scenarios/mod.rs"]
mod scenarios;
#[path = "plan_events/stack.rs"]
mod stack;

use play::{Bench, play};
use scenarios::{EVERYWHERE, OF_2_26, Scenario, all};

fn play_all(engine: &Engine, which: impl Fn(&Scenario<'_>) -> bool) {
    play_these(engine, all().filter(|scenario| which(scenario)));
}

fn play_these<'a>(engine: &Engine, scenarios: impl Iterator<Item = &'a Scenario<'a>>) {
    let only = std::env::var("DBSAFE_SCENARIO").ok();
    let bench = Bench::of(engine);
    let wanted = scenarios.filter(|scenario| only.as_ref().is_none_or(|part| scenario.name.contains(part)));
    let wrong = |scenario: &Scenario<'_>| {
        let played = match play(&bench, scenario) {
            Ok(played) => played,
            // It knows less than the later ones.
            Err(_said) if bench.is_old => return None,
            Err(said) => return Some(format!("{}: {said}", scenario.name)),
        };
        let mut differences = played.differences();
        if !bench.is_old && played.happened.lines() != scenario.expect {
            differences.push(format!("expected {:#?}", scenario.expect));
        }
        (!differences.is_empty()).then(|| {
            format!(
                "{}: `{}` ({})\n  {differences:#?}\n{played:#?}",
                scenario.name, scenario.command, played.said
            )
        })
    };
    let wrong: Vec<String> = wanted.filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_everywhere(scenario: &Scenario<'_>) -> bool {
    EVERYWHERE.contains(&scenario.name)
}

#[test]
fn those_that_are_played_everywhere_are_there() {
    for name in EVERYWHERE {
        assert!(all().any(|scenario| scenario.name == *name), "{name}");
    }
}

#[test]
fn compose_down_and_rm_do_what_was_predicted() {
    play_all(Engine::usual(), |s| {
        // A swarm's `stack down` is one of docker's own; two at once would share the swarm.
        s.command.contains("compose") && (s.command.contains("down") || s.command.contains(" rm"))
    });
}

#[test]
fn compose_stops_do_what_was_predicted() {
    let is_stop = |s: &Scenario<'_>| ["stop", "kill", "restart"].iter().any(|word| s.command.contains(word));
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
    let common = all().filter(|s| is_everywhere(s) && s.command.contains("compose"));
    play_these(&engine, common.chain(OF_2_26));
}

#[test]
fn the_same_with_compose_2_40() {
    play_all(&Engine::start("28", "2.40"), |s| is_everywhere(s) && s.command.contains("compose"));
}

#[test]
fn the_same_with_docker_compose_1_29() {
    let engine = Engine::start("20", "1.29");
    let common = all().filter(|s| is_everywhere(s) && s.command.contains("compose"));
    play_these(&engine, common);
}
