//! `--fix` and `--diff`: the changes are shown, agreed to, written, and looked at again.

use std::collections::HashMap;

use dialoguer::Confirm;
use imara_diff::{Algorithm, BasicLineDiffPrinter, Diff, InternedInput, UnifiedDiffConfig};

use super::{
    Context, Found, LintArgs,
    load::{Loader, Project},
    mend::{self, Mended, Way},
    place::{self, UNPINNED},
    running::Running,
    show,
};
use crate::{
    commands::app::Failure,
    composefile::replace_file,
    exit::Exit,
    model::check::Fix,
    report::words::count,
    ui::{Paint, clean},
};

/// Their edit mounts a new volume where the service keeps its data.
const MOUNTING: &[&str] = &["data-in-writable-layer", "data-in-anonymous-volume"];

/// Shows what would be changed, and with `--fix` changes it.
pub(super) async fn run(
    context: &Context<'_>,
    loader: &Loader<'_>,
    projects: &[Project],
    found: &[Vec<Found>],
    arguments: &LintArgs,
) -> Result<Exit, Failure> {
    let ui = context.ui;
    let mut mended = Vec::new();
    let mut running = None;
    for (project, found) in projects.iter().zip(found) {
        let ways = ways(context, &mut running, project, found).await;
        let way = |found: &Found| match ways.get(&(found.raised.check.id, found.service())) {
            Some(Ok(Some(fix))) => Way::Other(fix.clone()),
            Some(Err(why)) => Way::Leave(why.clone()),
            Some(Ok(None)) | None => Way::AsIs,
        };
        mended.push((project, mend::mend(&project.sources, found, &way)));
    }
    for (_, mended) in &mended {
        for (file, old, new) in &mended.files {
            ui.print(&diff(&show::shown_path(file), old, new, ui.colour_out));
        }
    }
    for sentence in mended.iter().flat_map(|(_, mended)| &mended.left) {
        ui.note(&format!("left as it is: {sentence}"));
    }
    let files: usize = mended.iter().map(|(_, mended)| mended.files.len()).sum();
    if files == 0 {
        ui.say("nothing to write");
        return Ok(Exit::Done);
    }
    if arguments.diff {
        return Ok(Exit::Done);
    }
    if !arguments.yes && !agreed(context, files)? {
        ui.say("nothing was written");
        return Ok(Exit::Declined);
    }
    for ((project, mended), found) in mended.iter().zip(found) {
        write(context, loader, project, found, mended).await?;
    }
    Ok(Exit::Done)
}

/// Whether a person wants the changes. Without a terminal nobody can say so.
fn agreed(context: &Context<'_>, files: usize) -> Result<bool, Failure> {
    if !context.ui.interactive {
        context.ui.note("without a terminal, --fix writes with --yes only");
        return Ok(false);
    }
    let prompt = format!("Write these changes to {}?", count(files as u64, "file"));
    let answer = Confirm::new().with_prompt(prompt).default(false).interact_opt();
    Ok(answer
        .map_err(|error| Failure::new(format!("the terminal could not be read: {error}")))?
        .unwrap_or(false))
}

type Ways<'a> = HashMap<(&'static str, &'a str), Result<Option<Fix>, String>>;

