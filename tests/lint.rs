//! `lint` on real compose files with a real compose: with no engine that answers, and with one where `--fix` needs it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use support::{Engine, Ran, Stack};

/// A folder, docker and compose, and a DOCKER_HOST where nothing answers.
struct Bench {
    folder: tempfile::TempDir,
    client: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("config/cli-plugins");
        fs::create_dir_all(&plugins).unwrap();
        let link = |from: &str, name: &str| std::os::unix::fs::symlink(from, plugins.join(name)).unwrap();
        link(env!("CARGO_BIN_EXE_docker-dbsafe"), "docker-dbsafe");
        link(&support::compose_program("5.6"), "docker-compose");
        fs::create_dir(folder.path().join("shop")).unwrap();
        Self { folder, client: support::client("") }
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join("shop").join(file)
    }

    fn write(&self, file: &str, text: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.client);
        command.args(arguments).current_dir(self.path("")).env_clear().stdin(Stdio::null());
        let path = Path::new(&self.client).parent().unwrap().display().to_string();
        command.env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap()));
        command.env("HOME", self.folder.path()).env("DBSAFE_HOME", self.folder.path().join("home"));
        command.env("DOCKER_CONFIG", self.folder.path().join("config")).env("LC_ALL", "C.UTF-8");
        command.env("DOCKER_HOST", format!("unix://{}/none.sock", self.folder.path().display()));
        for name in ["DB_PASSWORD", "APP_PASSWORD", "REDIS_PASSWORD"] {
            command.env(name, "given-by-the-environment");
        }
        Ran::of(&command.output().unwrap())
    }

    fn lint(&self, arguments: &[&str]) -> Ran {
        self.docker(&[&["dbsafe", "lint"], arguments].concat())
    }

    /// Check, file and line of each finding that counts.
    fn found(&self, arguments: &[&str]) -> Vec<(String, String)> {
        places(&self.lint(&[&["--format", "json"], arguments].concat()).expect(0).json())
    }

    /// Compose's own model of a file.
    fn model(&self) -> Value {
        self.docker(&["compose", "config", "--format", "json"]).expect(0).json()
    }
}

fn places(report: &Value) -> Vec<(String, String)> {
    let of = |finding: &Value| {
        let at = format!("{}:{}", finding["file"].as_str().unwrap_or("none"), finding["line"]);
        (finding["id"].as_str().unwrap().to_owned(), at)
    };
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["suppressed"].is_null()).map(of).collect()
}

#[track_caller]
fn fits(document: &Value, schema: &str) {
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

const POSTGRES: &str = include_str!("fixtures/lessons/postgres.yaml");
const MYSQL: &str = include_str!("fixtures/lessons/mysql.yaml");
const REDIS: &str = include_str!("fixtures/lessons/redis.yaml");

/// The line that holds a text, from 1.
fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part:?}")) + 1
}

