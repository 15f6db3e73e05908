//! Services from a compose model: what `docker compose config --format json` prints, or, more coarsely, a
//! compose file's own content as JSON. Pure.

use serde_json::{Map, Value};

use super::{kind, values};
use crate::model::{
    container::{Labels, MountKind},
    setup::{Dependency, Described, Health, Hidden, Logging, Port, Setup, SetupMount, Variable},
};

/// The services of a model, by name.
///
/// `written` is the same project as it is written, which tells a value in the file from one of the environment:
/// `config --no-interpolate --no-env-resolution`. Without it no value's origin is known.
#[must_use]
pub fn setups(model: &Value, written: Option<&Value>) -> Vec<Setup> {
    let project = model["name"].as_str().map(str::to_owned);
    let empty = Map::new();
    let services = model["services"].as_object().unwrap_or(&empty);
    let read = |(name, service): (&String, &Value)| {
        let own = written.map(|written| &written["services"][name.as_str()]);
        Reader { model, service, written: own }.setup(name, project.as_deref())
    };
    services.iter().map(read).collect()
}

struct Reader<'a> {
    model: &'a Value,
    service: &'a Value,
    written: Option<&'a Value>,
}

impl Reader<'_> {
    fn setup(&self, name: &str, project: Option<&str>) -> Setup {
        let service = self.service;
        let limits = &service["deploy"]["resources"]["limits"];
        let mut setup = Setup {
            project: project.map(str::to_owned),
            service: Some(name.to_owned()),
            image: text(&service["image"]).filter(|image| !image.is_empty()),
            builds: !service["build"].is_null(),
            environment: self.environment(),
            entrypoint: words(&service["entrypoint"]),
            command: words(&service["command"]),
            written_command: self.written_command(),
            health: health(&service["healthcheck"]),
            restart: self.restart(),
            logging: Logging {
                driver: text(&service["logging"]["driver"]),
                options: pairs(&service["logging"]["options"]),
            },
            memory_limit: bytes(&service["mem_limit"])
                .or_else(|| bytes(&limits["memory"]))
                .filter(|b| *b > 0),
            ports: list(&service["ports"]).filter_map(port).collect(),
            mounts: self.mounts(),
            depends_on: dependencies(&service["depends_on"]),
            user: text(&service["user"]),
            stop_grace: duration(&service["stop_grace_period"]),
            stop_signal: text(&service["stop_signal"]),
            shm_size: bytes(&service["shm_size"]),
            replicas: number(&service["deploy"]["replicas"])
                .or_else(|| number(&service["scale"]))
                .unwrap_or(1),
            labels: pairs(&service["labels"]),
            ..Setup::named(Described::ByFile, name)
        };
        setup.engine = kind::of_file(&setup).map(|kind| kind.id.to_owned());
        setup
    }

    fn environment(&self) -> Vec<Variable> {
        let of = |value: &Value| -> Vec<(String, Option<String>)> {
            match value {
                Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), raw(value))).collect(),
                Value::Array(items) => items
                    .iter()
                    .filter_map(raw)
                    .map(|item| match item.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (item, None),
                    })
                    .collect(),
                _ => Vec::new(),
            }
        };
        let as_written = self.written.map(|written| of(&written["environment"]));
        let variable = |(name, value): (String, Option<String>)| {
            let written = as_written.iter().flatten().find(|(other, _)| *other == name);
            let written = written.and_then(|(_, value)| value.clone()).map(Hidden::new);
            Variable { name, value: value.map(|value| Hidden::new(expand(&value))), written }
        };
        of(&self.service["environment"]).into_iter().map(variable).collect()
    }

    fn written_command(&self) -> Vec<Hidden> {
        let Some(written) = self.written else { return Vec::new() };
        match &written["command"] {
            Value::String(line) => line.split_whitespace().map(Hidden::new).collect(),
            many => list(many).filter_map(raw).map(Hidden::new).collect(),
        }
    }

    /// As compose does it: where the service says nothing, what it would do in a Swarm counts.
    fn restart(&self) -> Option<String> {
        let of_swarm = || {
            let policy = &self.service["deploy"]["restart_policy"];
            policy.is_object().then(|| match policy["condition"].as_str() {
                Some("none") => "no".to_owned(),
                Some("on-failure") => "on-failure".to_owned(),
                _ => "always".to_owned(),
            })
        };
        text(&self.service["restart"]).or_else(of_swarm)
    }

    fn mounts(&self) -> Vec<SetupMount> {
        let listed = list(&self.service["volumes"]).filter_map(|mount| self.mount(mount));
        let tmpfs = match &self.service["tmpfs"] {
            Value::String(one) => vec![one.clone()],
            many => list(many).filter_map(text).collect(),
        };
        let in_memory = tmpfs.into_iter().map(|entry| {
            let target = entry.split(':').next().unwrap_or_default();
            plain_mount(MountKind::Tmpfs, None, target, false)
        });
        listed.chain(in_memory).collect()
    }

    fn mount(&self, mount: &Value) -> Option<SetupMount> {
        if let Value::String(short) = mount {
            return self.short_mount(&expand(short));
        }
        let target = text(&mount["target"])?;
        let source = text(&mount["source"]).filter(|source| !source.is_empty());
        let kind = match (mount["type"].as_str().unwrap_or("volume"), &source) {
            ("volume", Some(_)) => MountKind::NamedVolume,
            ("volume", None) => MountKind::AnonymousVolume,
            ("bind", _) => MountKind::Bind,
            ("tmpfs", _) => MountKind::Tmpfs,
            _ => MountKind::Other,
        };
        let read_only = mount["read_only"].as_bool().unwrap_or(false);
        Some(self.with_driver(plain_mount(kind, source, &target, read_only)))
    }

    /// `SOURCE:TARGET[:MODE]`, `TARGET`.
    fn short_mount(&self, short: &str) -> Option<SetupMount> {
        // A drive's letter is no source.
        let is_drive = short.as_bytes().get(1) == Some(&b':') && short.as_bytes().get(2) == Some(&b'\\');
        let from = if is_drive { 2 } else { 0 };
        let Some(colon) = short[from..].find(':').map(|at| at + from) else {
            return Some(plain_mount(MountKind::AnonymousVolume, None, short, false));
        };
        let (source, rest) = (&short[..colon], &short[colon + 1..]);
        let (target, mode) = rest.split_once(':').unwrap_or((rest, ""));
        let is_path = is_drive || source.starts_with(['/', '.', '~']);
        let kind = if is_path { MountKind::Bind } else { MountKind::NamedVolume };
        let read_only = mode.split(',').any(|word| word == "ro");
        Some(self.with_driver(plain_mount(kind, Some(source.to_owned()), target, read_only)))
    }

    /// Gives a volume its name on the engine, its driver and its options.
    fn with_driver(&self, mut mount: SetupMount) -> SetupMount {
        if mount.kind != MountKind::NamedVolume {
            return mount;
        }
        let key = mount.source.clone().unwrap_or_default();
        let volume = &self.model["volumes"][key.as_str()];
        mount.driver = text(&volume["driver"]).filter(|driver| !driver.is_empty());
        mount.options = pairs(&volume["driver_opts"]);
        mount
    }
}

