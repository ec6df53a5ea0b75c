//! The class `TlsSetup`.

use glide_scripts_core::{Tls, TlsOptions};
use pyo3::prelude::*;

use crate::errors;

/// TLS, set up from the contents of PEM files. It may read the system's certificates: make it off the event loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct TlsSetup(pub(crate) Tls);

#[pymethods]
impl TlsSetup {
    #[new]
    #[pyo3(signature = (*, ca, cert, key, server_name, insecure))]
    fn new(
        py: Python<'_>,
        ca: Option<&[u8]>,
        cert: Option<&[u8]>,
        key: Option<&[u8]>,
        server_name: Option<String>,
        insecure: bool,
    ) -> PyResult<Self> {
        let options = TlsOptions { ca, identity: cert.zip(key), server_name, insecure };
        py.detach(|| options.build()).map(Self).map_err(|error| errors::to_python(py, error))
    }
}