#[test]
fn lessons_are_clean_and_a_line_less_is_its_own_check() {
    let bench = Bench::new();
    // What is taken out, what stands there then, the check, and where that is found.
    let all = [
        ("      start_period: ", "", "no-start-period", "healthcheck:"),
        ("      test: ", "", "no-health-check", "SERVICE"),
        ("    restart: ", "", "no-restart-policy", "SERVICE"),
        ("    mem_limit: ", "", "no-memory-limit", "SERVICE"),
        ("        max-size: ", "", "unbounded-logs", "options:"),
        ("      - DATA:", "", "data-in-anonymous-volume", "    volumes:"),
        ("    image: SERVER", "    image: SERVER\n", "unpinned-image", "image: SERVER"),
        // Compose itself refuses a dependency without its condition.
        (
            "condition: service_healthy",
            "        condition: service_started\n",
            "depends-on-without-health",
            "service_started",
        ),
    ];
    for (text, service, server, data) in [
        (POSTGRES, "db", "postgres", "pgdata"),
        (MYSQL, "mysql", "mysql", "mysql_data"),
        (REDIS, "cache", "redis", "redis_data"),
    ] {
        bench.write("compose.yaml", text);
        let port =
            ("published-database-port".to_owned(), format!("compose.yaml:{}", line_of(text, "ports:") + 1));
        assert_eq!(bench.found(&[]), [port], "{service}");
        let mut files = Vec::new();
        let mut expected = Vec::new();
        for (index, (gone, instead, check, at)) in all.iter().enumerate() {
            let named = |part: &str| part.replace("SERVER", server).replace("DATA", data);
            let line = line_of(text, &named(gone));
            let less: String = text
                .split_inclusive('\n')
                .enumerate()
                .map(|(at, own)| if at + 1 == line { named(instead) } else { own.to_owned() })
                .collect();
            let file = format!("{index}/compose.yaml");
            let at = line_of(&less, &named(&at.replace("SERVICE", &format!("  {service}:"))));
            bench.write(&file, &less);
            expected.push(((*check).to_owned(), format!("{file}:{at}")));
            files.push(file);
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let mut found = bench.found(&files);
        found.retain(|(check, _)| check != "published-database-port");
        assert_eq!(found, expected, "{service}");
    }
}

const SHOP: &str = "\
# The shop.
services:
  db:
    image: postgres:15          # pinned
    ports:
      - \"5432:5432\"
    environment:
      - POSTGRES_PASSWORD=hunter2
    volumes:
      - pgdata:/var/lib/postgresql/data
      # - ./dump:/dump

  # Talks to it.
  api:
    image: shop:1
    depends_on:
      - db # first
      - cache
  cache: { image: \"redis:7\", command: [redis-server, --save, \"\"], mem_limit: 64m }
volumes: { pgdata: {} }
";

#[test]
fn every_format_says_the_same_and_fits_its_schema() {
    let bench = Bench::new();
    bench.write("compose.yaml", SHOP);
    let report = bench.lint(&["--format", "json"]).expect(0).json();
    fits(&report, include_str!("../docs/lint.schema.json"));
    let found = places(&report);
    let number = found.len();
    assert!(
        number > 8 && found.contains(&("no-health-check".to_owned(), "compose.yaml:3".to_owned())),
        "{found:?}"
    );
    let sarif = bench.lint(&["--format", "sarif"]).expect(0).json();
    // The published schema has a bracket too many in one pattern, which this validator refuses: escaped.
    let schema = include_str!("fixtures/sarif/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}\\\\]?$");
    fits(&sarif, &schema);
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), number);
    let github = bench.lint(&["--format", "github"]).expect(0).stdout;
    assert_eq!(github.lines().count(), number);
    assert!(
        github
            .contains("::warning file=compose.yaml,line=8,col=9,endColumn=34,title=hard-coded-secret::db: "),
        "{github}"
    );
    let text = bench.lint(&[]).expect(0).stdout;
    assert!(text.contains("compose.yaml:3:3 medium no-health-check\n    db: "), "{text}");
    assert!(text.contains(&format!("{number} findings in 3 services of 1 file: ")), "{text}");
    assert!(
        !text.contains("hunter2") && !github.contains("hunter2") && !report.to_string().contains("hunter2")
    );
    assert_eq!(bench.lint(&["--fail-on", "medium"]).status, 14);
    assert_eq!(bench.lint(&["--fail-on", "critical"]).status, 0);
    bench.lint(&["--fix", "--format", "json"]).expect(2);
}

#[test]
fn a_file_that_compose_refuses_is_an_error_and_the_others_are_still_told_of() {
    let bench = Bench::new();
    bench.write("bad.yaml", "services:\n  db:\n    ports: 5432\n");
    bench.write("good/compose.yaml", SHOP);
    let ran = bench.lint(&["bad.yaml", "good"]).expect(1);
    assert!(ran.says("compose cannot load bad.yaml"), "{ran:?}");
    assert!(ran.says("docker compose -f bad.yaml config"), "{ran:?}");
    assert!(ran.stdout.contains("good/compose.yaml:3:3 medium no-health-check"), "{ran:?}");
    let nothing = bench.lint(&["config"]).expect(1);
    assert!(nothing.says("compose cannot load config"), "{nothing:?}");
    // What is set elsewhere keeps nobody from judging the rest.
    bench.write("compose.yaml", &POSTGRES.replace("DB_PASSWORD", "NOT_SET_HERE"));
    let ran = bench.lint(&[]).expect(0);
    assert!(
        ran.says("judged by what is written") && ran.stdout.contains("1 finding in 2 services"),
        "{ran:?}"
    );
}

