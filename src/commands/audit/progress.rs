//! A line on the terminal while a long audit is under way; none where nobody sees it.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use crate::{
    inspect::Counter,
    report::words::{count, span},
};

/// What ends sooner needs no line.
const PATIENCE: Duration = Duration::from_millis(700);
const TICK: Duration = Duration::from_millis(200);

/// Awaits `work`, and says on stderr how far it is.
pub(super) async fn shown<T>(counter: &Counter, work: impl Future<Output = T>) -> T {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if is_dumb || !io::stderr().is_terminal() {
        return work.await;
    }
    let mut line = Line { drawn: String::new() };
    let started = Instant::now();
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TICK) => {}
        }
        if started.elapsed() >= PATIENCE {
            line.draw(&sentence(counter, started.elapsed()));
        }
    }
}

/// `looking: 120 of 500 containers, 4 s`.
pub(super) fn sentence(counter: &Counter, elapsed: Duration) -> String {
    let time = span(elapsed.as_secs());
    match counter.all() {
        0 => format!("looking: {time}"),
        all => format!("looking: {} of {}, {time}", counter.done(), count(all as u64, "container")),
    }
}

struct Line {
    drawn: String,
}

impl Line {
    fn draw(&mut self, text: &str) {
        if self.drawn != text {
            // A terminal that is gone is no error.
            let _ = write!(io::stderr().lock(), "\r  {text}\x1b[K");
            text.clone_into(&mut self.drawn);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.drawn.is_empty() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
