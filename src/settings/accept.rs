//! Findings about a compose file's services that somebody has decided to live with. Pure.

use std::path::Path;

use super::{Settings, file::SettingsFile};
use crate::model::check::Class;

/// One `[[accept]]`, as it may speak for the services of a compose project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'a> {
    pub file: &'a Path,
    pub line: usize,
    pub check: &'a str,
    pub target: &'a str,
    pub reason: &'a str,
    /// It speaks of data and backups, too: the user's own, or one that a person has trusted.
    loosens: bool,
    /// It is for every project, so its target must say which.
    of_user: bool,
}

impl Accepted<'_> {
    /// Whether it means this finding about a service.
    #[must_use]
    pub fn fits(&self, check: &str, class: Class, project: Option<&str>, service: &str) -> bool {
        let with_project = project.map(|project| format!("{project}/{service}"));
        let named = self.target == service && !self.of_user || with_project.as_deref() == Some(self.target);
        self.check == check && named && (self.loosens || class == Class::Setup)
    }

    /// Whether somebody expects it to mean something here: it stands in the project's own file.
    #[must_use]
    pub fn is_of_project(&self) -> bool {
        !self.of_user
    }

    /// Where it stands, and why.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

impl Settings {
    /// What the user's file, and the one that governs the folder, accept.
    #[must_use]
    pub fn accepted_here(&self) -> Vec<Accepted<'_>> {
        let mut all = Vec::new();
        if let Some(user) = self.user_file() {
            all.extend(accepts(user, true, true));
        }
        if let Some(project) = self.project_here() {
            all.extend(accepts(&project.file, project.trusted, false));
        }
        all
    }
}

fn accepts(file: &SettingsFile, loosens: bool, of_user: bool) -> impl Iterator<Item = Accepted<'_>> {
    file.accepts.iter().map(move |set| Accepted {
        file: &file.path,
        line: set.line,
        check: &set.value.check,
        target: &set.value.target,
        reason: &set.value.reason,
        loosens,
        of_user,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::settings::file;

    #[test]
    fn a_projects_file_may_live_with_its_set_up_and_needs_trust_for_data() {
        let text = "[[accept]]\ncheck = \"c\"\ntarget = \"db\"\nreason = \"r\"\n";
        let file = file::parse(&PathBuf::from("/p/.dbsafe.toml"), text).unwrap();
        let fits = |loosens, of_user, class, service| {
            accepts(&file, loosens, of_user).next().unwrap().fits("c", class, Some("shop"), service)
        };
        assert!(fits(false, false, Class::Setup, "db"));
        assert!(!fits(false, false, Class::Data, "db"));
        assert!(fits(true, false, Class::Data, "db"));
        assert!(!fits(true, false, Class::Data, "api"));
        assert!(!fits(true, true, Class::Setup, "db"), "the user's file names the project");
    }
}
