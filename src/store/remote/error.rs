//! What can go wrong with a remote, in words of ours.

use std::error::Error as _;

use crate::store::{StoreError, seal::SealError};

/// Why a remote could not do its part. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("that is no remote: {why}")]
    Address { why: String },
    #[error("the remote's address holds credentials, which belong into the environment or a profile")]
    SecretInAddress,
    #[error("{0}")]
    Credentials(String),
    #[error("{remote} has no {name}")]
    NotFound { remote: String, name: String },
    #[error("{remote} refused the credentials: {cause}")]
    Denied { remote: String, cause: String },
    #[error("{remote}: {cause}")]
    Failed { remote: String, cause: String },
    /// It holds other bytes than were sent.
    #[error("{remote} does not hold what was sent: {name}: {fault}")]
    Lied { remote: String, name: String, fault: String },
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SealError> for RemoteError {
    fn from(error: SealError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl RemoteError {
    /// The words for an error of the object store's. `name` is the object that it was about.
    pub(super) fn of(remote: &str, name: &str, error: &object_store::Error) -> Self {
        use object_store::Error;
        let remote = remote.to_owned();
        match error {
            Error::NotFound { .. } => Self::NotFound { remote, name: name.to_owned() },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                Self::Denied { remote, cause: root_cause(error) }
            }
            _ => Self::Failed { remote, cause: root_cause(error) },
        }
    }

    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address { .. } => Some(format!("it is one of {}", super::address::FORMS)),
            Self::SecretInAddress | Self::Credentials(_) | Self::Denied { .. } => Some(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS, \
                 or AZURE_STORAGE_ACCOUNT_NAME and its key"
                    .to_owned(),
            ),
            Self::Lied { .. } => Some("push it to another remote, and ask who runs this one".to_owned()),
            Self::Store(error) => error.hint().map(str::to_owned),
            Self::NotFound { .. } | Self::Failed { .. } | Self::Refused(_) => None,
        }
    }

    /// Whether what the remote holds is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Lied { .. })
    }
}

/// The innermost cause, which says most, without what could be secret: queries carry signatures.
fn root_cause(error: &object_store::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    // S3 answers in XML: its message is a sentence.
    let between = |from: &str, to: &str| {
        let rest = &text[text.find(from)? + from.len()..];
        Some(rest[..rest.find(to)?].to_owned())
    };
    let told = between("<Message>", "</Message>").or_else(|| error_of_retry(error)).unwrap_or(text.clone());
    told.split_whitespace().map(without_query).take(60).collect::<Vec<_>>().join(" ")
}

/// The message in the body of an answer somewhere in the chain.
fn error_of_retry(error: &object_store::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if let Some((_, rest)) = text.split_once("<Message>") {
            return rest.split_once("</Message>").map(|(message, _)| message.to_owned());
        }
        next = cause.source();
    }
    None
}

fn without_query(word: &str) -> &str {
    if word.contains("://") { word.split('?').next().unwrap_or(word) } else { word }
}
