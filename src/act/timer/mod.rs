//! Has us started again and again: by a timer of systemd where that runs, else by a line in the user's crontab.

mod cron;
mod period;
mod systemd;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Output,
};

use jiff::SignedDuration;

use self::systemd::Systemd;
use crate::model::schedule::Timer;

/// Where systemd shows that it runs the machine (`sd_booted`).
const BOOTED: &str = "/run/systemd/system";
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// Users whose own systemd runs while they are not logged in.
const LINGER: &str = "/var/lib/systemd/linger";

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// Letters, digits, `-` and `_`.
    pub id: &'a str,
    /// For people.
    pub what: String,
    pub every: SignedDuration,
    pub command: &'a [String],
    pub environment: &'a BTreeMap<String, String>,
}

impl Job<'_> {
    /// The same number for the same schedule (FNV-1a).
    fn spread(&self) -> u32 {
        self.id.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

/// The machine that timers are installed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub is_root: bool,
    pub user: Option<String>,
    /// The folder of the user's configuration, `~/.config`.
    pub configuration: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<std::ffi::OsString>,
}

/// Why there is no timer. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum TimerError {
    #[error("neither systemd nor the program crontab is here")]
    Nothing,
    #[error("{program} refused: {cause}")]
    Program { program: String, cause: String },
    #[error("cannot write {}: {cause}", .path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{0}")]
    Broken(String),
}

impl TimerError {
    /// What mends it.
    #[must_use]
    pub fn hint(&self, id: &str) -> String {
        match self {
            Self::Nothing => format!(
                "install cron, or have docker dbsafe schedule run {id} --if-due started every hour by whatever you have"
            ),
            Self::Program { .. } | Self::Write { .. } => {
                format!("mend that, or start docker dbsafe schedule run {id} yourself")
            }
            Self::Broken(_) => "mend it with crontab -e".to_owned(),
        }
    }
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub timer: Timer,
    /// Where, and the text: a file's path, or `crontab`.
    pub written: Vec<(String, String)>,
    /// What else has to be done, a sentence.
    pub note: Option<String>,
}

/// Has a job started.
///
/// # Errors
/// Where nothing is there that could, or it refuses.
pub fn install(machine: &Machine, job: &Job<'_>) -> Result<Installed, TimerError> {
    if let Some(systemd) = machine.systemd().filter(|_| Path::new(BOOTED).is_dir()).filter(Systemd::answers) {
        let written = systemd.install(job)?;
        let lingers = machine.user.as_ref().is_some_and(|user| Path::new(LINGER).join(user).exists());
        let note = (systemd.is_user && !lingers).then(|| {
            "it runs only while you are logged in, until you say: loginctl enable-linger".to_owned()
        });
        let timer = if systemd.is_user { Timer::SystemdUser } else { Timer::SystemdSystem };
        let written = written.into_iter().map(|(path, text)| (path.display().to_string(), text));
        return Ok(Installed { timer, written: written.collect(), note });
    }
    let program = machine.program("crontab").ok_or(TimerError::Nothing)?;
    let block = cron::block(job);
    cron::install(&program, job.id, Some(&block))?;
    Ok(Installed { timer: Timer::Cron, written: vec![("crontab".to_owned(), block)], note: None })
}

/// Takes away what `install` made.
///
/// # Errors
/// Where it cannot be taken away.
pub fn remove(machine: &Machine, timer: Timer, id: &str) -> Result<(), TimerError> {
    match timer {
        Timer::SystemdSystem | Timer::SystemdUser => {
            let systemd = Systemd {
                program: machine.program("systemctl").unwrap_or_else(|| "systemctl".into()),
                folder: machine.units(timer == Timer::SystemdUser).ok_or(TimerError::Nothing)?,
                is_user: timer == Timer::SystemdUser,
            };
            systemd.remove(id)
        }
        Timer::Cron => {
            // Without the program there is no line that anybody would read.
            let Some(program) = machine.program("crontab") else { return Ok(()) };
            cron::install(&program, id, None)
        }
    }
}

impl Machine {
    fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.as_deref()?;
        which::which_in(name, Some(path), "/").ok()
    }

    fn units(&self, is_user: bool) -> Option<PathBuf> {
        if is_user {
            return Some(self.configuration.as_ref()?.join("systemd/user"));
        }
        Some(SYSTEM_UNITS.into())
    }

    fn systemd(&self) -> Option<Systemd> {
        let is_user = !self.is_root;
        Some(Systemd { program: self.program("systemctl")?, folder: self.units(is_user)?, is_user })
    }
}

/// What a program said last, on standard error or else on standard output.
fn last_words(output: &Output) -> String {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    let said = text(&output.stderr).or_else(|| text(&output.stdout));
    said.unwrap_or_else(|| format!("it ended with {}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job whose borrowed parts live as long as the test.
    pub(super) fn job(command: &[&str], environment: &[(&str, &str)]) -> Job<'static> {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let environment: BTreeMap<String, String> =
            environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Job {
            id: "db",
            what: "docker dbsafe: a snapshot of db every 6h".to_owned(),
            every: SignedDuration::from_hours(6),
            command: Vec::leak(command),
            environment: Box::leak(Box::new(environment)),
        }
    }

    #[test]
    fn without_systemd_and_cron_there_is_one_sentence() {
        let machine =
            Machine { is_root: false, user: None, configuration: None, path: Some("/nonexistent".into()) };
        let error = install(&machine, &job(&["docker"], &[])).unwrap_err();
        assert_eq!(error.to_string(), "neither systemd nor the program crontab is here");
    }
}
