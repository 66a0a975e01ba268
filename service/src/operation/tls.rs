//! TLS and mutual TLS, with certificates that are read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::config::TlsFiles;

/// What is wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("cannot use {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Makes handshakes with the newest certificates; clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Tls {
    current: Arc<RwLock<Arc<ServerConfig>>>,
    files: TlsFiles,
    has_http1: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError::File`] with the first file that cannot be used.
    pub(crate) fn new(files: TlsFiles, has_http1: bool) -> Result<Self, TlsError> {
        let current = Arc::new(RwLock::new(read(&files, has_http1)?));
        Ok(Tls { current, files, has_http1 })
    }

    /// A handshake, within its time.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let config = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let handshake = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(self.files.handshake, handshake).await {
            Ok(stream) => stream.map_err(|error| error.to_string()),
            Err(_) => Err(format!("nothing came of it within {:?}", self.files.handshake)),
        }
    }

    /// Looks at the files again and again. Files that cannot be used leave those before in place; connections keep what
    /// they began with.
    pub(crate) async fn watch(self) {
        let mut before = fingerprint(&self.files);
        loop {
            tokio::time::sleep(self.files.reload.max(Duration::from_millis(10))).await;
            let now = fingerprint(&self.files);
            if now == before {
                continue;
            }
            match read(&self.files, self.has_http1) {
                Ok(config) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                    before = now;
                    tracing::info!("the certificates have changed; new connections get the new ones");
                }
                // Looked at again next time: key and certificate may change one after the other.
                Err(error) => tracing::warn!(%error, "the certificates have changed, but cannot be used"),
            }
        }
    }
}

/// The contents of all files, where they can be read.
fn fingerprint(files: &TlsFiles) -> Vec<Option<Vec<u8>>> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    paths.into_iter().flatten().map(|path| std::fs::read(path).ok()).collect()
}

fn read(files: &TlsFiles, has_http1: bool) -> Result<Arc<ServerConfig>, TlsError> {
    let fail = |path: &Path, why: String| TlsError::File { path: path.to_path_buf(), why };
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fail(&files.key, error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(&files.certificate, error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| fail(path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| fail(path, error.to_string()))?)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| fail(&files.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    if has_http1 {
        config.alpn_protocols.push(b"http/1.1".to_vec());
    }
    if files.client_ca.is_some() {
        // A session that is taken up again would not be asked for its certificate, which may have expired.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |why: String| TlsError::File { path: path.to_path_buf(), why };
    let all = CertificateDer::pem_file_iter(path).and_then(|all| all.collect::<Result<Vec<_>, _>>());
    let all = all.map_err(|error| fail(error.to_string()))?;
    if all.is_empty() {
        return Err(fail("it holds no certificate".to_string()));
    }
    Ok(all)
}
