//! Where a redirect points to.

use crate::model::config::Address;
use crate::model::route::Slot;

/// Where a redirect points to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    To(Slot, Address),
    /// The server does not know the address itself yet.
    Nowhere,
}

impl Redirect {
    /// The slot, which must be the expected one, and the node; without a host it is at the one that was asked.
    pub(crate) fn read(text: &str, expected: Option<Slot>, asked: Option<&Address>) -> Option<Self> {
        let mut words = text.split(' ').skip(1);
        let number = words.next()?;
        let slot = Slot::new(number.parse().ok()?)?;
        let (host, digits) = words.next()?.rsplit_once(':')?;
        let port: u16 = digits.parse().ok()?;
        // Numbers are written in one way.
        let is_plain = slot.to_string() == number && port.to_string() == digits;
        if !is_plain || words.next().is_some() || expected.is_some_and(|expected| expected != slot) {
            return None;
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(match (host, asked) {
            ("?", _) | ("", None) => Self::Nowhere,
            ("", Some(asked)) => Self::To(slot, asked.beside(port)),
            (host, _) => Self::To(slot, Address::new(host, port)),
        })
    }
}
