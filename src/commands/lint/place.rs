//! Findings, each at its line, and with the word of whoever lives with it.

use std::path::PathBuf;

use super::{Context, load::Project};
use crate::{
    checks,
    commands::app::Failure,
    composefile::Place,
    model::{
        check::{Class, Raised},
        container::label,
        plan::Plan,
        setup::Setup,
    },
    settings::{Accepted, Settings, disposable},
};

/// A finding and where it stands.
pub(super) struct Found {
    pub(super) raised: Raised,
    /// The file as it was named, and the place in it; none where the file could not be read.
    pub(super) place: Option<(PathBuf, Place)>,
    /// Why it does not count, where it does not.
    pub(super) suppressed: Option<String>,
}

impl Found {
    /// Whether `--fix` may have something to write.
    pub(super) fn is_mendable(&self) -> bool {
        self.suppressed.is_none() && (self.raised.fix.is_some() || self.raised.check.id == UNPINNED)
    }

    pub(super) fn service(&self) -> &str {
        &self.raised.name
    }
}

/// Its edit depends on what runs.
pub(super) const UNPINNED: &str = "unpinned-image";

/// All findings of a project, by file and line; accepts that match nothing are said.
pub(super) fn found(context: &Context<'_>, project: &Project) -> Result<Vec<Found>, Failure> {
    let settings = Settings::gather(context.environment, &project.folder, &Plan::default())?;
    let accepted = settings.accepted_here();
    let found = of_project(project, &accepted);
    for accept in accepted.iter().filter(|accept| accept.is_of_project()) {
        if let Some(note) = matches_nothing(accept, project) {
            context.ui.note(&note);
        }
    }
    Ok(found)
}

/// All findings of a project, by file and line.
fn of_project(project: &Project, accepted: &[Accepted<'_>]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for raised in checks::of_setups(&project.setups) {
        let field: Vec<&str> = raised.field.iter().map(String::as_str).collect();
        let place = project.sources.place(&field).map(|located| (located.file.to_owned(), located.place));
        let setup = project.setups.iter().find(|setup| setup.name == raised.name);
        let suppressed = suppression(&raised, setup, project.name(), accepted);
        all.push(Found { raised, place, suppressed });
    }
    let order: Vec<PathBuf> = project.sources.files().map(ToOwned::to_owned).collect();
    all.sort_by_key(|found| {
        let place = found.place.as_ref();
        let file = place.and_then(|(file, _)| order.iter().position(|known| known == file));
        (file.unwrap_or(usize::MAX), place.map(|(_, place)| (place.line, place.column)))
    });
    all
}

fn suppression(
    raised: &Raised,
    setup: Option<&Setup>,
    project: Option<&str>,
    accepted: &[Accepted<'_>],
) -> Option<String> {
    let (check, class) = (raised.check.id, raised.check.class);
    let fits = |accept: &&Accepted<'_>| accept.fits(check, class, project, &raised.name);
    accepted
        .iter()
        .find(fits)
        .map(Accepted::words)
        .or_else(|| {
            // Whoever may write the file may live with how it is set up; not with what becomes of data.
            let reason =
                setup?.labels.get(&format!("{}{check}", label::ACCEPT)).filter(|_| class == Class::Setup)?;
            Some(format!("label {}{check}: {reason}", label::ACCEPT))
        })
        // The guard goes by this label, too, once it stands on a container.
        .or_else(|| disposable(&setup?.labels))
}

/// What is to be said of an accept that stands for nothing here.
fn matches_nothing(accept: &Accepted<'_>, project: &Project) -> Option<String> {
    let at = format!("{}:{}", accept.file.display(), accept.line);
    let Some(check) = checks::check(accept.check) else {
        return Some(format!("{at}: there is no check {:?}; docker dbsafe explain lists them", accept.check));
    };
    // Others look at what runs, which is not here.
    check.setup?;
    let raised = checks::of_setups(&project.setups);
    let fits = |raised: &Raised| {
        let known = |class| accept.fits(check.id, class, project.name(), &raised.name);
        raised.check.id == check.id && (known(check.class) || known(Class::Setup))
    };
    let of_a_service = project.setups.iter().any(|setup| {
        let with_project = project.name().map(|project| format!("{project}/{}", setup.name));
        accept.target == setup.name || with_project.as_deref() == Some(accept.target)
    });
    let found = raised.iter().find(|raised| fits(raised));
    match found {
        Some(raised) if accept.fits(check.id, check.class, project.name(), &raised.name) => None,
        Some(_) => Some(format!(
            "{at}: {} is about data, so this is ignored until it is trusted: docker dbsafe config trust",
            check.id
        )),
        None if of_a_service => {
            Some(format!("{at}: {} finds nothing in {}: take this out", check.id, accept.target))
        }
        // A container or a volume of this name may be meant.
        None if check.class != Class::Setup => None,
        None => Some(format!("{at}: there is no service {}: take this out, or mend its name", accept.target)),
    }
}
