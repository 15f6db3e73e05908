//! On real dumps: PostgreSQL 15.18, MariaDB 10.11, Redis 7.0.15, SQLite 3.40.

use std::{io::Write as _, path::PathBuf, time::SystemTime};

use super::*;
use crate::model::{
    coverage::{Coverage, CoverageStatus},
    evidence::{Contents, DatabaseContents, Evidence, Location, Presence, TargetKind, TargetRef},
    plan::Fate,
};

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backups");
    fs::read(folder.join(name)).unwrap()
}

const WHOLE: [(&str, Format); 8] = [
    ("shop.dump", Format::PgCustom),
    ("seekable.dump", Format::PgCustom),
    ("shop.sql", Format::PgPlain),
    ("inserts.sql", Format::PgPlain),
    ("all.sql", Format::PgCluster),
    ("mariadb-one.sql", Format::MySqlDump),
    ("shop.rdb", Format::Rdb),
    ("app.db", Format::Sqlite),
];

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A file with a time stamp so long before now.
    fn aged(&self, name: &str, content: &[u8], age: SignedDuration) -> PathBuf {
        let path = self.write(name, content);
        let time = SystemTime::from(NOW - age);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    }

    fn check(&self, content: &[u8]) -> BackupFile {
        check_file(&self.write("file", content), &TimeZone::UTC).unwrap()
    }
}

#[test]
fn whole_dumps_are_whole_also_when_they_are_compressed() {
    let folder = Folder::new();
    for (name, format) in WHOLE {
        let content = fixture(name);
        for packed in [content.clone(), gzip(&content), zstd(&content)] {
            let file = folder.check(&packed);
            assert_eq!((file.format, &file.whole), (Some(format), &Whole::Yes), "{name}");
        }
    }
}

#[test]
fn no_truncation_of_a_whole_dump_is_whole() {
    let folder = Folder::new();
    for (name, _) in WHOLE {
        let content = fixture(name);
        for length in 0..content.len() {
            let read = content::read(&mut &content[..length]).unwrap_or_else(content::Content::from);
            assert_ne!(read.whole, Whole::Yes, "{name}, {length} of {} bytes", content.len());
        }
        for packed in [gzip(&content), zstd(&content)] {
            let near_the_end = packed.len().saturating_sub(40);
            for length in (0..near_the_end).step_by(97).chain(near_the_end..packed.len()) {
                let file = folder.check(&packed[..length]);
                assert_ne!(file.whole, Whole::Yes, "{name} packed, {length} of {} bytes", packed.len());
            }
        }
    }
}

#[test]
fn what_stands_behind_the_end_makes_a_dump_doubtful() {
    let folder = Folder::new();
    for (name, _) in WHOLE {
        let mut content = fixture(name);
        content.extend_from_slice(b"more\n");
        assert_ne!(folder.check(&content).whole, Whole::Yes, "{name}");
    }
    // Two dumps in one file are two whole dumps.
    let twice = [fixture("shop.sql"), fixture("shop.sql")].concat();
    assert_eq!(folder.check(&twice).whole, Whole::Yes);
}

#[test]
fn a_changed_byte_is_seen_where_there_is_a_checksum() {
    let folder = Folder::new();
    for packed in [fixture("shop.rdb"), gzip(&fixture("shop.sql")), zstd(&fixture("shop.sql"))] {
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        assert_ne!(folder.check(&damaged).whole, Whole::Yes);
    }
}

#[test]
fn what_is_no_dump_never_counts() {
    let folder = Folder::new();
    for content in [
        &b""[..],
        b"\n",
        b"hello",
        b"pg_dump: error: connection failed\n",
        b"-- PostgreSQL database dump complete\n--\n\n",
        b"-- Dump completed on 2026-01-01 00:00:00\n",
        b"PGDMP",
        b"\x1f\x8b",
        b"\xfd7zXZ\0 and so on",
        b"SQLite format 3\0",
        b"REDIS0011",
        &gzip(b""),
    ] {
        let file = folder.check(content);
        assert_ne!(file.whole, Whole::Yes, "{:?}", String::from_utf8_lossy(content));
    }
    assert!(matches!(folder.check(b"").whole, Whole::Broken(_)));
    assert!(check_file(&folder.0.path().join("absent"), &TimeZone::UTC).is_err());
    assert!(check_file(folder.0.path(), &TimeZone::UTC).is_err());
}

