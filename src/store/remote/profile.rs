//! The profiles of Amazon's own tools: `~/.aws/credentials` and `~/.aws/config`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{RemoteError, connect::Surroundings};

/// A pair of keys, and the token of temporary ones.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// What a profile says.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) keys: Option<Keys>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    /// Why it has no keys that we could use, where it means to have some.
    pub(super) unusable: Option<String>,
}

/// Reads the profile that `AWS_PROFILE` names, else the default one. No files, no profile.
pub(super) fn load(surroundings: &Surroundings) -> Result<Profile, RemoteError> {
    let named = surroundings.get("AWS_PROFILE").or_else(|| surroundings.get("AWS_DEFAULT_PROFILE"));
    let name = named.unwrap_or("default");
    let folder = surroundings.home.as_ref().map(|home| home.join(".aws"));
    let file = |variable: &str, usual: &str| {
        surroundings.get(variable).map(PathBuf::from).or_else(|| Some(folder.as_ref()?.join(usual)))
    };
    let read = |path: Option<PathBuf>| {
        path.and_then(|path| fs::read_to_string(path).ok()).map(|text| sections(&text)).unwrap_or_default()
    };
    let credentials = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"));
    let config = read(file("AWS_CONFIG_FILE", "config"));
    let of_config = config.get(&format!("profile {name}")).or_else(|| config.get(name));
    let of_credentials = credentials.get(name);
    if named.is_some() && of_config.is_none() && of_credentials.is_none() {
        let why = format!("AWS_PROFILE names {name}, which neither ~/.aws/credentials nor ~/.aws/config has");
        return Err(RemoteError::Credentials(why));
    }
    let value = |key: &str| {
        [of_credentials, of_config].into_iter().flatten().find_map(|section| section.get(key)).cloned()
    };
    let keys = match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(id), Some(secret)) => Some(Keys { id, secret, token: value("aws_session_token") }),
        _ => None,
    };
    let other = ["sso_session", "sso_start_url", "credential_process", "role_arn"];
    let unusable = other.iter().find(|key| value(key).is_some()).filter(|_| keys.is_none()).map(|key| {
        format!(
            "the AWS profile {name} has its keys by {key}, which is not asked here: \
             eval \"$(aws configure export-credentials --profile {name} --format env)\""
        )
    });
    Ok(Profile { keys, region: value("region"), endpoint: value("endpoint_url"), unusable })
}

/// An INI file's sections. What is indented belongs to the key above it, and to nobody here.
fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() || line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            sections.entry(name.clone()).or_default();
            current = Some(name);
        } else if let (Some(section), Some((key, value))) = (&current, line.split_once('=')) {
            let section = sections.entry(section.clone()).or_default();
            section.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(credentials: &str, config: &str) -> (tempfile::TempDir, Surroundings) {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        fs::write(home.path().join(".aws/config"), config).unwrap();
        let surroundings = Surroundings { home: Some(home.path().to_owned()), ..Surroundings::default() };
        (home, surroundings)
    }

    #[test]
    fn a_profile_is_found_in_both_files() {
        let (_home, mut surroundings) = home(
            "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\n[other]\naws_access_key_id=C\n\
             aws_secret_access_key=D=\naws_session_token=E\n",
            "[default]\nregion = eu-1\n[profile other]\ns3 =\n  region = no\nendpoint_url = https://o\n",
        );
        let profile = load(&surroundings).unwrap();
        assert_eq!(profile.keys.unwrap().id, "A");
        assert_eq!(profile.region.as_deref(), Some("eu-1"));
        surroundings.variables.insert("AWS_PROFILE".to_owned(), "other".to_owned());
        let profile = load(&surroundings).unwrap();
        let keys = profile.keys.unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.as_str(), keys.token.as_deref()), ("C", "D=", Some("E")));
        assert_eq!((profile.region, profile.endpoint.as_deref()), (None, Some("https://o")));
    }

    #[test]
    fn a_profile_that_is_missing_or_cannot_be_used_is_said() {
        let (_home, mut surroundings) = home("", "[profile sso]\nsso_session = x\n");
        surroundings.variables.insert("AWS_PROFILE".to_owned(), "gone".to_owned());
        assert!(load(&surroundings).is_err());
        surroundings.variables.insert("AWS_PROFILE".to_owned(), "sso".to_owned());
        assert!(load(&surroundings).unwrap().unusable.unwrap().contains("export-credentials --profile sso"));
    }
}
