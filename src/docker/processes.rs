//! What runs in containers of an engine on this very host, from `/proc`: the engine's own answer costs a `ps`
//! over the whole host for each container.
//!
//! A container's processes are those whose cgroup's path holds its id, as the engine itself has it (moby
//! `daemon/top_unix.go` asks the cgroup, too). An id is 64 random digits: no process of another engine or of
//! another host can be taken for one of it. Whoever is not found here is asked of the engine.

use std::{collections::HashMap, io::ErrorKind, path::Path};

/// Digits of a container's id.
const ID_DIGITS: usize = 64;

/// The command lines of this host's containers, by container id. Empty where this is not Linux, or processes
/// of other users may be hidden from us: a part must not pass for the whole.
#[must_use]
pub fn by_container() -> HashMap<String, Vec<String>> {
    below(Path::new("/proc"))
}

fn below(proc: &Path) -> HashMap<String, Vec<String>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    // `hidepid` hides the first process from everybody but root.
    if std::fs::read(proc.join("1/cgroup")).is_err() {
        return found;
    }
    let Ok(folders) = std::fs::read_dir(proc) else { return found };
    for folder in folders.flatten() {
        if !folder.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let cgroups = match std::fs::read_to_string(folder.path().join("cgroup")) {
            Ok(cgroups) => cgroups,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return HashMap::new(),
            // It ended while we read.
            Err(_gone) => continue,
        };
        for id in ids_in(&cgroups) {
            // Empty for one that has ended and was not waited for.
            let line = std::fs::read(folder.path().join("cmdline")).unwrap_or_default();
            if !line.is_empty() {
                found.entry(id.to_owned()).or_default().push(as_typed(&line));
            }
        }
    }
    found
}

/// The container ids in `/proc/PID/cgroup`, each once: the engine in a container has ids within ids.
fn ids_in(cgroups: &str) -> Vec<&str> {
    let digits = |part: &&str| {
        part.len() == ID_DIGITS && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut ids: Vec<&str> = cgroups.split(|c: char| !c.is_ascii_alphanumeric()).filter(digits).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The words of a process with spaces between, as `ps` has them.
fn as_typed(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end_matches('\0').replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_belongs_to_the_containers_of_its_cgroup() {
        let (one, two) = ("a1".repeat(32), "b2".repeat(32));
        let v1 = format!("9:name=systemd:/docker/{one}\n8:pids:/docker/{one}\n0::/\n");
        assert_eq!(ids_in(&v1), [one.as_str()]);
        let v2 = format!("0::/system.slice/docker-{one}.scope/docker/{two}/init\n");
        assert_eq!(ids_in(&v2), [one.as_str(), two.as_str()]);
        assert!(ids_in("0::/user.slice/user-1000.slice\n").is_empty());
        assert!(ids_in(&format!("0::/docker/{one}0\n")).is_empty(), "a longer word is no id");
    }

    #[test]
    fn where_processes_may_be_hidden_nothing_is_said() {
        let proc = tempfile::tempdir().unwrap();
        let id = "c3".repeat(32);
        let add = |process: &str, cgroup: &str, line: &[u8]| {
            std::fs::create_dir(proc.path().join(process)).unwrap();
            std::fs::write(proc.path().join(process).join("cgroup"), cgroup).unwrap();
            std::fs::write(proc.path().join(process).join("cmdline"), line).unwrap();
        };
        add("70", &format!("0::/docker/{id}"), b"redis-server\0*:6379\0");
        add("71", &format!("0::/docker/{id}"), b"");
        add("sys", &format!("0::/docker/{id}"), b"no process");
        assert!(below(proc.path()).is_empty());
        add("1", "0::/init.scope", b"/sbin/init\0");
        assert_eq!(below(proc.path()), HashMap::from([(id, vec!["redis-server *:6379".to_owned()])]));
    }
}
