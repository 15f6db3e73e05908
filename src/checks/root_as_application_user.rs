//! `root-as-application-user`.

use super::kind::served;
use crate::{
    engines::habits::is_tool,
    model::{
        check::{Check, Class, Look, Sink},
        setup::Hidden,
        verdict::Severity,
    },
};

pub(super) static CHECK: Check = Check {
    title: "an application connects as the user who may do everything",
    why: "One injected statement then drops every database, reads every other application's, and on PostgreSQL \
          runs programs on the server. Make a user for the application, with rights on its own database.",
    bad: "services:
  api:
    environment:
      DATABASE_URL: postgres://postgres:${POSTGRES_PASSWORD}@db/shop",
    good: "services:
  api:
    environment:
      DATABASE_URL: postgres://shop:${SHOP_PASSWORD}@db/shop",
    reference: "https://www.postgresql.org/docs/current/role-attributes.html",
    setup: Some(look),
    ..Check::documented("root-as-application-user", Class::Setup, Severity::Medium)
};

fn look(look: &Look<'_>, sink: &mut Sink<'_>) {
    let setup = look.setup;
    if setup.engine.is_some() || setup.image.as_deref().is_some_and(is_tool) {
        return;
    }
    let superusers: Vec<&str> = look
        .project
        .iter()
        .filter_map(served)
        .map(|habits| habits.superuser)
        .filter(|user| !user.is_empty())
        .collect();
    for variable in &setup.environment {
        let Some(value) = variable.value.as_ref().map(Hidden::reveal) else { continue };
        let by_url = user_in_url(value);
        let is_user = names_a_user(&variable.name);
        let user = by_url.or_else(|| is_user.then_some(value));
        if let Some(user) = user.filter(|user| superusers.contains(user)) {
            let keys = ["environment", variable.name.as_str()];
            sink.raise(setup, &keys, format!("it connects as {user}, who may do everything"))
                .remedy("give it a user of its own, with rights on its own database alone");
            return;
        }
    }
}

fn names_a_user(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "DATABASE",
        "DATASOURCE",
        "DB",
        "MARIADB",
        "MONGO",
        "MONGODB",
        "MSSQL",
        "MYSQL",
        "PG",
        "POSTGRES",
        "POSTGRESQL",
        "SQL",
    ];
    let name = name.to_ascii_uppercase();
    let is_user = name.ends_with("USER") || name.ends_with("USERNAME");
    is_user && (name == "PGUSER" || name.split('_').any(|word| WORDS.contains(&word)))
}

fn user_in_url(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once("://")?;
    let scheme = scheme.trim_start_matches("jdbc:").split('+').next()?;
    if !["postgres", "postgresql", "mysql", "mariadb", "mongodb", "mssql", "sqlserver"].contains(&scheme) {
        return None;
    }
    let (authority, _) = rest.rsplit_once('@')?;
    authority.split(':').next()
}
