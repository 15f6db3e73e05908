//! Where a remote is: a URL, read strictly. Credentials have no place in it.

use std::{fmt, path::PathBuf};

use super::RemoteError;

/// The forms that are understood, for messages.
pub const FORMS: &str = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or /A/MOUNTED/FOLDER";

/// What a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    S3 { bucket: String },
    Google { bucket: String },
    Azure { container: String },
    Folder(PathBuf),
}

/// A remote's address, as it may stand in a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub place: Place,
    /// What comes before every object's name: empty, or parts joined by `/`.
    pub prefix: String,
    /// Of an S3-compatible service.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    shown: String,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Where it is of no form that is known, or holds credentials.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let refused = |why: String| RemoteError::Address { why };
        let text = text.trim();
        if let Some(folder) = folder(text) {
            if !folder.is_absolute() {
                return Err(refused(format!("{text} is no absolute path")));
            }
            let place = Place::Folder(folder);
            let (prefix, shown) = (String::new(), text.to_owned());
            return Ok(Self { place, prefix, endpoint: None, region: None, shown });
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(refused(format!("{text} is none of {FORMS}")));
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        if name.contains('@') {
            return Err(RemoteError::SecretInAddress);
        }
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(refused(format!("{scheme}:// names no bucket: it is one of {FORMS}")));
        }
        let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(refused(format!("{text} has . or .. in its prefix")));
        }
        let name_of = name.to_owned();
        let place = match scheme {
            "s3" | "s3a" => Place::S3 { bucket: name_of },
            "gs" | "gcs" => Place::Google { bucket: name_of },
            "az" | "azure" => Place::Azure { container: name_of },
            _ => return Err(refused(format!("{scheme}:// is none of {FORMS}"))),
        };
        let (mut endpoint, mut region) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "endpoint" if matches!(place, Place::S3 { .. }) => {
                    if value.contains('@') {
                        return Err(RemoteError::SecretInAddress);
                    }
                    if !value.starts_with("http://") && !value.starts_with("https://") {
                        return Err(refused("the endpoint must begin with https:// or http://".to_owned()));
                    }
                    endpoint = Some(value.trim_end_matches('/').to_owned());
                }
                "region" if matches!(place, Place::S3 { .. }) => region = Some(value.to_owned()),
                // The key alone: its value may be one.
                _ if is_secret(key) => return Err(RemoteError::SecretInAddress),
                _ => {
                    return Err(refused(format!("it knows ?endpoint= and ?region= of s3://, and not {key}")));
                }
            }
        }
        Ok(Self { place, prefix: parts.join("/"), endpoint, region, shown: text.to_owned() })
    }

    /// Whether it is a folder on this machine.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            Place::S3 { .. } | Place::Google { .. } | Place::Azure { .. } => None,
        }
    }
}

/// A path, also one that is written as a URL.
fn folder(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("file://").unwrap_or(text);
    let is_path = path.len() < text.len() || !text.contains("://");
    is_path.then(|| PathBuf::from(path))
}

/// Whether a query's key is one that carries credentials.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "secret", "token", "password", "sig", "credential"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let read = |text: &str| Address::parse(text).unwrap();
        let s3 = read("s3://bucket/a//b/?endpoint=http://127.0.0.1:9000/&region=eu-1");
        assert_eq!((s3.place, s3.prefix.as_str()), (Place::S3 { bucket: "bucket".to_owned() }, "a/b"));
        assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(s3.region.as_deref(), Some("eu-1"));
        assert_eq!(read("gs://bucket").place, Place::Google { bucket: "bucket".to_owned() });
        assert_eq!(read("az://box/p").place, Place::Azure { container: "box".to_owned() });
        assert_eq!(read("/mnt/backup").folder(), Some(std::path::Path::new("/mnt/backup")));
        assert_eq!(read("file:///mnt/backup").folder(), Some(std::path::Path::new("/mnt/backup")));
    }

    #[test]
    fn credentials_and_what_is_not_understood_are_refused() {
        let error = |text: &str| Address::parse(text).unwrap_err().to_string();
        for text in ["s3://KEY:SECRET@bucket/p", "s3://b?secret_access_key=S3CRET", "az://b?sig=S3CRET"] {
            let error = error(text);
            assert!(error.contains("holds credentials") && !error.contains("S3CRET"), "{error}");
        }
        for text in ["ftp://host/p", "s3:///p", "backup", "s3://b/../c", "s3://b?x=1", "gs://b?region=1"] {
            assert!(error(text).contains("no remote"), "{text}");
        }
    }
}