fn plain_mount(kind: MountKind, source: Option<String>, target: &str, read_only: bool) -> SetupMount {
    let trimmed = target.trim_end_matches('/');
    let target = if trimmed.is_empty() { "/" } else { trimmed }.to_owned();
    SetupMount { kind, source, target, read_only, driver: None, options: Labels::new() }
}

fn health(check: &Value) -> Health {
    let test = match &check["test"] {
        Value::String(line) => Some(vec!["CMD-SHELL".to_owned(), expand(line)]),
        Value::Array(_) => Some(words(&check["test"])).filter(|words| !words.is_empty()),
        _ => None,
    };
    let is_none = test.as_ref().is_some_and(|words| words[0] == "NONE");
    Health {
        disabled: is_none || check["disable"].as_bool().unwrap_or(false),
        test: test.filter(|_| !is_none),
        start_period: duration(&check["start_period"]),
        interval: duration(&check["interval"]),
    }
}

fn port(port: &Value) -> Option<Port> {
    if !port.is_object() {
        return short_port(&text(port)?);
    }
    let target = u16::try_from(number(&port["target"])?).ok()?;
    let published = text(&port["published"]).filter(|published| !published.is_empty() && published != "0");
    Some(Port { host_ip: text(&port["host_ip"]).unwrap_or_default(), published, target })
}

/// `[IP:][PUBLISHED:]TARGET[/PROTOCOL]`; a range of targets is told by its first.
fn short_port(short: &str) -> Option<Port> {
    let short = short.split('/').next()?;
    let (front, target) = short.rsplit_once(':').unwrap_or(("", short));
    let (host_ip, published) = front.rsplit_once(':').unwrap_or(("", front));
    Some(Port {
        host_ip: host_ip.trim_matches(['[', ']']).to_owned(),
        published: Some(published.to_owned()).filter(|published| !published.is_empty()),
        target: target.split('-').next()?.parse().ok()?,
    })
}

fn dependencies(value: &Value) -> Vec<Dependency> {
    let on = |service: &str, condition: Option<String>| Dependency {
        service: service.to_owned(),
        condition: condition.unwrap_or_else(|| "service_started".to_owned()),
    };
    match value {
        Value::Object(map) => map.iter().map(|(service, how)| on(service, text(&how["condition"]))).collect(),
        _ => list(value).filter_map(text).map(|service| on(&service, None)).collect(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A scalar as it stands there.
fn raw(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A scalar as it will be.
fn text(value: &Value) -> Option<String> {
    raw(value).map(|text| expand(&text))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| text(value)?.parse().ok())
}

fn bytes(value: &Value) -> Option<u64> {
    values::bytes(&text(value)?)
}

fn duration(value: &Value) -> Option<std::time::Duration> {
    values::duration(&text(value)?)
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(line) => vec![expand(line)],
        many => list(many).filter_map(text).collect(),
    }
}

/// A mapping, or a list of `KEY=value`.
fn pairs(value: &Value) -> Labels {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), text(value).unwrap_or_default())).collect()
        }
        _ => list(value)
            .filter_map(text)
            .map(|pair| match pair.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => (pair, String::new()),
            })
            .collect(),
    }
}

/// A text as compose would make it where no variable is set: defaults are taken, `$$` is a dollar.
fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = closing(inner);
            let (named, tail) = (&inner[..end], inner.get(end + 1..).unwrap_or_default());
            let operator = &named[name_length(named)..];
            let default = operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-'));
            out.push_str(&default.map(expand).unwrap_or_default());
            rest = tail;
        } else {
            rest = &rest[name_length(rest)..];
        }
    }
    out.push_str(rest);
    out
}

/// How much of a text is the name of a variable.
fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Where the brace that is open closes.
fn closing(inner: &str) -> usize {
    let mut depth = 0;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    inner.len()
}

#[cfg(test)]
#[path = "from_compose_tests.rs"]
mod tests;
