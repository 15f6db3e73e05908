//! The kinds of databases, as data. Order matters where signatures overlap: the first that fits wins.

use super::Kind;

/// Every kind that we know.
pub static KINDS: &[Kind] = &[
    Kind {
        images: &[
            "postgres",
            "postgresql",
            "postgis",
            "pgvector",
            "timescaledb",
            "citus",
            "spilo",
            "paradedb",
        ],
        environment: &[
            "PGDATA",
            "PG_MAJOR",
            "POSTGRES_INITDB_ARGS",
            "POSTGRES_HOST_AUTH_METHOD",
            "POSTGRESQL_VOLUME_DIR",
        ],
        processes: &["postgres", "postmaster"],
        directory_variables: &["PGDATA", "POSTGRESQL_DATA_DIR", "POSTGRES_DATA_DIR"],
        directory_flags: &["-D", "data_directory"],
        directories: &[
            "/var/lib/postgresql/data",
            "/var/lib/postgresql/18/docker",
            "/var/lib/postgresql/19/docker",
            "/bitnami/postgresql/data",
            "/home/postgres/pgdata/data",
            "/home/postgres/pgdata/pgroot/data",
            "/var/lib/postgresql/15/main",
            "/var/lib/postgresql/17/main",
            "/data/db",
        ],
        signatures: &[&["PG_VERSION", "global/pg_control"]],
        user_data: Some(super::postgres::is_user_data),
        ..Kind::named("postgres", "PostgreSQL")
    },
    // Tables that lie beside their cluster: `CREATE TABLESPACE … LOCATION`. Nothing is in it but users' tables.
    Kind {
        signatures: &[&["PG_1*/*/*"], &["PG_2*/*/*"], &["PG_9*/*/*"]],
        ..Kind::named("postgres-tablespace", "a PostgreSQL tablespace")
    },
    Kind {
        images: &["mariadb"],
        environment: &[
            "MARIADB_VERSION",
            "MARIADB_ROOT_PASSWORD",
            "MARIADB_ROOT_PASSWORD_FILE",
            "MARIADB_ROOT_PASSWORD_HASH",
            "MARIADB_RANDOM_ROOT_PASSWORD",
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
        ],
        processes: &["mariadbd"],
        directory_variables: &["MARIADB_DATA_DIR"],
        directory_flags: &["--datadir"],
        directories: &["/var/lib/mysql", "/bitnami/mariadb/data", "/config/databases"],
        signatures: &[&["ibdata1", "aria_log_control"]],
        user_data: Some(|path, _| super::mysql::is_user_data(path)),
        ..Kind::named("mariadb", "MariaDB")
    },
    Kind {
        images: &["mysql", "percona"],
        environment: &[
            "MYSQL_MAJOR",
            "MYSQL_VERSION",
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD_FILE",
            "MYSQL_RANDOM_ROOT_PASSWORD",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "PS_VERSION",
            "PXC_VERSION",
        ],
        processes: &["mysqld"],
        directory_variables: &["MYSQL_DATA_DIR"],
        directory_flags: &["--datadir"],
        directories: &["/var/lib/mysql", "/bitnami/mysql/data"],
        signatures: &[&["ibdata1", "mysql.ibd"], &["ibdata1", "mysql/user.frm"], &["ibdata1", "mysql"]],
        user_data: Some(|path, _| super::mysql::is_user_data(path)),
        user_folder: Some(super::mysql::is_user_folder),
        ..Kind::named("mysql", "MySQL")
    },
    Kind {
        images: &["valkey"],
        environment: &["VALKEY_VERSION", "VALKEY_EXTRA_FLAGS", "VALKEY_AOF_ENABLED"],
        processes: &["valkey-server"],
        directory_variables: &["VALKEY_DATA_DIR"],
        directory_flags: &["--dir"],
        directories: &["/data", "/bitnami/valkey/data", "/var/lib/valkey"],
        // The magic tells the file; see `recognise`.
        signatures: &[],
        in_memory: true,
        ..Kind::named("valkey", "Valkey")
    },
    Kind {
        images: &["redis", "keydb"],
        environment: &[
            "REDIS_VERSION",
            "REDIS_DOWNLOAD_URL",
            "REDIS_AOF_ENABLED",
            "REDIS_RDB_POLICY",
            "KEYDB_PASSWORD",
        ],
        processes: &["redis-server", "keydb-server"],
        directory_variables: &["REDIS_DATA_DIR"],
        directory_flags: &["--dir"],
        directories: &["/data", "/bitnami/redis/data", "/var/lib/redis"],
        signatures: &[&["dump.rdb"], &["appendonlydir/appendonly.aof.manifest"], &["appendonly.aof"]],
        in_memory: true,
        ..Kind::named("redis", "Redis")
    },
    Kind {
        images: &["mongo", "mongodb"],
        environment: &[
            "MONGO_MAJOR",
            "MONGO_VERSION",
            "MONGO_INITDB_ROOT_USERNAME",
            "MONGO_INITDB_ROOT_PASSWORD_FILE",
        ],
        processes: &["mongod"],
        directory_flags: &["--dbpath"],
        directories: &["/data/db", "/data/configdb", "/bitnami/mongodb/data/db"],
        signatures: &[&["WiredTiger", "WiredTiger.wt"]],
        ..Kind::named("mongodb", "MongoDB")
    },
    Kind {
        images: &["mssql"],
        environment: &["MSSQL_SA_PASSWORD", "MSSQL_PID", "MSSQL_DATA_DIR"],
        processes: &["sqlservr"],
        directory_variables: &["MSSQL_DATA_DIR"],
        directories: &["/var/opt/mssql/data"],
        signatures: &[&["master.mdf", "mastlog.ldf"]],
        ..Kind::named("mssql", "SQL Server")
    },
    Kind {
        images: &["oracle"],
        environment: &["ORACLE_PASSWORD", "ORACLE_PASSWORD_FILE", "ORACLE_RANDOM_PASSWORD", "ORACLE_SID"],
        processes: &["oracle", "db_pmon"],
        directories: &["/opt/oracle/oradata"],
        signatures: &[&["*/system01.dbf", "*/control01.ctl"]],
        ..Kind::named("oracle", "Oracle Database")
    },
    Kind {
        images: &["cockroach"],
        environment: &["COCKROACH_CHANNEL", "COCKROACH_DATABASE"],
        processes: &["cockroach"],
        directory_flags: &["--store", "-s"],
        directories: &["/cockroach/cockroach-data"],
        signatures: &[&["STORAGE_MIN_VERSION"]],
        ..Kind::named("cockroachdb", "CockroachDB")
    },
    Kind {
        images: &["dragonfly"],
        environment: &["DFLY_PASSWORD"],
        processes: &["dragonfly"],
        directory_flags: &["--dir"],
        directories: &["/data"],
        signatures: &[&["dump-*-summary.dfs"], &["dump-*-0000.dfs"]],
        in_memory: true,
        ..Kind::named("dragonfly", "Dragonfly")
    },
    Kind {
        images: &["couchdb"],
        environment: &["COUCHDB_USER", "COUCHDB_SECRET", "COUCHDB_VERSION"],
        processes: &["couchdb"],
        directories: &["/opt/couchdb/data", "/bitnami/couchdb/data"],
        signatures: &[&["_dbs.couch"]],
        user_data: Some(|path, _| {
            path.starts_with("shards/")
                && path.ends_with(".couch")
                && !has_part(path, "_users")
                && !has_part(path, "_replicator")
        }),
        ..Kind::named("couchdb", "CouchDB")
    },
    Kind {
        images: &["couchbase"],
        environment: &["CB_VERSION"],
        directories: &["/opt/couchbase/var"],
        signatures: &[&["lib/couchbase/config/config.dat"]],
        // Couchstore's files, or Magma's.
        user_data: Some(|path, _| {
            path.contains("/data/") && (path.contains(".couch.") || path.contains("/magma."))
        }),
        ..Kind::named("couchbase", "Couchbase")
    },
    Kind {
        images: &["rethinkdb"],
        processes: &["rethinkdb"],
        directory_flags: &["-d", "--directory"],
        directories: &["/data/rethinkdb_data"],
        signatures: &[&["metadata", "log_file"], &["rethinkdb_data/metadata"]],
        ..Kind::named("rethinkdb", "RethinkDB")
    },
    Kind {
        images: &["arangodb"],
        environment: &["ARANGO_ROOT_PASSWORD", "ARANGO_NO_AUTH", "ARANGO_VERSION"],
        processes: &["arangod"],
        directory_flags: &["--database.directory"],
        directories: &["/var/lib/arangodb3"],
        signatures: &[&["ENGINE", "engine-rocksdb/CURRENT"]],
        ..Kind::named("arangodb", "ArangoDB")
    },
    Kind {
        images: &["surrealdb"],
        environment: &["SURREAL_PATH"],
        processes: &["surreal"],
        directory_flags: &["rocksdb:", "surrealkv:", "file:"],
        directories: &["/data"],
        signatures: &[&["manifest", "clog"]],
        ..Kind::named("surrealdb", "SurrealDB")
    },
    Kind {
        images: &["elasticsearch"],
        environment: &["ELASTIC_CONTAINER", "ELASTIC_PASSWORD", "ELASTIC_PASSWORD_FILE"],
        directories: &["/usr/share/elasticsearch/data", "/bitnami/elasticsearch/data"],
        signatures: &[&["nodes/0/_state"], &["node.lock", "_state"]],
        user_data: Some(|path, _| part_after(path, "indices").is_some()),
        ..Kind::named("elasticsearch", "Elasticsearch")
    },
    Kind {
        images: &["opensearch"],
        environment: &["OPENSEARCH_INITIAL_ADMIN_PASSWORD", "OPENSEARCH_JAVA_OPTS"],
        directories: &["/usr/share/opensearch/data", "/bitnami/opensearch/data"],
        signatures: &[&["nodes/0/_state"]],
        user_data: Some(|path, _| part_after(path, "indices").is_some()),
        ..Kind::named("opensearch", "OpenSearch")
    },
    Kind {
        images: &["meilisearch"],
        environment: &["MEILI_MASTER_KEY", "MEILI_DB_PATH", "MEILI_SERVER_PROVIDER"],
        processes: &["meilisearch"],
        directory_variables: &["MEILI_DB_PATH"],
        directory_flags: &["--db-path"],
        directories: &["/meili_data/data.ms"],
        signatures: &[&["VERSION", "tasks/data.mdb"]],
        user_data: Some(|path, _| part_after(path, "indexes").is_some()),
        ..Kind::named("meilisearch", "Meilisearch")
    },
    Kind {
        images: &["typesense"],
        environment: &["TYPESENSE_API_KEY", "TYPESENSE_DATA_DIR"],
        processes: &["typesense-server"],
        directory_variables: &["TYPESENSE_DATA_DIR"],
        directory_flags: &["--data-dir"],
        directories: &["/data"],
        signatures: &[&["db/CURRENT", "state"]],
        ..Kind::named("typesense", "Typesense")
    },
    Kind {
        images: &["clickhouse"],
        environment: &["CLICKHOUSE_CONFIG", "CLICKHOUSE_DB", "CLICKHOUSE_USER"],
        processes: &["clickhouse-server", "clickhouse"],
        directory_flags: &["--path"],
        directories: &["/var/lib/clickhouse", "/bitnami/clickhouse/data"],
        signatures: &[&["store", "metadata", "uuid"], &["store", "metadata", "preprocessed_configs"]],
        // A user's tables stand as .sql below their database's folder; the system's own do not matter.
        user_data: Some(|path, _| {
            path.ends_with(".sql") && path.split('/').count() > 2 && !path.starts_with("metadata/system/")
        }),
        ..Kind::named("clickhouse", "ClickHouse")
    },
    Kind {
        images: &["scylla", "scylladb"],
        processes: &["scylla"],
        directory_flags: &["--workdir"],
        directories: &["/var/lib/scylla"],
        signatures: &[&["data/system", "commitlog", "view_hints"]],
        user_data: Some(|path, _| is_cassandra_table(path)),
        user_folder: Some(is_cassandra_table),
        ..Kind::named("scylladb", "ScyllaDB")
    },
    Kind {
        images: &["cassandra"],
        environment: &["CASSANDRA_VERSION", "CASSANDRA_CLUSTER_NAME", "CASSANDRA_CONF"],
        directories: &["/var/lib/cassandra", "/bitnami/cassandra/data"],
        signatures: &[&["data/system", "commitlog"]],
        user_data: Some(|path, _| is_cassandra_table(path)),
        user_folder: Some(is_cassandra_table),
        ..Kind::named("cassandra", "Cassandra")
    },
    Kind {
        images: &["influxdb"],
        environment: &[
            "INFLUXDB_VERSION",
            "DOCKER_INFLUXDB_INIT_MODE",
            "INFLUXDB3_DB_DIR",
            "INFLUXDB_DATA_ENGINE",
        ],
        processes: &["influxd", "influxdb3"],
        directory_variables: &["INFLUXDB3_DB_DIR", "INFLUXDB3_DATA_DIR"],
        directory_flags: &["--data-dir"],
        directories: &[
            "/var/lib/influxdb2",
            "/var/lib/influxdb",
            "/var/lib/influxdb3/data",
            "/bitnami/influxdb",
        ],
        signatures: &[
            &["influxd.bolt", "engine"],
            &["meta/meta.db"],
            &["*/snapshots", "*/wal", "*/catalogs"],
        ],
        ..Kind::named("influxdb", "InfluxDB")
    },
    Kind {
        images: &["prometheus"],
        processes: &["prometheus"],
        directory_flags: &["--storage.tsdb.path"],
        directories: &["/prometheus", "/bitnami/prometheus/data"],
        signatures: &[&["wal", "chunks_head"]],
        may_keep_nothing: true,
        ..Kind::named("prometheus", "Prometheus")
    },
    Kind {
        images: &["victoria", "vmstorage"],
        processes: &["victoria-metrics-prod", "vmstorage-prod"],
        directory_flags: &["-storageDataPath", "--storageDataPath"],
        directories: &["/victoria-metrics-data", "/storage"],
        signatures: &[&["flock.lock", "data/small"], &["flock.lock", "partitions"]],
        ..Kind::named("victoriametrics", "VictoriaMetrics")
    },
    Kind {
        images: &["neo4j"],
        environment: &["NEO4J_AUTH", "NEO4J_AUTH_FILE", "NEO4J_EDITION"],
        directories: &["/data", "/var/lib/neo4j/data", "/bitnami/neo4j/data"],
        signatures: &[&["databases/*/neostore"], &["databases/system", "transactions"]],
        ..Kind::named("neo4j", "Neo4j")
    },
    Kind {
        images: &["qdrant"],
        environment: &["QDRANT__STORAGE__STORAGE_PATH", "QDRANT__SERVICE__API_KEY"],
        processes: &["qdrant"],
        directory_variables: &["QDRANT__STORAGE__STORAGE_PATH"],
        directories: &["/qdrant/storage"],
        signatures: &[&["raft_state.json", "collections"]],
        user_data: Some(|path, _| part_after(path, "collections").is_some()),
        ..Kind::named("qdrant", "Qdrant")
    },
    Kind {
        images: &["weaviate"],
        environment: &["PERSISTENCE_DATA_PATH"],
        processes: &["weaviate"],
        directory_variables: &["PERSISTENCE_DATA_PATH"],
        directories: &["/data", "/var/lib/weaviate"],
        signatures: &[&["schema.db", "modules.db"], &["raft/raft.db", "modules.db"]],
        ..Kind::named("weaviate", "Weaviate")
    },
    Kind {
        images: &["milvus"],
        environment: &["ETCD_USE_EMBED", "COMMON_STORAGETYPE"],
        processes: &["milvus"],
        directories: &["/var/lib/milvus"],
        signatures: &[&["rdb_data/CURRENT"]],
        ..Kind::named("milvus", "Milvus")
    },
    Kind {
        images: &["etcd"],
        environment: &["ETCD_DATA_DIR", "ETCD_NAME", "ETCD_INITIAL_CLUSTER"],
        processes: &["etcd"],
        directory_variables: &["ETCD_DATA_DIR"],
        directory_flags: &["--data-dir", "-data-dir"],
        directories: &["/var/lib/etcd/default.etcd", "/var/lib/etcd", "/bitnami/etcd/data", "/default.etcd"],
        signatures: &[&["member/snap/db", "member/wal"]],
        ..Kind::named("etcd", "etcd")
    },
    Kind {
        images: &["rabbitmq"],
        environment: &["RABBITMQ_VERSION", "RABBITMQ_DATA_DIR", "RABBITMQ_DEFAULT_USER"],
        processes: &["rabbitmq-server"],
        directories: &["/var/lib/rabbitmq", "/bitnami/rabbitmq"],
        signatures: &[&["mnesia/*/schema.DAT"], &["mnesia/*/node-type.txt"], &["mnesia/*/coordination"]],
        // A queue of a user's own, classic or quorum, or a stream. Definitions alone are not messages.
        user_data: Some(|path, _| {
            let holds = |folder| part_after(path, folder).is_some_and(|rest| rest.contains('/'));
            path.contains("/queues/") || holds("quorum") || holds("stream")
        }),
        ..Kind::named("rabbitmq", "RabbitMQ")
    },
    Kind {
        images: &["kafka"],
        environment: &[
            "KAFKA_LOG_DIRS",
            "KAFKA_PROCESS_ROLES",
            "KAFKA_NODE_ID",
            "KAFKA_BROKER_ID",
            "KAFKA_ADVERTISED_LISTENERS",
            "KAFKA_CFG_LOG_DIRS",
        ],
        directory_variables: &["KAFKA_LOG_DIRS", "KAFKA_CFG_LOG_DIRS"],
        directories: &[
            "/tmp/kraft-combined-logs",
            "/var/lib/kafka/data",
            "/bitnami/kafka/data",
            "/tmp/kafka-logs",
        ],
        signatures: &[&["meta.properties"]],
        user_data: Some(|path, _| path.ends_with(".log") && path.contains('/') && !path.starts_with("__")),
        ..Kind::named("kafka", "Kafka")
    },
    Kind {
        images: &["redpanda"],
        environment: &["RP_BOOTSTRAP_USER"],
        processes: &["redpanda"],
        directories: &["/var/lib/redpanda/data"],
        signatures: &[&["redpanda/controller"]],
        user_data: Some(|path, _| {
            // `_schemas` holds what users registered.
            let is_own = path.starts_with("kafka/__") || path.starts_with("kafka/_redpanda");
            path.starts_with("kafka/") && path.ends_with(".log") && !is_own
        }),
        ..Kind::named("redpanda", "Redpanda")
    },
    Kind {
        images: &["nats"],
        processes: &["nats-server"],
        directory_flags: &["-sd", "--store_dir"],
        directories: &["/tmp/nats", "/data"],
        signatures: &[&["jetstream/*/streams/*/meta.inf"]],
        may_keep_nothing: true,
        ..Kind::named("nats", "NATS JetStream")
    },
    Kind {
        images: &["mosquitto"],
        processes: &["mosquitto"],
        directories: &["/mosquitto/data"],
        signatures: &[&["mosquitto.db"]],
        may_keep_nothing: true,
        ..Kind::named("mosquitto", "Mosquitto")
    },
    Kind {
        images: &["zookeeper"],
        environment: &["ZOO_MY_ID", "ZOO_DATA_DIR", "ZOOKEEPER_CLIENT_PORT"],
        directory_variables: &["ZOO_DATA_DIR"],
        directories: &["/data", "/datalog", "/bitnami/zookeeper/data", "/var/lib/zookeeper"],
        signatures: &[&["version-2/snapshot.*"], &["version-2/log.*"]],
        ..Kind::named("zookeeper", "ZooKeeper")
    },
    Kind {
        images: &["consul"],
        environment: &["CONSUL_LOCAL_CONFIG", "CONSUL_DATA_DIR"],
        processes: &["consul"],
        directory_flags: &["-data-dir", "--data-dir"],
        directories: &["/consul/data", "/bitnami/consul"],
        signatures: &[&["raft/raft.db", "node-id"], &["raft/raft.db", "serf"]],
        may_keep_nothing: true,
        ..Kind::named("consul", "Consul")
    },
    Kind {
        images: &["vault", "openbao"],
        environment: &["VAULT_LOCAL_CONFIG"],
        processes: &["vault", "bao"],
        directories: &["/vault/file", "/vault/data", "/openbao/file"],
        signatures: &[&["vault.db", "raft/raft.db"], &["core/_seal-config"], &["core/_keyring"]],
        ..Kind::named("vault", "Vault")
    },
    Kind {
        images: &["minio"],
        environment: &["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_VOLUMES", "MINIO_ROOT_USER_FILE"],
        processes: &["minio"],
        directory_variables: &["MINIO_VOLUMES"],
        directory_flags: &["server"],
        directories: &["/data", "/bitnami/minio/data"],
        signatures: &[&[".minio.sys/format.json"]],
        // Any file in a bucket: old releases keep objects as they are, without `xl.meta`.
        user_data: Some(|path, _| path.contains('/') && !path.starts_with(".minio.sys/")),
        ..Kind::named("minio", "MinIO")
    },
    Kind {
        images: &["registry"],
        environment: &["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"],
        processes: &["registry"],
        directory_variables: &["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"],
        directories: &["/var/lib/registry"],
        signatures: &[&["docker/registry/v2/repositories"]],
        may_keep_nothing: true,
        ..Kind::named("registry", "image registry")
    },
    Kind {
        images: &["openldap"],
        environment: &["LDAP_ORGANISATION", "LDAP_ADMIN_PASSWORD", "LDAP_ADMIN_PASSWORD_FILE", "LDAP_ROOT"],
        processes: &["slapd"],
        directories: &["/var/lib/ldap", "/bitnami/openldap/data"],
        signatures: &[&["data.mdb", "lock.mdb"]],
        ..Kind::named("openldap", "OpenLDAP")
    },
    Kind {
        images: &["jenkins"],
        environment: &["JENKINS_HOME", "JENKINS_VERSION"],
        directory_variables: &["JENKINS_HOME"],
        directories: &["/var/jenkins_home", "/bitnami/jenkins"],
        signatures: &[&["config.xml", "secrets/master.key"]],
        ..Kind::named("jenkins", "Jenkins")
    },
    Kind {
        images: &["nextcloud"],
        environment: &["NEXTCLOUD_VERSION", "NEXTCLOUD_DATA_DIR"],
        directories: &["/var/www/html"],
        signatures: &[&["config/config.php", "version.php", "data"]],
        ..Kind::named("nextcloud", "Nextcloud")
    },
    Kind {
        images: &["wordpress"],
        environment: &["WORDPRESS_DB_HOST", "WORDPRESS_DB_PASSWORD"],
        directories: &["/var/www/html", "/bitnami/wordpress"],
        signatures: &[&["wp-includes/version.php", "wp-content"]],
        // WordPress itself is in the volume too: what a user put there are the uploads.
        user_data: Some(|path, _| part_after(path, "uploads").is_some()),
        ..Kind::named("wordpress", "WordPress")
    },
    Kind {
        images: &["ghost"],
        environment: &["GHOST_CONTENT", "GHOST_INSTALL"],
        directory_variables: &["GHOST_CONTENT"],
        directories: &["/var/lib/ghost/content"],
        signatures: &[&["themes", "images", "settings"]],
        user_data: Some(|path, _| path.starts_with("data/") || part_after(path, "images").is_some()),
        ..Kind::named("ghost", "Ghost")
    },
    Kind {
        images: &["gitea", "forgejo"],
        environment: &["GITEA_CUSTOM", "GITEA_WORK_DIR", "GITEA_APP_INI"],
        directories: &["/data", "/var/lib/gitea"],
        signatures: &[&["gitea/conf/app.ini", "git/repositories"]],
        ..Kind::named("gitea", "Gitea")
    },
    Kind {
        images: &["homeassistant", "home-assistant"],
        directories: &["/config"],
        signatures: &[&["configuration.yaml", ".storage/core.config"]],
        ..Kind::named("home-assistant", "Home Assistant")
    },
    Kind {
        images: &["portainer"],
        directories: &["/data"],
        directory_flags: &["--data"],
        processes: &["portainer"],
        signatures: &[&["portainer.db"], &["portainer.edb"]],
        may_keep_nothing: true,
        ..Kind::named("portainer", "Portainer")
    },
    // Known by the file alone, anywhere: see `recognise`.
    Kind::named("sqlite", "SQLite"),
    Kind::named("h2", "H2"),
    Kind::named("duckdb", "DuckDB"),
    Kind::named("lmdb", "LMDB"),
    Kind::named("bolt", "bbolt"),
];

