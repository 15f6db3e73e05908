//! The audit's forms of an engine with many containers, made without one.
//!
//! `DBSAFE_TEST_PAGE=FILE cargo test the_page_of_500` writes the page to look at.

use jiff::Timestamp;

use super::{Audit, Gathered, Unanswered, build, html, markdown, sarif};
use crate::{
    model::{
        check::Class,
        container::{Container, Labels, Mount, MountKind, State, Volume, label},
        coverage::{Coverage, CoverageStatus, Facts},
        evidence::{DatabaseContents, Evidence, Location, Presence, TargetRef},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedVolume},
        verdict::{Finding, Severity},
    },
    report::document::EngineRef,
};

/// What a name would like to be.
const HOSTILE: &str =
    "<script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\" style=\"x:url(//e)\u{1b}[2J";

fn now() -> Timestamp {
    "2026-01-10T12:00:00Z".parse().unwrap()
}

/// Projects of eight containers: in each fifth a database that its container would take along, and beside it what
/// is detached, without a backup, backed up, unknown, accepted, and without any data.
fn engine(context: &str, containers: usize) -> Gathered {
    let mut gathered = Gathered {
        context: context.to_owned(),
        engine: EngineRef { host: format!("unix:///run/{context}.sock"), version: "28.5.2".to_owned() },
        docker: format!("docker --context {context}"),
        plan: Plan::default(),
        evidence: Vec::new(),
        findings: Vec::new(),
        swarm: None,
    };
    for number in 0..containers {
        add(&mut gathered, number);
    }
    let name = "left_pgdata".to_owned();
    let labels = Labels::from([(label::PROJECT.to_owned(), "left".to_owned())]);
    let mut seen = Evidence::sample(&Container::sample("", ""));
    seen.target = TargetRef::of_volume(&name, &labels);
    (seen.location, seen.volume, seen.path) = (Location::NamedVolume, Some(name.clone()), "/".to_owned());
    let found = finding(&seen, "orphaned-volume-with-data", Severity::Medium, "no container uses it");
    gathered.findings.push((Class::Data, found));
    gathered.evidence.push(seen);
    gathered.plan.volumes.push(PlannedVolume {
        volume: Volume {
            name,
            driver: "local".to_owned(),
            labels,
            options: Labels::new(),
            created: String::new(),
            keeps_created: true,
            mountpoint: String::new(),
        },
        fate: Fate::Survives,
        cause: String::new(),
        used_by: Vec::new(),
    });
    gathered
}

fn finding(seen: &Evidence, id: &str, severity: Severity, message: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        severity,
        target: seen.target.clone(),
        path: seen.path.clone(),
        message: message.to_owned(),
        remedy: None,
        suppressed: None,
    }
}

