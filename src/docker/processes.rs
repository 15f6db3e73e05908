//! What runs in containers of an engine on this very host, from `/proc`: the engine's own answer costs a `ps`
//! over the whole host for each container.
//!
//! A container's processes are those whose cgroup's path holds its id, as the engine itself has it (moby
//! `daemon/top_unix.go` asks the cgroup, too). An id is 64 random digits: no process of another engine or of
//! another host can be taken for one of it. Whoever is not found here is asked of the engine.

use std::{collections::HashMap, io::ErrorKind, path::Path};

/// Digits of a container's id.
const ID_DIGITS: usize = 64;

/// What is known of a running container of this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// The command lines of its processes.
    pub processes: Vec<String>,
    /// Whether files of its own lie in `/dev/shm`; `None` where only root may see that.
    pub shares_memory: Option<bool>,
}

/// The processes of this host's containers, by container id. Empty where this is not Linux, or processes
/// of other users may be hidden from us: a part must not pass for the whole.
#[must_use]
pub fn by_container() -> HashMap<String, Running> {
    below(Path::new("/proc"))
}

fn below(proc: &Path) -> HashMap<String, Running> {
    let mut found: HashMap<String, Running> = HashMap::new();
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
                let shares = || shares_memory(&folder.path());
                let fresh = || Running { processes: Vec::new(), shares_memory: shares() };
                found.entry(id.to_owned()).or_insert_with(fresh).processes.push(as_typed(&line));
            }
        }
    }
    found
}

/// Whether there are files in a process's `/dev/shm`, beside those that servers share memory by. Whatever a hostile
/// container puts in the way there, the answer only decides whether its own programs are asked.
fn shares_memory(process: &Path) -> Option<bool> {
    let files = std::fs::read_dir(process.join("root/dev/shm")).ok()?;
    let own = |name: &[u8]| !name.starts_with(b"PostgreSQL.") && !name.starts_with(b"sem.");
    Some(files.flatten().any(|file| own(file.file_name().as_encoded_bytes())))
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
        let redis = Running { processes: vec!["redis-server *:6379".to_owned()], shares_memory: None };
        assert_eq!(below(proc.path()), HashMap::from([(id.clone(), redis)]));
        let shared = proc.path().join("70/root/dev/shm");
        std::fs::create_dir_all(&shared).unwrap();
        std::fs::write(shared.join("PostgreSQL.123"), "").unwrap();
        assert_eq!(below(proc.path())[&id].shares_memory, Some(false));
        std::fs::write(shared.join("app.db"), "").unwrap();
        assert_eq!(below(proc.path())[&id].shares_memory, Some(true));
    }
}
