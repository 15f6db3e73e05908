//! Completion: docker asks us through `__complete`, and a shell may ask for a script.

use std::ffi::OsString;

use clap::CommandFactory as _;

use crate::{
    cli::{Cli, CompletionArgs},
    exit::Exit,
    plugin::{self, Directive},
    ui::Ui,
};

/// Guarded commands, with what they are.
const GUARDED: &[(&str, &str)] = &[
    ("down", "docker compose down, guarded"),
    ("compose", "any compose command, guarded where it can destroy"),
    ("rm", "docker rm, guarded"),
    ("container", "docker container rm, guarded"),
    ("volume", "docker volume rm, guarded"),
    ("guard", "any docker command line"),
];

const FLAGS: &[(&str, &str)] = &[
    ("--plan", "say what would happen, and stop"),
    ("--accept-loss", "let the data of this container or volume go"),
    ("--format", "text or json"),
];

/// The candidates for the last word, in cobra's format.
#[must_use]
pub(super) fn answer(words: &[OsString], descriptions: bool) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (last, before) =
        words.split_last().map_or(("", [].as_slice()), |(last, before)| (last.as_str(), before));
    let own = Cli::command();
    let about: Vec<(String, String)> = own
        .get_subcommands()
        .map(|command| {
            (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
        })
        .collect();
    let own_names = about.iter().map(|(name, about)| (name.as_str(), about.as_str()));
    let candidates: Vec<(&str, &str)> = match before {
        [] => GUARDED.iter().copied().chain(own_names).collect(),
        [family] if family == "container" || family == "volume" => vec![("rm", "guarded")],
        _ => FLAGS.to_vec(),
    };
    let fitting = candidates.into_iter().filter(|(name, _)| name.starts_with(last));
    plugin::completions(fitting, descriptions, Directive::NoFiles)
}

/// `docker dbsafe completion SHELL`: docker's own script completes plugins, so ours says how to get it.
#[must_use]
pub(super) fn run(ui: &Ui, arguments: &CompletionArgs) -> Exit {
    let shell = arguments.shell.name();
    ui.print(&format!(
        "# docker completes its plugins itself, dbsafe among them\ndocker completion {shell}\n"
    ));
    Exit::Done
}
