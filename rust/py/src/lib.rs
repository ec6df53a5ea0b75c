//! `glide_scripts._core`: the core as Python sees it. Registration only.

mod batch;
mod bridge;
mod burst;
mod client;
mod command;
mod convert;
mod errors;
mod logging;
mod pending;
mod python;
mod runtime;
mod script;
mod socket;
mod stats;

#[pyo3::pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use crate::batch::{Batch, Library};
    #[pymodule_export]
    use crate::bridge::{Bridge, PasswordAnswer, resolve_in_running_loop};
    #[pymodule_export]
    use crate::client::{Client, TlsSetup};
    #[pymodule_export]
    use crate::pending::Pending;
    #[pymodule_export]
    use crate::runtime::stop_io_thread;
    #[pymodule_export]
    use crate::script::Script;

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::python::module(module.py())?;
        crate::logging::init();
        crate::runtime::init(module)
    }
}
