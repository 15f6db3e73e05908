//! Connects to a remote with the credentials that its own tools would use: variables, profiles, the machine's role.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    multipart::MultipartStore,
};

use super::{
    RemoteError,
    address::{Address, Place},
    profile,
};

/// How long a remote may be silent.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// How long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRIES: usize = 5;

/// What credentials are found by: the environment's variables and the user's home folder.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub variables: BTreeMap<String, String>,
    pub home: Option<PathBuf>,
}

impl Surroundings {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// A connected store, and its interface for uploads in parts where it has one.
pub(super) type Connected = (Arc<dyn ObjectStore>, Option<Arc<dyn MultipartStore>>);

/// Connects. No call is made yet, but for a folder, which must be there.
pub(super) fn connect(address: &Address, surroundings: &Surroundings) -> Result<Connected, RemoteError> {
    let failed = |error: &object_store::Error| RemoteError::of(&address.to_string(), "", error);
    if let Place::Folder(folder) = &address.place {
        // A mount that is missing must not become a folder on this disk.
        if !folder.is_dir() {
            let why = format!("{} is no folder that is there: is it mounted?", folder.display());
            return Err(RemoteError::Refused(why));
        }
        let local = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(&error))?;
        return Ok((Arc::new(local.with_fsync(true)), None));
    }
    // One cryptography for all; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &address.place {
        Place::S3 { bucket } => {
            let s3 = Arc::new(s3(address, bucket, surroundings)?.build().map_err(|error| failed(&error))?);
            Ok((s3.clone(), Some(s3)))
        }
        Place::Google { bucket } => {
            let google = google(bucket, surroundings)?.build().map_err(|error| failed(&error))?;
            let google = Arc::new(google);
            Ok((google.clone(), Some(google)))
        }
        Place::Azure { container } => {
            let azure = azure(container, surroundings)?.build().map_err(|error| failed(&error))?;
            let azure = Arc::new(azure);
            Ok((azure.clone(), Some(azure)))
        }
        Place::Folder(_) => Err(RemoteError::Refused("a folder needs no connection".to_owned())),
    }
}

fn client(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        // A large part over a slow line takes as long as it takes.
        .with_timeout_disabled()
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() }
}

/// Whether data may go over plain HTTP to this endpoint: on this machine, or where somebody said so.
fn may_be_plain(
    endpoint: Option<&str>,
    surroundings: &Surroundings,
    variable: &str,
) -> Result<bool, RemoteError> {
    let Some(rest) = endpoint.and_then(|endpoint| endpoint.strip_prefix("http://")) else { return Ok(false) };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let here = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if here || surroundings.get(variable) == Some("true") {
        return Ok(true);
    }
    Err(RemoteError::Refused(format!(
        "http://{rest} would carry the data in the clear; use https://, or set {variable}=true"
    )))
}

fn s3(address: &Address, bucket: &str, surroundings: &Surroundings) -> Result<AmazonS3Builder, RemoteError> {
    let mut builder = AmazonS3Builder::new();
    for (key, value) in &surroundings.variables {
        let known =
            key.starts_with("AWS_").then(|| key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().ok());
        // Where the copies go is what the settings say.
        if let Some(Some(known)) = known
            && !matches!(known, AmazonS3ConfigKey::Bucket)
            && !value.is_empty()
        {
            builder = builder.with_config(known, value);
        }
    }
    let profile = profile::load(surroundings)?;
    let has_keys = surroundings.get("AWS_ACCESS_KEY_ID").is_some();
    if !has_keys && let Some(keys) = &profile.keys {
        builder = builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret);
        if let Some(token) = &keys.token {
            builder = builder.with_token(token);
        }
    }
    let by_role = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let has_role = by_role.iter().any(|name| surroundings.get(name).is_some());
    if let (None, Some(why), false, false) = (&profile.keys, &profile.unusable, has_keys, has_role) {
        return Err(RemoteError::Credentials(why.clone()));
    }
    let first = |names: &[&str]| names.iter().find_map(|name| surroundings.get(name)).map(str::to_owned);
    let region = address.region.clone().or(first(&["AWS_REGION", "AWS_DEFAULT_REGION"])).or(profile.region);
    builder = builder.with_region(region.unwrap_or_else(|| "us-east-1".to_owned()));
    let endpoint = address
        .endpoint
        .clone()
        .or(first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]))
        .or(profile.endpoint);
    let plain = may_be_plain(endpoint.as_deref(), surroundings, "AWS_ALLOW_HTTP")?;
    match endpoint {
        Some(endpoint) => builder = builder.with_endpoint(endpoint),
        // Amazon keeps the checksum with the object. Not all of its compatibles know the header; every request's
        // signature covers its payload's SHA-256 anyway.
        None if surroundings.get("AWS_CHECKSUM_ALGORITHM").is_none() => {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        None => {}
    }
    Ok(builder.with_bucket_name(bucket).with_client_options(client(plain)).with_retry(retries()))
}

