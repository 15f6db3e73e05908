//! The audit as SARIF: one alert for each finding, about a container or a volume.

use serde_json::{Value, json};

use super::{Audit, Holder};
use crate::{
    model::{check::Check, verdict::Severity},
    report::{
        sarif::{self, Alert, Object},
        words::short,
    },
    ui::{clean, clean_lines},
};

/// The document; `checks` are all that could have found something.
#[must_use]
pub fn render(audit: &Audit, checks: &[&Check]) -> Value {
    let groups = audit.groups();
    let alerts: Vec<Alert<'_>> = groups
        .iter()
        .flat_map(|group| {
            let project = group.project.name.as_deref();
            group.holders.iter().flat_map(move |holder| alerts(audit, holder, project))
        })
        .collect();
    let mut document = sarif::document(checks, &alerts);
    // An engine that did not answer is a run that did not succeed, not one that found nothing.
    let failed = audit.engines.iter().filter_map(|engine| Some((engine, engine.error.as_ref()?)));
    let notices: Vec<Value> = failed
        .map(|(engine, error)| {
            let text = format!("{} was not audited: {}", clean(&engine.context), clean_lines(error));
            json!({"level": "error", "message": {"text": text}})
        })
        .collect();
    document["runs"][0]["invocations"] =
        json!([{"executionSuccessful": notices.is_empty(), "toolExecutionNotifications": notices}]);
    document
}

fn alerts<'a>(
    audit: &'a Audit,
    holder: &Holder<'a>,
    project: Option<&'a str>,
) -> impl Iterator<Item = Alert<'a>> + use<'a> {
    let Holder { context, name, container, findings, .. } = *holder;
    let on = if audit.has_several_engines() { format!(" on {}", clean(context)) } else { String::new() };
    // Without a severity it says that all is well, which is no alert.
    findings.iter().filter(|row| row.finding.severity > Severity::None).map(move |row| {
        let finding = &row.finding;
        let at = if finding.path.is_empty() { String::new() } else { format!(", {}", clean(&finding.path)) };
        Alert {
            check: &finding.id,
            severity: finding.severity,
            message: format!("{}{on}{at}: {}", clean(short(name)), clean(&finding.message)),
            remedy: finding.remedy.as_deref(),
            file: None,
            object: Some(Object {
                kind: if container.is_some() { "container" } else { "volume" },
                name,
                engine: Some(context),
                project,
            }),
            part: finding.path.clone(),
            suppressed: finding.suppressed.as_deref(),
        }
    })
}
