use super::*;

#[test]
fn every_check_has_its_documentation() {
    let mut ids: Vec<&str> = ALL.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ALL.len(), "two checks of one id");
    for check in ALL {
        for text in [check.title, check.why, check.bad, check.good, check.reference] {
            assert!(!text.is_empty(), "{}", check.id);
        }
        assert!(check.reference.starts_with("https://"), "{}", check.id);
        assert!(!check.title.ends_with('.') && check.why.ends_with('.'), "{}", check.id);
    }
}
