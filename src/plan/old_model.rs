//! The model of a project as `docker-compose` 1.29 tells it: YAML from `config`, and the project's name from what
//! it says it does (`--verbose`), as `config` leaves that out.

use serde_json::{Map, Value, json};

use super::project::Project;

/// Finds the project's name among the calls that `docker-compose --verbose ps` tells of.
pub(super) fn project_name(said: &str) -> Option<String> {
    let before = "docker containers <- (";
    let label = "'com.docker.compose.project=";
    let call = said.lines().find(|line| line.contains(before) && line.contains(label))?;
    let (_, rest) = call.split_once(label)?;
    Some(rest.split_once('\'')?.0.to_owned())
}

/// The project of a `config` output.
///
/// # Errors
/// Where it is not readable: a clause.
pub(super) fn read(name: &str, yaml: &str) -> Result<Project, String> {
    use saphyr::LoadableYamlNode as _;
    let documents = saphyr::Yaml::load_from_str(yaml).map_err(|error| error.to_string())?;
    let mut model = documents.first().map(json_of).unwrap_or_default();
    let fields = model.as_object_mut().ok_or("it is no mapping")?;
    fields.insert("name".to_owned(), json!(name));
    if let Some(services) = fields.get_mut("services").and_then(Value::as_object_mut) {
        for service in services.values_mut().filter_map(Value::as_object_mut) {
            normalise(service);
        }
    }
    let prefix = name.trim_start_matches(['-', '_']);
    for (key, volume) in fields.get_mut("volumes").and_then(Value::as_object_mut).into_iter().flatten() {
        if volume.is_null() {
            *volume = json!({});
        }
        if let Some(volume) = volume.as_object_mut().filter(|volume| !volume.contains_key("name")) {
            volume.insert("name".to_owned(), json!(format!("{prefix}_{key}")));
        }
    }
    serde_json::from_value(model).map_err(|error| error.to_string())
}

/// Names that a volume without a name of its own had in projects of before 1.21; where such a one is there,
/// `docker-compose` takes it in place of the other.
pub(super) fn legacy_volume(project: &str, key: &str) -> String {
    let plain: String = project.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    format!("{plain}_{key}")
}

/// Brings a service into the form of later versions: volumes as objects, dependencies by name, implied ones too.
fn normalise(service: &mut Map<String, Value>) {
    if let Some(volumes) = service.get_mut("volumes").and_then(Value::as_array_mut) {
        for volume in volumes {
            if let Some(text) = volume.as_str() {
                *volume = short_volume(text);
            }
        }
    }
    let mut needs = Map::new();
    match service.get("depends_on") {
        Some(Value::Object(found)) => needs.extend(found.clone()),
        Some(Value::Array(found)) => needs.extend(names(found)),
        _ => {}
    }
    let text = |field: &str| service.get(field).and_then(Value::as_str).unwrap_or_default();
    let shared = ["network_mode", "ipc", "pid"].map(text);
    let shared = shared.into_iter().filter_map(|mode| mode.strip_prefix("service:"));
    let list = |field: &str| service.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let borrowed: Vec<String> =
        list("volumes_from").iter().filter_map(Value::as_str).filter_map(lender).collect();
    let linked: Vec<String> = list("links")
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|l| l.split(':').next())
        .map(str::to_owned)
        .collect();
    let implied = shared.map(str::to_owned).chain(borrowed.iter().cloned()).chain(linked);
    needs.extend(implied.map(|name| (name, json!({}))));
    service.insert("volumes_from".to_owned(), json!(borrowed));
    service.insert("depends_on".to_owned(), Value::Object(needs));
    // Numbers and lists that we do not read may be of any form.
    service.retain(|name, _| READ.contains(&name.as_str()));
}

/// What we read of a service.
const READ: &[&str] = &[
    "depends_on",
    "image",
    "build",
    "scale",
    "deploy",
    "volumes",
    "volumes_from",
    "network_mode",
    "ipc",
    "pid",
    "profiles",
    "links",
];

