//! `docker dbsafe shell-init SHELL`: functions `docker` and `docker-compose` that send what can destroy through
//! the guard and everything else straight to docker, decided by the shell itself: no process, no file.
//!
//! The words that go straight are `plan::harmless`'s own, so that shell and guard cannot disagree. What the
//! shell cannot tell (an unknown word, a flag in a rare spelling) is the guard's to decide.

use clap::Args;

use crate::{cli::Shell, docker::globals, exit::Exit, plan::harmless, ui::Ui};

/// Set by the functions for every command that they send to us: the shell's name.
pub const VARIABLE: &str = "DBSAFE_SHELL";

const POSIX: &str = include_str!("shell/init.sh");
const FISH: &str = include_str!("shell/init.fish");
const POWERSHELL: &str = include_str!("shell/init.ps1");

/// Print shell functions that put the guard in front of docker
#[derive(Debug, Args)]
pub struct ShellInitArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints them.
#[must_use]
pub(super) fn run(ui: &Ui, arguments: &ShellInitArgs) -> Exit {
    ui.print(&functions(arguments.shell));
    Exit::Done
}

/// The functions for a shell.
#[must_use]
pub fn functions(shell: Shell) -> String {
    let docker = Globals::of(globals::spellings());
    let compose =
        Globals::of(harmless::compose_globals().map(|flag| (flag.long, flag.short, flag.takes_value)));
    let commands: Vec<String> =
        harmless::COMMANDS.iter().chain(harmless::FAMILIES).map(|word| (*word).to_owned()).collect();
    let compose_commands: Vec<String> = harmless::COMPOSE.iter().map(|word| (*word).to_owned()).collect();
    let (template, dialect) = match shell {
        Shell::Bash | Shell::Zsh => (POSIX, Dialect::Posix),
        Shell::Fish => (FISH, Dialect::Fish),
        Shell::Powershell => (POWERSHELL, Dialect::Powershell),
    };
    // Longer names first where one begins with another.
    template
        .replace("@SHELL@", shell.name())
        .replace("@DOCKER_VALUE@", &dialect.list(&docker.value))
        .replace("@DOCKER_JOINED@", &dialect.joined(&docker.joined))
        .replace("@DOCKER_SWITCH@", &dialect.list(&docker.switch))
        .replace("@DOCKER_ALONE@", &dialect.list(&docker.alone))
        .replace("@COMPOSE_VALUE@", &dialect.list(&compose.value))
        .replace("@COMPOSE_JOINED@", &dialect.joined(&compose.joined))
        .replace("@COMPOSE_SWITCH@", &dialect.list(&compose.switch))
        .replace("@COMPOSE_ALONE@", &dialect.list(&compose.alone))
        .replace("@COMPOSE@", &dialect.list(&compose_commands))
        .replace("@COMMANDS@", &dialect.list(&commands))
        .replace("@FAMILIES@", &dialect.families())
}

/// Flags in front of a command, by what the shell does with them.
#[derive(Debug, Default)]
struct Globals {
    /// The next word is their value.
    value: Vec<String>,
    /// The value stands in the same word, behind one of these beginnings.
    joined: Vec<String>,
    /// No value.
    switch: Vec<String>,
    /// Print something and end, where nothing else is asked.
    alone: Vec<String>,
}

impl Globals {
    fn of(spellings: impl Iterator<Item = (&'static str, Option<char>, bool)>) -> Self {
        let mut found = Self::default();
        for (long, short, takes_value) in spellings {
            let forms = std::iter::once(format!("--{long}")).chain(short.map(|letter| format!("-{letter}")));
            if takes_value {
                found.joined.push(format!("--{long}="));
                found.joined.extend(short.map(|letter| format!("-{letter}")));
                found.value.extend(forms);
            } else if long == "help" || long == "version" {
                found.alone.extend(forms);
            } else {
                found.switch.extend(forms);
            }
        }
        for help in ["--help", "-h"] {
            if !found.alone.iter().any(|word| word == help) {
                found.alone.push(help.to_owned());
            }
        }
        found
    }
}

/// How a shell writes a choice of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Posix,
    Fish,
    Powershell,
}

impl Dialect {
    fn list(self, words: &[String]) -> String {
        match self {
            Self::Posix => words.join("|"),
            Self::Fish => words.join(" "),
            Self::Powershell => format!("@('{}')", words.join("', '")),
        }
    }

    /// Words that begin so. They are asked for after the whole words, so that more follows the beginning.
    fn joined(self, beginnings: &[String]) -> String {
        match self {
            Self::Posix => beginnings.iter().map(|word| format!("{word}*")).collect::<Vec<_>>().join("|"),
            Self::Fish => beginnings.iter().map(|word| format!("'{word}*'")).collect::<Vec<_>>().join(" "),
            Self::Powershell => format!("^({})", beginnings.join("|")),
        }
    }

    /// The branches for families of which only some members go straight. Alone, a family prints its help.
    fn families(self) -> String {
        let branch = |(family, members): &(&str, &[&str])| {
            let members: Vec<String> = members.iter().map(|word| (*word).to_owned()).collect();
            let list = self.list(&members);
            match self {
                Self::Posix => format!(
                    "      {family}) [ $# -gt 1 ] || return 0; case $2 in {list}) return 0 ;; esac; return 1 ;;"
                ),
                Self::Fish => format!(
                    "                case {family}\n                    \
                     set -q argv[2]; or return 0\n                    \
                     contains -- $argv[2] {list}\n                    return"
                ),
                Self::Powershell => format!(
                    "            elseif ($word -ceq '{family}') {{ \
                     return $i + 1 -eq $words.Count -or $words[$i + 1] -cin {list} }}"
                ),
            }
        };
        harmless::MEMBERS.iter().map(branch).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
#[path = "shell_init_tests.rs"]
mod tests;
