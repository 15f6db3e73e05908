//! Asks running servers what is in them, with the containers' own clients, under a time limit.

use std::time::Duration;

use super::subject::Subject;
use crate::{
    docker::exec::Exec,
    engines::{Kind, answer::Answer, mysql, postgres, redis},
};

/// A person waits at the prompt.
const TIME_LIMIT: Duration = Duration::from_secs(3);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// What came of asking.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Answer(Answer),
    Redis(Box<redis::ServerAnswer>),
    /// It did not answer; the cause, in the server's words where it had some.
    Silent(String),
    /// There is no way to ask this kind.
    NotAsked,
}

impl Reply {
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Redis(redis) => Some(&redis.answer),
            Self::Silent(_) | Self::NotAsked => None,
        }
    }
}

pub(super) async fn ask(subject: &Subject<'_>, kind: &Kind) -> Reply {
    let question = match kind.id {
        "postgres" => postgres::QUESTION,
        "mysql" | "mariadb" => mysql::QUESTION,
        "redis" | "valkey" => redis::QUESTION,
        _ => return Reply::NotAsked,
    };
    let container = &subject.planned.container;
    let arguments = container.command.join(" ");
    let exec = Exec { environment: vec![format!("DBSAFE_ARGUMENTS={arguments}")], ..Exec::shell(question) };
    let output = match subject.engine.exec(&container.id, exec, TIME_LIMIT, MAX_ANSWER_BYTES).await {
        Ok(output) => output,
        Err(error) => return Reply::Silent(error.to_string()),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let parsed = match kind.id {
        "postgres" => postgres::parse_answer(&text).map(Reply::Answer),
        "mysql" | "mariadb" => mysql::parse_answer(&text).map(Reply::Answer),
        _ => redis::parse_answer(&text).map(|answer| Reply::Redis(Box::new(answer))),
    };
    parsed.unwrap_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = [said.as_ref(), text.as_ref()]
            .into_iter()
            .flat_map(str::lines)
            .find(|line| !line.trim().is_empty());
        Reply::Silent(said.map_or_else(|| "no answer".to_owned(), |line| line.trim().to_owned()))
    })
}
