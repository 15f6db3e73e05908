use super::*;

fn inspected(json: serde_json::Value) -> Container {
    serde_json::from_value::<InspectedContainer>(json).unwrap().reduce()
}

#[test]
fn a_volume_is_anonymous_when_the_spec_names_no_source_whatever_its_own_name_says() {
    let container = inspected(serde_json::json!({
        "Id": "1", "Name": "/db", "Image": "sha256:1", "State": {"Status": "running"},
        "Config": {"Image": "postgres:15"},
        "HostConfig": {
            "Binds": ["pgdata:/named", "/lone"],
            "Mounts": [{"Type": "volume", "Source": "", "Target": "/unnamed"},
                       {"Type": "volume", "Source": "other", "Target": "/other/"}],
            "Tmpfs": {"/run": ""}
        },
        "Mounts": [
            {"Type": "volume", "Name": "pgdata", "Destination": "/named", "RW": true},
            {"Type": "volume", "Name": "a".repeat(64), "Destination": "/lone", "RW": true},
            {"Type": "volume", "Name": "shop_inherited", "Destination": "/unnamed", "RW": true},
            {"Type": "volume", "Name": "other", "Destination": "/other", "RW": true},
            {"Type": "bind", "Source": "/home", "Destination": "/home", "RW": false},
            {"Type": "something-new", "Destination": "/new"}
        ],
        "GraphDriver": null
    }));
    let kinds: Vec<_> = container.mounts.iter().map(|m| (m.destination.as_str(), m.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("/named", MountKind::NamedVolume),
            ("/lone", MountKind::AnonymousVolume),
            ("/unnamed", MountKind::AnonymousVolume),
            ("/other", MountKind::NamedVolume),
            ("/home", MountKind::Bind),
            ("/new", MountKind::Other),
            ("/run", MountKind::Tmpfs),
        ]
    );
}

#[test]
fn a_name_cannot_leave_its_path_segment() {
    assert_eq!(encode("a?b#c d%2e"), "a%3Fb%23c%20d%252e");
}

#[test]
fn links_do_not_rename_a_container() {
    let listed: ListedContainer =
        serde_json::from_value(serde_json::json!({"Id": "1", "Names": ["/web/db", "/db"]})).unwrap();
    assert_eq!(listed.reduce().name, "db");
}
