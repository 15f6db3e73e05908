use super::*;
use crate::model::container::State;

fn container(id: &str, state: State, mounts: Vec<Mount>) -> Container {
    Container { state, mounts, ..Container::sample(id, &format!("{id}-name")) }
}

fn mount(kind: MountKind, volume: &str) -> Mount {
    Mount {
        kind,
        destination: format!("/{volume}"),
        volume: Some(volume.into()),
        source: None,
        writable: true,
        part: None,
    }
}

fn volume(name: &str) -> Volume {
    Volume {
        name: name.into(),
        driver: "local".into(),
        labels: Default::default(),
        options: Default::default(),
        created: String::new(),
        keeps_created: true,
        mountpoint: String::new(),
    }
}

fn state(containers: Vec<Container>, volumes: Vec<Volume>) -> EngineState {
    let summary = |container: &Container| ContainerSummary {
        id: container.id.clone(),
        name: container.name.clone(),
        image: String::new(),
        state: container.state,
        labels: Default::default(),
        volumes: container.mounts.iter().filter_map(|mount| mount.volume.clone()).collect(),
    };
    EngineState {
        summaries: containers.iter().map(summary).collect(),
        volumes: volumes.into_iter().map(|volume| (volume.name.clone(), volume)).collect(),
        borrowers: Default::default(),
        untold: Default::default(),
        inspected: containers.into_iter().map(|container| (container.id.clone(), container)).collect(),
    }
}

fn step(id: &str, does: Does) -> Step {
    Step::new(id, does, "named".into())
}

fn volume_step(name: &str) -> VolumeStep {
    VolumeStep { name: name.into(), cause: "named".into() }
}

/// `kind name: fate` for everything in a plan.
fn told(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for planned in &plan.containers {
        lines.push(format!("container {}: {:?}", planned.container.id, planned.fate));
        lines.extend(
            planned.mounts.iter().map(|mount| format!("mount {}: {:?}", mount.destination, mount.fate)),
        );
    }
    lines.extend(
        plan.volumes.iter().map(|planned| format!("volume {}: {:?}", planned.volume.name, planned.fate)),
    );
    lines
}

const ANONYMOUS: MountKind = MountKind::AnonymousVolume;
const NAMED: MountKind = MountKind::NamedVolume;

#[test]
fn a_removal_detaches_anonymous_volumes_and_with_v_it_destroys_them() {
    let state =
        state(vec![container("a", State::Running, vec![mount(ANONYMOUS, "x"), mount(NAMED, "y")])], vec![]);
    let remove =
        |volumes| simulate(&[step("a", Does::StopAndRemove { timeout: None, volumes })], &[], &state);
    assert_eq!(told(&remove(false)), ["container a: Destroyed", "mount /x: Detached", "mount /y: Survives"]);
    assert_eq!(told(&remove(true)), ["container a: Destroyed", "mount /x: Destroyed", "mount /y: Survives"]);
    assert_eq!(remove(true).containers[0].ending, Ending::Stop { grace_seconds: 10 });
}

#[test]
fn docker_refuses_to_remove_what_runs_and_with_force_kills_it() {
    let state = state(vec![container("a", State::Paused, vec![])], vec![]);
    let refused = simulate(&[step("a", Does::Remove { force: false, volumes: true })], &[], &state);
    assert_eq!(
        (refused.containers[0].fate, refused.containers[0].ending),
        (Fate::Survives, Ending::Untouched)
    );
    let killed = simulate(&[step("a", Does::Remove { force: true, volumes: true })], &[], &state);
    assert_eq!((killed.containers[0].fate, killed.containers[0].ending), (Fate::Destroyed, Ending::Kill));
}

#[test]
fn a_volume_that_another_container_uses_stays_whatever_is_asked() {
    let others = vec![
        container("a", State::Running, vec![mount(ANONYMOUS, "x")]),
        container("b", State::Exited, vec![mount(NAMED, "x"), mount(NAMED, "y")]),
    ];
    let state = state(others, vec![volume("y")]);
    let one = [step("a", Does::StopAndRemove { timeout: None, volumes: true })];
    let plan = simulate(&one, &[volume_step("y")], &state);
    assert_eq!(told(&plan), ["container a: Destroyed", "mount /x: Survives", "volume y: Survives"]);
    let both = [one[0].clone(), step("b", Does::StopAndRemove { timeout: None, volumes: true })];
    let plan = simulate(&both, &[volume_step("y")], &state);
    assert_eq!(plan.volumes[0].fate, Fate::Destroyed);
    assert_eq!(plan.containers[1].mounts[1].fate, Fate::Destroyed);
}

#[test]
fn an_inherited_anonymous_volume_is_found_again_by_nobody() {
    let id = "e".repeat(64);
    let state = state(vec![container("a", State::Running, vec![mount(NAMED, &id)])], vec![volume(&id)]);
    let plan = simulate(&[step("a", Does::StopAndRemove { timeout: None, volumes: true })], &[], &state);
    assert_eq!(plan.containers[0].mounts[0].fate, Fate::Detached);
}