#[test]
fn a_rows_text_is_not_taken_for_the_trailer() {
    let folder = Folder::new();
    let head = "--\n-- PostgreSQL database dump\n--\n\n";
    let trailer = "-- PostgreSQL database dump complete\n--\n\n";
    for before in ["COPY public.t (a) FROM stdin;\n", "INSERT INTO public.t VALUES ('\n"] {
        let file = folder.check(format!("{head}{before}{trailer}").as_bytes());
        assert!(matches!(file.whole, Whole::Broken(_)), "{before}");
    }
    let routine = "-- MySQL dump 10.13\nDELIMITER ;;\ncreate procedure p() begin\n-- Dump completed\n";
    assert!(matches!(folder.check(routine.as_bytes()).whole, Whole::Broken(_)));
}

#[test]
fn a_dump_tells_what_is_in_it() {
    let folder = Folder::new();
    let databases = |name: &str| -> Vec<String> {
        let told = |d: Dumped| format!("{} {:?} {}", d.name.unwrap_or("?".into()), d.tables, d.without_data);
        folder.check(&fixture(name)).databases.into_iter().map(told).collect()
    };
    // Five tables, one of them partitioned, and a materialized view.
    assert_eq!(databases("shop.dump"), ["shop Some(6) 0"]);
    assert_eq!(databases("seekable.dump"), ["shop Some(6) 0"]);
    assert_eq!(databases("shop.sql"), ["? Some(6) 0"]);
    assert_eq!(databases("inserts.sql"), ["shop Some(6) 0"]);
    assert_eq!(databases("schema.dump"), ["shop Some(6) 4"]);
    assert_eq!(databases("schema.sql"), ["? Some(6) 4"]);
    assert_eq!(databases("partial.dump"), ["shop Some(6) 1"]);
    assert!(databases("all.sql").contains(&"shop Some(6) 0".to_owned()));
    assert_eq!(databases("mariadb-one.sql"), ["shop Some(2) 0"]);
    assert_eq!(databases("mariadb-schema.sql"), ["shop Some(2) 2"]);
    assert_eq!(databases("mariadb-two.sql"), ["shop Some(2) 0", "other Some(1) 0"]);
    assert_eq!(folder.check(&fixture("shop.rdb")).keys, Some(2));
}

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn evidence(engine: &str, databases: &[(&str, u64)]) -> Evidence {
    let database = |(name, tables): &(&str, u64)| DatabaseContents {
        name: (*name).to_owned(),
        tables: Some(*tables),
        ..DatabaseContents::default()
    };
    Evidence {
        target: TargetRef {
            kind: TargetKind::Container,
            id: "1".into(),
            name: "shop-db-1".into(),
            project: None,
            service: None,
        },
        engine: Some(engine.into()),
        engine_name: None,
        engine_version: None,
        location: Location::WritableLayer,
        path: "/data".into(),
        volume: None,
        presence: Presence::Found,
        size_bytes: None,
        contents: Contents {
            databases: databases.iter().map(database).collect(),
            complete: true,
            note: None,
        },
        last_write: None,
        running: true,
        fate: Fate::Destroyed,
        consequence: String::new(),
        identity: None,
        coverage: Coverage::none(),
    }
}

/// Whether files cover data, as seen when the fixtures were a moment old.
fn judge(files: &[PathBuf], seen: &Evidence) -> (CoverageStatus, String) {
    judge_at(files, seen, NOW)
}

