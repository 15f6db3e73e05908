//! The choice on a terminal.

use dialoguer::{Confirm, Input, Select, theme::ColorfulTheme, theme::SimpleTheme, theme::Theme};

use super::app::Failure;
use crate::ui::{Ui, clean};

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Save,
    Details,
    Stop,
    LoseIt,
}

/// What can be chosen beside details and stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) save: bool,
    pub(crate) lose: bool,
}

/// Asks. To lose data its name must be typed; each name, where there are several. Ctrl-C and Escape stop.
///
/// # Errors
/// Where the terminal cannot be read.
pub(crate) fn choose(ui: &Ui, names: &[String], offers: Offers) -> Result<Choice, Failure> {
    let theme: Box<dyn Theme> =
        if ui.colour { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) };
    let all = [
        (offers.save, Choice::Save, "take a snapshot, prove it, then go on"),
        (true, Choice::Details, "show everything that it would do"),
        (true, Choice::Stop, "stop here"),
        (offers.lose, Choice::LoseIt, "go on without a snapshot, and lose it"),
    ];
    let offered: Vec<_> = all.into_iter().filter(|(offered, ..)| *offered).collect();
    let items: Vec<&str> = offered.iter().map(|(_, _, text)| *text).collect();
    let chosen =
        answer(Select::with_theme(&*theme).with_prompt("What now?").items(&items).default(0).interact_opt())?;
    match chosen.flatten().and_then(|index| offered.get(index)) {
        Some((_, Choice::LoseIt, _)) => confirm(&*theme, ui, names),
        Some((_, choice, _)) => Ok(*choice),
        None => Ok(Choice::Stop),
    }
}

/// Asks for the names of all that will be lost.
///
/// # Errors
/// Where the terminal cannot be read.
pub(crate) fn all_typed(ui: &Ui, names: &[String]) -> Result<bool, Failure> {
    let theme: Box<dyn Theme> =
        if ui.colour { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) };
    Ok(confirm(&*theme, ui, names)? == Choice::LoseIt)
}

fn confirm(theme: &dyn Theme, ui: &Ui, names: &[String]) -> Result<Choice, Failure> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let prompt = format!("Type {} to lose what is in it", clean(name));
        let typed =
            answer(Input::<String>::with_theme(theme).with_prompt(prompt).allow_empty(true).interact_text())?;
        if typed.as_deref().map(str::trim) != Some(name) {
            ui.say("that is not its name");
            return Ok(Choice::Stop);
        }
    }
    Ok(Choice::LoseIt)
}

/// Asks for a yes; anything else is a no.
///
/// # Errors
/// Where the terminal cannot be read.
pub(crate) fn agreed(ui: &Ui, question: &str) -> Result<bool, Failure> {
    let theme: Box<dyn Theme> =
        if ui.colour { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) };
    let asked = Confirm::with_theme(&*theme).with_prompt(question).default(false).interact_opt();
    Ok(answer(asked)?.flatten().unwrap_or(false))
}

/// `None` where the person pressed Ctrl-C.
/// Asks for a name to be typed. Ctrl-C and anything else are a no.
///
/// # Errors
/// Where the terminal cannot be read.
pub(crate) fn typed(ui: &Ui, name: &str) -> Result<bool, Failure> {
    let theme: Box<dyn Theme> =
        if ui.colour { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) };
    let prompt = format!("Type {} to let it be removed", clean(name));
    let typed =
        answer(Input::<String>::with_theme(&*theme).with_prompt(prompt).allow_empty(true).interact_text())?;
    Ok(typed.as_deref().map(str::trim) == Some(name))
}

fn answer<T>(result: Result<T, dialoguer::Error>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
            // The terminal is left with its cursor.
            let _ = console::Term::stderr().show_cursor();
            Ok(None)
        }
        Err(dialoguer::Error::IO(error)) => {
            Err(Failure::new(format!("the terminal could not be read: {error}")))
        }
    }
}