#[test]
fn an_auto_removed_container_goes_with_its_volumes_when_it_stops() {
    let mut auto = container("a", State::Running, vec![mount(ANONYMOUS, "x"), mount(MountKind::Tmpfs, "t")]);
    auto.auto_remove = true;
    let state = state(vec![auto], vec![]);
    let plan = simulate(&[step("a", Does::Stop { timeout: Some(3) })], &[], &state);
    assert_eq!(told(&plan), ["container a: Destroyed", "mount /x: Destroyed", "mount /t: Destroyed"]);
}

#[test]
fn a_killing_removal_leaves_the_volumes_of_an_auto_removed_container() {
    let mut auto = container("a", State::Running, vec![mount(ANONYMOUS, "x")]);
    auto.auto_remove = true;
    let state = state(vec![auto], vec![]);
    let fate = |volumes| {
        let does = Does::Remove { force: true, volumes };
        simulate(&[step("a", does)], &[], &state).containers[0].mounts[0].fate
    };
    assert_eq!((fate(false), fate(true)), (Fate::Detached, Fate::Destroyed));
    let restarted = simulate(&[step("a", Does::Restart { timeout: None })], &[], &state);
    assert_eq!(told(&restarted), ["container a: Stopped", "mount /x: Survives"]);
}

#[test]
fn a_stop_signal_that_is_no_wish_for_an_orderly_end_is_a_kill() {
    let ending = |signal: &str| {
        let mut hard = container("a", State::Running, vec![]);
        hard.stop_signal = Some(signal.into());
        let state = state(vec![hard], vec![]);
        let does = Does::StopAndRemove { timeout: Some(60), volumes: false };
        simulate(&[step("a", does)], &[], &state).containers[0].ending
    };
    for signal in ["SIGKILL", "9", "SIGQUIT", "SIGUSR1"] {
        assert_eq!(ending(signal), Ending::Kill, "{signal}");
    }
    for signal in ["SIGTERM", "sigint", "15", "SIGRTMIN+3"] {
        assert_eq!(ending(signal), Ending::Stop { grace_seconds: 60 }, "{signal}");
    }
}

#[test]
fn what_is_being_removed_already_cannot_be_removed_again() {
    let state = state(vec![container("a", State::Removing, vec![mount(ANONYMOUS, "x")])], vec![]);
    let plan = simulate(&[step("a", Does::Remove { force: true, volumes: true })], &[], &state);
    assert_eq!(told(&plan), ["container a: Survives", "mount /x: Survives"]);
}

#[test]
fn a_volume_in_memory_lasts_while_another_container_runs_on_it() {
    let mut ram = volume("ram");
    ram.options.insert("type".into(), "tmpfs".into());
    let other = |running| container("b", running, vec![mount(NAMED, "ram")]);
    let fate = |running| {
        let a = container("a", State::Running, vec![mount(NAMED, "ram")]);
        let state = state(vec![a, other(running)], vec![ram.clone()]);
        simulate(&[step("a", Does::Stop { timeout: None })], &[], &state).containers[0].mounts[0].fate
    };
    assert_eq!((fate(State::Running), fate(State::Exited)), (Fate::Survives, Fate::Destroyed));
}

#[test]
fn a_stop_takes_memory_alone() {
    let mounts = vec![mount(MountKind::Tmpfs, "t"), mount(ANONYMOUS, "x"), mount(NAMED, "ram")];
    let mut ram = volume("ram");
    ram.options.insert("type".into(), "tmpfs".into());
    let state = state(vec![container("a", State::Running, mounts)], vec![ram]);
    let plan = simulate(&[step("a", Does::Stop { timeout: None })], &[], &state);
    assert_eq!(
        told(&plan),
        ["container a: Stopped", "mount /t: Destroyed", "mount /x: Survives", "mount /ram: Destroyed"]
    );
}

#[test]
fn a_borrower_that_never_started_does_not_hold_a_volume() {
    let a = container("a", State::Running, vec![mount(ANONYMOUS, "x"), mount(NAMED, "y")]);
    let b = container("b", State::Created, vec![mount(ANONYMOUS, "x"), mount(NAMED, "y")]);
    let mut state = state(vec![a, b], vec![volume("y")]);
    state.borrowers.insert("b".into());
    let does = Does::StopAndRemove { timeout: None, volumes: true };
    let plan = simulate(&[step("a", does)], &[volume_step("y")], &state);
    assert_eq!(
        told(&plan),
        ["container a: Destroyed", "mount /x: Destroyed", "mount /y: Destroyed", "volume y: Destroyed"]
    );
}

#[test]
fn data_behind_driver_options_stays_where_it_is() {
    let mut nfs = volume("nfs");
    nfs.options.extend([("type".to_owned(), "nfs".to_owned()), ("device".to_owned(), ":/export".to_owned())]);
    let mut foreign = volume("foreign");
    foreign.driver = "rexray".into();
    let state = state(vec![], vec![nfs, foreign]);
    let plan = simulate(&[], &[volume_step("nfs"), volume_step("foreign"), volume_step("gone")], &state);
    assert_eq!(told(&plan), ["volume nfs: Survives", "volume foreign: Destroyed"]);
}
