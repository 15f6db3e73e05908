//! The files that a service's command or health check names, which say what the description itself leaves open: a
//! Redis's options, a health check's script. Pure: who has an engine or a disk reads them.

use super::{kind::served, redis};
use crate::model::{
    container::MountKind,
    setup::{Hidden, NamedFile, Setup},
};

/// Bytes of a file that are read; one that is larger is no script and no list of options.
pub const LIMIT: usize = 256 * 1024;

/// The paths in the container that are worth reading.
#[must_use]
pub fn wanted(setup: &Setup) -> Vec<String> {
    let options = redis::file_of_options(setup).map(str::to_owned);
    options.into_iter().chain(script(setup)).collect()
}

/// Where on the host the file at a path of the container is, if it is mounted from there.
#[must_use]
pub fn on_host(setup: &Setup, path: &str) -> Option<String> {
    let mount = setup.mount_of(path).filter(|mount| mount.kind == MountKind::Bind)?;
    let below = path.strip_prefix(mount.target.trim_end_matches('/'))?;
    // Nothing but what is mounted: no way out of it.
    let leads_out = below.split('/').any(|part| part == "..");
    (!leads_out)
        .then(|| format!("{}{below}", mount.source.as_deref().unwrap_or_default().trim_end_matches('/')))
}

/// Notes what a file says.
pub fn note(setup: &mut Setup, path: String, bytes: Vec<u8>) {
    if bytes.len() < LIMIT
        && let Ok(text) = String::from_utf8(bytes)
    {
        setup.files.push(NamedFile { path, text: Hidden::new(text) });
    }
}

/// The path of the program that a health check runs, where it is a file that is mounted, or named by its whole path.
pub(super) fn script(setup: &Setup) -> Option<String> {
    let askers = served(setup)?.askers;
    let test = setup.health.test.as_ref()?;
    let line = match test.as_slice() {
        [kind, program, ..] if kind == "CMD" => program.as_str(),
        [kind, line] if kind == "CMD-SHELL" => line.as_str(),
        _ => return None,
    };
    // `sh /alive.sh`, `exec /alive.sh`.
    let mut words = line.split_whitespace().chain(test.iter().skip(2).map(String::as_str));
    let program = words.find(|word| !["sh", "bash", "ash", "/bin/sh", "/bin/bash", "exec"].contains(word))?;
    let name = program.rsplit('/').next().unwrap_or(program);
    if askers.contains(&name) {
        return None;
    }
    if program.starts_with('/') {
        return Some(program.to_owned());
    }
    let is_it = |target: &str| target.rsplit_once('/').is_some_and(|(_, name)| name == program);
    setup.mounts.iter().find(|mount| is_it(&mount.target)).map(|mount| mount.target.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::from_compose;
    use serde_json::json;

    fn db(service: serde_json::Value) -> Setup {
        from_compose::setups(&json!({"services": {"db": service}}), None).remove(0)
    }

    #[test]
    fn a_script_and_a_file_of_options_are_found_where_they_are_mounted() {
        let volumes = json!([{"type": "bind", "source": "/here/alive", "target": "/usr/local/bin/alive"}]);
        let setup = |test: serde_json::Value| {
            db(json!({"image": "postgres:16", "volumes": volumes.clone(), "healthcheck": {"test": test}}))
        };
        for test in [json!(["CMD", "alive"]), json!("alive -x"), json!(["CMD", "sh", "/usr/local/bin/alive"])]
        {
            let setup = setup(test.clone());
            assert_eq!(wanted(&setup), ["/usr/local/bin/alive"], "{test}");
            assert_eq!(on_host(&setup, "/usr/local/bin/alive").as_deref(), Some("/here/alive"));
        }
        assert_eq!(wanted(&setup(json!(["CMD", "pg_isready"]))), Vec::<String>::new());
        let store = db(json!({
            "image": "redis:7", "command": "redis-server /etc/redis/redis.conf",
            "volumes": [{"type": "bind", "source": "/here/redis", "target": "/etc/redis"}],
        }));
        assert_eq!(wanted(&store), ["/etc/redis/redis.conf"]);
        assert_eq!(on_host(&store, "/etc/redis/redis.conf").as_deref(), Some("/here/redis/redis.conf"));
        assert_eq!(on_host(&store, "/etc/redis/../../x.conf"), None);
        assert_eq!(on_host(&store, "/data/redis.conf"), None);
    }
}
