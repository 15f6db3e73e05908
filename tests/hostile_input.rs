//! Whatever comes from a container, an engine, a project's folder or a command line, it is understood or refused: no
//! panic, no hang. What was found is kept beside this file; `PROPTEST_CASES=1000000 cargo test --test hostile_input`
//! looks longer.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::{fs, io::Write as _, path::Path};

use dbsafe::{
    composefile,
    docker::{archive::walk_tar, tar_stream::TarScan},
    engines::{
        postgres,
        postgres_catalogue::{self as catalogue, Relations, Transactions},
        redis, sqlite,
    },
    inspect::backups::{check_file, names},
    model::manifest::Manifest,
    plan::{parse, shell},
    settings,
};
use jiff::tz::TimeZone;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use support::chance::config;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// A whole file, cut and with some of its bytes replaced.
fn spoiled(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), vec((any::<Index>(), any::<u8>()), 0..8), any::<bool>()).prop_map(
        move |(end, changes, cuts)| {
            let mut bytes = whole.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cuts {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

fn backup() -> impl Strategy<Value = Vec<u8>> {
    let files = [
        "shop.sql",
        "shop.dump",
        "shop.rdb",
        "mariadb-two.sql",
        "app.db",
        "globals.sql",
        "seekable.dump",
        "partial.dump",
        "all.sql",
    ];
    let files: Vec<Vec<u8>> = files.iter().map(|name| fixture(&format!("backups/{name}"))).collect();
    select(files).prop_flat_map(spoiled)
}

/// Words as people, scripts and those who wish ill would write them.
fn word() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "docker",
        "docker-compose",
        "dbsafe",
        "compose",
        "down",
        "rm",
        "volume",
        "container",
        "prune",
        "system",
        "-f",
        "-v",
        "-vt5",
        "--volumes=false",
        "--",
        "-p",
        "--project-name=x",
        "-t",
        "--timeout",
        "-H",
        "guard",
        "--check",
        "--format",
        "json",
        "--accept-loss",
        "db",
        "0123456789ab",
        "-",
        "",
        "--filter",
        "until=24h",
        "|",
        "&&",
        "||",
        ";",
        "$(",
        ")",
        "`",
        "'",
        "\"",
        "\\",
        "{",
        "}",
        "<<EOF",
        "EOF",
        ">",
        "2>&1",
        "xargs",
        "sudo",
        "env",
        "A=b",
        "bash",
        "-c",
        "eval",
        "cd",
        "if",
        "then",
        "fi",
        "for",
        "do",
        "done",
        "\n",
        "((",
        "))",
        "[[",
        "${x:-y}",
        "$'\\x41'",
        "#",
        "case",
        "esac",
        ";;",
    ];
    prop_oneof![8 => select(KNOWN).prop_map(str::to_owned), 1 => any::<String>(), 1 => "-{1,2}[a-z=]{0,6}"]
}

proptest! {
    #![proptest_config(config(2000, file!()))]

    #[test]
    fn a_command_line_is_understood_or_refused(words in vec(word(), 0..12)) {
        let _ = parse::parse(&words);
    }

    #[test]
    fn a_line_of_a_shell_is_understood_or_refused(words in vec(word(), 0..24), glue in select(&[" ", ""][..])) {
        let _ = shell::steps(&words.join(glue));
    }

    #[test]
    fn any_text_as_a_line_of_a_shell(text in any::<String>()) {
        let _ = shell::steps(&text);
    }

    #[test]
    fn heads_of_files_are_read_within_their_bounds(bytes in prop_oneof![vec(any::<u8>(), 0..512), backup()]) {
        let _ = redis::parse_rdb(&bytes);
        let _ = (sqlite::is_empty(&bytes), sqlite::tables(&bytes));
        let _ = redis::parse_rdb(&[&b"REDIS0011"[..], &bytes].concat());
        let mut page = sqlite::MAGIC.to_vec();
        page.extend(&bytes);
        let _ = (sqlite::is_empty(&page), sqlite::tables(&page));
    }

    #[test]
    fn settings_are_read_or_refused_with_a_place(text in prop_oneof![any::<String>(), settings_text()]) {
        let _ = settings::file::parse(Path::new(".dbsafe.toml"), &text);
    }

    #[test]
    fn names_of_backups_are_compared(path in any::<String>(), word in any::<String>()) {
        let _ = names(Path::new(&path), &word);
    }

    #[test]
    fn a_manifest_is_read_or_refused(bytes in spoiled(manifest())) {
        let _ = serde_json::from_slice::<Manifest>(&bytes);
    }
}

proptest! {
    #![proptest_config(config(300, file!()))]

    #[test]
    fn a_catalogue_of_postgresql_is_read_within_its_bounds(
        mut heap in vec(any::<u8>(), 8192..9000),
        pointers in vec(any::<u32>(), 0..40),
        end in any::<u16>(),
        version in 9_u32..20,
        log in vec(any::<u8>(), 0..64),
    ) {
        let _ = postgres::parse_control(&heap);
        let _ = catalogue::file_of_relations(&heap);
        heap[12..14].copy_from_slice(&(end % 400).to_le_bytes());
        for (index, pointer) in pointers.iter().enumerate() {
            // Half of them point to rows that count.
            let pointer = if pointer % 2 == 0 { pointer & !(3 << 15) | 1 << 15 } else { *pointer };
            heap[24 + 4 * index..28 + 4 * index].copy_from_slice(&pointer.to_le_bytes());
        }
        let mut transactions = Transactions::default();
        for segment in catalogue::segments(&heap).into_iter().take(2) {
            transactions.insert(segment, log.clone());
        }
        let _ = catalogue::database_rows(&heap, &transactions);
        let _ = catalogue::count_rows(&heap, &transactions);
        if let Some(relations) = Relations::read(&heap, version, &transactions) {
            let _ = relations.count(&heap, &transactions);
        }
    }

    #[test]
    fn a_tar_is_walked_whole_or_refused(bytes in spoiled(tarball()), piece in 1_usize..3000) {
        let mut scan = TarScan::guarding(Some("data"));
        let outcome = bytes.chunks(piece).try_for_each(|chunk| scan.feed(chunk));
        let whole = outcome.is_ok() && scan.finish().is_ok();
        let mut entries = 0;
        let _ = walk_tar(&bytes[..], u64::MAX, &mut |_entry| {
            entries += 1;
            std::ops::ControlFlow::Continue(())
        });
        // One that lost its end is never whole.
        prop_assert!(!whole || bytes.len() > 1024);
    }

    #[test]
    fn a_backup_is_whole_broken_or_unknown(bytes in backup(), packing in 0..3) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let packed = match packing {
            0 => bytes,
            1 => zstd::encode_all(&bytes[..], 1).unwrap(),
            _ => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(&bytes).unwrap();
                packer.finish().unwrap()
            }
        };
        fs::write(&path, packed).unwrap();
        let _ = check_file(&path, &TimeZone::UTC);
    }

    #[test]
    fn a_compose_file_is_read_or_refused(bytes in spoiled(fixture("lessons/postgres.yaml"))) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Ok(mut document) = composefile::Document::read(&text) else { return Ok(()) };
        let _ = document.place(&["services", "db", "image"]);
        let _ = document.set(&["services", "db", "mem_limit"], &composefile::Value::word("1g"));
        let _ = composefile::service::mount_volume(&mut document, "db", "data", "/var/lib/postgresql/data");
    }
}

