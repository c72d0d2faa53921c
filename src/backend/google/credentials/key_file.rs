//! Access tokens for the credentials in a file: the key of a service account, or the login of a user.
//!
//! `gcp_auth` reads these files too, but its errors do not tell a revoked key from a token server that is away, and it limits
//! no time. Sources: <https://developers.google.com/identity/protocols/oauth2/service-account#httprest> and RFC 6749,
//! sections 5.2 and 6.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use gcp_auth::{CustomServiceAccount, Token};
use google_cloud_gax::error::{CredentialsError, Error as GoogleError};
use http::{Request, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backend::google::credentials::SCOPE;
use crate::backend::google::error::CallOutcome;
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::{error_chain, excerpt};

/// Where the login of a user is renewed.
const USER_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// The longest that Google accepts, less some seconds for clocks that differ.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(3600 - 5);
/// Longer than Google's token server takes; calls have their own, shorter limit.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A file with credentials, and the client of its token server.
pub(super) struct KeyFile {
    grant: Grant,
    token_uri: String,
    http: HttpClient,
}

/// What the token server is shown.
enum Grant {
    /// An assertion that is signed with the key of a service account.
    Key {
        email: String,
        project: Option<String>,
        signer: Box<CustomServiceAccount>,
    },
    /// The refresh token of a user.
    User(Login),
}

#[derive(Deserialize)]
struct Login {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    quota_project_id: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    client_email: String,
    project_id: Option<String>,
    token_uri: String,
}

impl KeyFile {
    /// Reads the text of a file, or says why it cannot be used.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let incomplete = |error: serde_json::Error| format!("it is incomplete: {error}");
        let kind = file["type"].as_str().unwrap_or("service_account").to_owned();
        let (grant, token_uri) = match &*kind {
            "service_account" => {
                let signer = CustomServiceAccount::from_json(text)
                    .map_err(|error| format!("its key cannot be used: {}", error_chain(&error)))?;
                let key: Key = serde_json::from_value(file).map_err(incomplete)?;
                let grant = Grant::Key {
                    email: key.client_email,
                    project: key.project_id,
                    signer: Box::new(signer),
                };
                (grant, key.token_uri)
            }
            "authorized_user" => {
                let login = serde_json::from_value(file).map_err(incomplete)?;
                (Grant::User(login), USER_TOKEN_URI.to_owned())
            }
            other => {
                return Err(format!(
                    "its type is {:?}: pass credentials of `google-cloud-auth` with `.google(Google::new().credentials(..))`",
                    excerpt(other)
                ));
            }
        };
        let http = HttpClient::for_url(&token_uri, Connections::Closed)
            .map_err(|error| format!("its token server cannot be called: {}", error_chain(&error)))?;
        Ok(Self {
            grant,
            token_uri,
            http: http.timeout(TIMEOUT).max_bytes(64 * 1024),
        })
    }

    /// The account of the key; `None` for a user, who cannot sign tasks.
    pub fn account(&self) -> Option<&str> {
        match &self.grant {
            Grant::Key { email, .. } => Some(email),
            Grant::User(_) => None,
        }
    }

    /// The project of the key, or the one that pays for the user's calls.
    pub fn project(&self) -> Option<&str> {
        match &self.grant {
            Grant::Key { project, .. } => project.as_deref(),
            Grant::User(login) => login.quota_project_id.as_deref(),
        }
    }

    /// Fetches a token. The error is transient unless the token server has refused the credentials.
    pub async fn fetch(&self) -> Result<Token, CredentialsError> {
        let form = self.form()?;
        let request = Request::post(&self.token_uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .map_err(|error| CredentialsError::from_source(false, error))?;
        let response = self.http.send(request).await.map_err(|error| {
            let message = format!("the token server {} was not reached", self.token_uri);
            CredentialsError::new(true, message, error)
        })?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                let message = format!("the token server {} sent no token", self.token_uri);
                CredentialsError::new(true, message, error)
            });
        }
        let reason = refusal(&body);
        let error = GoogleError::http(parts.status.as_u16(), parts.headers, body);
        let message = format!(
            "the token server {} answered {}{reason}",
            self.token_uri, parts.status
        );
        Err(CredentialsError::from_msg(
            CallOutcome::of(&error).retryable,
            message,
        ))
    }

    fn form(&self) -> Result<String, CredentialsError> {
        let invalid = |error| CredentialsError::from_source(false, error);
        match &self.grant {
            Grant::Key { email, signer, .. } => {
                let assertion = self.assertion(email, signer)?;
                let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                serde_urlencoded::to_string([("grant_type", grant_type), ("assertion", &assertion)])
                    .map_err(invalid)
            }
            Grant::User(login) => serde_urlencoded::to_string([
                ("grant_type", "refresh_token"),
                ("client_id", &login.client_id),
                ("client_secret", &login.client_secret),
                ("refresh_token", &login.refresh_token),
            ])
            .map_err(invalid),
        }
    }

    fn assertion(&self, email: &str, account: &CustomServiceAccount) -> Result<String, CredentialsError> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let claims = json!({
            "iss": email,
            "aud": self.token_uri,
            "scope": SCOPE.join(" "),
            "iat": now.as_secs(),
            "exp": (now + ASSERTION_LIFETIME).as_secs(),
        });
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let mut jwt = format!(
            "{}.{}",
            encode(&json!({"alg": "RS256", "typ": "JWT"})),
            encode(&claims)
        );
        let signature = account.signer().sign(jwt.as_bytes());
        let signature = signature.map_err(|error| CredentialsError::from_source(false, error))?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }
}

/// The reason that a token server gives, `: invalid_grant: Invalid JWT Signature.`
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        error_description: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal {
            error,
            error_description,
        }) => {
            let description = error_description.map(|text| format!(": {}", excerpt(&text)));
            format!(": {}{}", excerpt(&error), description.unwrap_or_default())
        }
        Err(_) => String::new(),
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("account", &self.account())
            .field("token_uri", &self.token_uri)
            .finish_non_exhaustive()
    }
}
