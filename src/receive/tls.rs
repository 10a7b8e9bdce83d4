//! PEM files that were read → the server side of TLS (RFC 5425), replaceable while running.
//!
//! ```text
//!   Pem { path, octets }, ... ──▶ Config::new ──▶ Acceptor::new ──▶ current() ──▶ a handshake for each connection
//!                                     └── read again ──▶ Acceptor::renew ▲
//! ```
//!
//! No file is read here: storage may not answer, and nobody who binds a listener waits for it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A PEM file's content, and where it was read.
pub struct Pem {
    /// Where.
    pub path: PathBuf,
    /// What it held.
    pub octets: Vec<u8>,
}

/// Whether devices must show a certificate (RFC 5425, section 5).
#[derive(Default)]
pub enum ClientAuth {
    /// They are not asked: everybody who reaches the port may log.
    #[default]
    None,
    /// They are asked; one that shows a wrong certificate is refused, one that shows none is taken.
    Optional {
        /// Who may have signed it.
        ca: Pem,
    },
    /// One without a certificate that this authority has signed is refused.
    Required {
        /// Who must have signed it.
        ca: Pem,
    },
}

impl ClientAuth {
    fn ca(&self) -> Option<&Pem> {
        match self {
            ClientAuth::None => None,
            ClientAuth::Optional { ca } | ClientAuth::Required { ca } => Some(ca),
        }
    }
}

/// What the files of one TLS listener say. Cheap to clone.
#[derive(Clone)]
pub struct Config {
    files: Vec<PathBuf>,
    server: Arc<rustls::ServerConfig>,
}

/// Without what the files hold: one of them holds a key.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Config");
        shown.field("files", &self.files).finish_non_exhaustive()
    }
}

impl Config {
    /// Of the server's certificate with those that signed it, its key (PKCS #8, PKCS #1 or SEC 1), and who may send.
    ///
    /// # Errors
    /// When one is wrong, or they do not go together.
    pub fn new(
        certificate_chain: &Pem,
        private_key: &Pem,
        client_auth: &ClientAuth,
    ) -> Result<Config, TlsError> {
        let server = server_config(certificate_chain, private_key, client_auth)?;
        let files = [Some(certificate_chain), Some(private_key), client_auth.ca()];
        let files = files.into_iter().flatten().map(|pem| pem.path.clone());
        Ok(Config {
            files: files.collect(),
            server: Arc::new(server),
        })
    }

    /// Takes what the same files say now. What other files say is for the next start.
    pub fn renew(&mut self, read: &Config) {
        if read.files == self.files {
            self.server = Arc::clone(&read.server);
        }
    }
}

/// What is wrong with the TLS files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not PEM.
    #[error("TLS {what} {path}: {source}; expected a PEM file", path = path.display())]
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

/// The server side of TLS, as the files said at the start or at the last good reload.
#[derive(Debug)]
pub struct Acceptor(RwLock<Config>);

impl Acceptor {
    /// Of what was read at the start.
    pub fn new(config: Config) -> Self {
        Acceptor(RwLock::new(config))
    }

    /// As [`Config::renew`]. Connections that are open go on; new ones get the new certificate.
    pub fn renew(&self, read: &Config) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        current.renew(read);
    }

    pub(super) fn current(&self) -> TlsAcceptor {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.server))
    }
}

fn server_config(
    certificate_chain: &Pem,
    private_key: &Pem,
    client_auth: &ClientAuth,
) -> Result<rustls::ServerConfig, TlsError> {
    let chain = certificates("certificate chain", certificate_chain)?;
    let key =
        PrivateKeyDer::from_pem_slice(&private_key.octets).map_err(|source| TlsError::File {
            what: "private key",
            path: private_key.path.clone(),
            source,
        })?;
    let pair = |source| TlsError::Pair {
        certificate: certificate_chain.path.clone(),
        key: private_key.path.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match client_auth {
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

fn authorities(ca: &Pem) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client authority", ca)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(ca, &error))?;
    }
    Ok(Arc::new(roots))
}

fn unusable(ca: &Pem, error: &dyn fmt::Display) -> TlsError {
    TlsError::Authority {
        path: ca.path.clone(),
        reason: error.to_string(),
    }
}

fn certificates(what: &'static str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(&pem.octets)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::File {
            what,
            path: pem.path.clone(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            what,
            path: pem.path.clone(),
        });
    }
    Ok(certificates)
}