fn has_part(path: &str, part: &str) -> bool {
    path.split('/').any(|other| other.starts_with(part))
}

/// What follows `folder/` in a path; `None` where nothing does.
fn part_after<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let (part, after) = path.split_once('/')?;
    if part == folder { Some(after).filter(|after| !after.is_empty()) } else { part_after(after, folder) }
}

/// The folder of a table whose keyspace is not Cassandra's own, or what is in it. Rows stand in the commit log alone
/// until they are flushed, which a stop does not do.
fn is_cassandra_table(path: &str) -> bool {
    let Some((keyspace, table)) = path.strip_prefix("data/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    keyspace != "system" && !keyspace.starts_with("system_") && !table.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_kind_can_be_found_by_something() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.id != kind.id), "{} stands twice", kind.id);
            assert!(kind.directories.iter().all(|directory| directory.starts_with('/')));
        }
    }

    #[test]
    fn an_initialised_server_without_a_users_data_is_told_from_one_with() {
        let says = |id: &str, path: &str| super::super::kind(id).unwrap().user_data.unwrap()(path, 1);
        assert!(says("kafka", "orders-0/00000000000000000000.log"));
        assert!(!says("kafka", "__cluster_metadata-0/00000000000000000000.log"));
        assert!(says("minio", "photos/cat.jpg/xl.meta") && says("minio", "photos/cat.jpg"));
        assert!(!says("minio", ".minio.sys/config/config.json/xl.meta"));
        assert!(says("cassandra", "data/shop/orders-1/nb-1-big-Data.db"));
        assert!(!says("cassandra", "data/system_schema/tables-1/nb-1-big-Data.db"));
        assert!(!says("cassandra", "data/system/local-1/nb-1-big-Data.db"));
        let folder = super::super::kind("cassandra").unwrap().user_folder.unwrap();
        assert!(
            folder("data/systems/orders-1") && !folder("data/shop") && !folder("data/system_auth/roles-1")
        );
        assert!(says("couchbase", "lib/couchbase/data/shop/12.couch.3"));
        assert!(says("couchbase", "lib/couchbase/data/shop/magma.0/kvstore-1/rev-1/seqIndex/sstable.1"));
        assert!(says("rabbitmq", "mnesia/rabbit@a/stream/__orders_1/00000000000000000000.segment"));
        assert!(says("rabbitmq", "mnesia/rabbit@stream/stream/__orders_1/00000000000000000000.segment"));
        assert!(says("redpanda", "kafka/_schemas/0_1/0-1-v1.log"));
        assert!(!says("redpanda", "kafka/__consumer_offsets/0_1/0-1-v1.log"));
        assert!(!says("wordpress", "wp-content/themes/x/style.css"));
        assert!(says("wordpress", "wp-content/uploads/2026/a.png"));
    }
}
