use super::*;

fn read(text: &str) -> Result<SettingsFile, Problem> {
    parse(Path::new("/srv/shop/.dbsafe.toml"), text)
}

#[test]
fn a_whole_file_is_read() {
    let file = read(
        r#"
[policy]
max_backup_age = "12h"
on_survivors = "block"
mode = "guard"
accept_loss = "terminal"

[[backup]]
service = "db"
files = "backups/*.dump"

[[backup]]
volume = "shop_pgdata"
kopia = true

[remote]
url = "s3://bucket/prefix"
auto = false

[encryption]
recipients = ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]
identity = "keys/dbsafe.txt"
at_rest = true

[[accept]]
check = "published-database-port"
target = "db"
reason = "development only"
"#,
    )
    .unwrap();
    assert_eq!(file.max_backup_age, Some(Set { value: SignedDuration::from_hours(12), line: 3 }));
    assert_eq!(file.on_survivors, Some(Set { value: OnSurvivors::Block, line: 4 }));
    assert_eq!(file.mode.map(|set| set.value), Some(Mode::Guard));
    assert_eq!(file.accept_loss.map(|set| set.value), Some(AcceptLoss::Terminal));
    assert_eq!(
        file.backups[0].value,
        BackupRule {
            selector: Selector::Service("db".into()),
            source: BackupSource::Files { glob: "backups/*.dump".into(), base_folder: "/srv/shop".into() },
        }
    );
    assert_eq!(file.backups[1].value.source, BackupSource::Program(Program::Kopia { configuration: None }));
    assert_eq!(file.remote.map(|set| set.value), Some("s3://bucket/prefix".into()));
    assert_eq!(file.remote_auto.map(|set| set.value), Some(false));
    assert_eq!(file.recipients.map(|set| set.value.len()), Some(1));
    assert_eq!(file.identity.map(|set| set.value), Some("/srv/shop/keys/dbsafe.txt".into()));
    assert_eq!(file.at_rest.map(|set| set.value), Some(true));
    assert_eq!(file.accepts[0].value.reason, "development only");
    assert_eq!(file.sha256.len(), 64);
    assert_eq!(read("").unwrap().backups, []);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, what) in [
        ("[policy]\nmax_backup_age = 24", 2, "max_backup_age must be a text in quotes"),
        ("[policy]\n\nmode = \"off\"", 3, "mode is one of guard, disposable, not \"off\""),
        ("[policy]\nmax_backup_age = \"1 day\"", 2, "is no span of time"),
        ("[policy]\nmodus = \"guard\"", 2, "[policy] has no key \"modus\"; did you mean mode?"),
        ("[policy]\nmax_backup_ag = \"24h\"", 2, "did you mean max_backup_age?"),
        ("[polcy]\nmode = \"guard\"", 1, "did you mean policy?"),
        ("[zzzzzzzz]", 1, "it knows policy, backup, remote, encryption, accept"),
        ("policy = 1", 1, "policy must be a table"),
        ("[backup]\nservice = \"db\"", 1, "backup must be a list of tables, each written [[backup]]"),
        ("[[backup]]\nservice = \"db\"", 1, "needs one of files"),
        ("[[backup]]\nfiles = \"*\"", 1, "needs one of service"),
        ("[[backup]]\nservice = \"db\"\nvolume = \"v\"\nfiles = \"*\"", 1, "takes only one of service"),
        ("[[backup]]\nservice = \"db\"\nkopia = false", 3, "kopia is true, or a configuration file"),
        ("[[backup]]\nservice = \"\"\nfiles = \"*\"", 2, "service is empty"),
        ("[[backup]]\nservice = \"db\"\nfiles = \"a[\"", 3, "files is no glob"),
        ("[[accept]]\ncheck = \"x\"", 1, "needs check, target and reason"),
        ("[remote]\n", 1, "[remote] needs url"),
        ("[remote]\nurl = \"s3://KEY:SECRET@bucket\"", 2, "holds credentials"),
        ("[remote]\nurl = \"bucket\"", 2, "no absolute path"),
        ("[encryption]\nrecipients = \"age1x\"", 2, "recipients must be a list"),
        ("[encryption]\nat_rest = \"yes\"", 2, "at_rest is true or false"),
        ("[encryption]\nrecipients = [\"age1x\"]", 2, "is no age recipient"),
        ("\n\nmode =", 3, ""),
        ("[policy]\nmode = \"guard\"\nmode = \"disposable\"", 3, "duplicate key"),
    ] {
        let problem = read(text).unwrap_err();
        assert_eq!(problem.line, line, "{text}: {problem}");
        assert!(problem.what.contains(what) && !problem.what.contains('\n'), "{text}: {problem}");
    }
}
