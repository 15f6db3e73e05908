//! `init-scripts-ignored`.

use jiff::SignedDuration;

use crate::{
    engines,
    model::{
        check::{Check, Class, Sink, Situation},
        verdict::Severity,
    },
};

pub(super) static CHECK: Check = Check {
    title: "scripts for the first start were never run",
    why: "The images run /docker-entrypoint-initdb.d once, on an empty data directory. Scripts that are mounted \
          over a database that exists, or changed since, are ignored without a word, and the schema is not what \
          the files say. Run the change by hand, or by a migration tool.",
    bad: "volumes: [ \"pgdata:/var/lib/postgresql/data\", \"./init:/docker-entrypoint-initdb.d:ro\" ]
# init/02-roles.sql came a week after the first start",
    good: "docker exec -i shop-db-1 psql -U postgres shop < init/02-roles.sql",
    reference: "https://hub.docker.com/_/postgres#initialization-scripts",
    data: Some(on_data),
    ..Check::documented("init-scripts-ignored", Class::Setup, Severity::Medium)
};

/// Scripts are unpacked and the cluster made within this time of each other.
const TOGETHER: SignedDuration = SignedDuration::from_mins(2);

fn on_data(situation: &Situation<'_>, sink: &mut Sink<'_>) {
    let (seen, Some(setup)) = (situation.seen, situation.setup) else { return };
    let (Some(engine), Some(identity), Some(changed)) =
        (seen.engine.as_deref(), seen.identity.as_deref(), setup.scripts_changed)
    else {
        return;
    };
    let Some(born) = engines::born(engine, identity).filter(|_| setup.engine == seen.engine) else { return };
    if changed.duration_since(born) > TOGETHER {
        sink.raise_on(seen, "its init scripts are younger than its data: they were not run on it").remedy(
            format!("run the change by hand: docker exec -i {} psql < SCRIPT, or the like", setup.name),
        );
    }
}
