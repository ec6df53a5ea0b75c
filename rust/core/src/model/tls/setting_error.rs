//! Why a setting of TLS cannot be used, in its parts. The text is made only when it is read.

use std::error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

#[derive(Clone, Debug, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct SettingError {
    pub setting: &'static str,
    #[source]
    pub reason: Unusable,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Unusable {
    #[error("{0:?} is not a host name or an address")]
    NoHostName(String),
    #[error("{}: {error}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        error: Arc<io::Error>,
    },
    #[error("not a PEM certificate: {0}")]
    NotPem(#[source] Arc<pem::Error>),
    #[error("it contains no certificate in PEM")]
    NoCertificate,
    #[error("it contains a broken certificate, which cannot be read as X.509")]
    NotX509,
    #[error("the system has no certificate authorities; pass root_pem_cacerts")]
    NoAuthorities,
    #[error("it contains no private key: {0}")]
    NoPrivateKey(#[source] Arc<pem::Error>),
    #[error(
        "the key is encrypted in the traditional format; pass it in PKCS #8, converted by: openssl pkcs8 -topk8 -in \
         OLD -out NEW"
    )]
    TraditionalFormat,
    #[error("the key is encrypted; pass key_password")]
    NoPassword,
    #[error("the key is of a kind that is not supported; use RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519")]
    KindOfKey,
    #[error("the key does not belong to the certificate in client_cert_pem")]
    OtherKey,
    #[error("client_key_pem is not encrypted; leave key_password out")]
    NotEncrypted,
    #[error("not a key in PKCS #8: {0}")]
    NotPkcs8(#[source] Arc<dyn error::Error + Send + Sync>),
    /// A wrong password, or a cipher that is not supported.
    #[error("it does not decrypt client_key_pem: {0}")]
    NotDecrypted(#[source] pkcs8::Error),
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}
