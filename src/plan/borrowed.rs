//! Volumes that a container has from another one (`--volumes-from`, compose's `volumes_from`).
//!
//! The engine copies the other one's mount together with its spec (moby `daemon/volumes.go`), and the borrower's own
//! spec shows nothing of it. So whether a removal with `-v` takes such a volume is asked of the lender: where that one
//! has it by a name, as one that compose recreated has, the volume stays.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::simulate::EngineState;
use crate::{
    docker::{engine::Engine, error::EngineError},
    model::container::{Container, Mount, MountKind},
};

/// A lender may have it from another one; more links than these are no chain that anybody made.
const LINKS: usize = 8;

/// What is known of a borrowed volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    Named,
    Anonymous,
    /// The lender is gone, or another one has its name now.
    Unknown,
}

/// Sets the kind of each borrowed mount of the containers that steps name, and notes what cannot be told.
///
/// # Errors
/// Where the engine does not answer.
pub(super) async fn settle(engine: &Engine, state: &mut EngineState) -> Result<(), EngineError> {
    let mut lenders: BTreeMap<String, Container> = BTreeMap::new();
    let mut asked: HashSet<String> = HashSet::new();
    let of = |container: &Container| container.lenders.clone();
    let mut wanted: Vec<String> = state.inspected.values().filter(|c| may_borrow(c)).flat_map(of).collect();
    for _ in 0..LINKS {
        wanted.retain(|reference| asked.insert(reference.clone()));
        let mut next = Vec::new();
        for reference in wanted {
            if let Some(lender) = engine.container(&reference).await? {
                next.extend(lender.lenders.iter().cloned());
                lenders.insert(reference, lender);
            }
        }
        wanted = next;
    }
    for container in state.inspected.values_mut().filter(|container| may_borrow(container)) {
        let specs: Vec<Spec> =
            container.mounts.iter().map(|mount| spec(container, mount, &lenders, LINKS)).collect();
        for (mount, spec) in container.mounts.iter_mut().zip(specs) {
            match spec {
                Spec::Named => mount.kind = MountKind::NamedVolume,
                Spec::Anonymous => {}
                Spec::Unknown => state.untold.extend(mount.volume.clone()),
            }
        }
    }
    Ok(())
}

/// Whether any of its mounts may have its spec elsewhere.
fn may_borrow(container: &Container) -> bool {
    let is_open = |mount: &Mount| mount.kind == MountKind::AnonymousVolume;
    !container.lenders.is_empty() && container.mounts.iter().any(is_open)
}

fn spec(borrower: &Container, mount: &Mount, lenders: &BTreeMap<String, Container>, links: usize) -> Spec {
    if mount.kind == MountKind::NamedVolume {
        return Spec::Named;
    }
    if mount.kind != MountKind::AnonymousVolume || borrower.lenders.is_empty() {
        return Spec::Anonymous;
    }
    if links == 0 {
        return Spec::Unknown;
    }
    let mut found = None;
    let mut is_any_missing = false;
    for reference in &borrower.lenders {
        match lenders.get(reference).filter(|lender| is_the_one(lender, reference, borrower)) {
            Some(lender) => {
                let same = |own: &&Mount| own.destination == mount.destination && own.volume == mount.volume;
                // The last one of several is copied over the others.
                let own = lender.mounts.iter().find(same).map(|own| spec(lender, own, lenders, links - 1));
                found = own.or(found);
            }
            None => is_any_missing = true,
        }
    }
    match found {
        _ if is_any_missing => Spec::Unknown,
        Some(spec) => spec,
        // No lender has it: it is the container's own.
        None => Spec::Anonymous,
    }
}

/// Whether this is the container that was meant when the borrower was made: a name may be another one's by now.
fn is_the_one(lender: &Container, reference: &str, borrower: &Container) -> bool {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    lender.id == reference || at(&lender.created).zip(at(&borrower.created)).is_some_and(|(a, b)| a <= b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn container(id: &str, kind: MountKind, lenders: &[&str], created: &str) -> Container {
        let mount = Mount {
            kind,
            destination: "/b".to_owned(),
            volume: Some(DIGITS.to_owned()),
            source: None,
            writable: true,
            part: None,
        };
        Container {
            lenders: lenders.iter().map(|&lender| lender.to_owned()).collect(),
            created: created.to_owned(),
            mounts: vec![mount],
            ..Container::sample(id, id)
        }
    }

    fn told(borrower: &Container, lenders: &[(&str, Container)]) -> Spec {
        let lenders = lenders.iter().map(|(name, lender)| ((*name).to_owned(), lender.clone())).collect();
        spec(borrower, &borrower.mounts[0], &lenders, LINKS)
    }

    #[test]
    fn a_borrowed_volume_has_its_lenders_spec() {
        use MountKind::{AnonymousVolume, NamedVolume};
        let (early, late) = ("2026-11-26T10:00:00.1Z", "2026-11-26T10:00:00.12Z");
        let web = container("w", AnonymousVolume, &["d"], late);
        let (named, open) =
            (|id| container(id, NamedVolume, &[], early), container("d", AnonymousVolume, &[], early));
        assert_eq!(told(&web, &[("d", named("d"))]), Spec::Named);
        assert_eq!(told(&web, &[("d", open.clone())]), Spec::Anonymous);
        assert_eq!(told(&web, &[]), Spec::Unknown);
        // By its name: the one of then, not one that came later.
        let by_name = container("w", AnonymousVolume, &["db"], late);
        assert_eq!(told(&by_name, &[("db", named("d"))]), Spec::Named);
        let newer = Container { created: "2026-11-26T10:00:00.2Z".to_owned(), ..named("d") };
        assert_eq!(told(&by_name, &[("db", newer)]), Spec::Unknown);
        // Through a third one, and round in a circle.
        let between = container("m", AnonymousVolume, &["d"], early);
        let web = container("w", AnonymousVolume, &["m"], late);
        assert_eq!(told(&web, &[("m", between.clone()), ("d", named("d"))]), Spec::Named);
        assert_eq!(
            told(&web, &[("m", between), ("d", container("d", AnonymousVolume, &["m"], early))]),
            Spec::Unknown
        );
        // One of several that is gone may have been the last to lend it.
        let web = container("w", AnonymousVolume, &["d", "gone"], late);
        assert_eq!(told(&web, &[("d", named("d"))]), Spec::Unknown);
    }
}
