//! The three doors of select(2), and descriptor sets of any size.
//!
//! Holds the calls and the bitmaps; must not know slots, labels or what a return value means.
//! Units: a duration; sets are 64-bit words as the kernel's `fd_set` (include/uapi/linux/posix_types.h).
//! Errors: none, the return value is the kernel's `-errno`; through libc it is rebuilt from errno.
//! Source: select(2), fs/select.c. Tests: below, and `tests/loopback` (the doors agree).

use std::marker::PhantomData;
use std::time::Duration;

use super::errno;
use super::raw::syscall;
use super::time::{timespec, timeval};

/// Words of a C `fd_set` (1024 bits): no set is smaller, so that libc may take it for one.
const FD_SET_WORDS: usize = 16;

/// A descriptor set that grows with the highest descriptor.
#[derive(Debug)]
pub(crate) struct FdSet {
    words: Vec<u64>,
    used: bool,
}

impl FdSet {
    /// An empty set.
    pub(crate) fn new() -> Self {
        Self { words: vec![0; FD_SET_WORDS], used: false }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.used = false;
    }

    /// Adds a descriptor; a negative one is no descriptor and stays out.
    pub(crate) fn insert(&mut self, fd: i32) {
        let Ok(fd) = usize::try_from(fd) else { return };
        if fd / 64 >= self.words.len() {
            self.words.resize(fd / 64 + 1, 0);
        }
        self.words[fd / 64] |= 1 << (fd % 64);
        self.used = true;
    }

    /// Whether any descriptor is in it.
    pub(crate) fn any(&self) -> bool {
        self.words.iter().any(|word| *word != 0)
    }

    /// Large enough for `nfds` bits: the kernel reads and writes that many, whatever is set.
    fn fit(&mut self, nfds: i32) {
        let words = usize::try_from(nfds).unwrap_or(0).div_ceil(64);
        if words > self.words.len() {
            self.words.resize(words, 0);
        }
    }

    /// Null for a set that no descriptor was put into, as programs pass it.
    fn pointer(&mut self) -> *mut u64 {
        if self.used { self.words.as_mut_ptr() } else { std::ptr::null_mut() }
    }
}

/// The sets of one call.
#[derive(Debug)]
pub(crate) struct FdSets {
    /// Watched for reading.
    pub(crate) read: FdSet,
    /// Watched for writing.
    pub(crate) write: FdSet,
    /// Watched for exceptional conditions.
    pub(crate) except: FdSet,
}

impl FdSets {
    /// Three empty sets.
    pub(crate) fn new() -> Self {
        Self { read: FdSet::new(), write: FdSet::new(), except: FdSet::new() }
    }

    fn pointers(&mut self, nfds: i32) -> [*mut u64; 3] {
        let Self { read, write, except } = self;
        [read, write, except].map(|set| {
            set.fit(nfds);
            set.pointer()
        })
    }
}

/// A timeout in the forms of both kernel doors. A program may give any numbers; what the kernel makes of them is what is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout {
    timeval: libc::timeval,
    timespec: libc::timespec,
}

impl Timeout {
    /// Of a length, in the normal form of each.
    pub(crate) fn of(length: Duration) -> Self {
        Self { timeval: timeval(length), timespec: timespec(length) }
    }

    /// Of these numbers, whatever they are.
    pub(crate) fn raw(seconds: i64, microseconds: i64) -> Self {
        Self::of_timeval(libc::timeval { tv_sec: seconds, tv_usec: microseconds })
    }

    fn of_timeval(timeval: libc::timeval) -> Self {
        let tv_nsec = timeval.tv_usec.saturating_mul(1_000);
        Self { timeval, timespec: libc::timespec { tv_sec: timeval.tv_sec, tv_nsec } }
    }

    fn of_timespec(timespec: libc::timespec) -> Self {
        let tv_usec = timespec.tv_nsec / 1_000;
        Self { timeval: libc::timeval { tv_sec: timespec.tv_sec, tv_usec }, timespec }
    }

    /// As a number; a negative timeout, which the kernel refuses and leaves as it is, has none.
    pub(crate) fn microseconds(self) -> Option<i64> {
        let libc::timeval { tv_sec, tv_usec } = self.timeval;
        let whole = tv_sec.saturating_mul(1_000_000).saturating_add(tv_usec);
        (tv_sec >= 0 && tv_usec >= 0).then_some(whole)
    }
}

/// A call that is ready to be made: nothing but the call itself lies between the two readings of the clock.
/// Holds the sets borrowed until after the call, so nobody looks at them while the kernel writes.
pub(crate) struct Armed<'sets> {
    nfds: i32,
    sets: [usize; 3],
    timeout: Timeout,
    borrow: PhantomData<&'sets mut FdSets>,
}

