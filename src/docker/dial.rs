//! Connections to the engine: one pool, which bollard and our own requests share.
//!
//! Unix sockets and plain TCP are dialled here; for TLS, SSH and named pipes a child, `docker system
//! dial-stdio`, is the connection, so that it is docker's own in everything. Connections are kept alive: a
//! request then costs about a millisecond.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bollard::{BollardRequest, ClientVersion, Docker};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::{
    connector::Connector,
    endpoint::{Endpoint, EndpointKind},
    environment::Environment,
    error::{io_cause, root_cause},
    program,
};

pub use super::error::EngineError;

/// The body type of bollard's requests, so that one pool serves both.
type RequestBody = <BollardRequest as HasBody>::Body;

/// Names a request's body type, which bollard does not export.
trait HasBody {
    type Body;
}

impl<B> HasBody for http::Request<B> {
    type Body = B;
}

/// Requests at once through child processes: an SSH server takes few new connections at a time.
const NESTED_REQUESTS: usize = 8;

/// Longer than any request: the limits are set here and not by bollard, which knows only one for all.
const NO_LIMIT_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// Connections to one engine. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    inner: Arc<Inner>,
    docker: Docker,
}

struct Inner {
    client: Client<Connector, RequestBody>,
    host: String,
    /// The authority that requests name, and the folder below which a TCP endpoint serves its API.
    authority: String,
    prefix: String,
    headers: HeaderMap,
    limit: Duration,
    /// Bounds the requests at once, where each costs a child process.
    permits: Option<Semaphore>,
    hint: Option<String>,
}

/// Prepares the connections to an engine; the first request dials.
///
/// # Errors
/// Where docker is needed for it and there is none, or a configured header is malformed.
pub fn connect(endpoint: &Endpoint, request_limit: Duration) -> Result<Transport, EngineError> {
    let (connector, authority, prefix) = match &endpoint.kind {
        EndpointKind::Unix { path } => (Connector::unix(path), "docker".to_owned(), String::new()),
        EndpointKind::Tcp { host, port, prefix } => {
            let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            (Connector::Tcp { host: host.clone(), port: *port }, format!("{shown}:{port}"), prefix.clone())
        }
        EndpointKind::Docker { prefix } => {
            let program = program::find(&Environment::of_process())
                .map_err(|missing| EngineError::unexpected(&missing.to_string()))?;
            (
                Connector::Docker { program, globals: endpoint.globals.clone() },
                "docker".to_owned(),
                prefix.clone(),
            )
        }
    };
    let nested = matches!(endpoint.kind, EndpointKind::Docker { .. });
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .build(connector);
    let inner = Arc::new(Inner {
        client,
        host: endpoint.host.clone(),
        authority,
        prefix,
        headers: headers_of(endpoint)?,
        limit: request_limit,
        permits: nested.then(|| Semaphore::new(NESTED_REQUESTS)),
        hint: hint_for(endpoint),
    });
    let shared = Arc::clone(&inner);
    let send = move |request: BollardRequest| {
        let inner = Arc::clone(&shared);
        async move {
            let limit = (!may_take_long(request.method(), request.uri().path())).then_some(inner.limit);
            inner.send(request, limit).await.map_err(EngineError::into_api)
        }
    };
    // bollard sends no version with its requests whatever is said here; the engine answers with its newest.
    let version = ClientVersion { major_version: 1, minor_version: 41 };
    let docker =
        Docker::connect_with_custom_transport(send, Some("http://docker"), NO_LIMIT_SECONDS, &version)
            .map_err(EngineError::from_api)?;
    Ok(Transport { inner, docker })
}

impl Transport {
    /// bollard's client on these connections.
    #[must_use]
    pub fn api(&self) -> &Docker {
        &self.docker
    }

