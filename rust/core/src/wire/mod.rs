//! What goes over a connection, as bytes and as values.

pub(crate) mod fields;
pub(crate) mod pack;
pub mod resp;
pub(crate) mod text;