/// Prepares a call on `sets`; a negative `nfds` is handed over as it is.
pub(crate) fn arm(sets: &mut FdSets, nfds: i32, timeout: Timeout) -> Armed<'_> {
    Armed { nfds, sets: sets.pointers(nfds).map(|set| set as usize), timeout, borrow: PhantomData }
}

impl Armed<'_> {
    /// The system call `select`, number 23. `cookie` goes into the sixth argument register, which select(2) does not read:
    /// only a seccomp filter sees it.
    #[inline(always)]
    pub(crate) fn select(&mut self, cookie: u64) -> i64 {
        let [read, write, except] = self.sets;
        let timeout = &raw mut self.timeout.timeval as usize;
        let arguments = [self.nfds as usize, read, write, except, timeout, cookie as usize];
        // SAFETY: `arm` made the sets at least nfds bits large and holds them borrowed; the time-out, which the kernel
        // updates, is ours.
        unsafe { syscall(libc::SYS_select, arguments) }
    }

    /// The system call `pselect6`, number 270, with no signal mask, as glibc's select() makes it.
    #[inline(always)]
    pub(crate) fn pselect6(&mut self) -> i64 {
        let [read, write, except] = self.sets;
        let timeout = &raw mut self.timeout.timespec as usize;
        // struct { const kernel_sigset_t *ss; size_t ss_len; }: pselect(2), "C library/kernel differences".
        let mask: [usize; 2] = [0, 8];
        let mask = &raw const mask as usize;
        // SAFETY: as in `select`; the mask structure lives until after the call.
        unsafe { syscall(libc::SYS_pselect6, [self.nfds as usize, read, write, except, timeout, mask]) }
    }

    /// The C library's select(); errno is read in the next instruction.
    #[inline(always)]
    pub(crate) fn libc_select(&mut self) -> i64 {
        let [read, write, except] = self.sets.map(|set| set as *mut libc::fd_set);
        let timeout = &raw mut self.timeout.timeval;
        // SAFETY: each set is null or at least an fd_set large (FD_SET_WORDS) and at least nfds bits, and borrowed.
        let returned = unsafe { libc::select(self.nfds, read, write, except, timeout) };
        let after = errno::get();
        if returned == -1 { -i64::from(after) } else { i64::from(returned) }
    }

    /// What is in the `timeval` after [`Armed::select`] or [`Armed::libc_select`].
    pub(crate) fn left_in_timeval(&self) -> Timeout {
        Timeout::of_timeval(self.timeout.timeval)
    }

    /// What is in the `timespec` after [`Armed::pselect6`].
    pub(crate) fn left_in_timespec(&self) -> Timeout {
        Timeout::of_timespec(self.timeout.timespec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_grow_with_their_descriptors_and_ignore_what_is_none() {
        let mut set = FdSet::new();
        set.insert(-1);
        assert!(!set.any());
        assert!(set.pointer().is_null());
        set.insert(4000);
        assert!(set.any());
        assert_eq!(set.words[4000 / 64], 1 << (4000 % 64));
        set.clear();
        assert!(!set.any());
    }

    #[test]
    fn a_small_set_covers_a_large_nfds() {
        let mut sets = FdSets::new();
        sets.read.insert(3);
        let pointers = sets.pointers(5000);
        assert!(!pointers[0].is_null());
        assert!(pointers[1].is_null());
        assert!(sets.read.words.len() * 64 >= 5000);
    }

    #[test]
    fn the_doors_say_the_same_of_a_closed_descriptor_and_of_no_descriptor() {
        for (fd, expected) in [(900, -i64::from(libc::EBADF)), (-1, 0)] {
            for door in 0..3 {
                let mut sets = FdSets::new();
                // Beyond the table of a small process the kernel ignores a descriptor (H05): raise the table first.
                // SAFETY: duplicates and closes a descriptor that only this test uses.
                unsafe {
                    assert_eq!(libc::dup2(2, 901), 901);
                }
                sets.read.insert(fd);
                let mut armed = arm(&mut sets, fd + 1, Timeout::of(Duration::ZERO));
                let returned = match door {
                    0 => armed.select(0),
                    1 => armed.pselect6(),
                    _ => armed.libc_select(),
                };
                assert_eq!(returned, expected, "door {door}, descriptor {fd}");
            }
        }
    }

    #[test]
    fn a_timeout_is_the_same_in_both_forms_and_a_negative_one_is_no_number() {
        let both = |timeout: Timeout| (timeout.timeval.tv_usec, timeout.timespec.tv_nsec);
        assert_eq!(both(Timeout::raw(3, 1_500_000)), (1_500_000, 1_500_000_000));
        assert_eq!(Timeout::raw(3, 1_500_000).microseconds(), Some(4_500_000));
        assert_eq!(Timeout::raw(-1, 0).microseconds(), None);
        let written = libc::timespec { tv_sec: 1, tv_nsec: 999_999_999 };
        assert_eq!(Timeout::of_timespec(written).microseconds(), Some(1_999_999));
    }
}
