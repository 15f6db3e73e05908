//! One-time codes: a person's yes to one removal, for somebody without a terminal. Only their digests are kept.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{StoreError, create_private_folder, write_whole, writer::hex};

const FILE: &str = "codes.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Code {
    /// SHA-256 of the code.
    digest: String,
    /// SHA-256 of what it is a yes to.
    bound_to: String,
    expires: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Codes {
    #[serde(default)]
    codes: Vec<Code>,
}

fn load(home: &Path) -> Codes {
    // What cannot be read is no yes to anything.
    let content = std::fs::read(home.join(FILE)).ok();
    content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// What a code is bound to: the verdict, and every object that goes, by its id.
#[must_use]
pub fn binding<'a>(verdict: &str, objects: impl Iterator<Item = &'a String>) -> String {
    let mut lines: Vec<&str> = objects.map(String::as_str).collect();
    lines.sort_unstable();
    digest(&format!("{verdict}\n{}", lines.join("\n")))
}

/// Remembers a code.
///
/// # Errors
/// Where the disk refuses.
pub fn add(
    home: &Path,
    code: &str,
    bound_to: String,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut known = load(home);
    known.codes.retain(|code| code.expires > now);
    known.codes.push(Code { digest: digest(code), bound_to, expires });
    save(home, &known)
}

/// Takes a code: whether it was a yes to just this, and not too late. It is gone afterwards, whatever it was for.
///
/// # Errors
/// Where the disk refuses: a code that cannot be forgotten is no yes.
pub fn take(home: &Path, code: &str, bound_to: &str, now: Timestamp) -> Result<bool, StoreError> {
    let mut known = load(home);
    let wanted = digest(code);
    let Some(index) = known.codes.iter().position(|code| code.digest == wanted) else { return Ok(false) };
    let code = known.codes.remove(index);
    save(home, &known)?;
    Ok(code.bound_to == bound_to && code.expires > now)
}

fn save(home: &Path, codes: &Codes) -> Result<(), StoreError> {
    create_private_folder(home).map_err(StoreError::io("cannot make", home))?;
    let json = serde_json::to_vec_pretty(codes)
        .map_err(|error| StoreError::io("cannot write", home)(error.into()))?;
    write_whole(home, FILE, &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_for_what_it_was_given_and_not_for_long() {
        let home = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-01T12:10:00Z".parse().unwrap();
        let this = binding("block", ["container 1".to_owned(), "volume a".to_owned()].iter());
        assert_eq!(this, binding("block", ["volume a".to_owned(), "container 1".to_owned()].iter()));
        let other = binding("block", ["container 2".to_owned()].iter());
        let add = |code: &str| add(home.path(), code, this.clone(), later, now).unwrap();
        add("one");
        assert!(!take(home.path(), "two", &this, now).unwrap());
        assert!(take(home.path(), "one", &this, now).unwrap());
        assert!(!take(home.path(), "one", &this, now).unwrap(), "twice");
        add("one");
        assert!(!take(home.path(), "one", &other, now).unwrap(), "other objects");
        assert!(!take(home.path(), "one", &this, now).unwrap(), "it is gone all the same");
        add("one");
        assert!(!take(home.path(), "one", &this, later).unwrap(), "too late");
        let text = std::fs::read_to_string(home.path().join(FILE)).unwrap();
        assert!(!text.contains("one"));
    }
}
