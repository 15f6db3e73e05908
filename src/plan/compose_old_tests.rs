use super::*;
use crate::{
    model::{container::Volume, operation::ComposeGlobals},
    plan::{compose_up::Image, old_model},
};

const CONFIG: &str = "
services:
  db: { image: redis:7, volumes: [ '/a', 'named:/n:rw' ] }
  web: { image: web, depends_on: { db: { condition: service_started } } }
  tool: { image: web, profiles: [ tools ] }
volumes: { named: {}, other: {}, ext: { external: true, name: ext } }
";

fn container(id: &str, service: &str, number: &str, one_off: bool, state: State) -> ContainerSummary {
    let one_off = if one_off { "True" } else { "False" };
    let pairs = [
        (label::PROJECT, "my-p"),
        (label::SERVICE, service),
        (label::ONE_OFF, one_off),
        (label::CONFIG_HASH, "hash"),
        (NUMBER, number),
    ];
    ContainerSummary {
        id: id.to_owned(),
        name: id.to_owned(),
        image: String::new(),
        state,
        labels: pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        volumes: Vec::new(),
    }
}

fn state() -> EngineState {
    EngineState {
        summaries: vec![
            container("tool1", "tool", "1", false, State::Running),
            container("run1", "web", "", true, State::Running),
            container("old1", "gone", "1", false, State::Running),
            container("web2", "web", "2", false, State::Running),
            container("web1", "web", "1", false, State::Exited),
            container("db1", "db", "1", false, State::Running),
        ],
        ..EngineState::default()
    }
}

fn with<T>(act: impl FnOnce(&Old<'_>) -> T) -> T {
    let (project, state) = (old_model::read("my-p", CONFIG).unwrap(), state());
    act(&Old { project: &project, profiles: Vec::new(), state: &state })
}

fn told(steps: &Steps) -> Vec<String> {
    let doubt = |id: &String| if steps.possible.contains(id) { "?" } else { "" };
    let does = |does: Does| match does {
        Does::StopAndRemove { volumes: true, .. } => "remove -v",
        Does::StopAndRemove { .. } => "remove",
        Does::RemoveIfStopped { .. } => "remove stopped",
        Does::Remove { .. } => "kill",
        Does::Replace { .. } => "replace",
        Does::Stop { .. } | Does::Restart { .. } | Does::Kill => "stop",
    };
    let mut lines: Vec<String> = steps
        .containers
        .iter()
        .map(|step| format!("{} {}{}", does(step.does), step.id, doubt(&step.id)))
        .chain(steps.volumes.iter().map(|step| format!("volume {}{}", step.name, doubt(&step.name))))
        .collect();
    lines.sort();
    lines
}

fn observed(hash: &str) -> Observed {
    let names = ["db", "web", "tool"];
    let image =
        |name: &str| (name.to_owned(), Image { id: String::new(), volumes: vec!["/data".to_owned()] });
    Observed {
        hashes: names.iter().map(|&name| (name.to_owned(), hash.to_owned())).collect(),
        images: ["redis:7", "web"].into_iter().map(image).collect(),
        ..Observed::default()
    }
}

fn asked(how: UpKind) -> ComposeUp {
    ComposeUp {
        globals: ComposeGlobals::default(),
        how,
        services: Vec::new(),
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

#[test]
fn down_takes_one_offs_and_every_profile_and_orphans_only_when_told() {
    let asked = ComposeDown { volumes: true, ..ComposeDown::default() };
    let found = with(|old| told(&down(old, &asked)));
    let own = ["db1", "run1", "tool1", "web1", "web2"].map(|id| format!("remove -v {id}"));
    let volumes = ["volume my-p_named".to_owned(), "volume my-p_other".to_owned()];
    assert_eq!(found, [own.as_slice(), &volumes].concat());
    let asked = ComposeDown { remove_orphans: Some(true), ..ComposeDown::default() };
    assert!(with(|old| told(&down(old, &asked))).contains(&"kill old1".to_owned()));
}

#[test]
fn volumes_of_projects_of_before_keep_their_names() {
    let project = old_model::read("my-p", CONFIG).unwrap();
    let mut state = state();
    let volume = Volume {
        name: "myp_named".to_owned(),
        driver: "local".to_owned(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: String::new(),
        keeps_created: true,
        mountpoint: String::new(),
    };
    state.volumes.insert(volume.name.clone(), volume);
    let old = Old { project: &project, profiles: Vec::new(), state: &state };
    let asked = ComposeDown { volumes: true, ..ComposeDown::default() };
    assert!(told(&down(&old, &asked)).contains(&"volume myp_named".to_owned()));
}

#[test]
fn a_service_that_is_not_there_ends_it() {
    let asked = ComposeRm { services: vec!["tpyo".to_owned()], stop: true, ..ComposeRm::default() };
    assert!(with(|old| told(&rm(old, &asked))).is_empty());
}

#[test]
fn up_replaces_all_of_a_service_and_scales_by_number() {
    let same = with(|old| told(&up(old, &asked(UpKind::Up), &observed("hash"))));
    assert_eq!(same, ["remove web2"]);
    let changed = with(|old| told(&up(old, &asked(UpKind::Up), &observed("other"))));
    assert_eq!(changed, ["remove web2", "replace db1?", "replace tool1?", "replace web1?"]);
    let run = ComposeUp { services: vec!["web".to_owned()], ..asked(UpKind::Run) };
    assert!(with(|old| told(&up(old, &run, &observed("other")))).is_empty());
}

#[test]
fn what_is_handed_on_is_what_files_and_image_declare() {
    let found = with(|old| up(old, &asked(UpKind::Up), &observed("other")));
    let step = found.containers.iter().find(|step| step.id == "db1").unwrap();
    assert_eq!(step.takes_over.iter().collect::<Vec<_>>(), ["/a", "/data"]);
}

#[test]
fn scale_goes_by_what_runs() {
    let scaled = |count: usize, hash: &str| {
        let asked = ComposeUp { scale: vec![("web".to_owned(), count)], ..asked(UpKind::Scale) };
        with(|old| told(&up(old, &asked, &observed(hash))))
    };
    assert_eq!(scaled(0, "hash"), ["remove web2"]);
    assert!(scaled(1, "other").is_empty());
    assert_eq!(scaled(3, "other"), ["remove stopped web1"]);
}