fn add(gathered: &mut Gathered, number: usize) {
    let project = format!("project-{:03}", number / 8);
    let has_loss = (number / 8).is_multiple_of(5);
    let service = ["db", "cache", "queue", "reports", "legacy", "search", "web", "worker"][number % 8];
    let mut container = Container::sample(&format!("{number:064x}"), &format!("{project}-{service}-1"));
    container.image = format!("{service}:1.2");
    container.state = State::Running;
    container.labels.insert(label::PROJECT.to_owned(), project.clone());
    container.labels.insert(label::SERVICE.to_owned(), service.to_owned());
    let mut seen = Evidence::sample(&container);
    seen.engine_version = Some("15.6".to_owned());
    seen.size_bytes = Some(31_000_000);
    seen.last_write = Some(now() - jiff::SignedDuration::from_secs(12));
    let volume = |name: String| Mount {
        kind: MountKind::NamedVolume,
        destination: "/var/lib/postgresql/data".to_owned(),
        volume: Some(name),
        source: None,
        writable: true,
        part: None,
    };
    let named = format!("{project}_{service}");
    let told = match service {
        "db" if has_loss => {
            let name = if number == 0 { HOSTILE } else { "payment_db" }.to_owned();
            let rows = DatabaseContents { name, tables: Some(3), rows: Some(250), ..Default::default() };
            seen.contents.databases.push(rows);
            Some(("data-in-writable-layer", Severity::Critical, "goes, and no recent backup of it is known"))
        }
        "cache" if has_loss => {
            (seen.location, seen.volume) = (Location::AnonymousVolume, Some("f".repeat(64)));
            Some((
                "data-in-anonymous-volume",
                Severity::High,
                "detached, and no recent backup of it is known",
            ))
        }
        "db" | "cache" | "queue" | "reports" | "legacy" => {
            (seen.location, seen.volume) = (Location::NamedVolume, Some(named.clone()));
            container.mounts.push(volume(named));
            if service == "reports" && has_loss {
                seen.presence = Presence::Undetermined { cause: "it could not be read".to_owned() };
                Some(("undetermined", Severity::Critical, "could not be determined: it could not be read"))
            } else if has_loss {
                Some(("no-recent-backup", Severity::Medium, "survives, and no recent backup of it is known"))
            } else {
                seen.coverage = Coverage {
                    status: CoverageStatus::Covered,
                    at: Some(now()),
                    source: Some("/backups/shop.dump".to_owned()),
                    verified: true,
                    facts: Facts { off_host: Some(true), ..Facts::default() },
                    ..Coverage::none()
                };
                Some((
                    "restore-not-tested",
                    Severity::Low,
                    "its backup was never restored, as far as is known",
                ))
            }
        }
        _ => None,
    };
    if let Some((id, severity, message)) = told {
        let mut found = finding(&seen, id, severity, message);
        if service == "legacy" && has_loss {
            found.suppressed = Some(format!("dbsafe.toml:1: {HOSTILE}"));
        }
        let class = if id.contains("backup") { Class::Backups } else { Class::Data };
        gathered.findings.push((class, found));
        gathered.evidence.push(seen.clone());
    }
    for id in ["no-memory-limit", "unbounded-logs"] {
        let found = Finding { path: String::new(), ..finding(&seen, id, Severity::Low, "nothing limits it") };
        gathered.findings.push((Class::Setup, found));
    }
    gathered.plan.containers.push(PlannedContainer {
        container,
        fate: Fate::Destroyed,
        ending: Ending::Untouched,
        cause: String::new(),
        mounts: Vec::new(),
    });
}

fn of(containers: usize) -> Audit {
    build(now(), vec![Ok(engine("default", containers))])
}

#[test]
fn the_page_of_500_containers_is_linear_loads_nothing_and_runs_nothing() {
    let page = html::render(&of(500));
    if let Some(path) = std::env::var_os("DBSAFE_TEST_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    let small = html::render(&of(50));
    assert!(page.len() < small.len() * 10, "{} for 500 containers, {} for 50", page.len(), small.len());
    // As a browser sees it: tags alone, without what stands between them.
    let tags: Vec<&str> = page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    let own = [
        "!DOCTYPE", "a", "article", "b", "body", "code", "details", "div", "fieldset", "footer", "g", "h1",
        "h2", "h3", "h4", "head", "header", "html", "input", "label", "legend", "li", "main", "meta", "nav",
        "p", "path", "pre", "section", "span", "strong", "style", "summary", "svg", "text", "title", "ul",
    ];
    for tag in &tags {
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
        assert!(own.contains(&name), "<{tag}> in the page");
        for foreign in
            [" src=", " srcset=", " onerror=", " onclick=", "javascript:", "http:", "https:", " style="]
        {
            assert!(!tag.contains(foreign), "<{tag}> in the page");
        }
        if let Some(link) = tag.split(" href=\"").nth(1) {
            assert!(link.starts_with('#'), "<{tag}> in the page");
        }
        // What can be clicked can be reached by keyboard.
        assert!(!tag.contains(" role=\"button\"") && !tag.contains(" tabindex=\"-"), "<{tag}> in the page");
    }
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    assert!(style.contains(":focus-visible") && style.contains("prefers-color-scheme: dark"), "{style}");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains('\u{1b}'));
}

