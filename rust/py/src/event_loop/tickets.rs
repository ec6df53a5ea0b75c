//! Numbers for calls, by which their replies find them.

/// Values by ticket. A ticket is a place and how often that place was taken before, so a late reply to a cancelled call
/// finds no other call.
pub(super) struct Tickets<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Tickets<T> {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("four thousand million calls do not fit into memory")
        });
        let place = &mut self.places[index as usize];
        place.1 = Some(value);
        u64::from(place.0) << 32 | u64::from(index)
    }

    pub(super) fn get(&self, ticket: u64) -> Option<&T> {
        let (taken, index) = split(ticket);
        let (count, value) = self.places.get(index as usize)?;
        value.as_ref().filter(|_| *count == taken)
    }

    pub(super) fn remove(&mut self, ticket: u64) -> Option<T> {
        let (taken, index) = split(ticket);
        let (count, value) = self.places.get_mut(index as usize)?;
        if *count != taken {
            return None;
        }
        let value = value.take()?;
        *count = count.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }
}

/// How often the place was taken before, and the place.
#[expect(clippy::cast_possible_truncation, reason = "a ticket is two numbers of 32 bits")]
fn split(ticket: u64) -> (u32, u32) {
    ((ticket >> 32) as u32, ticket as u32)
}
