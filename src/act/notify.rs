//! A word to whoever asked for it, at a URL or by a command.

use std::{process::Stdio, time::Duration};

use object_store::{
    ClientOptions,
    client::{HttpConnector as _, HttpRequest, ReqwestConnector},
};
use serde_json::json;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a run of a schedule has to say.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    pub schedule: &'a str,
    /// One sentence.
    pub message: &'a str,
}

/// Tells it: a POST of `{"schedule", "text"}` to a URL, else a command line of the shell with `DBSAFE_SCHEDULE` and
/// `DBSAFE_MESSAGE`.
///
/// # Errors
/// Why nobody was told, a clause. The address itself may be a secret, and is not in it.
pub async fn tell(whom: &str, word: Word<'_>) -> Result<(), String> {
    let telling = async { if is_url(whom) { post(whom, word).await } else { run(whom, word).await } };
    tokio::time::timeout(LIMIT, telling).await.unwrap_or_else(|_late| Err("it took too long".to_owned()))
}

/// Whether it is a URL and not a command.
#[must_use]
pub fn is_url(whom: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| whom.starts_with(scheme))
}

/// For people and documents: of a URL the host alone, as the rest often is a secret; of a command the program.
#[must_use]
pub fn shown(whom: &str) -> String {
    if let Some((scheme, rest)) = whom.split_once("://").filter(|_| is_url(whom)) {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        return format!("{scheme}://{host}/…");
    }
    let mut words = whom.split_whitespace();
    let program = words.next().unwrap_or_default().to_owned();
    if words.next().is_some() { program + " …" } else { program }
}

async fn post(url: &str, word: Word<'_>) -> Result<(), String> {
    // One cryptography for all; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions::new().with_allow_http(true).with_timeout(LIMIT);
    let client = ReqwestConnector::default().connect(&options).map_err(|error| error.to_string())?;
    let body = json!({"schedule": word.schedule, "text": word.message}).to_string();
    let mut request = HttpRequest::new(body.into());
    *request.method_mut() = "POST".parse().map_err(|_unheard_of| "it is no method".to_owned())?;
    *request.uri_mut() = url.parse().map_err(|_malformed| "the URL is not understood".to_owned())?;
    let json = "application/json".parse().map_err(|_unheard_of| "it is no header".to_owned())?;
    request.headers_mut().insert("content-type", json);
    let answer = client.execute(request).await.map_err(|error| format!("{:?}", error.kind()))?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("the answer is {}", answer.status())) }
}

async fn run(line: &str, word: Word<'_>) -> Result<(), String> {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
    let status = tokio::process::Command::new(shell)
        .args([option, line])
        .env("DBSAFE_SCHEDULE", word.schedule)
        .env("DBSAFE_MESSAGE", word.message)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        assert_eq!(shown("https://ann:secret@hooks.example/T0/B0/secret"), "https://hooks.example/…");
        assert_eq!(shown("curl -d @- https://hooks.example/secret"), "curl …");
        assert_eq!(shown("tell-me"), "tell-me");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_gets_the_message_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told");
        let line = format!("echo \"$DBSAFE_SCHEDULE: $DBSAFE_MESSAGE\" > {}", path.display());
        tell(&line, Word { schedule: "db", message: "it's \"gone\"" }).await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "db: it's \"gone\"\n");
        assert!(tell("exit 3", Word { schedule: "db", message: "" }).await.unwrap_err().contains('3'));
    }
}
