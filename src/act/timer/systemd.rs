//! A timer of systemd, and the service that it starts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Job, TimerError, period};

/// The names of the two units.
pub(super) fn names(id: &str) -> [String; 2] {
    [format!("dbsafe-{id}.service"), format!("dbsafe-{id}.timer")]
}

/// The text of the service.
pub(super) fn service(job: &Job<'_>) -> String {
    let look = period::ticks(job.every, job.spread()).too_often.then(|| "--if-due".to_owned());
    let words: Vec<String> = job.command.iter().chain(look.iter()).map(|word| quoted(word)).collect();
    let variables = job.environment.iter().map(|(name, value)| {
        // Here a dollar sign is itself, and there it begins a variable.
        format!("Environment={}\n", quoted(&format!("{name}={value}")).replace("$$", "$"))
    });
    format!(
        "# Made by docker dbsafe schedule; docker dbsafe schedule rm {} takes it away.\n\
         [Unit]\n\
         Description={}\n\
         After=docker.service network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         {}ExecStart={}\n\
         Nice=10\n\
         IOSchedulingClass=idle\n",
        job.id,
        job.what.replace('%', "%%").replace(['\n', '\r', '\\'], " "),
        variables.collect::<String>(),
        words.join(" ")
    )
}

/// The text of the timer.
pub(super) fn timer(job: &Job<'_>) -> String {
    let ticks = period::ticks(job.every, job.spread());
    format!(
        "# Made by docker dbsafe schedule; docker dbsafe schedule rm {} takes it away.\n\
         [Unit]\n\
         Description={}\n\
         \n\
         [Timer]\n\
         OnCalendar={}\n\
         Persistent=true\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n",
        job.id,
        job.what.replace('%', "%%").replace(['\n', '\r', '\\'], " "),
        ticks.calendar
    )
}

/// A word as systemd reads it back: in quotes, with its specifiers and variables made harmless.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '%' => text.push_str("%%"),
            '$' => text.push_str("$$"),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// The systemd of one user, or of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Systemd {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) is_user: bool,
}

impl Systemd {
    /// Whether it answers: a user's may not run where nobody is logged in.
    pub(super) fn answers(&self) -> bool {
        self.call(&["show", "--property=Version"]).is_ok()
    }

    fn call(&self, arguments: &[&str]) -> Result<(), TimerError> {
        let failed = |cause: String| TimerError::Program { program: "systemctl".to_owned(), cause };
        let mut command = Command::new(&self.program);
        if self.is_user {
            command.arg("--user");
        }
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.status.success() { Ok(()) } else { Err(failed(super::last_words(&output))) }
    }

    /// Writes both units and starts the timer. Answers what was written.
    ///
    /// # Errors
    /// Where the folder cannot be written or systemd refuses; nothing of it is left then.
    pub(super) fn install(&self, job: &Job<'_>) -> Result<Vec<(PathBuf, String)>, TimerError> {
        let [service_name, timer_name] = names(job.id);
        let written =
            vec![(self.folder.join(service_name), service(job)), (self.folder.join(&timer_name), timer(job))];
        let done = self.write(&written).and_then(|()| {
            self.call(&["daemon-reload"])?;
            self.call(&["enable", "--now", &timer_name])
        });
        match done {
            Ok(()) => Ok(written),
            Err(error) => {
                // What was half made is of no use to anybody.
                let _ = self.remove(job.id);
                Err(error)
            }
        }
    }

    fn write(&self, files: &[(PathBuf, String)]) -> Result<(), TimerError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| TimerError::Write { path, cause }
        };
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        for (path, text) in files {
            fs::write(path, text).map_err(failed(path))?;
        }
        Ok(())
    }

    /// Stops the timer and removes both units.
    ///
    /// # Errors
    /// Where a unit cannot be removed.
    pub(super) fn remove(&self, id: &str) -> Result<(), TimerError> {
        let [service_name, timer_name] = names(id);
        // A timer that is not known any more need not be stopped.
        let _ = self.call(&["disable", "--now", &timer_name]);
        for name in [timer_name, service_name] {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(TimerError::Write { path, cause });
                }
                Ok(()) | Err(_) => {}
            }
        }
        let _ = self.call(&["daemon-reload"]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::timer::tests::job;

    #[test]
    fn the_units_are_these() {
        let command = ["/usr/bin/docker", "-H", "ssh://a$b%\"c\"", "dbsafe", "schedule", "run", "db"];
        let environment = [("DBSAFE_HOME", "/srv/my home"), ("PATH", "/usr/bin:/bin"), ("X", "$y%")];
        let job = job(&command, &environment);
        assert_eq!(
            service(&job),
            "# Made by docker dbsafe schedule; docker dbsafe schedule rm db takes it away.\n\
             [Unit]\n\
             Description=docker dbsafe: a snapshot of db every 6h\n\
             After=docker.service network-online.target\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             Environment=\"DBSAFE_HOME=/srv/my home\"\n\
             Environment=\"PATH=/usr/bin:/bin\"\n\
             Environment=\"X=$y%%\"\n\
             ExecStart=\"/usr/bin/docker\" \"-H\" \"ssh://a$$b%%\\\"c\\\"\" \"dbsafe\" \"schedule\" \"run\" \"db\"\n\
             Nice=10\n\
             IOSchedulingClass=idle\n"
        );
        assert_eq!(
            timer(&job),
            "# Made by docker dbsafe schedule; docker dbsafe schedule rm db takes it away.\n\
             [Unit]\n\
             Description=docker dbsafe: a snapshot of db every 6h\n\
             \n\
             [Timer]\n\
             OnCalendar=*-*-* 04/6:43:00\n\
             Persistent=true\n\
             \n\
             [Install]\n\
             WantedBy=timers.target\n"
        );
    }
}
