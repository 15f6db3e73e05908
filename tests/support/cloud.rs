//! Object stores on loopback: `tests/lab/cloud.py`, for the time of one test.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{lab, root};

pub(crate) struct Cloud {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) s3_port: u64,
    pub(crate) google_port: u64,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(lab(&["cloud"]))
            .arg(root().join("tests/lab/cloud.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let ports: serde_json::Value = serde_json::from_str(&line).expect("the stores start");
        let port = |name: &str| ports[name].as_u64().unwrap();
        Self { s3_port: port("s3"), google_port: port("google"), process, orders, answers }
    }

    /// Gives an order of `cloud.py`; its answer.
    pub(crate) fn order(&mut self, order: &str) -> String {
        writeln!(self.orders, "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// What a command needs to find the stores.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.s3_port)),
            ("STORAGE_EMULATOR_HOST", format!("127.0.0.1:{}", self.google_port)),
        ]
    }
}

/// Azure's blob store on loopback: `tests/lab/azure.py`, for the time of one test.
pub(crate) struct Azure {
    process: Child,
    port: u64,
}

impl Azure {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("python3")
            .arg(root().join("tests/lab/azure.py"))
            .arg(lab(&["azure"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().expect("Azurite starts"), process }
    }

    /// What a command needs to find it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1".to_owned()),
            // Azurite's own, which everybody knows.
            (
                "AZURE_STORAGE_ACCOUNT_KEY",
                "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
                    .to_owned(),
            ),
            ("AZURE_STORAGE_ENDPOINT", format!("http://127.0.0.1:{}/devstoreaccount1", self.port)),
        ]
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        // It ends with its standard input, and takes the server along.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