    /// Gets a path and reads its JSON. The limit covers the whole answer.
    ///
    /// # Errors
    /// Where the engine does not answer, refuses, or answers something else.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        self.get_json_within(path, self.inner.limit).await
    }

    /// As `get_json`, with a limit of its own for the whole answer.
    ///
    /// # Errors
    /// As `get_json`.
    pub async fn get_json_within<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<T, EngineError> {
        let inner = &self.inner;
        let answer = async {
            let response = inner.get(Method::GET, path, None).await?;
            let status = response.status();
            let bytes = inner.collect(response).await?;
            if !status.is_success() {
                return Err(refused(status, &bytes));
            }
            serde_json::from_slice(&bytes).map_err(|error| {
                let path = path.split('?').next().unwrap_or(path);
                EngineError::Unexpected(format!(
                    "the Docker engine's answer to {path} is not understood: {error}"
                ))
            })
        };
        inner.limited(limit, answer).await
    }

    /// The headers of a path; `None` where the engine says that nothing is there.
    ///
    /// # Errors
    /// Where the container itself is gone, or the engine does not answer or refuses.
    pub async fn head(&self, path: &str) -> Result<Option<HeaderMap>, EngineError> {
        let response = self.inner.get(Method::HEAD, path, Some(self.inner.limit)).await?;
        match response.status() {
            status if status.is_success() => Ok(Some(response.headers().clone())),
            // An answer to HEAD has no body: only GET says what was not found.
            _ => match self.get_stream(path).await? {
                None => Ok(None),
                Some(_appeared) => Err(EngineError::unexpected("a path appeared while it was looked at")),
            },
        }
    }

    /// Whether a path answers with success, by one request alone. Where it does not, the path may be missing, or
    /// the container.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn answers(&self, path: &str) -> Result<bool, EngineError> {
        let response = self.inner.get(Method::HEAD, path, Some(self.inner.limit)).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Ok(self.head(path).await?.is_some()),
        }
    }

    /// Sends JSON and reads what comes back; `Null` where nothing does. Without a limit it waits for as long
    /// as the engine works.
    ///
    /// # Errors
    /// Where the engine does not answer, refuses, or answers something else.
    pub async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        limit: Option<Duration>,
    ) -> Result<serde_json::Value, EngineError> {
        let inner = &self.inner;
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = async {
            let request = http::Request::builder()
                .method(method)
                .uri(format!("http://docker{path}"))
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(bollard::body_full(bytes))
                .map_err(|error| EngineError::Unexpected(format!("{path} is no address: {error}")))?;
            let response = inner.send(request, None).await?;
            let status = response.status();
            let bytes = inner.collect(response).await?;
            if !status.is_success() && status != StatusCode::NOT_MODIFIED {
                return Err(refused(status, &bytes));
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(serde_json::Value::Null);
            }
            serde_json::from_slice(&bytes).map_err(|error| {
                EngineError::Unexpected(format!(
                    "the Docker engine's answer to {path} is not understood: {error}"
                ))
            })
        };
        match limit {
            Some(limit) => inner.limited(limit, answer).await,
            None => answer.await,
        }
    }

    /// Puts a stream, such as an archive. No time limit.
    ///
    /// # Errors
    /// Where the engine does not answer or refuses, or the stream fails.
    pub async fn put_stream(
        &self,
        path: &str,
        content: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    ) -> Result<(), EngineError> {
        let request = http::Request::builder()
            .method(Method::PUT)
            .uri(format!("http://docker{path}"))
            .header(http::header::CONTENT_TYPE, "application/x-tar")
            .body(bollard::body_try_stream(content))
            .map_err(|error| EngineError::Unexpected(format!("{path} is no address: {error}")))?;
        let response = self.inner.send(request, None).await?;
        let status = response.status();
        let bytes = self.inner.collect(response).await?;
        if status.is_success() { Ok(()) } else { Err(refused(status, &bytes)) }
    }

    /// The body of a path as it comes, without a time limit; `None` where the engine says that nothing is
    /// there.
    ///
    /// # Errors
    /// Where the container itself is gone, or the engine does not answer or refuses.
    pub async fn get_stream(&self, path: &str) -> Result<Option<Body>, EngineError> {
        let inner = &self.inner;
        let response = inner.get(Method::GET, path, Some(inner.limit)).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Some(Body { incoming: response.into_body(), host: inner.host.clone() }));
        }
        let bytes = inner.limited(inner.limit, inner.collect(response)).await?;
        let error = refused(status, &bytes);
        if is_absence(&error) { Ok(None) } else { Err(error) }
    }
}

impl Inner {
    async fn get(
        &self,
        method: Method,
        path: &str,
        limit: Option<Duration>,
    ) -> Result<Response<Incoming>, EngineError> {
        let uri = format!("http://docker{path}");
        let request =
            http::Request::builder().method(method).uri(uri).body(bollard::body_full(Bytes::new())).map_err(
                |error| EngineError::Unexpected(format!("{path} is no path of the engine: {error}")),
            )?;
        self.send(request, limit).await
    }

