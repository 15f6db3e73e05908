use super::*;
use crate::{
    model::{container::State, operation::ComposeGlobals},
    plan::version::Version,
};

const IMAGE_ID: &str = "sha256:1";

/// A container of project `p` that is up to date.
fn container(id: &str, service: &str) -> ContainerSummary {
    let labels = [
        (label::PROJECT, "p"),
        (label::SERVICE, service),
        (label::CONFIG_HASH, "hash"),
        (label::ONE_OFF, "False"),
        (IMAGE, IMAGE_ID),
        (NUMBER, id),
    ];
    ContainerSummary {
        id: id.into(),
        name: format!("p-{service}-{id}"),
        image: "image".into(),
        state: State::Running,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        volumes: vec!["p_data".into()],
    }
}

fn with(mut container: ContainerSummary, name: &str, value: &str) -> ContainerSummary {
    container.labels.insert(name.into(), value.into());
    container
}

fn command(how: UpKind, services: &str) -> ComposeUp {
    ComposeUp {
        globals: ComposeGlobals::default(),
        how,
        services: services.split_whitespace().map(str::to_owned).collect(),
        force_recreate: false,
        no_recreate: false,
        always_recreate_deps: false,
        renew_volumes: false,
        no_deps: false,
        remove_orphans: None,
        scale: Vec::new(),
        timeout: None,
        build: false,
        pull: None,
        assume_yes: false,
        watch: false,
        ends_together: false,
    }
}

fn plain() -> ComposeUp {
    command(UpKind::Up, "")
}

/// Two services, the second one depending on the first.
fn model() -> serde_json::Value {
    serde_json::json!({"name": "p", "services": {
        "db": {"image": "image", "volumes": [{"type": "volume", "source": "data", "target": "/data"}, {"type": "volume", "target": "/own"}]},
        "web": {"image": "image", "build": {}, "depends_on": {"db": {"restart": true}}}
    }, "volumes": {"data": {"name": "p_data"}}})
}

fn observed() -> Observed {
    let hashes = ["db", "web", "side"].map(|name| (name.to_owned(), "hash".to_owned()));
    let image = Image { id: IMAGE_ID.into(), volumes: vec!["/declared".into(), "/data".into()] };
    Observed { hashes: hashes.into(), images: [("image".to_owned(), image)].into(), ..Observed::default() }
}

fn steps(up: &ComposeUp, model: serde_json::Value, observed: &Observed, all: &[ContainerSummary]) -> Steps {
    let scope = Scope::Files(serde_json::from_value(model).unwrap());
    let known = Known { scope, version: Version::read("5.6.1") };
    super::up(up, &known, observed, all, &BTreeMap::new(), false)
}

/// `id: what`, with a question mark where it is not certain.
fn told(steps: &Steps) -> Vec<String> {
    let what = |does| match does {
        Does::Replace { .. } => "replaced",
        Does::StopAndRemove { .. } => "removed",
        Does::Restart { .. } => "restarted",
        _ => "?",
    };
    let line = |step: &Step| {
        let doubt = if steps.possible.contains(&step.id) { "?" } else { "" };
        format!("{}: {}{doubt}", step.id, what(step.does))
    };
    steps.containers.iter().map(line).collect()
}

fn both() -> Vec<ContainerSummary> {
    vec![container("1", "db"), container("2", "web")]
}

#[test]
fn what_is_up_to_date_is_left_alone() {
    assert_eq!(told(&steps(&plain(), model(), &observed(), &both())), [""; 0]);
}

#[test]
fn a_changed_configuration_replaces_and_restarts_who_depends_on_it() {
    let all = [with(container("1", "db"), HASH, "old"), container("2", "web")];
    let found = steps(&plain(), model(), &observed(), &all);
    assert_eq!(told(&found), ["1: replaced", "2: restarted"]);
    // Anonymous volumes of the files and of the image are taken over; a named one is there anyway.
    assert_eq!(found.containers[0].takes_over, ["/declared", "/own"].map(str::to_owned).into());
    let never = ComposeUp { no_recreate: true, ..plain() };
    assert_eq!(told(&steps(&never, model(), &observed(), &all)), [""; 0]);
}

#[test]
fn flags_force_a_replacement_of_what_is_named_and_of_what_it_needs() {
    let force = ComposeUp { force_recreate: true, ..command(UpKind::Up, "web") };
    assert_eq!(told(&steps(&force, model(), &observed(), &both())), ["2: replaced"]);
    let renew = ComposeUp { renew_volumes: true, ..command(UpKind::Up, "db") };
    let found = steps(&renew, model(), &observed(), &both());
    assert_eq!(told(&found), ["1: replaced", "2: restarted"]);
    assert!(found.containers[0].takes_over.is_empty());
    let needs = ComposeUp { always_recreate_deps: true, ..command(UpKind::Up, "web") };
    assert_eq!(told(&steps(&needs, model(), &observed(), &both())), ["1: replaced", "2: restarted"]);
}

