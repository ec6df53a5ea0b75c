//! Asks the system about a connection, which needs unsafe code, and so cannot be in the core.

use glide_scripts_core::Unacknowledged;

#[cfg(target_os = "linux")]
pub(crate) const UNACKNOWLEDGED: Option<Unacknowledged> = Some(unacknowledged);

#[cfg(not(target_os = "linux"))]
pub(crate) const UNACKNOWLEDGED: Option<Unacknowledged> = None;

#[cfg(target_os = "linux")]
fn unacknowledged(socket: &glide_scripts_core::SockRef<'_>) -> Option<usize> {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as the socket is borrowed, and the request writes one int.
    let failed = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if failed == 0 { usize::try_from(bytes).ok() } else { None }
}