#[test]
fn each_link_of_the_page_leads_somewhere_and_the_worst_stands_first() {
    let page = html::render(&of(500));
    let values = |name: &str| -> Vec<String> {
        let part = format!(" {name}=\"");
        page.split(part.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let ids = values("id");
    let distinct: std::collections::HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an id is there twice");
    for link in values("href") {
        assert!(distinct.contains(&link[1..].to_owned()), "{link} leads nowhere");
    }
    for label in values("for").iter().chain(&values("aria-labelledby")) {
        assert!(distinct.contains(label), "{label} is not there");
    }
    // What is not known is not said to be lost, nor the other way round.
    assert_eq!(page.matches("class=\"box unknown\"").count(), 13);
    assert_eq!(page.matches("class=\"box critical\"").count(), 13);
    let map = page.find("class=\"map\"").unwrap();
    let worst = page[map..].find("project-000").unwrap();
    assert!(worst < page[map..].find("project-001").unwrap());
}

#[test]
fn forms_for_programs_are_linear_in_what_was_found() {
    let length = |containers| {
        let audit = of(containers);
        let text = markdown::render(&audit, true, audit.at);
        (text.len(), sarif::render(&audit, &[])["runs"][0]["results"].to_string().len())
    };
    let ((markdown, sarif), (small_markdown, small_sarif)) = (length(500), length(50));
    assert!(markdown < small_markdown * 11, "{markdown} {small_markdown}");
    assert!(sarif < small_sarif * 11, "{sarif} {small_sarif}");
}

fn fingerprints(audit: &Audit) -> Vec<String> {
    let document = sarif::render(audit, &[]);
    let results = document["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["partialFingerprints"]["dbsafe/v1"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_a_backup_covers_is_no_alert() {
    let mut gathered = engine("default", 0);
    let seen = gathered.evidence[0].clone();
    let all_is_well =
        finding(&seen, "no-recent-backup", Severity::None, "stays, and a recent backup of it exists");
    gathered.findings = vec![(Class::Backups, all_is_well)];
    let audit = build(now(), vec![Ok(gathered)]);
    assert!(fingerprints(&audit).is_empty());
    assert!(!html::render(&audit).contains("no-recent-backup"));
}

#[test]
fn an_engine_that_does_not_answer_is_not_said_to_be_safe() {
    let away =
        || Unanswered { context: "away".to_owned(), host: String::new(), error: "it is away".to_owned() };
    let audit = build(now(), vec![Ok(engine("near", 8)), Err(away())]);
    assert!(html::render(&audit).contains("<h1>Some data would be lost with its container</h1>"));
    let mut calm = engine("near", 0);
    calm.findings.clear();
    let audit = build(now(), vec![Ok(calm), Err(away())]);
    let page = html::render(&audit);
    assert!(page.contains("<h1>Not every engine could be asked</h1>") && !page.contains("Nothing"), "{page}");
    let text = markdown::render(&audit, false, audit.at);
    assert!(text.contains("Nothing is known to be at risk, and not every engine could be asked"), "{text}");
}

#[test]
fn equal_names_on_two_engines_have_other_fingerprints_and_each_keeps_its_own() {
    let both = build(now(), vec![Ok(engine("near", 16)), Ok(engine("far", 16))]);
    let all = fingerprints(&both);
    let distinct: std::collections::HashSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:#?}");
    // Whichever engine is asked first, beside which others, and whatever ids docker gave meanwhile.
    let unanswered =
        Unanswered { context: "away".to_owned(), host: String::new(), error: "it is away".to_owned() };
    let mut again = engine("near", 16);
    for planned in &mut again.plan.containers {
        planned.container.id = planned.container.id.replace('0', "g");
    }
    for target in again.evidence.iter_mut().map(|seen| &mut seen.target) {
        target.id = target.id.replace('0', "g");
    }
    for target in again.findings.iter_mut().map(|(_, finding)| &mut finding.target) {
        target.id = target.id.replace('0', "g");
    }
    let later = build(now() + jiff::SignedDuration::from_hours(1), vec![Err(unanswered), Ok(again)]);
    let mut near: Vec<String> = all.iter().filter(|one| one.contains("near")).cloned().collect();
    let mut later = fingerprints(&later);
    near.sort();
    later.sort();
    assert_eq!(near, later);
}
