//! Replies that are names, each followed by its value.

use crate::wire::resp::Reply;

/// A map, or a list of pairs, as servers answer it over RESP2.
pub(crate) struct Fields(pub(crate) Vec<Reply>);

impl Fields {
    pub(crate) fn read(reply: Reply) -> Option<Self> {
        reply.into_elements().map(Self)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Reply> {
        self.place(name).map(|place| &self.0[place])
    }

    /// Leaves nothing of the value behind.
    pub(crate) fn take(&mut self, name: &str) -> Option<Reply> {
        let place = self.place(name)?;
        self.0.drain(place - 1..=place).nth(1)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.value(name)?.as_bytes()?).ok()
    }

    fn place(&self, name: &str) -> Option<usize> {
        let place = self.0.chunks_exact(2).position(|pair| pair[0].as_bytes() == Some(name.as_bytes()));
        place.map(|place| 2 * place + 1)
    }
}
