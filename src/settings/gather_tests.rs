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

#[test]
fn any_file_switches_encryption_at_rest_on_and_none_off() {
    let place = Place::new();
    let key = |c: &str| format!("recipients = [\"{KEY}\"] # {c}\n");
    let user = if cfg!(target_os = "linux") { "config/dbsafe/config.toml" } else { return };
    let at_rest = || place.gather().unwrap().at_rest(&place.environment);
    let wanted = |text: &str| format!("[encryption]\n{text}");
    assert_eq!(at_rest().unwrap(), None);
    place.write(user, &wanted(&key("only copies")));
    assert_eq!(at_rest().unwrap(), None);
    // A project's file needs nobody's trust to tighten.
    place.write("shop/.dbsafe.toml", &wanted("at_rest = true\n"));
    assert!(place.gather().unwrap().project_here().unwrap().ignored().is_empty());
    assert_eq!(at_rest().unwrap(), Some(vec![KEY.to_owned()]));
    place.write(user, &wanted(&format!("{}at_rest = true\n", key("both"))));
    place.write("shop/.dbsafe.toml", &wanted("at_rest = false\n"));
    assert_eq!(at_rest().unwrap(), Some(vec![KEY.to_owned()]));
    // Whom it is for, an untrusted file does not say.
    fs::remove_file(place.path(user)).unwrap();
    place.write("shop/.dbsafe.toml", &wanted(&format!("{}at_rest = true\n", key("own"))));
    let failure = at_rest().unwrap_err();
    assert_eq!(failure.exit, crate::exit::Exit::Usage);
    assert!(
        failure.sentence.contains(".dbsafe.toml, line 3: at_rest is set, and no recipients"),
        "{failure:?}"
    );
    assert!(failure.hint.unwrap().contains("config trust"));
    let mut trust = Trust::default();
    trust.add(&place.gather().unwrap().project_here().unwrap().file);
    trust.save(&place.path("home")).unwrap();
    assert_eq!(at_rest().unwrap(), Some(vec![KEY.to_owned()]));
}

const KEY: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