fn names(list: &[Value]) -> impl Iterator<Item = (String, Value)> {
    list.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), json!({})))
}

/// The service of a `volumes_from`: `db`, `db:ro`, `service:db:rw`; none of `container:NAME:rw`.
fn lender(text: &str) -> Option<String> {
    let rest = text.strip_prefix("service:").unwrap_or(text);
    let is_service = !text.starts_with("container:");
    is_service.then(|| rest.split(':').next().unwrap_or_default().to_owned())
}

/// `/anonymous`, `named:/there:rw`, `/host:/there:ro`.
fn short_volume(text: &str) -> Value {
    match text.split_once(':') {
        None => json!({"type": "volume", "target": text}),
        Some((source, rest)) => {
            let kind = if source.starts_with(['/', '.', '~']) { "bind" } else { "volume" };
            let target = rest.split(':').next().unwrap_or_default();
            json!({"type": kind, "source": source, "target": target})
        }
    }
}

fn json_of(yaml: &saphyr::Yaml<'_>) -> Value {
    use saphyr::{Scalar, Yaml};
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        // `config` doubles every dollar sign, to be read again.
        Yaml::Value(Scalar::String(text)) => json!(text.replace("$$", "$")),
        Yaml::Sequence(items) => Value::Array(items.iter().map(json_of).collect()),
        Yaml::Mapping(pairs) => {
            let key = |key: &Yaml<'_>| match json_of(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(pairs.iter().map(|(name, value)| (key(name), json_of(value))).collect())
        }
        Yaml::Tagged(_, value) => json_of(value),
        Yaml::Value(Scalar::Null) | Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
services:
  db:
    image: redis:7
    profiles:
    - tools
    volumes:
    - /anonymous
    - source: named
      target: /n/
      type: volume
    - old:/o:ro
    - /srv:/bind:rw
  web:
    deploy:
      replicas: 2
    depends_on:
      db:
        condition: service_started
    ipc: service:db
    links:
    - cache:redis
    volumes_from:
    - service:db:rw
    - container:other:rw
  cache: {}
version: '3.9'
volumes:
  cust:
    name: my_$$custom
  named: {}
  none:
  old:
    external: true
    name: bar
";

    #[test]
    fn the_model_is_read_as_that_of_later_versions() {
        let project = read("-my-proj", CONFIG).unwrap();
        let db = &project.services["db"];
        assert_eq!(db.anonymous_volumes().collect::<Vec<_>>(), ["/anonymous"]);
        assert_eq!(db.named_volumes().collect::<Vec<_>>(), ["named", "old"]);
        assert_eq!(db.sourced_volumes().collect::<Vec<_>>(), ["/n", "/o", "/bind"]);
        assert_eq!(db.profiles, ["tools"]);
        let web = &project.services["web"];
        assert_eq!(web.depends_on.keys().collect::<Vec<_>>(), ["cache", "db"]);
        assert_eq!(web.wanted(), Some(2));
        let name = |key: &str| project.volumes[key].name.clone();
        assert_eq!((name("named"), name("none")), ("my-proj_named".to_owned(), "my-proj_none".to_owned()));
        assert_eq!((name("cust"), name("old")), ("my_$custom".to_owned(), "bar".to_owned()));
        assert!(project.volumes["old"].external && !project.volumes["named"].external);
        assert_eq!(legacy_volume("-my-proj", "named"), "myproj_named");
    }

    #[test]
    fn the_project_is_named_in_what_it_does() {
        let said = "x: docker inspect_volume <- ('myprojx_named')\n\
                    compose.cli.verbose_proxy.proxy_callable: docker containers <- (all=True, filters={'label': \
                    ['com.docker.compose.project=my-proj_x', 'com.docker.compose.oneoff=False']})\n";
        assert_eq!(project_name(said).as_deref(), Some("my-proj_x"));
        assert_eq!(project_name("docker containers <- (all=True)"), None);
    }

    #[test]
    fn what_is_no_model_is_an_error() {
        assert!(read("p", "- 1\n").is_err() && read("p", "a: [").is_err() && read("p", "").is_err());
    }
}