fn google(bucket: &str, surroundings: &Surroundings) -> Result<GoogleCloudStorageBuilder, RemoteError> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in &surroundings.variables {
        let known =
            key.starts_with("GOOGLE_").then(|| key.to_ascii_lowercase().parse::<GoogleConfigKey>().ok());
        if let Some(Some(known)) = known
            && !matches!(known, GoogleConfigKey::Bucket)
            && !value.is_empty()
        {
            builder = builder.with_config(known, value);
        }
    }
    // As Google's own clients have it.
    let mut plain = false;
    if let Some(emulator) = surroundings.get("STORAGE_EMULATOR_HOST") {
        let base = match emulator.contains("://") {
            true => emulator.trim_end_matches('/').to_owned(),
            false => format!("http://{emulator}"),
        };
        plain = may_be_plain(Some(&base), surroundings, "GOOGLE_ALLOW_HTTP")?;
        // Without credentials of its own, object_store asks the machine's role for some at each write, whatever
        // `with_skip_signature` says; a real token is nothing for an emulator.
        let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
        builder = builder.with_base_url(&base).with_skip_signature(true).with_credentials(Arc::new(nobody));
    }
    Ok(builder.with_bucket_name(bucket).with_client_options(client(plain)).with_retry(retries()))
}

fn azure(container: &str, surroundings: &Surroundings) -> Result<MicrosoftAzureBuilder, RemoteError> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in &surroundings.variables {
        let known =
            key.starts_with("AZURE_").then(|| key.to_ascii_lowercase().parse::<AzureConfigKey>().ok());
        if let Some(Some(known)) = known
            && !matches!(known, AzureConfigKey::ContainerName)
            && !value.is_empty()
        {
            builder = builder.with_config(known, value);
        }
    }
    let endpoint = surroundings.get("AZURE_STORAGE_ENDPOINT").or(surroundings.get("AZURE_ENDPOINT"));
    let emulator = surroundings.get("AZURE_STORAGE_USE_EMULATOR") == Some("true");
    let plain = may_be_plain(endpoint, surroundings, "AZURE_ALLOW_HTTP")? || emulator;
    Ok(builder.with_container_name(container).with_client_options(client(plain)).with_retry(retries()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(pairs: &[(&str, &str)]) -> Surroundings {
        let variables = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Surroundings { variables, home: None }
    }

    #[test]
    fn plain_http_goes_no_further_than_this_machine_unless_asked_for() {
        let plain =
            |endpoint, pairs: &[_]| may_be_plain(Some(endpoint), &surroundings(pairs), "AWS_ALLOW_HTTP");
        assert!(plain("http://127.0.0.1:9000", &[]).unwrap());
        assert!(!plain("https://s3.example", &[]).unwrap());
        assert!(plain("http://minio:9000", &[]).unwrap_err().to_string().contains("AWS_ALLOW_HTTP=true"));
        assert!(plain("http://127.evil.example:80@minio:9000", &[("AWS_ALLOW_HTTP", "true")]).unwrap());
    }

    #[test]
    fn a_folder_that_is_not_mounted_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse(folder.path().join("gone").to_str().unwrap()).unwrap();
        let refused = connect(&address, &Surroundings::default()).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("is it mounted?"), "{refused}");
    }
}
