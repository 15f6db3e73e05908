use super::*;
use crate::model::operation::ComposeGlobals;

/// A container of project `p`: service, one-off or not, state.
fn container(id: &str, service: &str, one_off: bool, state: State) -> ContainerSummary {
    let value = if one_off { "True" } else { "False" };
    let labels = [
        (label::PROJECT, "p"),
        (label::SERVICE, service),
        (label::CONFIG_HASH, "hash"),
        (label::ONE_OFF, value),
    ];
    ContainerSummary {
        id: id.into(),
        name: format!("p-{service}-{id}"),
        image: String::new(),
        state,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        volumes: Vec::new(),
    }
}

fn running(id: &str, service: &str) -> ContainerSummary {
    container(id, service, false, State::Running)
}

fn needs(mut container: ContainerSummary, label_value: &str) -> ContainerSummary {
    container.labels.insert(label::DEPENDS_ON.into(), label_value.into());
    container
}

fn labels(version: &str) -> Known {
    Known { scope: Scope::Labels("P".into()), version: Version::read(version) }
}

fn files(json: serde_json::Value) -> Known {
    Known { scope: Scope::Files(serde_json::from_value(json).unwrap()), version: Version::read("5.6.1") }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn ids(steps: &Steps) -> Vec<&str> {
    steps.containers.iter().map(|step| step.id.as_str()).collect()
}

fn down_steps(services: &str, known: &Known, all: &[ContainerSummary], orphans: bool) -> Steps {
    let down = ComposeDown { services: words(services), volumes: true, ..ComposeDown::default() };
    super::down(&down, known, all, &BTreeMap::new(), orphans)
}

fn stop_steps(how: StopKind, services: &str, known: &Known, all: &[ContainerSummary]) -> Vec<String> {
    let stop = ComposeStop {
        globals: ComposeGlobals::default(),
        services: words(services),
        how,
        timeout: None,
        signal: None,
        remove_orphans: None,
        no_deps: false,
    };
    ids(&super::stop(&stop, known, all, false)).into_iter().map(str::to_owned).collect()
}

#[test]
fn label_mode_takes_dependants_and_lowers_the_name() {
    let all =
        [running("db", "db"), needs(running("web", "web"), "db:service_started:false"), running("x", "x")];
    assert_eq!(ids(&down_steps("db", &labels("5.6.1"), &all, false)), ["db", "web"]);
    assert_eq!(ids(&down_steps("", &labels("5.6.1"), &all, false)), ["db", "web", "x"]);
}

#[test]
fn an_unknown_service_in_label_mode_takes_everything_until_2_29_and_nothing_since() {
    let all = [running("db", "db"), running("web", "web")];
    assert_eq!(ids(&down_steps("tpyo", &labels("2.26.1"), &all, false)), ["db", "web"]);
    assert_eq!(ids(&down_steps("tpyo", &labels("2.30.0"), &all, false)), [""; 0]);
    let file_mode = files(serde_json::json!({"name": "p", "services": {"db": {}}}));
    assert_eq!(ids(&down_steps("tpyo", &file_mode, &all, false)), [""; 0]);
}

#[test]
fn orphans_and_one_offs() {
    let all = [
        running("db", "db"),
        container("one", "db", true, State::Running),
        container("ended", "off", true, State::Exited),
        container("runs", "gone", true, State::Running),
        running("old", "gone"),
        running("off", "off"),
    ];
    let mut known = files(serde_json::json!({"name": "p", "services": {"db": {}}}));
    let Scope::Files(project) = &mut known.scope else { unreachable!() };
    project.disabled.insert("off".into());
    assert_eq!(ids(&down_steps("", &known, &all, false)), ["db"]);
    let steps = down_steps("", &known, &all, true);
    assert_eq!(ids(&steps), ["db", "one", "ended", "old"]);
    let with_volumes: Vec<bool> = steps
        .containers
        .iter()
        .map(|step| matches!(step.does, Does::StopAndRemove { volumes: true, .. }))
        .collect();
    assert_eq!(with_volumes, [true, true, false, false]);
    known.version = Version::read("2.26.1");
    assert_eq!(ids(&down_steps("", &known, &all, true)), ["db", "one", "runs", "old"]);
}

#[test]
fn leftover_hooks_go_with_their_volumes_even_without_v() {
    let mut hook = running("hook", "db");
    hook.labels.remove(label::CONFIG_HASH);
    hook.labels.insert(label::HOOK.into(), "pre_start".into());
    let known = files(serde_json::json!({"name": "p", "services": {"db": {}, "web": {}}}));
    let down = ComposeDown::default();
    let steps = super::down(&down, &known, &[hook.clone()], &BTreeMap::new(), false);
    assert_eq!(steps.containers[0].does, Does::Remove { force: true, volumes: true });
    let other = ComposeDown { services: words("web"), ..ComposeDown::default() };
    assert!(super::down(&other, &known, &[hook], &BTreeMap::new(), false).containers.is_empty());
}

#[test]
fn kill_takes_one_offs_and_stop_does_not() {
    let all = [
        running("db", "db"),
        container("one", "db", true, State::Running),
        container("done", "db", false, State::Exited),
    ];
    assert_eq!(stop_steps(StopKind::Kill, "db", &labels("5.6.1"), &all), ["db", "one"]);
    assert_eq!(stop_steps(StopKind::Stop, "db", &labels("5.6.1"), &all), ["db", "done"]);
}

#[test]
fn a_restart_takes_along_what_depends_with_restart() {
    let all = [
        running("db", "db"),
        needs(running("web", "web"), "db:service_started:true"),
        needs(running("api", "api"), "db:service_started:false"),
        needs(running("old", "old"), "db"),
    ];
    assert_eq!(stop_steps(StopKind::Restart, "db", &labels("5.6.1"), &all), ["db", "web", "old"]);
    let model = serde_json::json!({"name": "p", "services": {
        "db": {}, "web": {"depends_on": {"db": {"restart": true}}}, "api": {"depends_on": {"db": {}}}
    }});
    assert_eq!(stop_steps(StopKind::Restart, "db", &files(model), &all), ["db", "web"]);
    assert_eq!(stop_steps(StopKind::Stop, "db", &labels("5.6.1"), &all), ["db"]);
}
