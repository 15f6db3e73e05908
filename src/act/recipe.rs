//! From the engine's inspections to recipes, and from recipes to what creates again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::snapshot::SnapshotError;
use crate::{
    docker::{engine::Engine, error::EngineError},
    model::{
        container::{Container, Volume},
        manifest::{ContainerRecipe, NetworkRecipe, VolumeRecipe},
    },
    store::ContainerSecrets,
};

/// Parts of a container's `Config` that may hold a password.
const SECRET_PARTS: [&str; 3] = ["Cmd", "Entrypoint", "Healthcheck"];
/// What of a network endpoint a person decided, and not the engine at run time.
const ENDPOINT_PARTS: [&str; 5] = ["IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority"];
/// Networks that every engine has.
const PREDEFINED: [&str; 3] = ["bridge", "host", "none"];

/// Reads how to create a container again, and what of that is secret.
///
/// # Errors
/// Where it is gone or the engine does not answer.
pub(super) async fn of_container(
    engine: &Engine,
    container: &Container,
) -> Result<(ContainerRecipe, ContainerSecrets), EngineError> {
    let raw = engine.inspect_raw(&container.id).await?;
    let image = engine.image_raw(&container.image_id).await?;
    let digests =
        image.as_ref().and_then(|image| image["RepoDigests"].as_array()).cloned().unwrap_or_default();
    let mut config = raw["Config"].as_object().cloned().unwrap_or_default();
    let secrets = ContainerSecrets {
        environment: container.environment.clone(),
        config: SECRET_PARTS
            .iter()
            .filter_map(|part| Some(((*part).to_owned(), config.get(*part)?.clone())))
            .collect(),
    };
    config.remove("Env");
    for part in SECRET_PARTS {
        if let Some(value) = config.get_mut(part) {
            mask(value);
        }
    }
    // A name that the engine made of the old id says nothing about the new one.
    if config.get("Hostname").and_then(Value::as_str).is_some_and(|name| container.id.starts_with(name)) {
        config.remove("Hostname");
    }
    let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
    let of_image = image.as_ref().and_then(|image| image["Config"]["Env"].as_array()).cloned();
    let of_image: Vec<&str> = of_image.iter().flatten().filter_map(Value::as_str).collect();
    let from_image = container.environment.iter().filter(|pair| of_image.contains(&pair.as_str()));
    let recipe = ContainerRecipe {
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        image_id: container.image_id.clone(),
        image_digests: digests.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        labels: container.labels.clone(),
        environment_names: container.environment.iter().map(name).collect(),
        environment_of_image: from_image.map(name).collect(),
        was_running: container.state.has_processes(),
        config: Value::Object(config),
        host_config: raw["HostConfig"].clone(),
        networks: endpoints(&raw["NetworkSettings"]["Networks"], &container.id),
        volumes: container
            .mounts
            .iter()
            .filter_map(|mount| Some((mount.destination.clone(), mount.volume.clone()?)))
            .collect(),
    };
    Ok((recipe, secrets))
}

/// What a container is created with: what the snapshot kept, and what was given now, `NAME=VALUE` each. A value that
/// nobody has is no matter of taste: without its `PGDATA` a server would start on an empty folder.
///
/// # Errors
/// Where values are missing.
pub(super) fn completed(
    recipe: &ContainerRecipe,
    kept: Option<&ContainerSecrets>,
    given: &[String],
) -> Result<ContainerSecrets, SnapshotError> {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let mut all = kept.cloned().unwrap_or_default();
    all.environment.retain(|pair| !given.iter().any(|other| name(other) == name(pair)));
    all.environment.extend(given.iter().cloned());
    let stayed =
        format!("the environment of {} stayed on the host that the snapshot was made on", recipe.name);
    let has = |wanted: &&String| {
        recipe.environment_of_image.contains(wanted)
            || all.environment.iter().any(|pair| name(pair) == **wanted)
    };
    let mut missing: Vec<&str> =
        recipe.environment_names.iter().filter(|name| !has(name)).map(String::as_str).collect();
    missing.sort_unstable();
    if !missing.is_empty() {
        return Err(SnapshotError::Refused(format!(
            "{stayed}: --env-file FILE, with lines NAME=VALUE, gives {}",
            missing.join(", ")
        )));
    }
    let masked = |part: &str| recipe.config.get(part).is_some_and(|value| value.to_string().contains("***"));
    if kept.is_none() && SECRET_PARTS.iter().any(|part| masked(part)) {
        return Err(SnapshotError::Refused(format!("{stayed}, and so did a secret of its command line")));
    }
    Ok(all)
}

