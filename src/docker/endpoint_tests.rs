//! Resolution without a docker client; `tests/endpoint.rs` compares it with the real one.

use std::{collections::BTreeMap, ffi::OsString};

use super::*;

type Files = BTreeMap<PathBuf, String>;

fn resolved(arguments: &str, environment: Environment, files: &Files) -> Result<Endpoint, EndpointError> {
    let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
    let (globals, _read) = DockerGlobals::parse(&arguments).unwrap();
    let environment = environment.with(if cfg!(windows) { "USERPROFILE" } else { "HOME" }, "/home/u");
    resolve(&globals, &environment, &|path| match files.get(path) {
        Some(text) if text == "denied" => Err(io::ErrorKind::PermissionDenied.into()),
        Some(text) => Ok(text.clone().into_bytes()),
        None => Err(io::ErrorKind::NotFound.into()),
    })
}

fn none() -> Environment {
    Environment::default()
}

fn file(path: &str, text: &str) -> (PathBuf, String) {
    (PathBuf::from(path), text.to_owned())
}

/// A context's files below `/home/u/.docker`.
fn context(name: &str, host: &str) -> (PathBuf, String) {
    let path = format!("/home/u/.docker/contexts/meta/{}/meta.json", context_id(name));
    let json =
        serde_json::json!({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
    file(&path, &json.to_string())
}

fn is_tls(endpoint: &Endpoint) -> bool {
    matches!(endpoint.kind, EndpointKind::Docker { .. })
}

#[test]
fn a_contexts_folder_is_named_by_the_hash_of_its_name() {
    // As `docker context create foo` does it.
    assert_eq!(context_id("foo"), "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
}

#[test]
fn tls_is_spoken_only_over_tcp_and_only_when_asked_for() {
    let files = Files::new();
    let tcp = "-H tcp://h:1";
    for (arguments, environment, expected) in [
        ("", none(), false),
        ("--tls", none(), true),
        ("--tls=false", none().with("DOCKER_TLS", "1"), false),
        ("", none().with("DOCKER_TLS", "1"), true),
        ("", none().with("DOCKER_TLS_VERIFY", "0"), true),
        ("", none().with("DOCKER_TLS_VERIFY", ""), false),
        // docker/cli `SetDefaultOptions`: given at all, it turns TLS on.
        ("--tlsverify=false", none(), true),
        ("--tls=false", none().with("DOCKER_TLS_VERIFY", "1"), true),
    ] {
        let endpoint = resolved(&format!("{tcp} {arguments}"), environment.clone(), &files).unwrap();
        assert_eq!(is_tls(&endpoint), expected, "{arguments} {environment:?}");
    }
    if cfg!(unix) {
        assert!(!is_tls(&resolved("--tls -H unix:///s", none(), &files).unwrap()));
    }
    assert_eq!(resolved("--tlsverify", none(), &files).unwrap().host, "tcp://localhost:2376");
}

#[test]
fn a_context_speaks_tls_when_it_has_keys_or_skips_their_check() {
    let keys = format!("/home/u/.docker/contexts/tls/{}/docker/ca.pem", context_id("c"));
    let plain = Files::from([context("c", "tcp://h:1")]);
    assert!(!is_tls(&resolved("-c c", none(), &plain).unwrap()));
    // The flags and the environment speak of the default context alone.
    assert!(!is_tls(&resolved("-c c --tls", none().with("DOCKER_TLS", "1"), &plain).unwrap()));
    for key in ["-----", "denied"] {
        let files = Files::from([context("c", "tcp://h:1"), file(&keys, key)]);
        assert!(is_tls(&resolved("-c c", none(), &files).unwrap()));
    }
}

#[test]
fn what_cannot_be_resolved_says_which_command_mends_it() {
    let files = Files::from([file("/home/u/.docker/config.json", r#"{"currentContext": "gone"}"#)]);
    let error = resolved("", none(), &files).unwrap_err();
    assert_eq!(error, EndpointError::NoContext { name: "gone".to_owned() });
    assert!(error.hint().contains("docker context ls"));
    for text in ["denied", "{", "[]"] {
        let files = Files::from([file("/home/u/.docker/config.json", text)]);
        assert!(matches!(resolved("", none(), &files), Err(EndpointError::Unreadable { .. })), "{text}");
    }
    let broken = Files::from([(context("c", "").0, "{".to_owned())]);
    assert!(matches!(resolved("-c c", none(), &broken), Err(EndpointError::Unreadable { .. })));
    let empty = Files::from([(context("c", "").0, "{}".to_owned())]);
    assert!(matches!(resolved("-c c", none(), &empty), Err(EndpointError::NoEngine { .. })));
    assert_eq!(resolved("-c c -H unix:///s", none(), &files), Err(EndpointError::HostAndContext));
    assert_eq!(resolved("-H unix:///s -H unix:///t", none(), &files), Err(EndpointError::SeveralHosts));
    assert!(matches!(resolved("-H http://h", none(), &Files::new()), Err(EndpointError::Malformed { .. })));
}

#[test]
fn an_address_gets_the_parts_it_lacks() {
    for (given, expected) in [
        ("h", "tcp://h:2375"),
        ("h:1", "tcp://h:1"),
        (":1", "tcp://localhost:1"),
        ("tcp://", "tcp://localhost:2375"),
        ("tcp://[::1]:3/p", "tcp://[::1]:3/p"),
        ("unix://", "unix:///var/run/docker.sock"),
        ("ssh://u@h", "ssh://u@h"),
    ] {
        assert_eq!(normalised(given).as_deref(), Ok(expected), "{given}");
    }
    assert!(normalised("tcp://h:port").is_err());
    assert!(normalised("unix://tcp://h").is_err());
}

#[test]
fn a_tcp_address_may_serve_its_api_below_a_folder() {
    let endpoint = resolved("-H tcp://[::1]:3/base/", none(), &Files::new()).unwrap();
    let expected = EndpointKind::Tcp { host: "::1".to_owned(), port: 3, prefix: "/base".to_owned() };
    assert_eq!(endpoint.kind, expected);
}
