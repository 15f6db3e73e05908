//! `hard-coded-secret`.

use super::kind::served;
use crate::model::{
    check::{Check, Class, Look, Sink},
    setup::{Hidden, is_literal},
    verdict::Severity,
};

pub(super) static CHECK: Check = Check {
    title: "a password of a database stands in the compose file",
    why: "The file goes into version control, into CI logs and onto laptops, and the password with it, for good. \
          Take it from a variable that must be set, from an env_file that is not checked in, or from a secret \
          (`POSTGRES_PASSWORD_FILE`). Only values that stand in the file itself are told of: a container shows no \
          difference between those and others.",
    bad: "    environment:
      POSTGRES_PASSWORD: hunter2",
    good: "    environment:
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it in .env}",
    reference: "https://docs.docker.com/compose/how-tos/use-secrets/",
    setup: Some(look),
    ..Check::documented("hard-coded-secret", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    let is_server = served(setup).is_some();
    for variable in &setup.environment {
        let Some(value) = variable.written.as_ref().map(Hidden::reveal) else { continue };
        let own = is_literal(value)
            && is_secret(&variable.name, value)
            && (is_server || is_of_a_database(&variable.name));
        if own || password_in_url(value).is_some_and(is_literal) {
            let keys = ["environment", variable.name.as_str()];
            sink.raise(setup, &keys, format!("the value of {} stands in the file", variable.name)).remedy(
                format!(
                    "{0}: ${{{0}:?}}, with the value in .env outside of version control, or a secret",
                    variable.name
                ),
            );
        }
    }
    let words: Vec<&str> = setup.written_command.iter().map(Hidden::reveal).collect();
    let flag = words.iter().position(|word| *word == "--requirepass");
    let password = flag.and_then(|at| words.get(at + 1)).map(|word| word.trim_matches(['"', '\'']));
    if is_server && password.is_some_and(|password| !password.is_empty() && !password.contains('$')) {
        sink.raise(setup, &["command"], "the password after --requirepass stands in the file")
            .remedy("--requirepass ${REDIS_PASSWORD:?}");
    }
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let secret = ["PASSWORD", "PASSWD", "_PASS", "_PWD", "SECRET", "TOKEN", "API_KEY", "NEO4J_AUTH"];
    let is_none = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "yes" | "no" | "true" | "false" | "none" | "0" | "1"
    );
    secret.iter().any(|ending| name.ends_with(ending))
        && !name.contains("ALLOW_EMPTY")
        && !name.contains("RANDOM")
        && !is_none
        && !value.starts_with('/')
}

/// Whether a variable's name says that it is about a database.
fn is_of_a_database(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "DATABASE",
        "DB",
        "ELASTIC",
        "MARIADB",
        "MONGO",
        "MONGODB",
        "MSSQL",
        "MYSQL",
        "PG",
        "PGPASSWORD",
        "POSTGRES",
        "POSTGRESQL",
        "REDIS",
        "SA",
        "SQL",
        "VALKEY",
    ];
    name.to_ascii_uppercase().split('_').any(|word| WORDS.contains(&word))
}

/// The password in a database's URL: `postgresql+asyncpg://app:secret@db/shop`.
fn password_in_url(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once("://")?;
    let scheme = scheme.trim_start_matches("jdbc:").split('+').next()?;
    let known = [
        "postgres",
        "postgresql",
        "mysql",
        "mariadb",
        "redis",
        "rediss",
        "valkey",
        "mongodb",
        "mssql",
        "sqlserver",
    ];
    if !known.contains(&scheme) {
        return None;
    }
    let (authority, _) = rest.rsplit_once('@')?;
    let (_, password) = authority.split_once(':')?;
    Some(password).filter(|password| !password.is_empty())
}
