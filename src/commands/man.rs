//! `docker dbsafe man`: the manual page, made from the same table as the help.

use std::io;

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::app::Failure;
use crate::{cli::Cli, exit::Exit, ui::Ui};

/// Print the manual page: docker dbsafe man | man -l -
#[derive(Debug, Args)]
pub struct ManArgs {}

/// Prints it.
///
/// # Errors
/// Where it cannot be made.
pub(super) fn run(ui: &Ui) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    write(&mut page).map_err(|error| Failure::new(format!("the page cannot be made: {error}")))?;
    ui.print(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}

/// One page for all commands: docker names its plugins' pages `docker-NAME`.
fn write(page: &mut Vec<u8>) -> io::Result<()> {
    let mut root = Cli::command();
    root.build();
    let man = Man::new(root.clone()).title("DOCKER-DBSAFE").section("1");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_description_section(page)?;
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("docker dbsafe"), roman(" COMMAND [ARGUMENTS]")]);
    roff.control("SH", ["COMMANDS"]);
    for command in root.get_subcommands() {
        describe(&mut roff, command, "docker dbsafe");
    }
    // As it stands in the help, whose columns are part of it.
    roff.control("SH", ["GUARDED COMMANDS"]);
    roff.control("nf", []);
    let guarded = root.get_after_help().map(ToString::to_string).unwrap_or_default();
    for line in guarded.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

/// A command's line, what it does, and its flags; then the commands below it.
fn describe(roff: &mut Roff, command: &Command, before: &str) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{before} {}", command.get_name());
    let positionals: Vec<String> = command.get_positionals().map(ToString::to_string).collect();
    roff.control("TP", []);
    roff.text([bold(name.as_str()), roman(format!(" {}", positionals.join(" ")))]);
    roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    for arg in command.get_arguments() {
        let Some(long) = arg.get_long().filter(|long| !arg.is_hide_set() && *long != "help") else {
            continue;
        };
        let value = arg.get_num_args().filter(|number| number.takes_values()).and_then(|_| {
            let names = arg.get_value_names()?;
            Some(format!(" {}", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
        });
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        roff.control("br", []);
        roff.text([bold(format!("--{long}")), roman(value.unwrap_or_default()), roman(format!("   {help}"))]);
    }
    for below in command.get_subcommands() {
        describe(roff, below, &name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_its_flags_are_in_the_page() {
        let mut page = Vec::new();
        write(&mut page).unwrap();
        // Roff writes a dash as `\-`.
        let page = String::from_utf8(page).unwrap().replace('\\', "");
        for word in
            ["docker dbsafe audit", "--fail-on", "docker dbsafe snapshots verify", "--accept-loss", "GUARDED"]
        {
            assert!(page.contains(word), "{word}\n{page}");
        }
        assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    }
}