fn settings_text() -> impl Strategy<Value = String> {
    const LINES: &[&str] = &[
        "[[backup]]",
        "service = \"db\"",
        "files = \"backups/*.dump\"",
        "max_backup_age = \"24h\"",
        "[policy]",
        "accept_loss = \"never\"",
        "[[suppress]]",
        "check = \"no-recent-backup\"",
        "reason = \"\"",
        "x = 1e999",
        "max_backup_age = \"-1h\"",
        "files = [[[[[[",
        "[retention]",
        "keep_last = -1",
        "keep_last = 99999999999999999999",
    ];
    vec(select(LINES), 0..12).prop_map(|lines| lines.join("\n"))
}

/// A small archive with a folder, files, links and a long name.
fn tarball() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, name: &str, link: Option<&str>, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        match link {
            Some(link) => builder.append_link(&mut header, name, link).unwrap(),
            None => builder.append_data(&mut header, name, content).unwrap(),
        }
    };
    add(tar::EntryType::Directory, "data/", None, b"");
    add(tar::EntryType::Regular, "data/PG_VERSION", None, b"15\n");
    add(tar::EntryType::Symlink, "data/link", Some("PG_VERSION"), b"");
    add(tar::EntryType::Link, "data/hard", Some("data/PG_VERSION"), b"");
    add(tar::EntryType::Regular, &format!("data/{}", "n".repeat(180)), None, &[7; 700]);
    builder.into_inner().unwrap()
}

fn manifest() -> Vec<u8> {
    fixture("manifest.json")
}