fn judge_at(files: &[PathBuf], seen: &Evidence, now: Timestamp) -> (CoverageStatus, String) {
    let live = Live::default();
    let limits = Limits { max_age: DAY, now, zone: TimeZone::UTC, memory: None, live };
    let covered = look_at_files(files.to_vec(), seen, &limits).coverage;
    (covered.status, covered.detail.unwrap_or_default())
}

/// A plain dump carries no time of its own, so that the file's counts.
fn plain() -> Vec<u8> {
    fixture("shop.sql")
}

#[test]
fn the_newest_whole_file_within_the_age_covers() {
    let folder = Folder::new();
    let seen = evidence("postgres", &[("shop", 6)]);
    let good = folder.aged("good.sql", &plain(), HOUR * 5);
    let broken = folder.aged("broken.sql", &plain()[..900], HOUR);
    assert_eq!(judge(&[], &seen).0, CoverageStatus::None);
    assert_eq!(judge(std::slice::from_ref(&good), &seen), (CoverageStatus::Covered, "pg_dump, whole".into()));
    assert_eq!(judge(&[broken.clone(), good], &seen).0, CoverageStatus::Covered);
    let (status, why) = judge(&[broken], &seen);
    assert_eq!(status, CoverageStatus::Stale);
    assert!(why.contains("it is cut off"), "{why}");
    let old = folder.aged("old.sql", &plain(), DAY + HOUR);
    assert_eq!(judge(&[old], &seen), (CoverageStatus::Stale, "it is too old".into()));
    let future = folder.aged("future.sql", &plain(), -HOUR);
    assert_eq!(judge(&[future], &seen).0, CoverageStatus::Stale);
    let gone = folder.0.path().join("gone.sql");
    assert_eq!(judge(&[gone], &seen).0, CoverageStatus::Undetermined);
    let packed = folder.aged("x.sql.xz", b"\xfd7zXZ\0", HOUR);
    assert_eq!(judge(&[packed], &seen).0, CoverageStatus::Undetermined);
}

#[test]
fn a_backup_must_be_of_this_data() {
    let folder = Folder::new();
    let aged = |name: &str| folder.aged(name, &fixture(name), HOUR);
    let stale = |files: &[PathBuf], seen: &Evidence, expected: &str| {
        let (status, why) = judge_at(files, seen, NOW);
        assert_eq!(status, CoverageStatus::Stale, "{expected}: {why}");
        assert!(why.contains(expected), "{why}");
    };
    stale(&[aged("shop.sql")], &evidence("mysql", &[("shop", 2)]), "another engine");
    stale(&[aged("shop.sql")], &evidence("mongodb", &[]), "another engine");
    stale(&[aged("inserts.sql")], &evidence("postgres", &[("bank", 2)]), "another database: shop, not bank");
    stale(&[aged("shop.sql")], &evidence("postgres", &[("shop", 7)]), "holds 6 of 7 tables");
    stale(&[aged("schema.sql")], &evidence("postgres", &[("shop", 6)]), "holds no rows of 4 tables");
    stale(&[aged("schema.sql")], &evidence("postgres", &[]), "holds no rows of 4 tables");
    stale(&[aged("globals.sql")], &evidence("postgres", &[]), "holds no tables");
    stale(&[aged("globals.sql")], &evidence("postgres", &[("shop", 1)]), "does not say");
    // An unnamed dump of one of two databases: of which?
    let two = evidence("postgres", &[("shop", 6), ("bank", 1)]);
    stale(&[folder.aged("dump.sql", &plain(), HOUR)], &two, "does not say");
    stale(&[aged("shop.sql")], &two, "and nothing else holds the database bank");
    assert_eq!(judge(&[aged("all.sql")], &evidence("postgres", &[("shop", 6)])).0, CoverageStatus::Covered);
    assert_eq!(
        judge(&[aged("shop.sql")], &evidence("postgres", &[("shop", 6), ("empty", 0)])).0,
        CoverageStatus::Covered
    );
}

