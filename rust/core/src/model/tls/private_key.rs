//! A client's private key, which a password may protect.

use std::error;
use std::sync::Arc;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::setting_error::Unusable;
use super::{Identity, read, wrong};
use crate::model::error::Error;

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

impl Identity {
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let content = read("client_key_pem", &self.key)?;
        let has = |words: &str| memchr::memmem::find(&content, words.as_bytes()).is_some();
        if has("Proc-Type: 4,ENCRYPTED") {
            return Err(wrong("client_key_pem", Unusable::TraditionalFormat));
        }
        match (has(&format!("BEGIN {ENCRYPTED}")), &self.key_password) {
            (true, Some(password)) => decrypted(&content, password),
            (true, None) => Err(wrong("client_key_pem", Unusable::NoPassword)),
            (false, Some(_)) => Err(wrong("key_password", Unusable::NotEncrypted)),
            (false, None) => PrivateKeyDer::from_pem_slice(&content)
                .map_err(|error| wrong("client_key_pem", Unusable::NoPrivateKey(Arc::new(error)))),
        }
    }
}

fn decrypted(content: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, Error> {
    let text = String::from_utf8_lossy(content);
    // Certificates may stand before it.
    let begin = text.find(&format!("-----BEGIN {ENCRYPTED}")).unwrap_or(0);
    let end_line = format!("-----END {ENCRYPTED}-----");
    let end = text[begin..].find(&end_line).map_or(text.len(), |end| begin + end + end_line.len());
    let (_, document) = SecretDocument::from_pem(&text[begin..end]).map_err(not_pkcs8)?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(not_pkcs8)?;
    let key = encrypted.decrypt(password).map_err(|error| wrong("key_password", Unusable::NotDecrypted(error)))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn not_pkcs8(error: impl error::Error + Send + Sync + 'static) -> Error {
    wrong("client_key_pem", Unusable::NotPkcs8(Arc::new(error)))
}
