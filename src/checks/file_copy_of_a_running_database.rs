//! `file-copy-of-a-running-database`.

use super::{
    kind::served,
    place::{self, Holder},
};
use crate::{
    engines::habits::image_name,
    model::{
        check::{Check, Class, Look, Sink, Situation},
        container::is_within,
        setup::{Setup, SetupMount},
        verdict::Severity,
    },
};

pub(super) static CHECK: Check = Check {
    title: "a backup copies the files of a database that runs",
    why: "A server changes many files for one transaction. A copy that is taken meanwhile has some of them before \
          and some after: it may start, and be wrong. Dump with the server's own client, or stop it for the copy.",
    bad: "services:
  db:
    image: postgres:17
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]
  backup:
    image: offen/docker-volume-backup:v2
    volumes: [ \"pgdata:/backup/pgdata:ro\" ]
volumes:
  pgdata: {}",
    good: "services:
  db:
    image: postgres:17
    volumes: [ \"pgdata:/var/lib/postgresql/data\" ]
    labels: [ docker-volume-backup.stop-during-backup=true ]
  backup:
    image: offen/docker-volume-backup:v2
    volumes: [ \"pgdata:/backup/pgdata:ro\", \"/var/run/docker.sock:/var/run/docker.sock:ro\" ]
volumes:
  pgdata: {}",
    reference: "https://www.postgresql.org/docs/current/backup-file.html",
    setup: Some(look),
    data: Some(on_data),
    ..Check::documented("file-copy-of-a-running-database", Class::Backups, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let copier = look.setup;
    if copier.engine.is_some() || !copies_files(copier) {
        return;
    }
    for server in look.project {
        let Some(held) =
            data_mount(server).filter(|held| !is_quiesced(server, copier) && held.source.is_some())
        else {
            continue;
        };
        if copier.mounts.iter().any(|mount| mount.source == held.source) {
            let message = format!("it copies the files of {} while its server writes to them", server.name);
            sink.raise(copier, &["volumes"], message).remedy(format!(
                "dump with the server's own client, or stop {} meanwhile",
                server.service_name()
            ));
        }
    }
}

/// The mount that a server's data lies on.
fn data_mount(server: &Setup) -> Option<&SetupMount> {
    let habits = served(server)?;
    match place::of_file(server).map(|place| place.holder) {
        Some(Holder::Mount(mount)) => Some(mount),
        Some(_) => None,
        None => server.mounts.iter().find(|mount| is_within(habits.directory, &mount.target)),
    }
}

/// Whether a service's work is to copy files.
fn copies_files(setup: &Setup) -> bool {
    const IMAGES: &[&str] =
        &["backup", "backups", "borg", "duplicati", "kopia", "rclone", "restic", "rsync", "volumerize"];
    const PROGRAMS: &[&str] =
        &["tar", "cp", "rsync", "restic", "borg", "rclone", "zip", "duplicity", "kopia"];
    let image = image_name(setup.image.as_deref().unwrap_or_default());
    let words = setup.words();
    let runs = |program: &&str| words.iter().any(|word| word.rsplit('/').next() == Some(program));
    image.split(['-', '_', '.']).any(|word| IMAGES.contains(&word)) || PROGRAMS.iter().any(runs)
}

/// Whether the server is stopped, or dumps, before its files are copied.
fn is_quiesced(server: &Setup, copier: &Setup) -> bool {
    const LABELS: &[&str] = &[
        "docker-volume-backup.stop-during-backup",
        "docker-volume-backup.archive-pre",
        "docker-volume-backup.exec-pre",
        "docker-volume-backup.copy-pre",
    ];
    let stops = |word: &&str| {
        *word == "stop" || *word == "pause" || word.ends_with("dump") || word.ends_with("dumpall")
    };
    LABELS.iter().any(|label| server.labels.contains_key(*label))
        || server.labels.keys().any(|label| label.starts_with("stack-back."))
        || copier.words().iter().any(stops)
}

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    if situation.seen.coverage.facts.file_copy == Some(true) {
        sink.raise_on(situation.seen, "its backup is a copy of files that the server was writing");
    }
}
