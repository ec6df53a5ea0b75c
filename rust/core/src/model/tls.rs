//! TLS settings, made from PEM files or their contents, and made again when the files change.

mod certificate;
mod private_key;
pub(crate) mod setting_error;
mod verifier;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::model::cause::Cause;
use crate::model::error::{Error, Kind};
use setting_error::{SettingError, Unusable};
use verifier::{AcceptAny, Verifier};

/// Where a certificate or a key is.
#[derive(Clone)]
pub enum Pem {
    Content(Vec<u8>),
    File(PathBuf),
}

/// The TLS settings.
#[derive(Clone)]
pub struct TlsOptions {
    /// Which certificates to trust: those of authorities, or of servers themselves. `None`: the system's authorities.
    pub ca: Option<Pem>,
    pub identity: Option<Identity>,
    /// The name that the server's certificate must have, if it is not the host's name.
    pub server_name: Option<String>,
    /// Whether the certificate must bear the server's name.
    pub verifies_name: bool,
    /// Accept any certificate. For tests.
    pub insecure: bool,
}

/// Who the client is.
#[derive(Clone)]
pub struct Identity {
    /// Its certificate chain.
    pub certificates: Pem,
    pub key: Pem,
    /// What the key is encrypted with, if it is.
    pub key_password: Option<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { ca: None, identity: None, server_name: None, verifies_name: true, insecure: false }
    }
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Content(_) => f.write_str("Content(***)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// A TLS set-up for all connections of a client.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Setup>);

#[derive(Debug)]
struct Setup {
    options: TlsOptions,
    made: Mutex<Made>,
}

#[derive(Clone, Debug)]
struct Made {
    config: Arc<ClientConfig>,
    /// The state of the files when it was made.
    files: Vec<Option<Stamp>>,
    /// Why the files cannot be used as they are now.
    unusable: Option<String>,
}

/// The parts of a file's metadata that change with it.
type Stamp = (SystemTime, u64, FileId);

/// Differs between a file and its replacement.
#[cfg(unix)]
type FileId = u64;

#[cfg(unix)]
fn file_id(about: &fs::Metadata) -> FileId {
    std::os::unix::fs::MetadataExt::ino(about)
}

/// The time of its creation, on systems where Rust cannot read the file's number.
#[cfg(not(unix))]
type FileId = Option<SystemTime>;

#[cfg(not(unix))]
fn file_id(about: &fs::Metadata) -> FileId {
    about.created().ok()
}

impl TlsOptions {
    /// Reads and parses all that was given. Errors are of kind `Configuration` and name the setting.
    pub fn build(self) -> Result<Tls, Error> {
        if let Some(name) = &self.server_name {
            ServerName::try_from(name.as_str())
                .map_err(|_| wrong("server_name", Unusable::NoHostName(name.clone())))?;
        }
        let made = Made { files: self.stamps(), config: Arc::new(self.config()?), unusable: None };
        Ok(Tls(Arc::new(Setup { options: self, made: Mutex::new(made) })))
    }

    fn config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("use_tls", error))?
            .dangerous();
        let builder = if self.insecure {
            builder.with_custom_certificate_verifier(Arc::new(AcceptAny))
        } else {
            let (roots, servers) = self.trusted()?;
            let algorithms = provider.signature_verification_algorithms;
            let verifier = Verifier { roots, servers, verifies_name: self.verifies_name, algorithms };
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        };
        let Some(identity) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates_of("client_cert_pem", &identity.certificates)?;
        let key = provider
            .key_provider
            .load_private_key(identity.private_key()?)
            .map_err(|_| wrong("client_key_pem", Unusable::KindOfKey))?;
        // `with_client_auth_cert` reads no certificate of version 1.
        let public = certificate::public_key(&chain[0]).ok_or_else(|| wrong("client_cert_pem", Unusable::NotX509))?;
        if key.public_key().is_some_and(|own| own != public) {
            return Err(wrong("client_key_pem", Unusable::OtherKey));
        }
        Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))))
    }

    /// The authorities to trust, and all certificates that were given as such: a server may have one of them itself.
    fn trusted(&self) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
        let mut store = RootCertStore::empty();
        if let Some(pem) = &self.ca {
            let given = certificates_of("root_pem_cacerts", pem)?;
            for certificate in &given {
                store.add(certificate.clone()).map_err(|_| wrong("root_pem_cacerts", Unusable::NotX509))?;
            }
            return Ok((store, given));
        }
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err(wrong("use_tls", Unusable::NoAuthorities));
        }
        Ok((store, Vec::new()))
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let (certificates, key) =
            self.identity.as_ref().map(|identity| (&identity.certificates, &identity.key)).unzip();
        [self.ca.as_ref(), certificates, key].into_iter().flatten().filter_map(|pem| match pem {
            Pem::File(path) => Some(path.as_path()),
            Pem::Content(_) => None,
        })
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let stamp = |path: &Path| {
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len(), file_id(&about)))
        };
        self.files().map(stamp).collect()
    }
}

impl Tls {
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.0.options.server_name.as_deref()
    }

    /// The settings for new connections, from the files as they are now. If the files cannot be used, the last settings
    /// stay.
    pub(crate) fn current_config(&self) -> Arc<ClientConfig> {
        let options = &self.0.options;
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        let files = options.stamps();
        if files == made.files {
            made.unusable = None;
            return made.config.clone();
        }
        match options.config() {
            Ok(config) => *made = Made { config: Arc::new(config), files, unusable: None },
            // A certificate and its key are replaced one after the other, so the next connection reads them again.
            Err(error) => {
                let why = error.to_string();
                if made.unusable.as_ref() != Some(&why) {
                    log::warn!("the changed TLS files cannot be used, and the former ones still are: {why}");
                }
                made.unusable = Some(why);
            }
        }
        made.config.clone()
    }

    /// Why the files cannot be used as they were when a connection was last made.
    pub(crate) fn unusable(&self) -> Option<String> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner).unusable.clone()
    }

    /// Whether anything may change.
    pub(crate) fn has_files(&self) -> bool {
        self.0.options.files().next().is_some()
    }
}

fn read(setting: &'static str, pem: &Pem) -> Result<Vec<u8>, Error> {
    match pem {
        Pem::Content(content) => Ok(content.clone()),
        Pem::File(path) => fs::read(path).map_err(|error| {
            let (path, error) = (path.clone(), Arc::new(error));
            wrong(setting, Unusable::Unreadable { path, error })
        }),
    }
}

fn certificates_of(setting: &'static str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(&read(setting, pem)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(setting, Unusable::NotPem(Arc::new(error))))?;
    if certificates.is_empty() {
        return Err(wrong(setting, Unusable::NoCertificate));
    }
    Ok(certificates)
}

fn wrong(setting: &'static str, reason: impl Into<Unusable>) -> Error {
    Error::because(Kind::Configuration, Cause::Setting(SettingError { setting, reason: reason.into() }))
}