#[test]
fn findings_stand_in_the_file_where_the_service_is_written() {
    let bench = Bench::new();
    bench.write("compose.yaml", "include: [data/db.yaml]\nservices:\n  api:\n    extends: {file: base.yaml, service: app}\n    depends_on: [db]\n");
    bench.write("data/db.yaml", "x-db: &db\n  image: postgres\nservices:\n  db:\n    <<: *db\n    volumes: [pg:/var/lib/postgresql]\nvolumes: {pg: {}}\n");
    bench.write("base.yaml", "services:\n  app:\n    image: shop:1\n    environment:\n      DATABASE_URL: postgres://shop:hunter2@db/shop\n");
    bench.write("compose.override.yaml", "services:\n  api:\n    restart: always\n");
    let found: BTreeSet<(String, String)> = bench.found(&[]).into_iter().collect();
    let at = |check: &str, place: &str| found.contains(&(check.to_owned(), place.to_owned()));
    assert!(at("unpinned-image", "data/db.yaml:2"), "{found:?}");
    assert!(at("no-health-check", "data/db.yaml:4"), "{found:?}");
    assert!(at("depends-on-without-health", "compose.yaml:5"), "{found:?}");
    assert!(at("hard-coded-secret", "base.yaml:5"), "{found:?}");
    // Files that are merged, as compose is told to.
    bench.write("more.yaml", "services:\n  db:\n    restart: always\n");
    let merged = bench.found(&["-f", "data/db.yaml", "-f", "more.yaml"]);
    assert!(merged.iter().any(|(_, at)| at == "data/db.yaml:2"), "{merged:?}");
}

#[test]
fn what_is_accepted_is_shown_as_such_and_an_accept_of_nothing_is_told() {
    let bench = Bench::new();
    let labelled = POSTGRES.replace(
        "    restart: unless-stopped\n",
        "    labels:\n      dbsafe.accept.no-restart-policy: by hand\n",
    );
    bench.write("compose.yaml", &labelled);
    let accept = |check: &str, target: &str| {
        format!("[[accept]]\ncheck = {check:?}\ntarget = {target:?}\nreason = \"for development\"\n")
    };
    let accepts = [
        accept("published-database-port", "db"),
        accept("no-memory-limit", "db"),
        accept("no-such-check", "db"),
        accept("unpinned-image", "gone"),
    ];
    bench.write(".dbsafe.toml", &accepts.concat());
    let ran = bench.lint(&["--fail-on", "low"]).expect(0);
    assert!(ran.stdout.contains("suppressed published-database-port"), "{ran:?}");
    assert!(ran.stdout.contains("label dbsafe.accept.no-restart-policy: by hand"), "{ran:?}");
    assert!(ran.stdout.contains("nothing found in 2 services of 1 file; 2 suppressed"), "{ran:?}");
    for said in [
        ".dbsafe.toml:5: no-memory-limit finds nothing in db",
        ".dbsafe.toml:9: there is no check \"no-such-check\"",
        ".dbsafe.toml:13: there is no service gone",
    ] {
        assert!(ran.says(said), "{said}: {ran:?}");
    }
    // Data is not whoever may write the file's to give up.
    bench.write("compose.yaml", &POSTGRES.replace("      - pgdata:/var/lib/postgresql/data\n", ""));
    bench.write(".dbsafe.toml", &accept("data-in-anonymous-volume", "db"));
    let ran = bench.lint(&["--fail-on", "high"]).expect(14);
    assert!(ran.says("ignored until it is trusted"), "{ran:?}");
}

/// A model without what the fixes add.
fn without_fixes(mut model: Value) -> Value {
    for service in model["services"].as_object_mut().unwrap().values_mut() {
        let service = service.as_object_mut().unwrap();
        for added in ["healthcheck", "restart", "logging", "mem_limit"] {
            service.remove(added);
        }
        for (_, on) in service.get_mut("depends_on").and_then(Value::as_object_mut).into_iter().flatten() {
            on["condition"] = json!("any");
        }
    }
    model
}

