//! `--watch`: the audit on a terminal that is left open, drawn anew in its place. One look at a time; an engine that
//! goes away is said to be, what was last known stays, and it is asked again.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use console::{Term, truncate_str};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    AuditArgs, Looked, engines, look, progress,
    screen::{Key, Screen},
};
use crate::{
    commands::app::{App, Failure},
    exit::Exit,
    inspect::Counter,
    report::audit::{Summary, text},
    ui::{Paint, Ui, clean},
};

/// How often what is under way is drawn.
const TICK: Duration = Duration::from_millis(250);
/// A look that is over sooner is not said to be under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches until somebody ends it.
pub(super) async fn run(app: App, arguments: &AuditArgs, seconds: u64) -> Result<Exit, Failure> {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage("--watch is for a terminal, and the output is none")
            .hint("docker dbsafe audit --format json tells a program how it is now"));
    }
    let App { ui, globals, environment, cancellation, .. } = app;
    // Made anew for each look: an engine may come back as another version, a context be changed.
    let engines = || {
        let app = App::new(ui, globals.clone(), environment.clone(), cancellation.clone())?;
        engines(app, &arguments.contexts)
    };
    engines()?;
    let mut view = View::new(ui, arguments, seconds);
    let screen = Screen::open();
    let mut keys = screen.keys();
    loop {
        let counter = Counter::default();
        let started = Instant::now();
        let once = async { look(&engines()?, &arguments.targets, &counter).await };
        tokio::pin!(once);
        let outcome = loop {
            let under_way = (started.elapsed() >= PATIENCE || view.last.is_none())
                .then(|| progress::sentence(&counter, started.elapsed()));
            screen.draw(&view.frame(size(), under_way.as_deref()));
            tokio::select! {
                outcome = &mut once => break outcome,
                Some(key) = keys.recv() => {
                    if let Some(exit) = view.press(key) {
                        return Ok(exit);
                    }
                }
                () = tokio::time::sleep(TICK) => {}
            }
        };
        match outcome {
            // What cannot be meant is said at once, not watched for.
            Err(failure) if view.last.is_none() && failure.exit == Exit::Usage => return Err(failure),
            outcome => view.take(outcome, Timestamp::now()),
        }
        let next = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < next {
            screen.draw(&view.frame(size(), None));
            // Not longer than a second: the terminal may have another size.
            let pause = next.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
            tokio::select! {
                Some(key) = keys.recv() => {
                    if let Some(exit) = view.press(key) {
                        return Ok(exit);
                    }
                    if key == Key::Now {
                        break;
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Rows and columns.
fn size() -> (usize, usize) {
    let (rows, columns) = Term::stdout().size_checked().unwrap_or((24, 80));
    (usize::from(rows).max(6), usize::from(columns).max(20))
}

/// What is on the screen.
struct View<'a> {
    ui: Ui,
    arguments: &'a AuditArgs,
    seconds: u64,
    last: Option<Looked>,
    /// Since when nothing is known, and why.
    away: Option<(Timestamp, String)>,
    /// When numbers were last others, and which.
    changed: Option<(Timestamp, String)>,
    /// The first line of the text that is shown.
    top: usize,
    /// As of the last drawing.
    page: usize,
    lines: usize,
}

impl<'a> View<'a> {
    fn new(ui: Ui, arguments: &'a AuditArgs, seconds: u64) -> Self {
        Self { ui, arguments, seconds, last: None, away: None, changed: None, top: 0, page: 0, lines: 0 }
    }

    fn take(&mut self, outcome: Result<Looked, Failure>, now: Timestamp) {
        match outcome {
            Ok(looked) => {
                let before = self.last.as_ref().map(|last| last.audit.summary);
                if let Some(change) = before.and_then(|before| change(&before, &looked.audit.summary)) {
                    self.changed = Some((now, change));
                }
                self.last = Some(looked);
                self.away = None;
            }
            Err(failure) => {
                let since = self.away.as_ref().map_or(now, |(since, _)| *since);
                self.away = Some((since, failure.sentence));
            }
        }
    }

    /// How it ends, where the key means the end.
    fn press(&mut self, key: Key) -> Option<Exit> {
        let last = self.lines.saturating_sub(self.page);
        self.top = match key {
            Key::Quit => return Some(Exit::Done),
            Key::Interrupt => return Some(Exit::Cancelled),
            Key::Up => self.top.saturating_sub(1),
            Key::Down => self.top + 1,
            Key::PageUp => self.top.saturating_sub(self.page),
            Key::PageDown => self.top + self.page,
            Key::Top => 0,
            Key::Bottom => last,
            Key::Now => self.top,
        }
        .min(last);
        None
    }

    /// The whole screen, line by line.
    fn frame(&mut self, (rows, columns): (usize, usize), under_way: Option<&str>) -> Vec<String> {
        let mut lines = self.head(under_way);
        let text = self.text(columns);
        self.page = rows.saturating_sub(lines.len() + 1).max(1);
        self.lines = text.len();
        self.top = self.top.min(self.lines.saturating_sub(self.page));
        lines.extend(text.into_iter().skip(self.top).take(self.page));
        lines.resize(rows.saturating_sub(1), String::new());
        lines.push(self.foot());
        lines.into_iter().map(|line| truncate_str(&line, columns, "…").into_owned()).collect()
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        paint.apply(self.ui.colour_out, text)
    }

    fn head(&self, under_way: Option<&str>) -> Vec<String> {
        let mut first = match &self.last {
            Some(last) => format!("{}   as of {}", numbers(&last.audit.summary), clock(last.audit.at)),
            None => "docker dbsafe audit".to_owned(),
        };
        if let Some((at, change)) = &self.changed {
            first.push_str(&format!("   {} {change}", clock(*at)));
        }
        let mut lines = vec![self.paint(Paint::Strong, &first)];
        if let Some((since, why)) = &self.away {
            let stale = if self.last.is_some() { "; below is what was last seen" } else { "" };
            lines.push(self.paint(Paint::Danger, &format!("not known since {}{stale}", clock(*since))));
            lines.push(self.paint(Paint::Danger, &clean(why)));
        }
        lines.push(under_way.map(|sentence| self.paint(Paint::Dim, sentence)).unwrap_or_default());
        lines
    }

    fn text(&self, columns: usize) -> Vec<String> {
        let Some(last) = &self.last else { return Vec::new() };
        let AuditArgs { all, checks, .. } = *self.arguments;
        let style =
            text::Style { width: columns, colour: self.ui.colour_out, all, checks, now: last.audit.at };
        let mut lines: Vec<String> = text::render(&last.audit, &style).lines().map(str::to_owned).collect();
        lines.extend(last.notes.iter().map(|note| self.paint(Paint::Warning, &clean(note))));
        lines
    }

    fn foot(&self) -> String {
        if self.last.is_none() && self.away.is_none() {
            return self.paint(Paint::Dim, "q ends");
        }
        let below = self.lines.saturating_sub(self.top + self.page);
        let more = match (self.top, below) {
            (0, 0) => String::new(),
            (above, below) => format!("   lines above {above}, below {below}: arrows, space, b"),
        };
        self.paint(Paint::Dim, &format!("again every {} s   q ends   r looks now{more}", self.seconds))
    }
}

fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// A word, and its number in a summary.
type Number = (&'static str, fn(&Summary) -> usize);

const NUMBERS: &[Number] = &[
    ("critical", |summary| summary.critical),
    ("high", |summary| summary.high),
    ("medium", |summary| summary.medium),
    ("unknown", |summary| summary.undetermined),
];

fn numbers(summary: &Summary) -> String {
    let parts: Vec<String> = NUMBERS
        .iter()
        .filter(|(_, of)| of(summary) > 0)
        .map(|(word, of)| format!("{} {word}", of(summary)))
        .collect();
    if parts.is_empty() { "nothing at risk".to_owned() } else { parts.join(", ") }
}

/// `critical 1 → 2`.
fn change(before: &Summary, now: &Summary) -> Option<String> {
    let parts: Vec<String> = NUMBERS
        .iter()
        .filter(|(_, of)| of(before) != of(now))
        .map(|(word, of)| format!("{word} {} → {}", of(before), of(now)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn looked(critical: usize) -> Looked {
        let mut audit = crate::report::audit::build(Timestamp::UNIX_EPOCH, Vec::new());
        audit.summary.critical = critical;
        Looked { audit, notes: vec!["a note \x1b[2J".to_owned()] }
    }

    #[test]
    fn the_screen_keeps_what_was_last_seen_and_its_size() {
        let cli = crate::cli::Cli::try_parse_from(["docker-dbsafe", "audit", "--watch=7"]).unwrap();
        let crate::cli::OwnCommand::Audit(arguments) = cli.command else { panic!() };
        assert_eq!(arguments.watch, Some(7));
        let ui = Ui { width: 80, width_out: 80, colour: false, colour_out: false, interactive: true };
        let mut view = View::new(ui, &arguments, 7);
        let frame = view.frame((10, 40), Some("looking: 1 s"));
        assert_eq!((frame.len(), frame[1].as_str()), (10, "looking: 1 s"));
        view.take(Ok(looked(1)), Timestamp::UNIX_EPOCH);
        view.take(Ok(looked(2)), Timestamp::UNIX_EPOCH);
        let gone = Failure::new("the engine does not answer\x1b[2J");
        view.take(Err(gone), Timestamp::UNIX_EPOCH);
        let frame = view.frame((10, 200), None);
        assert!(frame[0].starts_with("2 critical") && frame[0].contains("critical 1 → 2"), "{frame:?}");
        assert!(frame[1].contains("not known since") && frame[1].contains("last seen"), "{frame:?}");
        assert!(!frame.concat().contains('\x1b'), "{frame:?}");
        view.take(Ok(looked(2)), Timestamp::UNIX_EPOCH);
        let small = view.frame((6, 30), None);
        assert!(small.iter().all(|line| console::measure_text_width(line) <= 30), "{small:?}");
        assert_eq!(small.len(), 6);
        for _ in 0..20 {
            assert_eq!(view.press(Key::Down), None);
        }
        assert!(
            view.frame((6, 60), None).join("\n").contains("above"),
            "it scrolls to the end and no further"
        );
        assert_eq!(view.press(Key::Quit), Some(Exit::Done));
        assert_eq!(view.press(Key::Interrupt), Some(Exit::Cancelled));
    }
}
