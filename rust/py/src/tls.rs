//! The class `TlsSetup`.

use std::path::PathBuf;

use glide_scripts_core::{Identity, Pem, Tls, TlsOptions};
use pyo3::prelude::*;

use crate::errors;

/// TLS, set up from PEM files or their contents. It reads files: make it off the event loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct TlsSetup(pub(crate) Tls);

/// The content of a PEM file, or its path.
#[derive(FromPyObject)]
enum GivenPem {
    Path(String),
    Content(Vec<u8>),
}

impl From<GivenPem> for Pem {
    fn from(given: GivenPem) -> Self {
        match given {
            GivenPem::Path(path) => Self::File(PathBuf::from(path)),
            GivenPem::Content(content) => Self::Content(content),
        }
    }
}

#[pymethods]
impl TlsSetup {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python passes them by name")]
    #[pyo3(signature = (*, ca, cert, key, key_password, server_name, verify_hostname, insecure))]
    fn new(
        py: Python<'_>,
        ca: Option<GivenPem>,
        cert: Option<GivenPem>,
        key: Option<GivenPem>,
        key_password: Option<String>,
        server_name: Option<String>,
        verify_hostname: bool,
        insecure: bool,
    ) -> PyResult<Self> {
        let identity =
            cert.zip(key).map(|(cert, key)| Identity { certificates: cert.into(), key: key.into(), key_password });
        let options =
            TlsOptions { ca: ca.map(Into::into), identity, server_name, verifies_name: verify_hostname, insecure };
        py.detach(|| options.build()).map(Self).map_err(|error| errors::to_python(py, error))
    }
}
