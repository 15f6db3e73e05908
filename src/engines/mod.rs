//! The database engines: how to recognise each by its files, and where to look first.
//!
//! Describes only; nothing here talks to Docker. Imports `model` alone. The facts come from the images' own
//! Dockerfiles and the servers' documentation.

pub mod answer;
pub mod habits;
pub mod mysql;
mod mysql_snapshot;
pub mod postgres;
pub mod postgres_catalogue;
mod postgres_snapshot;
pub mod recipe;
pub mod recognise;
pub mod redis;
mod redis_snapshot;
pub mod reload;
pub mod sqlite;
mod sqlite_snapshot;
mod table;

pub use table::KINDS;

use jiff::Timestamp;

use crate::model::container::Container;

/// One kind of database.
#[derive(Debug)]
pub struct Kind {
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Words in the last component of an image's name.
    pub images: &'static [&'static str],
    /// Environment variables that only this engine's images have.
    pub environment: &'static [&'static str],
    /// Base names of its server's programs.
    pub processes: &'static [&'static str],
    /// Environment variables that move the data directory.
    pub directory_variables: &'static [&'static str],
    /// Flags that move it, in the forms `--datadir` (then `=DIR` or ` DIR`) and `-D`.
    pub directory_flags: &'static [&'static str],
    /// Where images put it when nobody says otherwise.
    pub directories: &'static [&'static str],
    /// Alternatives; in each, all patterns must be present in the data directory.
    pub signatures: &'static [&'static [&'static str]],
    /// Says of a path in the data directory, and the file's size in bytes, that it is so only where a user stored
    /// something. Without it, the signature alone counts as data.
    pub user_data: Option<fn(&str, u64) -> bool>,
    /// The same of a folder, where a user's data may leave no file of its own.
    pub user_folder: Option<fn(&str) -> bool>,
    /// Whether it may hold data in RAM alone.
    pub in_memory: bool,
    /// Whether its server commonly runs without keeping anything, so that no files mean no data.
    pub may_keep_nothing: bool,
}

impl Kind {
    /// A kind with nothing but its names; the table fills in the rest.
    const fn named(id: &'static str, name: &'static str) -> Self {
        Self {
            id,
            name,
            images: &[],
            environment: &[],
            processes: &[],
            directory_variables: &[],
            directory_flags: &[],
            directories: &[],
            signatures: &[],
            user_data: None,
            user_folder: None,
            in_memory: false,
            may_keep_nothing: false,
        }
    }

    /// Why this kind's server may be in a container, from the outside; `None` where nothing says so.
    fn hint(&self, container: &Container, processes: &[String]) -> Option<&'static str> {
        let image = container.image.rsplit('/').next().unwrap_or_default();
        let image = image.split(['@', ':']).next().unwrap_or_default();
        let words = || image.split(['-', '_', '.']);
        if self.images.iter().any(|name| image == *name || words().any(|word| word == *name)) {
            return Some("its image");
        }
        if self.environment.iter().any(|name| container.env(name).is_some()) {
            return Some("its environment");
        }
        if processes.iter().any(|line| self.runs(line)) {
            return Some("its processes");
        }
        let command = container.command.first().map(String::as_str).unwrap_or_default();
        self.runs(command).then_some("its command")
    }

    /// Whether image, environment or command say that this kind's server runs in a container.
    #[must_use]
    pub fn is_hinted(&self, container: &Container) -> bool {
        self.hint(container, &[]).is_some()
    }

    /// Whether this kind's server is what the container is for: its command names the server, or its environment
    /// has what only this engine's images have. An image's name alone may be that of a tool of its.
    #[must_use]
    pub fn is_served_by(&self, container: &Container) -> bool {
        self.environment.iter().any(|name| container.env(name).is_some())
            || container.command.iter().any(|word| self.runs(word))
    }

    /// Whether a process's command line is this kind's server.
    fn runs(&self, line: &str) -> bool {
        // `postgres: checkpointer` and `redis-server *:6379` are titles that servers give themselves.
        let program = line.split_whitespace().next().unwrap_or_default().trim_end_matches(':');
        let base = program.rsplit('/').next().unwrap_or_default();
        self.processes.contains(&base)
    }

    /// The folders that flags in these words name.
    #[must_use]
    pub fn flagged_directories(&self, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (index, word) in words.iter().enumerate() {
            for flag in self.directory_flags {
                let Some(rest) = word.strip_prefix(flag) else { continue };
                let value = match rest.strip_prefix('=') {
                    Some(value) => value,
                    None if rest.is_empty() => words.get(index + 1).copied().unwrap_or_default(),
                    // `-D/srv/pg` and `file:/data/x` are glued; `--dirty` is another flag.
                    None if rest.starts_with('/') => rest,
                    None => continue,
                };
                if value.starts_with('/') {
                    found.push(value.trim_end_matches('/').to_owned());
                }
            }
        }
        found
    }
}

/// Looks a kind up by its id.
#[must_use]
pub fn kind(id: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}

/// When a cluster was made, where its identity tells: PostgreSQL's begins with the seconds, MySQL's is a UUID of
/// the first version.
#[must_use]
pub fn born(kind: &str, identity: &str) -> Option<Timestamp> {
    match kind {
        "postgres" => {
            let identifier: u64 = identity.parse().ok()?;
            Timestamp::from_second(i64::try_from(identifier >> 32).ok()?).ok()
        }
        "mysql" => {
            let parts: Vec<&str> = identity.split('-').collect();
            let &[low, middle, high, _, _] = parts.as_slice() else { return None };
            let high = high.strip_prefix('1')?;
            let ticks = i64::from_str_radix(&format!("{high}{middle}{low}"), 16).ok()?;
            // Tenths of microseconds since the Gregorian calendar began.
            Timestamp::from_microsecond(ticks / 10 - 12_219_292_800_000_000).ok()
        }
        _ => None,
    }
}