#[test]
fn where_the_databases_are_not_all_known_only_a_dump_of_the_whole_server_covers() {
    let folder = Folder::new();
    let aged = |name: &str| folder.aged(name, &fixture(name), HOUR);
    let mut silent = evidence("postgres", &[]);
    silent.contents.complete = false;
    let mut partly = evidence("postgres", &[("shop", 6)]);
    partly.contents.complete = false;
    for seen in [&silent, &partly] {
        let (status, why) = judge(&[aged("shop.sql")], seen);
        assert_eq!(status, CoverageStatus::Undetermined, "{why}");
        assert!(why.contains("other databases could not be told"), "{why}");
        assert_eq!(judge(&[aged("all.sql")], seen).0, CoverageStatus::Covered);
        assert_eq!(judge(&[aged("schema.sql")], seen).0, CoverageStatus::Stale);
    }
}

#[test]
fn the_time_in_a_dump_counts_for_more_than_a_fresh_copys() {
    let folder = Folder::new();
    let seen = evidence("redis", &[]);
    let content = fixture("shop.rdb");
    let made = crate::engines::redis::parse_rdb(&content).unwrap().created.unwrap();
    let copied = folder.aged("shop.rdb", &content, HOUR);
    assert!(made < NOW - DAY);
    assert_eq!(judge(std::slice::from_ref(&copied), &seen), (CoverageStatus::Stale, "it is too old".into()));
    fs::File::options().write(true).open(&copied).unwrap().set_modified(made.into()).unwrap();
    assert_eq!(judge_at(std::slice::from_ref(&copied), &seen, made + HOUR).0, CoverageStatus::Covered);
    for name in ["shop.dump", "mariadb-one.sql"] {
        let file = check_file(&folder.aged(name, &fixture(name), HOUR), &TimeZone::UTC).unwrap();
        assert!(file.made_at < NOW - DAY, "{name}: {}", file.made_at);
    }
}

#[test]
fn a_wall_clock_is_read_in_the_zone_that_fits_the_time_stamp() {
    let zone = TimeZone::fixed(jiff::tz::offset(-8));
    let wall = civil::date(2026, 1, 10).at(12, 0, 0, 0);
    let utc = TimeZone::UTC.to_timestamp(wall).unwrap();
    let there = zone.to_timestamp(wall).unwrap();
    let read = |modified| made_at(OwnTime::Wall(wall), modified, &zone);
    let minute = SignedDuration::from_mins(1);
    assert_eq!(read(utc + minute), utc);
    assert_eq!(read(there + minute), there);
    // A copy made later: the earlier of both.
    assert_eq!(read(utc + DAY * 3), utc);
    // A zone that is neither: the time stamp is all there is.
    assert_eq!(read(utc - HOUR * 2), utc - HOUR * 2);
    assert_eq!(made_at(OwnTime::Exact(utc + HOUR), utc, &zone), utc);
}

#[test]
fn a_file_that_is_empty_of_keys_or_beside_its_log_does_not_count() {
    let folder = Folder::new();
    let database = folder.aged("app.db", &fixture("app.db"), HOUR);
    let seen = evidence("sqlite", &[]);
    assert_eq!(judge(std::slice::from_ref(&database), &seen).0, CoverageStatus::Covered);
    folder.write("app.db-wal", b"pages");
    assert_eq!(judge(&[database], &seen).0, CoverageStatus::Undetermined);
    let mut redis = evidence("redis", &[("db0", 0)]);
    redis.contents.databases[0] =
        DatabaseContents { name: "db0".into(), rows: Some(1000), ..DatabaseContents::default() };
    let content = fixture("shop.rdb");
    let made = crate::engines::redis::parse_rdb(&content).unwrap().created.unwrap();
    let file = folder.write("shop.rdb", &content);
    fs::File::options().write(true).open(&file).unwrap().set_modified(made.into()).unwrap();
    let (status, why) = judge_at(&[file], &redis, made + HOUR);
    assert_eq!(
        (status, why.as_str()),
        (CoverageStatus::Stale, "it holds 2 keys of 1000: it is of other data")
    );
}
