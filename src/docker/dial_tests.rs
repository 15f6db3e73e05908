//! Requests to a fake engine behind a Unix socket.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::TryStreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

use super::*;

/// Answers a request, given its head.
type Script = fn(&str) -> String;

struct FakeEngine {
    _folder: tempfile::TempDir,
    path: PathBuf,
    connections: Arc<AtomicUsize>,
}

impl FakeEngine {
    fn start(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, script));
            }
        });
        Self { _folder: folder, path, connections }
    }

    fn transport(&self) -> Transport {
        connect(&endpoint(&self.path, &[]), Duration::from_secs(60)).unwrap()
    }
}

fn endpoint(path: &std::path::Path, headers: &[(&str, &str)]) -> Endpoint {
    Endpoint {
        host: format!("unix://{}", path.display()),
        context: "default".to_owned(),
        kind: EndpointKind::Unix { path: path.to_owned() },
        globals: Vec::new(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

async fn serve(mut stream: UnixStream, script: Script) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            let answer = script(&String::from_utf8_lossy(&head));
            head.clear();
            if answer.is_empty() {
                // An engine that hangs.
                std::future::pending::<()>().await;
            }
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn message(text: &str) -> String {
    serde_json::json!({ "message": text }).to_string()
}

#[tokio::test]
async fn one_connection_serves_our_requests_and_those_of_bollard() {
    let engine = FakeEngine::start(|head| match head.split(' ').nth(1) {
        Some("/_ping") => answer("200 OK", "OK"),
        Some("/version?x=1") => answer("200 OK", "{\"a\": 1}"),
        other => answer("500 X", &message(&format!("{other:?}"))),
    });
    let transport = engine.transport();
    for _ in 0..3 {
        let got: BTreeMap<String, u8> = transport.get_json("/version?x=1").await.unwrap();
        assert_eq!(got.get("a"), Some(&1));
        assert_eq!(transport.api().ping().await.unwrap(), "OK");
    }
    assert_eq!(engine.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_path_that_is_not_there_differs_from_a_container_that_is_not_there() {
    let engine = FakeEngine::start(|head| {
        let (line, _headers) = head.split_once("\r\n").unwrap();
        let text = if line.contains("/gone/") {
            message("No such container: gone")
        } else {
            message("Could not find the file /x in container abc")
        };
        if line.starts_with("HEAD") {
            return format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", text.len());
        }
        answer("404 Not Found", &text)
    });
    let transport = engine.transport();
    assert!(transport.head("/containers/abc/archive?path=/x").await.unwrap().is_none());
    assert!(transport.get_stream("/containers/abc/archive?path=/x").await.unwrap().is_none());
    let error = transport.head("/containers/gone/archive?path=/x").await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert!(transport.get_stream("/containers/gone/archive?path=/x").await.is_err());
}

#[tokio::test]
async fn a_path_below_a_file_is_not_there() {
    let engine = FakeEngine::start(|_head| answer("500 X", &message("lstat /etc/passwd/x: not a directory")));
    assert!(
        engine.transport().get_stream("/containers/a/archive?path=/etc/passwd/x").await.unwrap().is_none()
    );
}

#[tokio::test]
async fn an_engine_that_hangs_is_given_up_by_our_requests_and_by_bollards() {
    let engine = FakeEngine::start(|_head| String::new());
    // The limit is over before the first look, so no time passes in this test.
    let transport = connect(&endpoint(&engine.path, &[]), Duration::ZERO).unwrap();
    let error = transport.get_json::<serde_json::Value>("/version").await.unwrap_err();
    assert!(matches!(error, EngineError::TimedOut { .. }), "{error}");
    let error = EngineError::from_api(transport.api().ping().await.unwrap_err());
    assert!(matches!(error, EngineError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_not_there_names_itself_and_the_command_that_mends_it() {
    let transport =
        connect(&endpoint(std::path::Path::new("/nowhere/d.sock"), &[]), Duration::from_secs(60)).unwrap();
    let error = transport.get_json::<serde_json::Value>("/version").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Docker engine at unix:///nowhere/d.sock does not answer: no such file"
    );
    assert!(error.hint().unwrap().contains("docker context ls"));
    let through_bollard = EngineError::from_api(transport.api().ping().await.unwrap_err());
    assert_eq!(through_bollard.to_string(), error.to_string());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_no_short_body() {
    let engine = FakeEngine::start(|_head| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz".to_owned()
    });
    let body = engine.transport().get_stream("/containers/a/archive?path=/").await.unwrap().unwrap();
    let read: Result<Vec<Bytes>, _> = body.try_collect().await;
    assert!(read.unwrap_err().to_string().contains("broke off"));
}

#[tokio::test]
async fn the_headers_of_dockers_configuration_go_with_every_request() {
    let engine = FakeEngine::start(|head| match head.to_lowercase().contains("x-team: data") {
        true => answer("200 OK", "OK"),
        false => answer("403 Forbidden", &message("who are you")),
    });
    let transport = connect(&endpoint(&engine.path, &[("X-Team", "data")]), Duration::from_secs(60)).unwrap();
    assert!(transport.api().ping().await.is_ok());
    let error = engine.transport().get_json::<serde_json::Value>("/version").await.unwrap_err();
    assert_eq!(error.to_string(), "the Docker engine refused: who are you (status 403)");
}

#[test]
fn only_requests_that_wait_by_nature_go_without_a_limit() {
    for (method, path, long) in [
        (Method::GET, "/containers/json", false),
        (Method::GET, "/containers/a/archive", false),
        (Method::GET, "/events", true),
        (Method::POST, "/containers/a/stop", true),
        (Method::POST, "/containers/a/wait", true),
        (Method::POST, "/images/create", true),
        (Method::POST, "/containers/create", false),
        (Method::POST, "/containers/a/exec", false),
        (Method::DELETE, "/volumes/a", true),
        (Method::PUT, "/containers/a/archive", true),
    ] {
        assert_eq!(may_take_long(&method, path), long, "{method} {path}");
    }
}
