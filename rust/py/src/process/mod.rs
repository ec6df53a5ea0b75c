//! What exists once a process: the I/O thread, the log, and how forks and the interpreter's end affect them.

pub(crate) mod fork;
pub(crate) mod interpreter;
pub(crate) mod io_thread;
pub(crate) mod kept;
pub(crate) mod logging;
