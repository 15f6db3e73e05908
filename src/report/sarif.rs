//! Findings as SARIF 2.1.0, which code hosts and editors show at the line that they are about.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::model::{check::Check, verdict::Severity};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One finding, as SARIF needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert<'a> {
    /// The check's id.
    pub check: &'a str,
    pub severity: Severity,
    pub message: String,
    pub remedy: Option<&'a str>,
    pub file: Option<Region<'a>>,
    /// The container, volume or service that it is about.
    pub object: Option<Object<'a>>,
    /// Where in the object: a container may hold two databases.
    pub part: String,
    /// Why it does not count, where it does not.
    pub suppressed: Option<&'a str>,
}

/// A place in a file. Lines and columns count from 1; the end is just behind the last character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region<'a> {
    /// Relative to where the command was given, or absolute; parted by `/`.
    pub path: &'a str,
    pub start: (usize, usize),
    pub end: (usize, usize),
}

/// What is not in a file: `container shop-db-1` of `shop` on `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// `container`, `volume`, `service`.
    pub kind: &'a str,
    pub name: &'a str,
    /// docker's context for the engine that has it: names are of one engine alone.
    pub engine: Option<&'a str>,
    /// The project that it belongs to.
    pub project: Option<&'a str>,
}

/// The document, of all checks that could have found something and of what they found.
#[must_use]
pub fn document(checks: &[&Check], alerts: &[Alert<'_>]) -> Value {
    let index = |id: &str| checks.iter().position(|check| check.id == id);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut fingerprint = |alert| {
        let first = fingerprint(alert);
        // Two of one kind at one place are counted, or a code host would take them for one.
        let times = seen.entry(first.clone()).or_default();
        *times += 1;
        if *times == 1 { first } else { format!("{first}:{times}") }
    };
    let results: Vec<Value> =
        alerts.iter().map(|alert| result(alert, index(alert.check), &fingerprint(alert))).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "docker-dbsafe",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": checks.iter().map(|check| rule(check)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(check: &Check) -> Value {
    let mut rule = json!({
        "id": check.id,
        "defaultConfiguration": {"level": level(check.severity)},
        "properties": {"tags": [check.class.name(), "database"]},
    });
    for (name, text) in [("shortDescription", check.title), ("fullDescription", check.why)] {
        if !text.is_empty() {
            rule[name] = json!({"text": text});
        }
    }
    if !check.good.is_empty() {
        let text = format!("{}\n\nInstead of\n\n{}\n\nwrite\n\n{}", check.why, check.bad, check.good);
        rule["help"] = json!({"text": text});
    }
    if !check.reference.is_empty() {
        rule["helpUri"] = json!(check.reference);
    }
    rule
}

fn result(alert: &Alert<'_>, rule: Option<usize>, fingerprint: &str) -> Value {
    let message = match alert.remedy {
        Some(remedy) => format!("{}\n{remedy}", alert.message),
        None => alert.message.clone(),
    };
    let mut result = json!({
        "ruleId": alert.check,
        "level": level(alert.severity),
        "message": {"text": message},
        "properties": {"severity": alert.severity},
        // The same finding in the next run, wherever its line went.
        "partialFingerprints": {"dbsafe/v1": fingerprint},
    });
    if let Some(index) = rule {
        result["ruleIndex"] = json!(index);
    }
    let mut location = json!({});
    if let Some(file) = &alert.file {
        let mut region = json!({"startLine": file.start.0, "startColumn": file.start.1});
        if file.end > file.start {
            region["endLine"] = json!(file.end.0);
            region["endColumn"] = json!(file.end.1);
        }
        location["physicalLocation"] = json!({"artifactLocation": {"uri": uri(file.path)}, "region": region});
    }
    if let Some(object) = &alert.object {
        let parts = [object.engine, object.project, Some(object.name)];
        let full = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
        location["logicalLocations"] =
            json!([{"name": object.name, "fullyQualifiedName": full, "kind": object.kind}]);
    }
    if location != json!({}) {
        result["locations"] = json!([location]);
    }
    if let Some(reason) = alert.suppressed {
        result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
    }
    result
}

/// No id that docker gives and no line: the finding is the same one when a container was made anew, or a file grew.
fn fingerprint(alert: &Alert<'_>) -> String {
    let file = alert.file.map_or("", |file| file.path);
    let object = alert.object.map_or([""; 3], |object| {
        [object.engine.unwrap_or_default(), object.project.unwrap_or_default(), object.name]
    });
    let [engine, project, name] = object;
    format!("{}:{file}:{engine}:{project}:{name}:{}", alert.check, alert.part)
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
        Severity::None => "none",
    }
}

/// A path as a reference: relative, or of the scheme `file`.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::check::Class;

    static CHECK: Check = Check {
        title: "a title",
        why: "because",
        bad: "a: 1",
        good: "a: 2",
        reference: "https://example.org/a",
        ..Check::documented("no-health-check", Class::Setup, Severity::Medium)
    };
    static BARE: Check = Check::documented("other", Class::Data, Severity::None);

    #[test]
    fn it_passes_the_published_schema() {
        let schema = include_str!("../../tests/fixtures/sarif/sarif-schema-2.1.0.json");
        // As published it has a bracket too many in the pattern of `run.language`, which this validator refuses; the
        // same with the bracket escaped.
        let schema = schema.replace("{2}]?$", "{2}\\\\]?$");
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let alert = Alert {
            check: "no-health-check",
            severity: Severity::High,
            message: "nothing tells".to_owned(),
            remedy: Some("healthcheck: {}"),
            file: Some(Region { path: "my app/compose.yaml", start: (3, 5), end: (3, 9) }),
            object: Some(Object { kind: "service", name: "db", engine: None, project: Some("shop") }),
            part: "healthcheck.test".to_owned(),
            suppressed: None,
        };
        let elsewhere =
            Alert { file: None, suppressed: Some("only a test"), check: "unknown", ..alert.clone() };
        let nowhere = Alert { object: None, remedy: None, check: "other", ..elsewhere.clone() };
        let document = document(&[&CHECK, &BARE], &[alert, elsewhere, nowhere]);
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
        let results = &document["runs"][0]["results"];
        let physical = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "my%20app/compose.yaml");
        assert_eq!(physical["region"]["startLine"], 3);
        assert_eq!(results[0]["ruleIndex"], 0);
        assert_eq!(results[1]["suppressions"][0]["justification"], "only a test");
        assert!(results[2].get("locations").is_none());
    }

    #[test]
    fn two_findings_of_one_kind_at_one_place_are_two() {
        let alert = Alert {
            check: "other",
            severity: Severity::Low,
            message: "one".to_owned(),
            remedy: None,
            file: None,
            object: Some(Object { kind: "container", name: "db", engine: Some("near"), project: None }),
            part: "/data".to_owned(),
            suppressed: None,
        };
        let elsewhere = Alert { part: "/srv".to_owned(), ..alert.clone() };
        let document = document(&[&BARE], &[alert.clone(), alert, elsewhere]);
        let of = |index: usize| &document["runs"][0]["results"][index]["partialFingerprints"]["dbsafe/v1"];
        assert_eq!(
            [of(0), of(1), of(2)],
            ["other::near::db:/data", "other::near::db:/data:2", "other::near::db:/srv"]
        );
    }
}
