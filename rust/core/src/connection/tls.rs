//! TLS set-ups, made from PEM files' contents.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};

use crate::model::config::Tls;
use crate::model::error::{Error, Kind};

/// What TLS is to be made of; PEM texts, as read from files.
#[derive(Default)]
pub struct TlsOptions<'a> {
    /// Who may sign the server's certificate; the system's authorities when `None`.
    pub ca: Option<&'a [u8]>,
    /// The client's certificate chain and its private key.
    pub identity: Option<(&'a [u8], &'a [u8])>,
    pub server_name: Option<String>,
    /// Accept any certificate. For tests.
    pub insecure: bool,
}

impl std::fmt::Debug for TlsOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

impl TlsOptions<'_> {
    /// Parses all that was given. Errors are of kind `Configuration` and name the setting.
    pub fn build(self) -> Result<Tls, Error> {
        if let Some(name) = &self.server_name {
            ServerName::try_from(name.as_str())
                .map_err(|_| wrong("server_name", format!("{name:?} is not a host name or an address")))?;
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("use_tls", error))?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        } else {
            builder.with_root_certificates(roots(self.ca)?)
        };
        let config = match self.identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let chain = certificates_of("client_cert_pem", certificates)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| wrong("client_key_pem", format!("no private key in it: {error}")))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| wrong("client_cert_pem", error))?
            }
        };
        Ok(Tls { config: Arc::new(config), server_name: self.server_name })
    }
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if let Some(pem) = ca {
        for certificate in certificates_of("root_pem_cacerts", pem)? {
            store.add(certificate).map_err(|error| wrong("root_pem_cacerts", error))?;
        }
        return Ok(store);
    }
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err(wrong("use_tls", "the system has no certificate authorities; pass root_pem_cacerts"));
    }
    Ok(store)
}

fn certificates_of(setting: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(setting, format!("not a PEM certificate: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong(setting, "no certificate in it"));
    }
    Ok(certificates)
}

fn wrong(setting: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Configuration, format!("{setting}: {why}"))
}

/// Checks signatures, and no name and no issuer.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
