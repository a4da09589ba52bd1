//! TLS for the data plane: a certificate chain and a key, from PEM files.

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tollgate_config::Tls;

/// Reads the files. HTTP/2 and HTTP/1.1 are offered by ALPN; actix adds the protocol names.
pub(crate) fn server_config(files: &Tls) -> anyhow::Result<ServerConfig> {
    let (cert_file, key_file) = (&files.cert_file, &files.key_file);
    let chain = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("server.tls.cert_file: {}", cert_file.display()))?;
    let key = PrivateKeyDer::from_pem_file(key_file)
        .with_context(|| format!("server.tls.key_file: {}", key_file.display()))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("server.tls: the certificate and the key do not fit")
}
