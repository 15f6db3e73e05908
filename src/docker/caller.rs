//! The docker that started us. For a hook and for a completion it keeps its global flags to itself; its command
//! line tells them, where the system lets us see it.

use std::ffi::OsString;

use super::globals::DockerGlobals;

/// The globals that the docker above us was called with; none where they cannot be seen (not Linux).
#[must_use]
pub fn globals() -> DockerGlobals {
    command_line().map(|words| in_words(&words)).unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn command_line() -> Option<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt as _;
    let parent = rustix::process::getppid()?;
    let bytes = std::fs::read(format!("/proc/{}/cmdline", parent.as_raw_pid())).ok()?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Some(bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

#[cfg(not(target_os = "linux"))]
fn command_line() -> Option<Vec<OsString>> {
    None
}

/// Pure. In front of docker's command, or behind `__complete`.
fn in_words(words: &[OsString]) -> DockerGlobals {
    let Some((program, rest)) = words.split_first() else { return DockerGlobals::default() };
    // A shell or another program may have started us as well.
    if std::path::Path::new(program).file_stem().is_none_or(|name| name != "docker") {
        return DockerGlobals::default();
    }
    let completes = |word: &OsString| word == "__complete" || word == "__completeNoDesc";
    let rest = if rest.first().is_some_and(completes) { &rest[1..] } else { rest };
    DockerGlobals::parse_leading(rest).map(|(globals, _)| globals).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        in_words(&words).context
    }

    #[test]
    fn globals_are_found_in_front_of_the_command_and_behind_complete() {
        assert_eq!(context("/usr/bin/docker --context x run db").as_deref(), Some("x"));
        assert_eq!(context("docker __complete -c x dbsafe rm").as_deref(), Some("x"));
        assert_eq!(context("docker run --context x"), None);
        assert_eq!(context("bash --context x"), None);
        assert_eq!(context(""), None);
    }
}
