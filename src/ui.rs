//! What a person sees: colours where they are wanted, the terminal's width, and no text of a container's that
//! could steer a terminal.

use std::io::{self, IsTerminal as _, Write};

use console::Style;

/// Columns where nobody says otherwise.
const DEFAULT_WIDTH: usize = 100;
const MIN_WIDTH: usize = 30;

/// Where and how to write. Data goes to stdout, everything else to stderr.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// Columns of stderr.
    pub width: usize,
    /// Columns of stdout; without a terminal nothing is cut.
    pub width_out: usize,
    /// Whether stderr takes colours.
    pub colour: bool,
    /// Whether stdout takes colours.
    pub colour_out: bool,
    /// Whether somebody is there to answer: stdin and stderr are terminals.
    pub interactive: bool,
}

impl Ui {
    /// The terminal of this process. `NO_COLOR` and `TERM=dumb` are honoured.
    #[must_use]
    pub fn of_process() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let columns =
            |term: console::Term| term.size_checked().map(|(_, columns)| usize::from(columns).max(MIN_WIDTH));
        let out =
            io::stdout().is_terminal().then(|| columns(console::Term::stdout()).unwrap_or(DEFAULT_WIDTH));
        Self {
            width: columns(console::Term::stderr()).unwrap_or(DEFAULT_WIDTH),
            width_out: out.unwrap_or(usize::MAX),
            colour: wanted && io::stderr().is_terminal(),
            colour_out: wanted && io::stdout().is_terminal(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Writes a text to stderr. A reader that went away is no error.
    pub fn say(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes data to stdout. A reader that went away is no error.
    pub fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// One sentence about a failure, its hint below.
    pub fn fail(&self, sentence: &str, hint: Option<&str>) {
        self.say(&format!("{} {}", self.paint(Paint::Danger, "dbsafe:"), clean_lines(sentence)));
        if let Some(hint) = hint {
            self.say(&format!("  hint: {}", clean_lines(hint)));
        }
    }

    /// One line worth knowing.
    pub fn note(&self, sentence: &str) {
        self.say(&format!("{} {}", self.paint(Paint::Warning, "dbsafe:"), clean_lines(sentence)));
    }

    /// Colours a text for stderr.
    #[must_use]
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        paint.apply(self.colour, text)
    }
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Danger,
    Warning,
    Good,
    Strong,
    Dim,
}

impl Paint {
    /// The text in this colour, or as it is.
    #[must_use]
    pub fn apply(self, colour: bool, text: &str) -> String {
        if !colour {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match self {
            Self::Danger => style.red().bold(),
            Self::Warning => style.yellow(),
            Self::Good => style.green(),
            Self::Strong => style.bold(),
            Self::Dim => style.dim(),
        };
        style.apply_to(text).to_string()
    }
}

/// Makes a text from outside harmless for a terminal: what steers it, turns its direction or hides is shown
/// as an escape. One line.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmless(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

/// The same for a text of several lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn is_harmless(c: char) -> bool {
    // Bidirectional overrides and isolates, zero-width characters, line separators, tags, the byte-order mark.
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_containers_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(clean("a\rb\nc\u{9b}"), "a\\rb\\nc\\u{9b}");
        assert_eq!(clean("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(clean("Größe 数据"), "Größe 数据");
    }
}
