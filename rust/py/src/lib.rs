//! `glide_scripts._core`: the core as Python sees it. Registration only.

mod answers;
mod arguments;
mod batch;
mod blocking;
mod call_state;
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

use pyo3::prelude::*;

// Nothing here needs the GIL: classes that threads share are frozen, and a `Pending` and its `Bridge` are used on their
// loop's thread only. No code of Python runs while a lock is held, so no thread waits for a lock whose owner Python has
// stopped.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Before all else: the types below are made once a process, and belong to the interpreter that made them.
    process::interpreter::refuse_subinterpreters()?;
    module.add_class::<answers::AddressAnswer>()?;
    module.add_class::<answers::PasswordAnswer>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<batch::ScriptBatch>()?;
    module.add_class::<blocking::pending::BlockingPending>()?;
    module.add_class::<client::Client>()?;
    module.add_class::<event_loop::bridge::Bridge>()?;
    module.add_class::<event_loop::pending::Pending>()?;
    module.add_class::<library::Library>()?;
    module.add_class::<script::Script>()?;
    module.add_class::<tls::TlsSetup>()?;
    module.add_function(wrap_pyfunction!(probes::add_probes, module)?)?;
    module.add_function(wrap_pyfunction!(probes::with_probes, module)?)?;
    module.add_function(wrap_pyfunction!(process::io_thread::stop_io_thread, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("CONTAINERS", glide_scripts_core::CONTAINERS)?;
    python::module(module.py())?;
    process::kept::init(module.py());
    process::logging::init();
    process::interpreter::init(module)
}
