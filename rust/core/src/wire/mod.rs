//! What goes over a connection, as bytes and as values.

pub mod resp;
pub(crate) mod text;
