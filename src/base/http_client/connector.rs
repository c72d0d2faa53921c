//! How connections are opened: TCP, and TLS where a URL asks for it.

use std::sync::OnceLock;

use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;

use crate::base::http_client::HttpError;

/// The versions of HTTP that a connection with TLS offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Versions {
    Http1,
    /// The server chooses between HTTP/2 and HTTP/1.1.
    Http2OrHttp1,
}

/// Opens connections without TLS, for servers on this machine.
pub(crate) fn plain_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

/// Opens connections with TLS, which trust the root certificates of the system; without TLS for an `http` URL.
pub(crate) fn tls_connector(
    mut connector: HttpConnector,
    versions: Versions,
) -> Result<HttpsConnector<HttpConnector>, HttpError> {
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config()?)
        .https_or_http();
    Ok(match versions {
        Versions::Http1 => builder.enable_http1().wrap_connector(connector),
        Versions::Http2OrHttp1 => builder.enable_all_versions().wrap_connector(connector),
    })
}

/// The settings of TLS, with the root certificates of the system.
///
/// Reading these takes milliseconds, most of the start of a program, so it happens once, when a client with TLS is first made.
fn tls_config() -> Result<ClientConfig, HttpError> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Connect(error.into()))?;
    let config = builder
        .with_native_roots()
        .map_err(HttpError::Roots)?
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}
