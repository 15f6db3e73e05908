//! What tests of snapshots share: a store of one's own, and a database to lose.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Container, Engine, Ran};

/// A home folder of one test: no other test's snapshot waits for its lock.
pub(crate) struct Home<'a> {
    engine: &'a Engine,
    folder: tempfile::TempDir,
}

impl Home<'static> {
    pub(crate) fn new() -> Self {
        Self::on(Engine::usual())
    }
}

impl<'a> Home<'a> {
    pub(crate) fn on(engine: &'a Engine) -> Self {
        Self { engine, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.path(), arguments)
    }

    pub(crate) fn run_in(&self, folder: &Path, arguments: &[&str]) -> Ran {
        let home = self.path().to_str().unwrap();
        self.engine.docker_in(folder, &[&["dbsafe"], arguments].concat(), &[("DBSAFE_HOME", home)])
    }

    /// As `run`, with more variables.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, String)]) -> Ran {
        let home = self.path().to_str().unwrap();
        let mut all = vec![("DBSAFE_HOME", home)];
        all.extend(environment.iter().map(|(name, value)| (*name, value.as_str())));
        self.engine.docker_in(self.path(), &[&["dbsafe"], arguments].concat(), &all)
    }

    pub(crate) fn snapshots(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("snapshots")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The file of the only snapshot whose name has this part.
    pub(crate) fn file(&self, part: &str) -> PathBuf {
        let mut files = fs::read_dir(&self.snapshots()[0]).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.file_name().unwrap().to_string_lossy().contains(part)).unwrap()
    }
}

/// A Postgres whose data is in its writable layer, with the story's table.
pub(crate) fn postgres_on(engine: &Engine) -> Container<'_> {
    let environment = ["-e", "PGDATA=/srv/pg", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"];
    let container = engine.container(&environment);
    engine.fill_payments(&container.name);
    container
}

/// As `postgres_on`, on the usual engine.
pub(crate) fn postgres() -> Container<'static> {
    postgres_on(Engine::usual())
}

impl Container<'_> {
    /// Its id, and whether it runs; empty where it is gone.
    pub(crate) fn state(&self) -> String {
        let ran = self.engine.docker(&["inspect", "-f", "{{.Id}} {{.State.Running}}", &self.name]);
        ran.stdout.trim().to_owned()
    }

    /// The sum of the story's payments: 350.
    pub(crate) fn sum(&self) -> String {
        self.engine.wait_for_postgres(&self.name);
        self.engine.psql(&self.name, "select sum(amount) from payments")
    }

    /// `docker dbsafe rm -fv --snapshot`.
    pub(crate) fn save_and_remove(&self, home: &Home<'_>) -> Ran {
        home.run(&["rm", "-f", "-v", "--snapshot", &self.name])
    }

    /// Asserts that a failed run changed nothing: the same container runs, its rows are there, no snapshot is.
    #[track_caller]
    pub(crate) fn is_as_before(&self, home: &Home<'_>, before: &str) {
        assert_eq!(self.state(), before);
        assert_eq!(self.sum(), "350");
        assert_eq!(home.snapshots(), Vec::<PathBuf>::new());
    }
}
