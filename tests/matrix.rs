//! The guard's and the snapshots' main scenarios on every engine, with every Compose, over every kind of connection.
//! A run takes TLS, ssh and the oldest engine; the whole table of `docs/compatibility.md` is made by
//!
//!     cargo test --test matrix everything -- --ignored --nocapture

mod support;

use std::{fmt::Write as _, fs, panic, path::Path};

use support::{Engine, Stack, Way, home::Home, wipe};

/// A scenario: asserts what must be.
type Scenario = (&'static str, fn(&Engine));

const SCENARIOS: &[Scenario] = &[
    ("data in the writable layer is not lost by `down`, `rm -f` and label mode", the_story),
    ("an anonymous volume: `down` warns of what it detaches, `rm -fv` of what it destroys", anonymous),
    ("a named volume: one line on `down`, blocked on `down -v` and `volume rm`", named),
    ("Redis in memory, an application's SQLite", in_memory_and_in_an_application),
    ("a stateless stack goes without a word", safe),
    ("`down -v --snapshot`, `undo`, and `up` changes nothing", saved_and_taken_back),
];

const STORY: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { PGDATA: /srv/pg, POSTGRES_HOST_AUTH_METHOD: trust }
";

const NAMED: &str = "
services:
  db:
    image: postgres:15
    network_mode: none
    environment: { POSTGRES_HOST_AUTH_METHOD: trust }
    volumes: [ 'data:/var/lib/postgresql/data' ]
volumes: { data: }
";

fn with_payments<'a>(engine: &'a Engine, yaml: &str) -> Stack<'a> {
    let stack = Stack::up(engine, yaml);
    engine.fill_payments(&stack.container("db"));
    stack
}

fn payments(stack: &Stack<'_>) -> String {
    let container = stack.container("db");
    stack.engine.wait_for_postgres(&container);
    stack.engine.psql(&container, "select sum(amount) from payments")
}

fn the_story(engine: &Engine) {
    let stack = with_payments(engine, STORY);
    let ran = stack.dbsafe(&["down"]).expect(10);
    assert!(ran.says("1 table, 2 rows"), "{ran:?}");
    engine.dbsafe(&["-p", &stack.name, "down"]).expect(10);
    engine.dbsafe(&["rm", "-f", &stack.container("db")]).expect(10);
    assert_eq!(payments(&stack), "350");
}

