//! A block of lines in the user's crontab. Other lines stay as they are.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use super::{Job, TimerError, period};

/// The lines of one schedule, with the marks around them.
pub(super) fn block(job: &Job<'_>) -> String {
    let ticks = period::ticks(job.every, job.spread());
    let look = if ticks.too_often { " --if-due" } else { "" };
    // Vixie's cron takes a percent sign for the end of the line.
    let command = words(job).join(" ").replace('%', "\\%");
    format!("{}\n{} {command}{look}\n{}\n", begin(job.id), ticks.cron, end(job.id))
}

fn begin(id: &str) -> String {
    format!("# dbsafe schedule {id}: begin (docker dbsafe schedule rm {id} takes it away)")
}

fn end(id: &str) -> String {
    format!("# dbsafe schedule {id}: end")
}

fn words(job: &Job<'_>) -> Vec<String> {
    let variables = job.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    let command = job.command.iter().map(|word| quoted(word));
    std::iter::once("env".to_owned()).chain(variables).chain(command).collect()
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A crontab without a schedule's block, and with another in its place where there is one.
///
/// # Errors
/// Where a block begins and does not end: what is somebody else's cannot be told then.
pub(super) fn replaced(crontab: &str, id: &str, block: Option<&str>) -> Result<String, TimerError> {
    let (begin, end) = (format!("# dbsafe schedule {id}: begin"), end(id));
    let mut kept = String::new();
    let mut inside = false;
    for line in crontab.split_inclusive('\n') {
        let text = line.trim_end();
        let begins = text == begin || text.starts_with(&format!("{begin} "));
        if !inside && begins {
            inside = true;
        } else if inside && text == end {
            inside = false;
        } else if !inside {
            kept.push_str(line);
        }
    }
    if inside {
        return Err(TimerError::Broken(format!("the crontab has no line {end:?}")));
    }
    if let Some(block) = block {
        if !kept.is_empty() && !kept.ends_with('\n') {
            kept.push('\n');
        }
        kept.push_str(block);
    }
    Ok(kept)
}

/// Puts a schedule's block into the user's crontab, or takes it out.
///
/// # Errors
/// Where the program refuses.
pub(super) fn install(program: &Path, id: &str, block: Option<&str>) -> Result<(), TimerError> {
    let before = read(program)?;
    let after = replaced(&before, id, block)?;
    if after == before {
        return Ok(());
    }
    let failed = |cause: String| TimerError::Program { program: "crontab".to_owned(), cause };
    let spawned = Command::new(program)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| failed(error.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // Where it does not read, it says why.
        let _ = pipe.write_all(after.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(super::last_words(&output))) }
}

/// The user's crontab; empty where there is none.
fn read(program: &Path) -> Result<String, TimerError> {
    let failed = |cause: String| TimerError::Program { program: "crontab".to_owned(), cause };
    let output = Command::new(program)
        .arg("-l")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|_not_text| failed("it is not UTF-8".to_owned()));
    }
    let words = super::last_words(&output);
    // What is not there and what may not be read must not be mixed up: the second would be overwritten.
    if words.to_ascii_lowercase().contains("no crontab") { Ok(String::new()) } else { Err(failed(words)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::timer::tests::job;

    #[test]
    fn the_block_is_this() {
        let (command, environment) = (vec!["/usr/bin/docker", "--context", "it's", "dbsafe"], [("A", "50%")]);
        assert_eq!(
            block(&job(&command, &environment)),
            "# dbsafe schedule db: begin (docker dbsafe schedule rm db takes it away)\n\
             43 4,10,16,22 * * * env A='50\\%' /usr/bin/docker --context 'it'\\''s' dbsafe\n\
             # dbsafe schedule db: end\n"
        );
    }

    #[test]
    fn other_lines_are_not_touched() {
        let mine =
            "MAILTO=ann\n# dbsafe schedule dbx: begin (x)\n1 * * * * y\n# dbsafe schedule dbx: end\n@daily x";
        let block = "# dbsafe schedule db: begin (y)\nline\n# dbsafe schedule db: end\n";
        let with = replaced(mine, "db", Some(block)).unwrap();
        assert_eq!(with, format!("{mine}\n{block}"));
        assert_eq!(replaced(&with, "db", Some(block)).unwrap(), with);
        assert_eq!(replaced(&with, "db", None).unwrap(), format!("{mine}\n"));
        assert!(replaced("# dbsafe schedule db: begin\nx\n", "db", None).is_err());
    }
}
