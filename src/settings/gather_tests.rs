//! With files on a disk.

use std::fs;

use super::*;

struct Place {
    root: tempfile::TempDir,
    environment: Environment,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("shop/deploy")).unwrap();
        let environment = Environment::default()
            .with("HOME", root.path())
            .with("DBSAFE_HOME", root.path().join("home"))
            .with("XDG_CONFIG_HOME", root.path().join("config"));
        Self { root, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn gather(&self) -> Result<Settings, Failure> {
        Settings::gather(&self.environment, &self.path("shop/deploy"), &Plan::default())
    }
}

#[test]
fn the_projects_file_is_found_upwards_and_trusted_by_its_content() {
    let place = Place::new();
    assert!(place.gather().unwrap().project_here().is_none());
    place.write("shop/.dbsafe.toml", "[policy]\nmode = \"disposable\"");
    let project = place.gather().unwrap().project_here().unwrap().clone();
    assert!(!project.trusted);
    let mut trust = Trust::default();
    trust.add(&project.file);
    trust.save(&place.path("home")).unwrap();
    assert!(place.gather().unwrap().project_here().unwrap().trusted);
    assert_eq!(place.gather().unwrap().here().mode.0, Mode::Disposable);
    place.write("shop/.dbsafe.toml", "[policy]\nmode = \"disposable\" # and a word");
    assert_eq!(place.gather().unwrap().here().mode.0, Mode::Guard);
}

#[test]
fn a_file_that_cannot_be_read_ends_the_command() {
    let place = Place::new();
    let named = Environment::default().with("DBSAFE_CONFIG", place.path("absent.toml"));
    let failure = Settings::gather(&named, &place.path("shop"), &Plan::default()).unwrap_err();
    assert!(failure.sentence.contains("absent.toml, which is not there"));
    if cfg!(target_os = "linux") {
        let rule = "[[backup]]\nservice = \"db\"\nfiles = \"*\"";
        place.write("config/dbsafe/config.toml", rule);
        let failure = place.gather().unwrap_err();
        assert!(failure.sentence.contains("line 1: the service db may be of any project"), "{failure:?}");
        place.write("config/dbsafe/config.toml", &rule.replace("db", "shop/db"));
        assert!(place.gather().is_ok());
        place.write("config/dbsafe/config.toml", "mode = 1");
        let failure = place.gather().unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
        assert!(failure.sentence.contains("config.toml cannot be read: line 1: "), "{failure:?}");
    }
}