/// Words that announce a secret in the next word, or after their `=`.
fn announces_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.starts_with('-') && ["pass", "secret", "token", "auth", "key"].iter().any(|part| word.contains(part))
}

/// Hides words of a command line that look like secrets. The words as they are stand in `env.secret`.
fn mask(value: &mut Value) {
    match value {
        Value::Array(words) => {
            let mut hide = false;
            for word in words {
                let Value::String(text) = word else {
                    mask(word);
                    continue;
                };
                if std::mem::take(&mut hide) {
                    "***".clone_into(text);
                } else if announces_secret(text) {
                    match text.split_once('=') {
                        Some((flag, _)) => *text = format!("{flag}=***"),
                        None => hide = true,
                    }
                }
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn endpoints(networks: &Value, id: &str) -> Value {
    let mut kept = Map::new();
    for (name, endpoint) in networks.as_object().into_iter().flatten() {
        let mut parts = Map::new();
        for part in ENDPOINT_PARTS {
            match endpoint.get(part) {
                None | Some(Value::Null) => {}
                Some(Value::Array(words)) => {
                    let own = |word: &&Value| !word.as_str().is_some_and(|word| id.starts_with(word));
                    parts.insert(part.to_owned(), words.iter().filter(own).cloned().collect());
                }
                Some(value) => {
                    parts.insert(part.to_owned(), value.clone());
                }
            }
        }
        kept.insert(name.clone(), Value::Object(parts));
    }
    Value::Object(kept)
}

/// How to create a volume again.
pub(super) fn of_volume(volume: &Volume, removed: bool) -> VolumeRecipe {
    VolumeRecipe {
        name: volume.name.clone(),
        driver: volume.driver.clone(),
        labels: volume.labels.clone(),
        options: volume.options.clone(),
        created: volume.created.clone(),
        removed,
    }
}

/// How to create the networks again that these containers are on.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn of_networks(
    engine: &Engine,
    containers: &[ContainerRecipe],
) -> Result<Vec<NetworkRecipe>, EngineError> {
    let mut found: BTreeMap<String, NetworkRecipe> = BTreeMap::new();
    for name in containers.iter().filter_map(|recipe| recipe.networks.as_object()).flat_map(Map::keys) {
        if PREDEFINED.contains(&name.as_str()) || found.contains_key(name) {
            continue;
        }
        let Some(raw) = engine.network_raw(name).await? else { continue };
        let mut body = Map::new();
        for part in [
            "Name",
            "Driver",
            "EnableIPv4",
            "EnableIPv6",
            "Internal",
            "Attachable",
            "Options",
            "Labels",
            "IPAM",
        ] {
            if let Some(value) = raw.get(part).filter(|value| !value.is_null()) {
                body.insert(part.to_owned(), value.clone());
            }
        }
        if let Some(ipam) = body.get_mut("IPAM").and_then(Value::as_object_mut) {
            // The engine chose the addresses where no option says otherwise; it may choose again, and must
            // where others have taken them since.
            ipam.remove("Status");
        }
        found.insert(name.clone(), NetworkRecipe { name: name.clone(), body: Value::Object(body) });
    }
    Ok(found.into_values().collect())
}

/// What creates a container again. `volumes` replaces volume names, by their old ones.
pub(super) fn creation(
    recipe: &ContainerRecipe,
    secrets: Option<&ContainerSecrets>,
    image: &str,
    networks: &Value,
) -> Value {
    let mut body = recipe.config.as_object().cloned().unwrap_or_default();
    if let Some(secrets) = secrets {
        body.insert("Env".to_owned(), json!(secrets.environment));
        body.extend(secrets.config.clone());
    }
    body.insert("Image".to_owned(), json!(image));
    let mut host = recipe.host_config.as_object().cloned().unwrap_or_default();
    name_anonymous_volumes(&mut host, &recipe.volumes);
    body.insert("HostConfig".to_owned(), Value::Object(host));
    body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": networks}));
    Value::Object(body)
}

/// Gives each volume that only the container's spec left unnamed its name, so that the engine mounts it and
/// does not make another.
fn name_anonymous_volumes(host: &mut Map<String, Value>, volumes: &BTreeMap<String, String>) {
    let mut unnamed = volumes.clone();
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    if let Some(binds) = host.get_mut("Binds").and_then(Value::as_array_mut) {
        binds.retain(|bind| {
            let mut parts = bind.as_str().unwrap_or_default().splitn(3, ':');
            let (Some(_source), Some(destination)) = (parts.next(), parts.next()) else { return false };
            unnamed.remove(&clean(destination));
            true
        });
    }
    if let Some(mounts) = host.get_mut("Mounts").and_then(Value::as_array_mut) {
        mounts.retain(|mount| {
            let target = clean(mount["Target"].as_str().unwrap_or_default());
            let named = mount["Source"].as_str().is_some_and(|source| !source.is_empty());
            let is_volume = mount["Type"].as_str() == Some("volume");
            if named || !is_volume {
                unnamed.remove(&target);
            }
            named || !is_volume
        });
    }
    // What other containers lend has their volumes' names by now.
    host.remove("VolumesFrom");
    if unnamed.is_empty() {
        return;
    }
    let mounts = host.entry("Mounts").or_insert(Value::Null);
    if !mounts.is_array() {
        *mounts = json!([]);
    }
    if let Some(mounts) = mounts.as_array_mut() {
        for (destination, volume) in unnamed {
            mounts.push(json!({"Type": "volume", "Source": volume, "Target": destination}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_command_line_does_not_reach_the_manifest() {
        let mut words = json!(["redis-server", "--requirepass", "s3cret", "--masterauth=x", "--port", "1"]);
        mask(&mut words);
        assert_eq!(words, json!(["redis-server", "--requirepass", "***", "--masterauth=***", "--port", "1"]));
    }

    #[test]
    fn volumes_without_a_name_in_the_spec_get_it() {
        let mut host = json!({
            "Binds": ["data:/data:rw", "/anonymous", "/host:/etc/x"],
            "Mounts": [{"Type": "volume", "Source": "", "Target": "/more"}, {"Type": "tmpfs", "Target": "/t"}],
        });
        let host = host.as_object_mut().unwrap();
        let volumes = [("/data", "data"), ("/anonymous", "a1"), ("/more", "b2"), ("/declared", "c3")];
        let volumes = volumes.map(|(path, name)| (path.to_owned(), name.to_owned())).into_iter().collect();
        name_anonymous_volumes(host, &volumes);
        assert_eq!(host["Binds"], json!(["data:/data:rw", "/host:/etc/x"]));
        let sources: Vec<&str> =
            host["Mounts"].as_array().unwrap().iter().filter_map(|mount| mount["Source"].as_str()).collect();
        assert_eq!(sources, ["a1", "c3", "b2"]);
    }

    fn recipe(command: &Value) -> ContainerRecipe {
        ContainerRecipe {
            id: "c".to_owned(),
            name: "db".to_owned(),
            image: String::new(),
            image_id: String::new(),
            image_digests: Vec::new(),
            labels: BTreeMap::new(),
            environment_names: ["PATH", "PGDATA", "PASSWORD"].map(str::to_owned).into(),
            environment_of_image: vec!["PATH".to_owned()],
            was_running: true,
            config: json!({ "Cmd": command }),
            host_config: Value::Null,
            networks: Value::Null,
            volumes: BTreeMap::new(),
        }
    }

    #[test]
    fn no_container_is_made_without_a_value_that_its_own_had() {
        let given = |pairs: &[&str]| pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>();
        let plain = recipe(&json!(["postgres"]));
        let refused = completed(&plain, None, &given(&["PASSWORD="])).unwrap_err().to_string();
        assert!(refused.ends_with("gives PGDATA"), "{refused}");
        let whole = given(&["PGDATA=/srv/pg", "PASSWORD=x"]);
        assert_eq!(completed(&plain, None, &whole).unwrap().environment, whole);
        let kept = ContainerSecrets {
            environment: given(&["PATH=/", "PASSWORD=old", "PGDATA=/p"]),
            ..Default::default()
        };
        let changed = completed(&plain, Some(&kept), &given(&["PASSWORD=new"])).unwrap();
        assert_eq!(changed.environment, ["PATH=/", "PGDATA=/p", "PASSWORD=new"]);
        let masked = recipe(&json!(["redis-server", "--requirepass", "***"]));
        let refused = completed(&masked, None, &whole).unwrap_err().to_string();
        assert!(refused.contains("a secret of its command line"), "{refused}");
        assert!(completed(&masked, Some(&kept), &[]).is_ok());
    }
}