#[test]
fn images() {
    let other = Observed { images: BTreeMap::new(), ..observed() };
    assert_eq!(told(&steps(&plain(), model(), &other, &both())), ["1: replaced", "2: replaced"]);
    let build = ComposeUp { build: true, ..plain() };
    assert_eq!(told(&steps(&build, model(), &observed(), &both())), ["2: replaced?"]);
    let pull = ComposeUp { pull: Some("always".into()), ..plain() };
    let found = steps(&pull, model(), &observed(), &both());
    assert_eq!(told(&found), ["1: replaced?", "2: replaced?"]);
    // Nobody knows which volumes the newer image declares.
    assert_eq!(found.containers[0].takes_over, ["/own".to_owned()].into());
}

#[test]
fn what_could_not_be_asked_is_possible() {
    let blind = Observed { hashes: BTreeMap::new(), ..observed() };
    assert_eq!(told(&steps(&plain(), model(), &blind, &both())), ["1: replaced?", "2: replaced?"]);
}

#[test]
fn who_shares_a_namespace_is_replaced_along() {
    let mut with_side = model();
    with_side["services"]["side"] =
        serde_json::json!({"image": "image", "network_mode": "service:db", "depends_on": {"db": {}}});
    let all = [with(container("1", "db"), HASH, "old"), container("3", "side")];
    assert_eq!(told(&steps(&plain(), with_side, &observed(), &all)), ["1: replaced", "3: replaced?"]);
}

#[test]
fn scaling_down_removes_the_highest_numbers() {
    let all = [container("1", "web"), container("2", "web"), container("3", "web")];
    let scale = ComposeUp { scale: vec![("web".into(), 1)], ..command(UpKind::Scale, "web") };
    assert_eq!(told(&steps(&scale, model(), &observed(), &all)), ["2: removed", "3: removed"]);
    // Without a word on the number, it is one.
    assert_eq!(told(&steps(&plain(), model(), &observed(), &all)), ["2: removed", "3: removed"]);
    // Versions differ on whether what is out of date goes first.
    let mixed = [with(container("1", "web"), HASH, "old"), container("2", "web")];
    assert_eq!(told(&steps(&scale, model(), &observed(), &mixed)), ["1: removed?", "2: removed?"]);
}

#[test]
fn run_touches_what_its_service_needs_and_hands_no_volumes_on() {
    let all = [with(container("1", "db"), HASH, "old"), with(container("2", "web"), HASH, "old")];
    let found = steps(&command(UpKind::Run, "web"), model(), &observed(), &all);
    assert_eq!(told(&found), ["1: replaced"]);
    assert!(found.containers[0].takes_over.is_empty());
    let alone = ComposeUp { no_deps: true, ..command(UpKind::Run, "web") };
    assert_eq!(told(&steps(&alone, model(), &observed(), &all)), [""; 0]);
}

#[test]
fn a_volume_that_is_described_otherwise_goes_with_its_containers() {
    let mut other = model();
    other["volumes"]["data"]["labels"] = serde_json::json!({"new": "1"});
    let labels = [(label::PROJECT, "p"), (HASH, "x"), (label::VOLUME, "data")];
    let volume = Volume {
        name: "p_data".into(),
        driver: "local".into(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        options: Labels::new(),
        created: String::new(),
        keeps_created: true,
        mountpoint: String::new(),
    };
    let found = |model, yes| {
        let up = ComposeUp { assume_yes: yes, ..plain() };
        let known = Known {
            scope: Scope::Files(serde_json::from_value(model).unwrap()),
            version: Version::read("5"),
        };
        let volumes = [(volume.name.clone(), volume.clone())].into();
        super::up(&up, &known, &observed(), &both(), &volumes, false)
    };
    assert!(found(model(), true).volumes.is_empty());
    let yes = found(other.clone(), true);
    assert_eq!(
        (yes.volumes[0].name.as_str(), told(&yes)),
        ("p_data", vec!["1: removed".into(), "2: restarted".into()])
    );
    assert_eq!(told(&found(other, false))[0], "1: removed?");
}

#[test]
fn a_watch_may_replace_what_it_rebuilds() {
    let mut watched = model();
    watched["services"]["web"]["develop"] =
        serde_json::json!({"watch": [{"action": "rebuild", "path": "."}]});
    let alone = ComposeUp { no_recreate: true, build: true, ..command(UpKind::Watch, "") };
    assert_eq!(told(&steps(&alone, watched.clone(), &observed(), &both())), ["2: replaced?"]);
    assert_eq!(told(&steps(&plain(), watched, &observed(), &both())), [""; 0]);
}
