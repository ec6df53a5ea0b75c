//! The jobs that wait to be written, and the places kept among them.

use crate::connection::job::Job;
use crate::connection::numbered_queue::NumberedQueue;
use crate::connection::step::{Step, Steps};

/// Between the numbers of two jobs there is room for the steps of a place.
pub(super) const STRIDE: u64 = 1 << 16;

/// Jobs that are not written, and how long they are all together.
#[derive(Default)]
pub(crate) struct Waiting {
    /// `None`: nobody waits for it any more. The first is always a job.
    pub(crate) queue: NumberedQueue<Option<Job>>,
    pub(crate) gone: usize,
    pub(crate) bytes: usize,
}

impl Waiting {
    #[inline]
    pub(crate) fn push_back(&mut self, number: u64, job: Job) {
        self.bytes += job.bytes();
        self.queue.push_back(number, Some(job));
    }

    /// Puts a job back that was the last to be taken out.
    pub(crate) fn push_front(&mut self, number: u64, job: Job) {
        self.bytes += job.bytes();
        match (job, self.queue.entries.front_mut()) {
            // The step's place is still at the front, with a lower number. The queue must stay in the order of its
            // numbers, because entries are found by them.
            (Job::Step(step), Some((first, Some(Job::Place(place))))) if number > *first => {
                place.queue.push_front((number, step));
            }
            (job, _) => self.queue.entries.push_front((number, Some(job))),
        }
    }

    /// The next job that may be written.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<(u64, Job)> {
        if let Some(Some(Job::Place(_))) = self.queue.front() {
            return self.pop_from_place();
        }
        let (number, Some(job)) = self.queue.pop_front()? else { return None };
        self.bytes -= job.bytes();
        if self.gone > 0 {
            self.drop_gone();
        }
        Some((number, job))
    }

    #[cold]
    pub(crate) fn pop_from_place(&mut self) -> Option<(u64, Job)> {
        let Some(Some(Job::Place(place))) = self.queue.front_mut() else { return None };
        let (number, step) = place.queue.pop_front()?;
        let is_over = place.is_over();
        let job = Job::Step(step);
        self.bytes -= job.bytes();
        if is_over {
            self.queue.pop_front();
            self.drop_gone();
        }
        Some((number, job))
    }

    /// Whether there is a job that may be written.
    pub(crate) fn has_next(&self) -> bool {
        match self.queue.front() {
            Some(Some(Job::Place(place))) => !place.queue.is_empty(),
            first => first.is_some(),
        }
    }

    pub(crate) fn drop_gone(&mut self) {
        while let Some(None) = self.queue.front() {
            self.queue.pop_front();
            self.gone -= 1;
        }
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Job> {
        let job = match self.queue.find(number) {
            Some(entry) => entry.take()?,
            None => return self.remove_from_place(number),
        };
        self.bytes -= job.bytes();
        self.gone += 1;
        self.drop_gone();
        if self.gone > self.queue.len() / 2 {
            self.queue.retain(Option::is_some);
            self.gone = 0;
        }
        Some(job)
    }

    pub(crate) fn place(&mut self, number: u64) -> Option<&mut Steps> {
        match self.queue.find(number) {
            Some(Some(Job::Place(place))) => Some(place),
            _ => None,
        }
    }

    /// Puts a step where a place was kept for it, and returns its number. Returns the step if the place is gone.
    pub(crate) fn put_at_place(&mut self, number: u64, step: Step) -> Result<u64, Step> {
        let Some(place) = self.place(number).filter(|place| place.given + 1 < STRIDE) else { return Err(step) };
        place.given += 1;
        let number = number + place.given;
        let job = Job::Step(step);
        let bytes = job.bytes();
        if let Job::Step(step) = job {
            place.queue.push_back((number, step));
        }
        self.bytes += bytes;
        Ok(number)
    }

    /// The place is given up.
    pub(crate) fn leave_place(&mut self, number: u64) {
        if let Some(place) = self.place(number) {
            place.is_kept = false;
            if place.is_over() {
                self.remove(number);
            }
        }
    }

    pub(crate) fn remove_from_place(&mut self, number: u64) -> Option<Job> {
        let place_number = number - number % STRIDE;
        let place = self.place(place_number)?;
        let index = place.queue.iter().position(|(other, _)| *other == number)?;
        let (_, step) = place.queue.remove(index)?;
        let is_over = place.is_over();
        let job = Job::Step(step);
        self.bytes -= job.bytes();
        if is_over {
            self.remove(place_number);
        }
        Some(job)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All of them; none is left.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Job> + use<> {
        std::mem::take(self).queue.take().into_iter().filter_map(|(_, job)| job).flat_map(|job| match job {
            Job::Place(place) => place.queue.into_iter().map(|(_, step)| Job::Step(step)).collect(),
            job => vec![job],
        })
    }
}
