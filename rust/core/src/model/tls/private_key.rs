//! A client's private key, which a password may protect.

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, read, wrong};
use crate::model::error::Error;

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

impl Identity {
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let content = read("client_key_pem", &self.key)?;
        let has = |words: &str| memchr::memmem::find(&content, words.as_bytes()).is_some();
        if has("Proc-Type: 4,ENCRYPTED") {
            let advice = "the key is encrypted in the traditional format; pass it in PKCS #8, converted by: \
                          openssl pkcs8 -topk8 -in OLD -out NEW";
            return Err(wrong("client_key_pem", advice));
        }
        match (has(&format!("BEGIN {ENCRYPTED}")), &self.key_password) {
            (true, Some(password)) => decrypted(&content, password),
            (true, None) => Err(wrong("client_key_pem", "the key is encrypted; pass key_password")),
            (false, Some(_)) => Err(wrong("key_password", "client_key_pem is not encrypted; pass no password")),
            (false, None) => PrivateKeyDer::from_pem_slice(&content)
                .map_err(|error| wrong("client_key_pem", format!("no private key in it: {error}"))),
        }
    }
}

fn decrypted(content: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, Error> {
    let broken = |error: &dyn std::fmt::Display| wrong("client_key_pem", format!("not a key in PKCS #8: {error}"));
    let text = String::from_utf8_lossy(content);
    // Certificates may stand before it.
    let begin = text.find(&format!("-----BEGIN {ENCRYPTED}")).unwrap_or(0);
    let end_line = format!("-----END {ENCRYPTED}-----");
    let end = text[begin..].find(&end_line).map_or(text.len(), |end| begin + end + end_line.len());
    let (_, document) = SecretDocument::from_pem(&text[begin..end]).map_err(|error| broken(&error))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| broken(&error))?;
    let key = encrypted.decrypt(password).map_err(|error| {
        // A wrong password and a cipher that is not supported both end here.
        wrong("key_password", format!("client_key_pem cannot be decrypted with it: {error}"))
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}
