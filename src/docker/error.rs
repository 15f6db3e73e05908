//! Why the engine gave no answer, or not the one that was hoped for.

use std::{error::Error as StdError, io, time::Duration};

/// A request to the engine that failed. Its text may hold words of the engine: clean it before printing.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No connection, or it broke before an answer.
    #[error("the Docker engine at {host} does not answer: {cause}")]
    Unreachable { host: String, cause: String, hint: Option<String> },
    /// The engine took longer than we wait.
    #[error("the Docker engine at {host} did not answer within {} s", .limit.as_secs())]
    TimedOut { host: String, limit: Duration },
    /// The engine answered with an error.
    #[error("the Docker engine refused: {message} (status {status})")]
    Refused { status: u16, message: String },
    /// Something else, in one clause.
    #[error("{0}")]
    Unexpected(String),
}

impl EngineError {
    /// An answer that we do not understand, in one lower-case clause.
    #[must_use]
    pub fn unexpected(clause: &str) -> Self {
        Self::Unexpected(clause.to_owned())
    }

    /// The engine's HTTP status, where it answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Unexpected(_) => None,
        }
    }

    /// The command that mends it, as a clause such as `start it with: systemctl start docker`.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unreachable { hint, .. } => hint.as_deref(),
            Self::TimedOut { .. } => Some("see whether it answers docker: docker version"),
            Self::Refused { .. } | Self::Unexpected(_) => None,
        }
    }

    /// From bollard's error; our own, which travelled through bollard, comes out as it was.
    #[must_use]
    pub fn from_api(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message }
            }
            Error::IOError { err } => match err.downcast::<Self>() {
                Ok(own) => own,
                Err(other) => {
                    Self::Unexpected(format!("the Docker engine's answer broke off: {}", in_words(&other)))
                }
            },
            Error::DockerStreamError { error } => Self::Unexpected(error),
            other => Self::Unexpected(format!("the Docker engine's answer is not understood: {other}")),
        }
    }

    /// Packs it up for the way through bollard; `from_api` unpacks it.
    pub(super) fn into_api(self) -> bollard::errors::Error {
        bollard::errors::Error::IOError { err: io::Error::other(self) }
    }
}

/// The innermost cause of an error, as a short clause.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    match last.downcast_ref::<io::Error>() {
        Some(error) => in_words(error),
        None => last.to_string(),
    }
}

/// The first I/O error in a chain of causes.
pub(super) fn io_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// An I/O error without the platform's number.
pub(super) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            // Only the first letter: the rest may be names and commands.
            match text.split_at_checked(1) {
                Some((first, rest)) => first.to_lowercase() + rest,
                None => text.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_error_survives_the_way_through_bollard() {
        let sent = EngineError::Refused { status: 409, message: "in use".to_owned() };
        assert_eq!(EngineError::from_api(sent.into_api()).status(), Some(409));
    }

    #[test]
    fn causes_carry_no_numbers_of_the_platform() {
        assert_eq!(in_words(&io::Error::from_raw_os_error(2)), "no such file");
        assert!(!in_words(&io::Error::from_raw_os_error(104)).contains("os error"));
    }
}