#[test]
fn fixes_are_shown_first_and_change_the_plan_by_just_that() {
    let bench = Bench::new();
    bench.write("compose.yaml", SHOP);
    let before = bench.model();
    let shown = bench.lint(&["--diff"]).expect(0);
    assert!(shown.stdout.contains("+    restart: unless-stopped\n"), "{shown:?}");
    let unasked = bench.lint(&["--fix"]).expect(13);
    assert!(unasked.says("with --yes only") && unasked.stdout == shown.stdout, "{unasked:?}");
    assert_eq!(bench.read("compose.yaml"), SHOP);
    let fixed = bench.lint(&["--fix", "--yes"]).expect(0);
    assert!(fixed.says("compose.yaml is written"), "{fixed:?}");
    let text = bench.read("compose.yaml");
    for kept in ["# The shop.", "# pinned", "      # - ./dump:/dump\n", "  # Talks to it.\n", "db: # first\n"]
    {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let after = bench.model();
    assert_eq!(without_fixes(after.clone()), without_fixes(before));
    assert_eq!(after["services"]["api"]["depends_on"]["cache"]["condition"], "service_healthy");
    let left: BTreeSet<String> = bench.found(&[]).into_iter().map(|(check, _)| check).collect();
    for mended in [
        "no-health-check",
        "no-restart-policy",
        "no-memory-limit",
        "unbounded-logs",
        "depends-on-without-health",
    ] {
        assert!(!left.contains(mended), "{left:?}");
    }
    assert!(left.contains("hard-coded-secret") && left.contains("published-database-port"), "{left:?}");
    let again = bench.lint(&["--fix", "--yes"]).expect(0);
    assert!(again.says("nothing to write"), "{again:?}");
    // No engine answers, so nobody knows what a volume would hide.
    bench.write("compose.yaml", "services:\n  db:\n    image: postgres:15\n");
    let unknown = bench.lint(&["--diff"]).expect(0);
    assert!(
        unknown.says(
            "data-in-anonymous-volume of db: whether a container keeps data there already is not known"
        ),
        "{unknown:?}"
    );
    assert!(!unknown.stdout.contains("db_data"), "{unknown:?}");
}

#[test]
fn a_link_out_of_the_project_is_not_written_through() {
    let bench = Bench::new();
    bench.write("../shared.yaml", SHOP);
    std::os::unix::fs::symlink("../shared.yaml", bench.path("compose.yaml")).unwrap();
    let ran = bench.lint(&["--fix", "--yes"]).expect(1);
    assert!(ran.says("is a link to") && ran.says("outside of the project"), "{ran:?}");
    assert_eq!(bench.read("../shared.yaml"), SHOP);
}

#[test]
fn with_an_engine_a_volume_hides_no_data_and_the_tag_is_that_of_what_runs() {
    let engine = Engine::usual();
    let latest = format!("mirror.test/{}/postgres", support::unique("i"));
    engine.docker(&["tag", "postgres:15", &latest]).expect(0);
    engine.docker(&["tag", "postgres:15", &format!("{latest}:15.1")]).expect(0);
    let yaml = format!(
        "services:\n  db:\n    image: {latest}\n    network_mode: none\n    environment: {{PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust}}\n"
    );
    let stack = Stack::up(engine, &yaml);
    engine.fill_payments(&stack.container("db"));
    let ran = stack.dbsafe(&["lint", "--diff"]).expect(0);
    assert!(ran.stdout.contains(&format!("+    image: {latest}:15.1\n")), "{ran:?}");
    assert!(
        ran.says("has data in /srv/pg, which a new volume would hide; docker dbsafe migrate db moves it"),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains("db_data"), "{ran:?}");
    // Another service of the same file has no container, and so nothing to hide.
    stack.write("compose.yaml", &format!("{yaml}  new:\n    image: postgres:15\n    network_mode: none\n"));
    let before = stack.compose(&["config", "--format", "json"]).expect(0).json();
    stack.dbsafe(&["lint", "--fix", "--yes"]).expect(0);
    let after = stack.compose(&["config", "--format", "json"]).expect(0).json();
    assert_eq!(after["services"]["new"]["volumes"][0]["source"], "new_data");
    assert_eq!(after["services"]["new"]["volumes"][0]["target"], "/var/lib/postgresql/data");
    assert_eq!(after["services"]["db"]["image"], format!("{latest}:15.1"));
    assert!(after["services"]["db"]["volumes"].is_null());
    let mut plain = without_fixes(after);
    plain["services"]["new"].as_object_mut().unwrap().remove("volumes");
    plain["services"]["db"]["image"] = json!(latest);
    plain.as_object_mut().unwrap().remove("volumes");
    assert_eq!(plain, without_fixes(before));
    stack.compose(&["down", "-t", "0"]).expect(0);
    engine.docker(&["rmi", &latest, &format!("{latest}:15.1")]).expect(0);
}

#[test]
fn a_file_of_options_beside_the_compose_file_is_read_and_a_pipe_is_not_waited_for() {
    let bench = Bench::new();
    let service = "services:\n  store:\n    image: redis:7\n    command: redis-server /etc/redis/redis.conf\n    \
        volumes: [ './conf:/etc/redis:ro', 'redis:/data' ]\nvolumes: { redis: {} }\n";
    bench.write("compose.yaml", service);
    let is_found = || bench.found(&[]).iter().any(|(id, _)| id == "redis-without-persistence");
    assert!(!is_found(), "what is not there is not known");
    bench.write("conf/redis.conf", "save \"\"\n");
    assert!(is_found());
    bench.write("conf/redis.conf", "save \"\"\nappendonly yes\n");
    assert!(!is_found());
    fs::remove_file(bench.path("conf/redis.conf")).unwrap();
    assert!(Command::new("mkfifo").arg(bench.path("conf/redis.conf")).status().unwrap().success());
    assert!(!is_found());
}
