//! A check: what it is about, in words, and the pure functions that look. What they raise is a finding with a
//! place in a compose file, and sometimes an edit that mends it.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    container::Volume,
    evidence::{Evidence, TargetRef},
    setup::Setup,
    verdict::{Finding, Severity},
};

/// What a check is about, and so who may accept its findings: whoever writes a project's file may live with its
/// set-up; data needs a file that a person has trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Data,
    Backups,
    Setup,
}

impl Class {
    /// As it stands in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Backups => "backups",
            Self::Setup => "setup",
        }
    }
}

/// One check, with its documentation.
#[derive(Debug)]
pub struct Check {
    pub id: &'static str,
    pub class: Class,
    /// As it usually is; a finding may be milder or worse.
    pub severity: Severity,
    /// One clause.
    pub title: &'static str,
    /// What happens to people who have it, and what mends it.
    pub why: &'static str,
    /// A compose file's lines, or a command.
    pub bad: &'static str,
    pub good: &'static str,
    pub reference: &'static str,
    /// Looks at a service's description.
    pub setup: Option<fn(&Look<'_>, &mut Sink<'_>)>,
    /// Looks at data that was seen.
    pub data: Option<fn(&Situation<'_>, &mut Sink<'_>)>,
}

impl Check {
    /// A check that only the guard's own judgement, or nobody yet, raises.
    #[must_use]
    pub const fn documented(id: &'static str, class: Class, severity: Severity) -> Self {
        Self {
            id,
            class,
            severity,
            title: "",
            why: "",
            bad: "",
            good: "",
            reference: "",
            setup: None,
            data: None,
        }
    }
}

/// One service, and all of the project that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub setup: &'a Setup,
    pub project: &'a [Setup],
}

/// One body of data that was seen, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub seen: &'a Evidence,
    /// The container that it was seen in.
    pub setup: Option<&'a Setup>,
    /// Every container under inspection.
    pub all: &'a [Setup],
    /// The volume that it lies in.
    pub volume: Option<&'a Volume>,
    /// Whether a container uses that volume.
    pub is_used: bool,
    pub now: Timestamp,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Raised {
    pub check: &'static Check,
    pub severity: Severity,
    /// The service, container or volume.
    pub name: String,
    /// One clause, no trailing full stop. Never a secret.
    pub message: String,
    /// Lines or a command to paste.
    pub remedy: Option<String>,
    /// Where in a compose file: `services`, `db`, `healthcheck`, `test`. Its end may not be there yet.
    pub field: Vec<String>,
    /// What mends it without a doubt.
    pub fix: Option<Fix>,
}

impl Raised {
    /// As a finding about a container or a volume; its path is the field below the service.
    #[must_use]
    pub fn into_finding(self, target: TargetRef, path: Option<&str>) -> Finding {
        let below = self.field.get(2..).unwrap_or_default().join(".");
        Finding {
            id: self.check.id.to_owned(),
            severity: self.severity,
            target,
            path: path.map_or(below, str::to_owned),
            message: self.message,
            remedy: self.remedy,
            suppressed: None,
        }
    }
}

/// Edits to a compose file, all or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fix {
    pub edits: Vec<Edit>,
}

/// One edit. A path names keys of mappings; those that are not there are made. Where a short form stands in the
/// way (`depends_on: [db]`), it is written long first.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// The key at the end of the path gets this value.
    Set { path: Vec<String>, value: serde_json::Value },
    /// The list at the path gets this item at its end.
    Append { path: Vec<String>, value: serde_json::Value },
}

impl Fix {
    #[must_use]
    pub fn set(mut self, path: Vec<String>, value: impl Into<serde_json::Value>) -> Self {
        self.edits.push(Edit::Set { path, value: value.into() });
        self
    }

    #[must_use]
    pub fn append(mut self, path: Vec<String>, value: impl Into<serde_json::Value>) -> Self {
        self.edits.push(Edit::Append { path, value: value.into() });
        self
    }
}

/// Takes what one check finds.
#[derive(Debug)]
pub struct Sink<'a> {
    check: &'static Check,
    found: &'a mut Vec<Raised>,
}

impl<'a> Sink<'a> {
    pub fn new(check: &'static Check, found: &'a mut Vec<Raised>) -> Self {
        Self { check, found }
    }

    /// Notes a finding about a service, at a key of it.
    pub fn raise(&mut self, setup: &Setup, keys: &[&str], message: impl Into<String>) -> &mut Raised {
        self.push(setup.name.clone(), setup.field(keys), message.into())
    }

    /// Notes a finding about data.
    pub fn raise_on(&mut self, seen: &Evidence, message: impl Into<String>) -> &mut Raised {
        self.push(seen.target.name.clone(), Vec::new(), message.into())
    }

    fn push(&mut self, name: String, field: Vec<String>, message: String) -> &mut Raised {
        self.found.push(Raised {
            check: self.check,
            severity: self.check.severity,
            name,
            message,
            remedy: None,
            field,
            fix: None,
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }
}

impl Raised {
    pub fn remedy(&mut self, remedy: impl Into<String>) -> &mut Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }

    pub fn fix(&mut self, fix: Fix) -> &mut Self {
        self.fix = Some(fix);
        self
    }
}
