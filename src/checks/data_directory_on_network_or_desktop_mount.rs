//! `data-directory-on-network-or-desktop-mount`.

use super::place::{self, Holder};
use crate::model::{
    check::{Check, Class, Look, Sink, Situation},
    container::{Labels, MountKind},
    evidence::Presence,
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a database keeps its files on a network's or a desktop's file system",
    why: "A database relies on locks, fsync and renames that network shares (NFS, SMB) and the file sharing of Docker \
          Desktop promise and do not always keep: it is slow at best, and corrupt after a lost connection. Keep the \
          data on a volume of the engine's own disk, and copy backups to the share.",
    bad: "volumes:
  pgdata:
    driver_opts: { type: nfs, o: \"addr=10.0.0.5,rw\", device: \":/exports/pg\" }",
    good: "volumes:
  pgdata: {}",
    reference: "https://www.postgresql.org/docs/current/creating-cluster.html#CREATING-CLUSTER-NFS",
    setup: Some(look),
    data: Some(on_data),
    ..Check::documented("data-directory-on-network-or-desktop-mount", Class::Data, Severity::Medium)
};

/// `migrate` leaves alone what already lies in a folder or in a volume with a name.
const REMEDY: &str = "keep them in a named volume of the driver local, without options";

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let Some(Holder::Mount(mount)) = place::of_file(setup).map(|place| place.holder) else { return };
    let source = mount.source.as_deref().unwrap_or_default();
    let kind = if mount.kind == MountKind::Bind {
        of_folder(source)
    } else {
        of_volume(mount.driver.as_deref(), &mount.options)
    };
    if let Some(kind) = kind {
        sink.raise(setup, &["volumes"], format!("its files lie on {kind}")).remedy(REMEDY);
    }
}

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let seen = situation.seen;
    if seen.presence != Presence::Found || seen.engine.is_none() {
        return;
    }
    let by_volume = || situation.volume.and_then(|volume| of_volume(Some(&volume.driver), &volume.options));
    let by_folder = || {
        let mount = situation.setup?.mount_of(&seen.path).filter(|mount| mount.kind == MountKind::Bind)?;
        of_folder(mount.source.as_deref()?)
    };
    if let Some(kind) = by_volume().or_else(by_folder) {
        sink.raise_on(seen, format!("its files lie on {kind}")).remedy(REMEDY);
    }
}

/// What kind of network a volume goes over.
fn of_volume(driver: Option<&str>, options: &Labels) -> Option<String> {
    const NETWORKS: &[&str] = &["nfs", "cifs", "smb", "sshfs", "fuse", "gluster", "ceph", "9p", "s3fs"];
    let network =
        |text: &str| NETWORKS.iter().find(|name| text.starts_with(**name)).map(|name| (*name).to_owned());
    let by_type = options.get("type").and_then(|kind| network(kind));
    let by_address = || {
        let listed = options.get("o")?;
        listed.split(',').any(|option| option.starts_with("addr=")).then(|| "a network share".to_owned())
    };
    let by_driver = || {
        let name = driver?.split(['/', ':']).next_back()?;
        NETWORKS
            .iter()
            .any(|network| driver.is_some_and(|d| d.contains(network)))
            .then(|| format!("the driver {name}"))
    };
    by_type.or_else(by_address).or_else(by_driver)
}

/// What a folder of the host is really on.
fn of_folder(source: &str) -> Option<String> {
    let lower = source.replace('\\', "/").to_ascii_lowercase();
    let mut bytes = lower.bytes();
    let is_drive =
        matches!((bytes.next(), bytes.next(), bytes.next()), (Some(b'a'..=b'z'), Some(b':'), Some(b'/')));
    let is_wsl_drive = lower.strip_prefix("/mnt/").is_some_and(|rest| {
        let letter = rest.split('/').next().unwrap_or_default();
        letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    let shared = ["/host_mnt/", "/run/desktop/mnt/host/", "/users/", "/volumes/"];
    if is_drive || is_wsl_drive || shared.iter().any(|prefix| lower.starts_with(prefix)) {
        return Some("a folder that a desktop shares".to_owned());
    }
    let network = lower.starts_with("//")
        || ["/net/", "/nfs/", "/mnt/nfs", "/mnt/smb", "/mnt/cifs"]
            .iter()
            .any(|prefix| lower.starts_with(prefix));
    network.then(|| "a network share".to_owned())
}
