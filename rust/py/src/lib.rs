//! `glide_scripts._core`: the core as Python sees it. Registration only.

mod arguments;
mod batch;
mod blocking;
mod client;
mod command;
mod config;
mod errors;
mod event_loop;
mod library;
mod once;
mod polling;
mod probes;
mod process;
mod python;
mod replies;
mod route;
mod script;
mod socket;
mod stats;
mod tls;

// The GIL is what orders a loop's replies, its waiting tasks and its bell (`event_loop`): its classes
// are sound without it, since they are frozen or borrowed at run time, but a borrow of two threads
// at once would be an error. So a free-threaded Python turns the GIL on when it imports this.
#[pyo3::pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use crate::batch::Batch;
    #[pymodule_export]
    use crate::batch::ScriptBatch;
    #[pymodule_export]
    use crate::blocking::pending::BlockingPending;
    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::event_loop::bridge::Bridge;
    #[pymodule_export]
    use crate::event_loop::pending::Pending;
    #[pymodule_export]
    use crate::event_loop::questions::AddressAnswer;
    #[pymodule_export]
    use crate::event_loop::questions::PasswordAnswer;
    #[pymodule_export]
    use crate::library::Library;
    #[pymodule_export]
    use crate::probes::add_probes;
    #[pymodule_export]
    use crate::probes::with_probes;
    #[pymodule_export]
    use crate::process::io_thread::stop_io_thread;
    #[pymodule_export]
    use crate::script::Script;
    #[pymodule_export]
    use crate::tls::TlsSetup;

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::python::module(module.py())?;
        crate::process::kept::init(module.py());
        crate::process::logging::init();
        crate::process::interpreter::init(module)
    }
}