fn anonymous(engine: &Engine) {
    let db = engine.container(&["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "postgres:15"]);
    engine.fill_payments(&db.name);
    engine.dbsafe(&["rm", "-f", &db.name]).expect(10);
    engine.dbsafe(&["rm", "-fv", &db.name]).expect(10);
}

fn named(engine: &Engine) {
    let stack = with_payments(engine, NAMED);
    let volume = format!("{}_data", stack.name);
    stack.dbsafe(&["down", "-v"]).expect(10);
    let ran = stack.dbsafe(&["down"]).expect(0);
    assert!(ran.says(&volume), "{ran:?}");
    engine.dbsafe(&["volume", "rm", &volume]).expect(10);
    engine.docker(&["volume", "rm", &volume]).expect(0);
}

fn in_memory_and_in_an_application(engine: &Engine) {
    let redis = engine.container(&["redis:7", "--save", "", "--appendonly", "no"]);
    engine.wait_for(&redis.name, &["redis-cli", "set", "k", "v"]);
    engine.dbsafe(&["stop", &redis.name]).expect(10);
    let app = engine.container(&["sqlite-app:1"]);
    engine.wait_for(&app.name, &["test", "-s", "/app/data/app.db"]);
    engine.dbsafe(&["rm", "-f", &app.name]).expect(10);
}

fn safe(engine: &Engine) {
    let stack = Stack::up(
        engine,
        "services: { web: { image: 'stateless:1', network_mode: none, volumes: [ '/cache', 'named:/named' ] } }\nvolumes: { named: {} }\n",
    );
    engine.wait_for(&stack.container("web"), &["test", "-s", "/var/log/app.log"]);
    let ran = stack.dbsafe(&["down", "-v", "-t", "1"]).expect(0);
    assert!(!ran.stderr.contains("dbsafe:"), "{ran:?}");
}

fn saved_and_taken_back(engine: &Engine) {
    let (stack, home) = (with_payments(engine, NAMED), Home::on(engine));
    home.run_in(&stack.folder, &["down", "-v", "--snapshot"]).expect(0);
    assert!(stack.containers().is_empty());
    home.run_in(&stack.folder, &["undo"]).expect(0);
    let container = stack.container("db");
    let id = |name: &str| engine.docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", name]).stdout;
    let before = id(&container);
    stack.compose(&["up", "-d"]).expect(0);
    assert_eq!((id(&container), payments(&stack)), (before, "350".to_owned()));
}

#[test]
fn over_tls() {
    the_story(&Engine::over("28-tls", "5.6", Way::Tls));
}

#[test]
fn over_ssh() {
    let engine = Engine::over("28-ssh", "5.6", Way::Ssh);
    the_story(&engine);
    saved_and_taken_back(&engine);
}

/// It does not tell a volume from a later namesake.
#[test]
fn saved_on_engine_20_10() {
    saved_and_taken_back(&Engine::start("20", "2.26"));
}

/// Engine, Compose, and how it is reached.
const CELLS: &[(&str, &str, Way)] = &[
    ("20", "2.26", Way::Socket),
    ("20", "2.40", Way::Socket),
    ("20", "5.6", Way::Socket),
    ("26", "2.26", Way::Socket),
    ("26", "2.40", Way::Socket),
    ("26", "5.6", Way::Socket),
    ("28", "2.26", Way::Socket),
    ("28", "2.40", Way::Socket),
    ("28", "5.6", Way::Socket),
    ("28c", "2.26", Way::Socket),
    ("28c", "2.40", Way::Socket),
    ("28c", "5.6", Way::Socket),
    ("28r", "5.6", Way::Socket),
    ("28-tls", "5.6", Way::Tls),
    ("28-ssh", "5.6", Way::Ssh),
];

fn title(cell: &(&str, &str, Way)) -> String {
    let (engine, compose, way) = cell;
    let engine = match *engine {
        "20" => "20.10",
        "26" => "26.1",
        "28c" => "28.5, containerd image store",
        "28r" => "28.5, rootless",
        _ => "28.5",
    };
    let way = match way {
        Way::Socket => "unix socket",
        Way::Tls => "tcp with TLS",
        Way::Ssh => "ssh",
    };
    format!("{engine} | {compose} | {way}")
}

/// Between these lines the table is written.
const BEGIN: &str = "<!-- made by the test: from here -->\n";
const END: &str = "<!-- to here -->\n";

#[test]
#[ignore = "it takes a quarter of an hour: cargo test --test matrix everything -- --ignored"]
fn everything() {
    let mut table = String::from("| engine | Compose | connection |");
    for number in 1..=SCENARIOS.len() {
        let _ = write!(table, " {number} |");
    }
    let _ = writeln!(table, "\n|{}", "---|".repeat(3 + SCENARIOS.len()));
    let mut failed = Vec::new();
    let last_of = |index: usize| CELLS.get(index + 1).is_none_or(|next| next.0 != CELLS[index].0);
    for (index, cell) in CELLS.iter().enumerate() {
        let engine = Engine::over(cell.0, cell.1, cell.2);
        let _ = write!(table, "| {} |", title(cell));
        for (name, scenario) in SCENARIOS {
            let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| scenario(&engine)));
            let word = if outcome.is_ok() { "ok" } else { "**failed**" };
            eprintln!("{}: {name}: {word}", title(cell));
            let _ = write!(table, " {word} |");
            if outcome.is_err() {
                failed.push(format!("{}: {name}", title(cell)));
            }
        }
        table.push('\n');
        drop(engine);
        if last_of(index) {
            wipe(cell.0);
        }
    }
    let scenarios: String =
        SCENARIOS.iter().enumerate().fold(String::new(), |mut text, (index, (name, _))| {
            let _ = writeln!(text, "{}. {name}", index + 1);
            text
        });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let whole = fs::read_to_string(&path).unwrap_or_else(|_| format!("{BEGIN}{END}"));
    let (before, rest) = whole.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    fs::write(path, format!("{before}{BEGIN}{scenarios}\n{table}{END}{after}")).unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}
