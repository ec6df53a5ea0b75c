//! RESP2 and RESP3 replies: the values, and a decoder that is fed as bytes arrive.
//!
//! A reply is kept flat: its values in the order of the wire, an aggregate followed by its elements. A server can nest
//! 8,000 levels deep (a Lua table within tables); flat replies are decoded, dropped and converted without recursion,
//! and a nested one costs one allocation. Text is bytes: scripts may answer with any, in errors too.

mod decoder;
mod protocol_error;
mod reply;
mod server_error;

pub use self::decoder::{Decoder, Frame};
pub use self::protocol_error::{ProtocolError, Scalar};
pub use self::reply::{Item, Reply};
pub use self::server_error::ServerError;
