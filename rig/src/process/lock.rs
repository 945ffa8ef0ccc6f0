//! Taking a mutex that threads of rig share.
//!
//! Must not know what it protects. Units: none. Errors: none. Tests: below.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the mutex and takes it, also where a thread panicked with it: what these mutexes protect (counts, tails, ids, the last word) is whole
/// after every statement, and the panic is told elsewhere.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_a_panicked_thread_held_can_be_read() {
        let shared = Arc::new(Mutex::new(1));
        let held = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            *lock(&held) = 2;
            let _guard = lock(&held);
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(shared.is_poisoned());
        assert_eq!(*lock(&shared), 2);
    }
}