/// The edits that depend on what runs. The engine is asked once there is such an edit, and not before.
async fn ways<'a>(
    context: &Context<'_>,
    running: &mut Option<Running>,
    project: &Project,
    found: &'a [Found],
) -> Ways<'a> {
    let mut ways = Ways::new();
    for found in found.iter().filter(|found| found.is_mendable()) {
        let (check, service) = (found.raised.check.id, found.service());
        let mounts = MOUNTING.contains(&check) && found.raised.fix.is_some();
        if !mounts && check != UNPINNED {
            continue;
        }
        if running.is_none() {
            *running = Some(Running::look(context).await);
        }
        let Some(running) = running.as_ref() else { continue };
        let way = if mounts {
            running.holds_data(project.name(), service).await.map_or(Ok(None), Err)
        } else {
            let setup = project.setups.iter().find(|setup| setup.name == service);
            let image = setup.and_then(|setup| setup.image.as_deref()).unwrap_or_default();
            let pinned = running.pinned(project.name(), service, image).await;
            pinned.map(|image| Some(Fix::default().set(found.raised.field.clone(), image)))
        };
        ways.insert((check, service), way);
    }
    // Where a volume belongs depends on the version.
    let is_pinned =
        |((check, _), way): &(&(&str, &str), &Result<Option<Fix>, String>)| *check == UNPINNED && way.is_ok();
    let pinned: Vec<&str> = ways.iter().filter(is_pinned).map(|((_, service), _)| *service).collect();
    for ((check, service), way) in &mut ways {
        if *check != UNPINNED && way.is_ok() && pinned.contains(service) {
            *way = Err("its image gets its version first: docker dbsafe lint --fix once more".to_owned());
        }
    }
    ways
}

/// Writes the files of a project. They are put back where compose then cannot load them, where they still have what
/// was to be mended, or where they have what they had not.
async fn write(
    context: &Context<'_>,
    loader: &Loader<'_>,
    project: &Project,
    before: &[Found],
    mended: &Mended,
) -> Result<(), Failure> {
    let mut written = Vec::new();
    let put_back = |written: &[&(std::path::PathBuf, String, String)]| {
        for (file, old, new) in written {
            if let Err(error) = replace_file(&context.here.join(file), &project.folder, new, old) {
                context.ui.note(&format!("not put back: {error}"));
            }
        }
    };
    if mended.files.is_empty() {
        return Ok(());
    }
    for change in &mended.files {
        let (file, old, new) = change;
        if let Err(error) = replace_file(&context.here.join(file), &project.folder, old, new) {
            put_back(&written);
            return Err(Failure::new(error.to_string()).hint("docker dbsafe lint --diff shows the changes"));
        }
        written.push(change);
    }
    let again = match loader.load(&project.wanted).await {
        Ok(again) => again,
        Err(failure) => {
            put_back(&written);
            return Err(Failure::new(format!("the files are as they were: {}", failure.sentence)));
        }
    };
    let left = place::found(context, &again)?;
    let is_of = |found: &Found, check: &str, service: &str| {
        found.raised.check.id == check && found.service() == service
    };
    let wrong = left.iter().find_map(|now| {
        let (check, service) = (now.raised.check.id, now.service());
        let still = mended.done.iter().any(|(done, of)| is_of(now, done, of));
        let new = !before.iter().any(|old| is_of(old, check, service));
        (still || new).then(|| {
            format!("{check} of {service} would {} there", if still { "still be" } else { "then be" })
        })
    });
    if let Some(wrong) = wrong {
        put_back(&written);
        return Err(Failure::new(format!("the files are as they were: {wrong}")));
    }
    for (file, ..) in &mended.files {
        context.ui.say(&format!("{} is written", show::shown_path(file)));
    }
    context.ui.print(&format!("\n{}", show::as_text(context.ui, &[(&again, &left)])));
    Ok(())
}

/// The change of one file, as `diff -u` shows it.
fn diff(name: &str, old: &str, new: &str, colour: bool) -> String {
    let input = InternedInput::new(old, new);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let printer = BasicLineDiffPrinter(&input.interner);
    let hunks = diff.unified_diff(&printer, UnifiedDiffConfig::default(), &input);
    let text = format!("--- {name}\n+++ {name}\n{hunks}");
    let painted = |line: &str| {
        let line = clean(line.trim_end_matches(['\r', '\n']));
        let paint = match line.as_bytes().first() {
            Some(b'+') => Paint::Good,
            Some(b'-') => Paint::Danger,
            Some(b'@') => Paint::Dim,
            _ => return line,
        };
        paint.apply(colour, &line)
    };
    text.lines().map(|line| painted(line) + "\n").collect()
}
