//! Notes what panics: the core catches the panics of its tasks, and nothing else shows them.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static NOTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Begins to note the panics of this thread.
pub(crate) fn note() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            NOTED.with_borrow_mut(|noted| noted.push(panic.to_string()));
            before(panic);
        }));
    });
    NOTED.take();
}

/// Those since then.
pub(crate) fn noted() -> Vec<String> {
    NOTED.take().into_iter().map(|panic| format!("the core panicked: {panic}")).collect()
}
