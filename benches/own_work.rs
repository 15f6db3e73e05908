//! What dbsafe itself has to work at, apart from every engine: `cargo bench` prints what each takes.
//! What a person waits for is measured as whole commands, by the scripts beside this file.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::{fs, hint::black_box, io::Write as _, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dbsafe::{
    docker::{archive::walk_tar, tar_stream::TarScan},
    inspect::backups::check_file,
    plan::{parse, shell},
    store::{Compression, Store},
};
use jiff::{Timestamp, tz::TimeZone};

/// A page as databases have them: half of it is random, half is text.
fn page(state: &mut u64) -> Vec<u8> {
    let mut page: Vec<u8> = (0..4096)
        .map(|_| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    page.extend(b"a row of a table, as it stands in a page; ".iter().cycle().take(4096));
    page
}

fn lines(criterion: &mut Criterion) {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (name, line) in [
        (
            "a command line that can destroy",
            "--context prod compose -f a.yaml -p shop --profile extra down -v -t 5",
        ),
        ("a command line that cannot", "--context prod compose -f a.yaml -p shop ps --format json"),
    ] {
        let line = words(line);
        criterion.bench_function(name, |bencher| bencher.iter(|| black_box(parse::parse(black_box(&line)))));
    }
    let line =
        "cd shop && docker compose down -v 2>&1 | tee log || (docker volume rm $(docker volume ls -q); true)";
    criterion.bench_function("a line of a shell", |bencher| {
        bencher.iter(|| black_box(shell::steps(black_box(line))))
    });
}

fn streams(criterion: &mut Criterion) {
    let mut state = 7;
    let mut builder = tar::Builder::new(Vec::new());
    for number in 0..256 {
        let content: Vec<u8> = (0..8).flat_map(|_| page(&mut state)).collect();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, format!("data/base/{number}"), &content[..]).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    let mut group = criterion.benchmark_group("an archive of 256 files, 16 MiB");
    group.throughput(Throughput::Bytes(archive.len() as u64)).sample_size(20);
    group.bench_function("walked for databases", |bencher| {
        bencher.iter(|| {
            walk_tar(&archive[..], u64::MAX, &mut |_entry| std::ops::ControlFlow::Continue(())).unwrap()
        });
    });
    group.bench_function("counted on its way to the disk", |bencher| {
        bencher.iter(|| {
            let mut scan = TarScan::counting();
            archive.chunks(1 << 16).try_for_each(|chunk| scan.feed(chunk)).unwrap();
            scan.finish().unwrap()
        });
    });
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    group.bench_function("compressed, digested and synced to the disk", |bencher| {
        bencher.iter(|| {
            let writer = store.begin("bench", Timestamp::now()).unwrap();
            let mut file = writer.artifact("data.tar.zst", Compression::Zstd).unwrap();
            archive.chunks(1 << 16).try_for_each(|chunk| file.write_all(chunk)).unwrap();
            file.finish().unwrap()
        });
    });
    group.finish();
}

fn dumps(criterion: &mut Criterion) {
    let whole =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backups/shop.sql")).unwrap();
    let text = String::from_utf8(whole).unwrap();
    let (head, tail) = text.split_once("\\.\n").unwrap();
    let rows = "1\tan order\t2026-01-01\n".repeat(700_000);
    let dump = format!("{head}{rows}\\.\n{tail}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sql");
    fs::write(&path, &dump).unwrap();
    let mut group = criterion.benchmark_group("a plain dump of PostgreSQL, 15 MiB");
    group.throughput(Throughput::Bytes(dump.len() as u64)).sample_size(20);
    group.bench_function("read to its end", |bencher| {
        bencher.iter(|| black_box(check_file(&path, &TimeZone::UTC).unwrap()));
    });
    group.finish();
}

criterion_group!(all, lines, streams, dumps);
criterion_main!(all);
