//! The engine's own API, for tests that ask it much: a process for each question would cost more than the answer.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
};

use serde_json::Value;

/// An engine's socket.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    socket: String,
}

impl Api {
    /// Of a `DOCKER_HOST`.
    pub(crate) fn of(host: &str) -> Self {
        Self { socket: host.trim_start_matches("unix://").to_owned() }
    }

    /// Sends a request; what is read from then on is the answer's body. Spoken as HTTP/1.0: the body ends with
    /// the connection.
    fn send(&self, method: &str, path: &str, body: &str) -> (u16, BufReader<UnixStream>) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let head = "Host: engine\r\nContent-Type: application/json";
        write!(stream, "{method} {path} HTTP/1.0\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "{method} {path} is answered");
        }
        (status, reader)
    }

    /// The status, and the body.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let (status, mut reader) = self.send(method, path, body);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        (status, text)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, text) = self.call("GET", path, "");
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn containers(&self) -> Vec<Value> {
        self.get("/containers/json?all=1").as_array().cloned().unwrap_or_default()
    }

    /// All volumes; those that no container has, where asked.
    pub(crate) fn volumes(&self, dangling: bool) -> Vec<Value> {
        let query = if dangling { "?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D" } else { "" };
        let answer = self.get(&format!("/volumes{query}"));
        answer["Volumes"].as_array().cloned().unwrap_or_default()
    }

    /// The events of containers and volumes from about now on, a line each.
    pub(crate) fn events(&self) -> BufReader<UnixStream> {
        let path = "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22volume%22%5D%7D";
        let (status, reader) = self.send("GET", path, "");
        assert_eq!(status, 200);
        reader
    }
}