/// A folder to look at first, and for what.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub kind: &'static Kind,
    /// Absolute, in the container.
    pub directory: String,
    /// Whether a server of this kind is known to be there, and not only guessed from a variable.
    pub running: bool,
}

/// The folders where the engines that a container seems to run would keep their data.
#[must_use]
pub fn candidates(container: &Container, processes: &[String]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for kind in KINDS {
        if kind.hint(container, processes).is_none() {
            continue;
        }
        let running = processes.iter().any(|line| kind.runs(line));
        let mut directories: Vec<String> = Vec::new();
        for variable in kind.directory_variables {
            directories
                .extend(container.env(variable).filter(|value| value.starts_with('/')).map(str::to_owned));
        }
        let words: Vec<&str> = container.command.iter().flat_map(|word| word.split_whitespace()).collect();
        directories.extend(kind.flagged_directories(&words));
        for line in processes.iter().filter(|line| kind.runs(line)) {
            let words: Vec<&str> = line.split_whitespace().collect();
            directories.extend(kind.flagged_directories(&words));
        }
        directories.extend(kind.directories.iter().map(|&directory| directory.to_owned()));
        for directory in directories {
            let directory = directory.trim_end_matches('/').to_owned();
            let known = found.iter().any(|other| other.directory == directory && other.kind.id == kind.id);
            if !known && is_plain(&directory) {
                found.push(Candidate { kind, directory, running });
            }
        }
    }
    found
}

/// The kinds whose server is seen to run.
pub fn running_kinds(processes: &[String]) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| processes.iter().any(|line| kind.runs(line)))
}

/// An absolute path without `..`, such as a container may name without leading us elsewhere.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.len() > 1 && !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn container(image: &str, environment: &[&str], command: &[&str]) -> Container {
        Container {
            image: image.into(),
            environment: environment.iter().map(|&pair| pair.to_owned()).collect(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..Container::sample("1", "db")
        }
    }

    fn directories(container: &Container, processes: &[&str], id: &str) -> Vec<String> {
        let processes: Vec<String> = processes.iter().map(|&line| line.to_owned()).collect();
        candidates(container, &processes)
            .into_iter()
            .filter(|candidate| candidate.kind.id == id)
            .map(|candidate| candidate.directory)
            .collect()
    }

    #[test]
    fn a_moved_data_directory_comes_before_the_usual_one() {
        let moved = container("postgres:15", &["PGDATA=/srv/pg"], &["postgres"]);
        assert_eq!(directories(&moved, &[], "postgres")[..2], ["/srv/pg", "/var/lib/postgresql/data"]);
    }

    #[test]
    fn a_server_in_any_image_is_known_by_its_process() {
        let odd = container("shop/backend:3", &[], &["/start.sh"]);
        assert!(directories(&odd, &[], "postgres").is_empty());
        let lines = [
            "/bin/sh /start.sh",
            "/usr/lib/postgresql/15/bin/postgres -D /mnt/cluster",
            "postgres: walwriter",
        ];
        assert_eq!(directories(&odd, &lines, "postgres")[0], "/mnt/cluster");
    }

    #[test]
    fn flags_are_read_in_every_form_and_namesakes_are_not() {
        let kind = kind("mysql").unwrap();
        assert_eq!(kind.flagged_directories(&["--datadir=/a", "--datadir", "/b/"]), ["/a", "/b"]);
        assert!(kind.flagged_directories(&["--datadirectory=/a"]).is_empty());
    }

    #[test]
    fn an_application_that_only_talks_to_a_database_is_not_one() {
        let client = container("shop/api:1", &["POSTGRES_PASSWORD=x", "MYSQL_HOST=db"], &["/app"]);
        assert!(candidates(&client, &["/app".to_owned()]).is_empty());
    }

    #[test]
    fn a_tool_for_a_database_does_not_serve_one() {
        let serves = |container: &Container| kind("postgres").unwrap().is_served_by(container);
        assert!(serves(&container("postgres:15", &[], &["docker-entrypoint.sh", "postgres"])));
        assert!(serves(&container("shop/db", &["PGDATA=/srv/pg"], &["/start.sh"])));
        assert!(!serves(&container("postgres-exporter", &[], &["/bin/postgres_exporter"])));
    }

    #[test]
    fn an_identity_tells_when_the_cluster_was_made() {
        let second = 1_700_000_000_u64;
        let postgres = born("postgres", &((second << 32) | 12345).to_string()).unwrap();
        assert_eq!(postgres.as_second(), 1_700_000_000);
        let mysql = born("mysql", "b3c5a5f4-7d0e-11ee-9d3e-0242ac110002").unwrap();
        assert_eq!(mysql.strftime("%Y-%m").to_string(), "2023-11");
        assert_eq!((born("mysql", "b3c5a5f4-7d0e-41ee-9d3e-0242ac110002"), born("redis", "x")), (None, None));
    }

    #[test]
    fn a_path_with_dots_is_never_followed() {
        let hostile = container("postgres", &["PGDATA=/srv/../../etc"], &[]);
        assert!(directories(&hostile, &[], "postgres").iter().all(|path| !path.contains("..")));
    }
}
