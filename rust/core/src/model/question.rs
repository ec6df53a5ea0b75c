//! Questions of the core to its user, such as for a password, which are answered later.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::address::Address;

/// A question to the owner of a completion's ticket.
#[derive(Debug)]
pub enum Question {
    /// The password, for one more connection.
    Password(Answer<String>),
    /// Where to connect to the server that goes by this host and port.
    Address(Arc<str>, u16, Answer<Address>),
}

/// Passes a question on.
pub type Questioner = Box<dyn Fn(Question) + Send + Sync>;

/// Takes the answer. Dropping it means that there will be none.
pub struct Answer<T>(oneshot::Sender<Result<T, CallbackError>>);

/// Why a callback gave no answer. It holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallbackError {
    /// In its own words.
    #[error("{0}")]
    Failed(String),
    #[error("{callback}: its event loop is gone")]
    LoopGone { callback: &'static str },
}

impl<T> Answer<T> {
    /// Gives the answer, or why there is none, which holds no secret.
    pub fn give(self, answer: Result<T, String>) {
        // The attempt to connect may have been given up.
        let _ = self.0.send(answer.map_err(CallbackError::Failed));
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Asks a question and waits for the answer. `callback` is the setting that names who is asked.
pub(crate) async fn ask<T>(
    questioner: &Questioner,
    callback: &'static str,
    question: impl FnOnce(Answer<T>) -> Question,
) -> Result<T, CallbackError> {
    let (answer, answered) = oneshot::channel();
    questioner(question(Answer(answer)));
    answered.await.unwrap_or(Err(CallbackError::LoopGone { callback }))
}
