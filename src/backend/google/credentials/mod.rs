//! Credentials: the given ones, or those that are found, as `gcp_auth` finds them.

mod bounded;
mod bridge;
mod key_file;

pub(super) use bounded::{Fetched, Rejected, bounded};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gcp_auth::{GCloudAuthorizedUser, MetadataServiceAccount};
use google_cloud_auth::credentials::Credentials;
use http::Request;
use tokio::time::timeout;

use crate::base::Config;
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::{error_chain, safe};
use bridge::{Bridge, Source, blocking};
use key_file::KeyFile;

const SCOPE: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];
/// Elsewhere its name does not resolve, or nothing answers.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// A metadata server may need seconds when its machine has just started, and `gcloud` may ask the network.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(10);
const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Gives back the credentials to use, and fills in the project and the account where the settings leave them open; the account
/// only for credentials that were found.
pub(crate) async fn find(given: Option<Credentials>, config: &mut Config) -> Result<Credentials, String> {
    if let Some(credentials) = given {
        if config.project().is_none()
            && let Some(project) = metadata("project/project-id").await
        {
            *config = config.clone().with_project(project);
        }
        // They do not say whose they are, and the account that the metadata server names may be another one.
        return Ok(credentials);
    }
    let source = discover().await.map_err(|reason| {
        format!(
            "no Google credentials were found: {reason}; set {KEY_FILE}, run `gcloud auth application-default login`, or pass \
             credentials with `.google(Google::new().credentials(..))`"
        )
    })?;
    if config.project().is_none()
        && let Some(project) = source.project().await
    {
        *config = config.clone().with_project(project);
    }
    if config.service_account().is_none() {
        let email = match source.account() {
            Some(email) => Some(email.to_owned()),
            None => metadata("instance/service-accounts/default/email").await,
        };
        if let Some(email) = email {
            *config = config.clone().with_service_account(email);
        }
    }
    Ok(Bridge::new(source).into())
}

/// Finds credentials where `gcp_auth` looks for them, in the same order, or says what is wrong with each place.
async fn discover() -> Result<Source, String> {
    if let Some(path) = std::env::var_os(KEY_FILE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let file = read(&path).unwrap_or_else(|error| Err(format!("it cannot be read: {error}")));
        return file
            .map_err(|reason| format!("{KEY_FILE} is {}, but {reason}", safe(&path.to_string_lossy())));
    }
    if let Some(path) = login_file()
        && let Ok(file) = read(&path)
    {
        return file.map_err(|reason| format!("there is {}, but {reason}", safe(&path.to_string_lossy())));
    }
    let machine = timeout(DISCOVERY_TIMEOUT, MetadataServiceAccount::new()).await;
    let no_machine = match machine {
        Ok(Ok(machine)) => return Ok(Source::Machine(Arc::new(machine))),
        Ok(Err(error)) => error_chain(&error),
        Err(_) => format!("no answer within {DISCOVERY_TIMEOUT:?}"),
    };
    let gcloud = timeout(DISCOVERY_TIMEOUT, blocking(GCloudAuthorizedUser::new())).await;
    let no_gcloud = match gcloud {
        Ok(Ok(Ok(gcloud))) => return Ok(Source::Gcloud(Arc::new(gcloud))),
        Ok(Ok(Err(error))) => error_chain(&error),
        Ok(Err(error)) => error_chain(&error),
        Err(_) => format!("no answer within {DISCOVERY_TIMEOUT:?}"),
    };
    Err(format!("the metadata server: {no_machine}; gcloud: {no_gcloud}"))
}

/// Reads a file with credentials. The outer error means that there is no such file.
fn read(path: &Path) -> io::Result<Result<Source, String>> {
    let text = std::fs::read_to_string(path)?;
    Ok(KeyFile::parse(&text).map(|file| Source::File(Box::new(file))))
}

/// Where `gcloud auth application-default login` writes.
fn login_file() -> Option<PathBuf> {
    let gcloud = if cfg!(windows) {
        PathBuf::from(std::env::var_os("APPDATA")?).join("gcloud")
    } else {
        std::env::home_dir()?.join(".config/gcloud")
    };
    Some(gcloud.join("application_default_credentials.json"))
}

/// Asks the metadata server, which exists only on Google's machines. Source:
/// <https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>.
pub(crate) async fn metadata(key: &str) -> Option<String> {
    let host = std::env::var("GCE_METADATA_HOST").unwrap_or_else(|_| "metadata.google.internal".into());
    let request = Request::get(format!("http://{host}/computeMetadata/v1/{key}"))
        .header("metadata-flavor", "Google")
        .body(Bytes::new())
        .ok()?;
    let http = HttpClient::plain(Connections::Closed);
    let response = http.timeout(METADATA_TIMEOUT).max_bytes(4096).send(request).await;
    let response = response.ok().filter(|response| response.status().is_success())?;
    // Without it this is not the metadata server, but a proxy or somebody else under its name.
    let flavor = response.headers().get("metadata-flavor");
    if flavor.is_none_or(|flavor| flavor != "Google") {
        tracing::warn!(
            host = &*safe(&host),
            "the metadata server's answer is ignored: it has no Metadata-Flavor header"
        );
        return None;
    }
    let text = String::from_utf8(response.into_body().into()).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
