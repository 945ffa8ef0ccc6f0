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

/// A call that is ready to be made: nothing but the call itself lies between the two readings of the clock.
/// Holds the sets borrowed until after the call, so nobody looks at them while the kernel writes.
pub(crate) struct Armed<'sets> {
    nfds: usize,
    sets: [usize; 3],
    timeval: libc::timeval,
    timespec: libc::timespec,
    borrow: PhantomData<&'sets mut FdSets>,
}

/// Prepares a call on `sets`.
pub(crate) fn arm(sets: &mut FdSets, nfds: i32, timeout: Duration) -> Armed<'_> {
    Armed {
        nfds: usize::try_from(nfds).unwrap_or(0),
        sets: sets.pointers(nfds).map(|set| set as usize),
        timeval: timeval(timeout),
        timespec: timespec(timeout),
        borrow: PhantomData,
    }
}

impl Armed<'_> {
    /// The system call `select`, number 23. `cookie` goes into the sixth argument register, which select(2) does not read:
    /// only a seccomp filter sees it.
    #[inline(always)]
    pub(crate) fn select(&mut self, cookie: u64) -> i64 {
        let [read, write, except] = self.sets;
        let timeout = &raw mut self.timeval as usize;
        // SAFETY: `arm` made the sets at least nfds bits large and holds them borrowed; the time-out, which the kernel
        // updates, is ours.
        unsafe { syscall(libc::SYS_select, [self.nfds, read, write, except, timeout, cookie as usize]) }
    }

    /// The system call `pselect6`, number 270, with no signal mask, as glibc's select() makes it.
    #[inline(always)]
    pub(crate) fn pselect6(&mut self) -> i64 {
        let [read, write, except] = self.sets;
        let timeout = &raw mut self.timespec as usize;
        // struct { const kernel_sigset_t *ss; size_t ss_len; }: pselect(2), "C library/kernel differences".
        let mask: [usize; 2] = [0, 8];
        let mask = &raw const mask as usize;
        // SAFETY: as in `select`; the mask structure lives until after the call.
        unsafe { syscall(libc::SYS_pselect6, [self.nfds, read, write, except, timeout, mask]) }
    }

    /// The C library's select(); errno is read in the next instruction.
    #[inline(always)]
    pub(crate) fn libc_select(&mut self) -> i64 {
        let [read, write, except] = self.sets.map(|set| set as *mut libc::fd_set);
        let nfds = self.nfds as libc::c_int;
        // SAFETY: each set is null or at least an fd_set large (FD_SET_WORDS) and at least nfds bits, and borrowed.
        let returned = unsafe { libc::select(nfds, read, write, except, &raw mut self.timeval) };
        let after = errno::get();
        if returned == -1 { -i64::from(after) } else { i64::from(returned) }
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
                let mut armed = arm(&mut sets, fd + 1, Duration::ZERO);
                let returned = match door {
                    0 => armed.select(0),
                    1 => armed.pselect6(),
                    _ => armed.libc_select(),
                };
                assert_eq!(returned, expected, "door {door}, descriptor {fd}");
            }
        }
    }
}
