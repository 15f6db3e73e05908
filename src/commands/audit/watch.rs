//! `audit --watch`: the audit again and again, on a terminal left open; and how far a long one is.

use std::{sync::atomic::Ordering, time::Duration};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use super::{AuditArgs, look, style, text};
use crate::{
    cancel::Cancellation,
    commands::app::{App, Failure},
    exit::Exit,
    inspect::Counter,
    report::{
        audit::Audit,
        words::{ago, count},
    },
    ui::clean_lines,
};

/// One that is done before needs no line about how far it is.
const LONG: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// Audits, and tells on a terminal how far that is.
pub(super) async fn look_and_tell(engines: &[App], targets: &[String]) -> Result<Audit, Failure> {
    let counter = Counter::default();
    let looking = look(engines, targets, &counter);
    tokio::pin!(looking);
    if let Ok(found) = tokio::time::timeout(LONG, &mut looking).await {
        return found;
    }
    // It draws on a terminal only.
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {msg}") {
        line.set_style(style);
    }
    loop {
        let (done, all) = (counter.done.load(Ordering::Relaxed), counter.all.load(Ordering::Relaxed));
        line.set_message(format!("looked at {done} of {}", count(all as u64, "container")));
        if let Ok(found) = tokio::time::timeout(TICK, &mut looking).await {
            line.finish_and_clear();
            return found;
        }
    }
}

/// Shows the audit anew every so many seconds, until it is cancelled. An engine that went away is waited for.
///
/// # Errors
/// Where standard output is no terminal, or a target was never there.
pub(super) async fn watch(
    engines: &[App],
    arguments: &AuditArgs,
    seconds: u64,
    cancellation: &Cancellation,
) -> Result<Exit, Failure> {
    let term = Term::stdout();
    if !term.is_term() {
        return Err(Failure::usage("--watch is for a terminal").hint("leave it out, or use --format json"));
    }
    let mut last: Option<Audit> = None;
    loop {
        let counter = Counter::default();
        let looked = tokio::select! {
            looked = look(engines, &arguments.targets, &counter) => looked,
            () = cancellation.cancelled() => return Ok(Exit::Cancelled),
        };
        let trouble = match looked {
            Ok(audit) => {
                last = Some(audit);
                None
            }
            // A name that is not there is misspelt, unless it was there before.
            Err(failure) if failure.exit == Exit::Usage && last.is_none() => return Err(failure),
            Err(failure) => Some(failure.sentence),
        };
        draw(&term, engines, arguments, seconds, last.as_ref(), trouble.as_deref());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            () = cancellation.cancelled() => {
                // What is said at the end does not stand in the last line of the picture.
                engines[0].ui.print("\n");
                return Ok(Exit::Cancelled);
            }
        }
    }
}

/// Fills the screen from its top; what does not fit is told to be there.
fn draw(
    term: &Term,
    engines: &[App],
    arguments: &AuditArgs,
    seconds: u64,
    audit: Option<&Audit>,
    trouble: Option<&str>,
) {
    let Some(first) = engines.first() else { return };
    // The terminal may have another size by now.
    let ui = crate::ui::Ui::of_process();
    let (rows, _) = term.size();
    let now = first.now();
    let mut lines: Vec<String> = Vec::new();
    if let Some(sentence) = trouble {
        let when = audit.map_or_else(String::new, |audit| format!("; what it held {}:", ago(audit.at, now)));
        lines.push(ui.paint(crate::ui::Paint::Danger, &format!("{}{when}", clean_lines(sentence))));
    }
    if let Some(audit) = audit {
        lines.extend(text::render(audit, &style(ui, arguments, now)).lines().map(str::to_owned));
    }
    let room = usize::from(rows).saturating_sub(1);
    if lines.len() > room {
        let hidden = lines.len() - room + 1;
        lines.truncate(room.saturating_sub(1));
        lines.push(format!("… {} more", count(hidden as u64, "line")));
    }
    let clock = now.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let foot = format!("{clock}, again every {seconds} s; Ctrl-C ends it");
    // Line by line over what was there: nothing flickers.
    let mut screen = String::from("\x1b[H");
    for line in &lines {
        screen.push_str(line);
        screen.push_str("\x1b[K\n");
    }
    screen.push_str(&crate::ui::Paint::Dim.apply(ui.colour_out, &foot));
    screen.push_str("\x1b[K\x1b[J");
    ui.print(&screen);
}
