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
        let message = "its init scripts are dated after its data: what changed in them was not run on it";
        let raised = sink.raise_on(seen, message);
        raised.remedy(format!("docker exec -i {} {} < SCRIPT", setup.name, client(engine)));
    }
}

/// The client in the container, as whom and for what the image runs a script.
fn client(engine: &str) -> &'static str {
    match engine {
        "mysql" => "sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot $MYSQL_DATABASE'",
        _ => {
            "sh -c 'exec psql -v ON_ERROR_STOP=1 -U ${POSTGRES_USER:-postgres} ${POSTGRES_DB:-$POSTGRES_USER}'"
        }
    }
}
