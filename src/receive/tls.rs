//! Certificate files → the server side of TLS (RFC 5425), replaceable while running.
//!
//! ```text
//!   Config { files } ──▶ Acceptor::load ──▶ current() ──▶ a handshake for each connection
//!                              ▲
//!                           reload()  reads the files again; when they are wrong the old ones stay
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The files of one TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// PEM: the server's certificate, then those that signed it.
    pub certificate_chain: PathBuf,
    /// PEM: the key of the first certificate (PKCS #8, PKCS #1 or SEC 1).
    pub private_key: PathBuf,
    /// Whether devices must show a certificate.
    pub client_auth: ClientAuth,
}

/// Whether devices must show a certificate (RFC 5425, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked: everybody who reaches the port may log.
    #[default]
    None,
    /// They are asked; one that shows a wrong certificate is refused, one that shows none is taken.
    Optional {
        /// PEM: who may have signed it.
        ca: PathBuf,
    },
    /// One without a certificate that this authority has signed is refused.
    Required {
        /// PEM: who must have signed it.
        ca: PathBuf,
    },
}

/// What is wrong with the TLS files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, may not be read or is not PEM.
    #[error("TLS {what} {path}: {source}; expected a readable PEM file", path = path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What happened.
        source: rustls_pki_types::pem::Error,
    },
    /// The file has no certificate in it.
    #[error("TLS {what} {path} holds no `BEGIN CERTIFICATE`", path = path.display())]
    NoCertificate {
        /// What it should hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// Certificate and key do not go together, or cannot be used.
    #[error("TLS certificate {certificate} and key {key}: {source}", certificate = certificate.display(), key = key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authority for client certificates cannot be used.
    #[error("TLS client authority {path}: {reason}", path = path.display())]
    Authority {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The server side of TLS, as read from the files at start or at the last good reload.
#[derive(Debug)]
pub struct Acceptor {
    config: Config,
    current: RwLock<Arc<rustls::ServerConfig>>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    /// When one is missing or wrong.
    pub fn load(config: Config) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(server_config(&config)?));
        Ok(Acceptor { config, current })
    }

    /// Reads the files again. Connections that are open go on; new ones get the new certificate.
    ///
    /// # Errors
    /// When one is missing or wrong; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = Arc::new(server_config(&self.config)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(super) fn current(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

fn server_config(config: &Config) -> Result<rustls::ServerConfig, TlsError> {
    let chain = certificates("certificate chain", &config.certificate_chain)?;
    let key =
        PrivateKeyDer::from_pem_file(&config.private_key).map_err(|source| TlsError::File {
            what: "private key",
            path: config.private_key.clone(),
            source,
        })?;
    let pair = |source| TlsError::Pair {
        certificate: config.certificate_chain.clone(),
        key: config.private_key.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &config.client_auth {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Optional { ca } => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities(ca)?, provider);
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(ca, &error))?)
        }
        ClientAuth::Required { ca } => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(authorities(ca)?, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(ca, &error))?)
        }
    };
    builder.with_single_cert(chain, key).map_err(pair)
}

fn authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client authority", path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(path, &error))?;
    }
    Ok(Arc::new(roots))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Authority {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File {
        what,
        path: path.to_owned(),
        source,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            what,
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}
