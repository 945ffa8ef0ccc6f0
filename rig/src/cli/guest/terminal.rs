//! The user's terminal: its size, and raw mode for as long as a shell of the guest is seen on it.

#![expect(unsafe_code, reason = "the ioctl that asks a terminal for its size")]

use std::io;
use std::mem::MaybeUninit;

/// Raw mode; dropping it gives the terminal back as it was.
pub(super) struct RawMode {
    before: libc::termios,
}

impl RawMode {
    /// Takes the terminal on standard input: every key goes to the guest, Ctrl-C too. termios(3), cfmakeraw.
    pub(super) fn enter() -> io::Result<Self> {
        let mut before = MaybeUninit::uninit();
        // SAFETY: writes one termios.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, before.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has written it.
        let before = unsafe { before.assume_init() };
        let mut raw = before;
        // SAFETY: changes one termios.
        unsafe { libc::cfmakeraw(&raw mut raw) };
        set(&raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = set(&self.before);
    }
}

fn set(mode: &libc::termios) -> io::Result<()> {
    // SAFETY: reads one termios.
    match unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, mode) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Columns and rows of the terminal on standard input; `None` for one that does not know them. TIOCGWINSZ, ioctl_tty(2).
pub(super) fn window_size() -> Option<(u32, u32)> {
    // SAFETY: all zeroes is a valid winsize.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: writes one winsize.
    let result = unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}