    /// Sends a request to this engine, whatever host it names.
    async fn send(
        &self,
        mut request: http::Request<RequestBody>,
        limit: Option<Duration>,
    ) -> Result<Response<Incoming>, EngineError> {
        *request.uri_mut() = self.uri(request.uri())?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let sending = async {
            let _permit = match &self.permits {
                Some(permits) => permits.acquire().await.ok(),
                None => None,
            };
            self.client.request(request).await.map_err(|error| self.unreachable(&error))
        };
        match limit {
            Some(limit) => self.limited(limit, sending).await,
            None => sending.await,
        }
    }

    fn uri(&self, asked: &Uri) -> Result<Uri, EngineError> {
        let path = asked.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let uri = format!("http://{}{}{path}", self.authority, self.prefix);
        uri.parse().map_err(|error| EngineError::Unexpected(format!("{uri} is no address: {error}")))
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, EngineError> {
        match response.into_body().collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => Err(broke_off(&self.host, &error)),
        }
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let timed_out = || EngineError::TimedOut { host: self.host.clone(), limit };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_elapsed| Err(timed_out()))
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> EngineError {
        let hint = if io_cause(error).is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied) {
            Some(
                "let your account use the socket: sudo usermod -aG docker $USER, then log in again"
                    .to_owned(),
            )
        } else {
            self.hint.clone()
        };
        EngineError::Unreachable { host: self.host.clone(), cause: root_cause(error), hint }
    }
}

/// An answer's body, as it comes. Dropping it early ends its connection.
pub struct Body {
    incoming: Incoming,
    host: String,
}

impl Stream for Body {
    type Item = Result<Bytes, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(broke_off(&self.host, &error))));
                }
                // A frame without data holds trailers, which mean nothing here.
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

fn broke_off(host: &str, error: &hyper::Error) -> EngineError {
    EngineError::Unexpected(format!(
        "the answer of the Docker engine at {host} broke off: {}",
        root_cause(error)
    ))
}

fn refused(status: StatusCode, body: &[u8]) -> EngineError {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    let message = match serde_json::from_slice::<Message>(body) {
        Ok(answer) => answer.message,
        Err(_no_json) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let message = if message.is_empty() {
        status.canonical_reason().unwrap_or("no reason given").to_owned()
    } else {
        message
    };
    EngineError::Refused { status: status.as_u16(), message }
}

/// Whether a refusal says that a path is not there; a container that is not there is another matter. A path
/// below a regular file is not there either, for which the engine has a 500.
fn is_absence(error: &EngineError) -> bool {
    let EngineError::Refused { status, message } = error else { return false };
    let message = message.to_lowercase();
    match status {
        404 => !message.contains("no such container"),
        500 => message.ends_with(": not a directory"),
        _ => false,
    }
}

/// Requests of which the answer's head comes only when the work is done, or which wait by their nature.
fn may_take_long(method: &Method, path: &str) -> bool {
    let ends = |words: &[&str]| words.iter().any(|word| path.ends_with(word));
    match method.as_str() {
        "GET" => {
            ends(&["/events", "/logs", "/attach", "/attach/ws", "/system/df", "/export", "/get", "/stats"])
        }
        "HEAD" => false,
        // A volume driver or a busy disk may take its time for a container, but a question to one does not.
        "POST" => !ends(&["/exec", "/containers/create", "/volumes/create", "/kill", "/rename"]),
        _ => true,
    }
}

fn headers_of(endpoint: &Endpoint) -> Result<HeaderMap, EngineError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        let malformed = || {
            EngineError::Unexpected(format!("docker's configuration has a malformed HTTP header: {name:?}"))
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_source| malformed())?;
        let value = HeaderValue::from_str(value).map_err(|_source| malformed())?;
        headers.insert(key, value);
    }
    Ok(headers)
}

fn hint_for(endpoint: &Endpoint) -> Option<String> {
    let choose = "see which contexts there are: docker context ls";
    let hint = match &endpoint.kind {
        EndpointKind::Unix { .. }
            if endpoint.context == super::endpoint::DEFAULT_CONTEXT && cfg!(target_os = "linux") =>
        {
            format!("start it with: systemctl start docker; or {choose}")
        }
        EndpointKind::Docker { .. } => format!("see what docker says: docker version; or {choose}"),
        EndpointKind::Unix { .. } | EndpointKind::Tcp { .. } => choose.to_owned(),
    };
    Some(hint)
}

#[cfg(unix)]
#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
