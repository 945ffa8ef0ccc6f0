//! The doing of each operation: from slots to descriptors, from a system call to what was seen.
//!
//! Holds the one match over all operations; must not judge (void, outcome) or count.
//! Units: those of the operation. Errors: none, an errno is what was seen.
//! A new operation gets its arm in [`perform`], its call in `sys`, and its row in the protocol's `operation.rs`. What is more than one call
//! has a file of its own here.
//! Tests: `tests/loopback`.

mod around;
mod descriptor;
mod diag;
mod epoll;
mod listen;
mod log;
mod poll;
mod readiness;
mod rings;
mod signal;
mod socket;
mod time;
mod trace;
mod transfer;
mod uring;

use rig_protocol::{Op, Slot};

use self::readiness::Raw;
use crate::plan::StepPlan;
use crate::sys;
use crate::sys::readiness::Timeout;

pub(crate) use around::{Around, Scratch, Seen};

/// Plays one step.
pub(crate) fn perform(planned: &StepPlan, scratch: &mut Scratch, around: &Around<'_>) -> Seen {
    let (stage, place) = (around.stage, around.place);
    let of = |slot: Slot| stage.descriptor_of(slot);
    match &planned.step.op {
        Op::Select { read, write, except, timeout, call } => {
            let timeout = Timeout::of(place.delay(*timeout));
            readiness::select(planned, [read, write, except], timeout, *call, scratch, around)
        }
        Op::Connect { socket, to, nonblock, descriptor, family } => {
            let make = socket::Make { nonblock: *nonblock, descriptor: *descriptor };
            socket::connect(planned, around, *socket, (*to, *family), make)
        }
        Op::Accept { .. } => unreachable!("the peer's worker accepts; a plan has no other accept"),
        Op::Close { socket } => around.timed(planned, || sys::files::close(of(*socket))),
        Op::Shutdown { socket, how } => around.timed(planned, || socket::shutdown(of(*socket), *how)),
        Op::Linger { socket, seconds } => {
            around.timed(planned, || sys::socket::linger(of(*socket), *seconds))
        }
        Op::Cork { socket } => around.timed(planned, || sys::socket::cork(of(*socket))),
        Op::Nodelay { socket } => around.timed(planned, || sys::socket::nodelay(of(*socket))),
        Op::ReceiveTimeout { socket, duration } => {
            let length = place.delay(*duration);
            around.timed(planned, || sys::socket::receive_timeout(of(*socket), length))
        }
        Op::SoError { socket } => around.timed(planned, || sys::socket::take_error(of(*socket))),
        Op::TcpState { socket } => around.timed(planned, || sys::socket::tcp_state(of(*socket))),
        Op::Read { socket, .. } => {
            let buffer = &mut scratch.buffers[usize::from(place.step)];
            around.timed(planned, || sys::socket::read(of(*socket), buffer))
        }
        Op::Write { socket, data, bytes } => {
            let payload = match data {
                Some(data) => Ok(data.as_bytes()),
                None => sys::filler::bytes(bytes.unwrap_or_default()),
            };
            around.timed(planned, || match payload {
                Ok(payload) => sys::socket::send(of(*socket), payload),
                Err(errno) => -i64::from(errno.0),
            })
        }
        Op::Sleep { duration } => {
            let length = place.delay(*duration);
            around.timed(planned, || time::sleep(length))
        }
        Op::Localtime {} => around.timed(planned, time::localtime),
        Op::Mark { mark } => around.timed(planned, || stage.set_mark(*mark)),
        Op::Await { mark, timeout } => {
            let timeout = place.delay(*timeout);
            around.timed(planned, || stage.await_mark(*mark, timeout))
        }
        Op::Inject { errno, rate_ppm } => {
            // The filter itself is on the lane's thread since before the first trial; the cookie lets the next select meet it.
            let drawn = place.drawn(*rate_ppm);
            scratch.cookie = if drawn { sys::seccomp::cookie(*errno) } else { 0 };
            around.timed(planned, || i64::from(drawn))
        }
        _ => wait_or_look(planned, scratch, around),
    }
}

/// Plays a step that waits through another door than a plain select, or looks at what happened.
fn wait_or_look(planned: &StepPlan, scratch: &mut Scratch, around: &Around<'_>) -> Seen {
    let (stage, place) = (around.stage, around.place);
    let of = |slot: Slot| stage.descriptor_of(slot);
    match &planned.step.op {
        Op::SelectRaw { read, write, except, nfds, seconds, microseconds, keep, call } => {
            let timeout = Timeout::raw(*seconds, *microseconds);
            let named: [&[Slot]; 3] = [read, write, except];
            let raw = Raw { named, nfds: *nfds, timeout, keep: *keep, call: *call };
            readiness::select_raw(planned, &raw, scratch, around)
        }
        Op::Remaining {} => around.timed(planned, || readiness::remaining(scratch)),
        Op::Poll { sockets, events, timeout, call } => {
            poll::poll(planned, (sockets, events), place.delay(*timeout), *call, scratch, around)
        }
        Op::EpollCreate { socket } => around.timed(planned, || epoll::create(stage, *socket)),
        Op::EpollCtl { epoll, socket, how, events } => {
            around.timed(planned, || epoll::control(of(*epoll), of(*socket), *how, events))
        }
        Op::EpollWait { epoll, timeout, call } => {
            epoll::wait(planned, of(*epoll), place.delay(*timeout), *call, around)
        }
        Op::UringSetup { ring } => around.timed(planned, || uring::set_up(*ring, scratch, around)),
        Op::UringPoll { ring, socket, events, multishot, id } => {
            around.timed(planned, || uring::poll((*ring, of(*socket)), *id, events, *multishot, scratch))
        }
        Op::UringUpdate { ring, id, events } => {
            around.timed(planned, || uring::update(*ring, *id, events, scratch))
        }
        Op::UringRemove { ring, id } => around.timed(planned, || uring::remove(*ring, *id, scratch)),
        Op::UringCancel { ring, id } => around.timed(planned, || uring::cancel(*ring, *id, scratch)),
        Op::UringReceive { ring, socket, bytes, id } => {
            around.timed(planned, || uring::receive((*ring, of(*socket)), *id, *bytes, scratch))
        }
        Op::UringWait { ring, id, timeout } => {
            uring::wait(planned, (*ring, *id), place.delay(*timeout), scratch, around)
        }
        Op::Signal { lane, handler, socket } => {
            around.timed(planned, || signal::send(*lane, *handler, *socket, around))
        }
        Op::SignalsSeen {} => around.timed(planned, || signal::seen(around)),
        Op::KernelLog { contains } => around.timed(planned, || scratch.count_logged(contains)),
        Op::Trace { event } => around.timed(planned, || scratch.traces.begin(event)),
        Op::Traced { event } => around.timed(planned, || scratch.traces.attributed(event, stage)),
        _ => perform_further(planned, scratch, around),
    }
}

/// The steps that fewer scripts have.
fn perform_further(planned: &StepPlan, scratch: &mut Scratch, around: &Around<'_>) -> Seen {
    let (stage, place) = (around.stage, around.place);
    let of = |slot: Slot| stage.descriptor_of(slot);
    match &planned.step.op {
        Op::ConnectSocket { socket, to } => socket::connect_again(planned, around, *socket, *to),
        Op::Socket { socket, nonblock, descriptor } => {
            let make = socket::Make { nonblock: *nonblock, descriptor: *descriptor };
            socket::open(planned, around, *socket, make)
        }
        Op::Bind { socket, port } => socket::bind(planned, around, *socket, *port),
        Op::Listen { socket, backlog } => listen::listen(planned, around, *socket, *backlog),
        Op::AcceptFrom { socket, listener, nonblock } => {
            listen::accept_from(planned, around, [*socket, *listener], *nonblock)
        }
        Op::Receive { socket, flags, .. } => {
            let buffer = &mut scratch.buffers[usize::from(place.step)];
            transfer::receive(planned, around, of(*socket), buffer, flags)
        }
        Op::Send { socket, data, bytes, flags } => {
            transfer::send(planned, around, of(*socket), (data.as_deref(), *bytes), flags)
        }
        Op::Sendfile { socket, bytes } => transfer::sendfile(planned, around, of(*socket), bytes.0),
        Op::Splice { socket, bytes } => transfer::splice(planned, around, of(*socket), *bytes),
        Op::Pending { socket } => around.timed(planned, || sys::files::pending_bytes(of(*socket))),
        Op::Unsent { socket } => around.timed(planned, || sys::files::unsent_bytes(of(*socket))),
        Op::SendTimeout { socket, duration } => {
            let length = place.delay(*duration);
            around.timed(planned, || sys::option::send_timeout(of(*socket), length))
        }
        Op::UserTimeout { socket, duration } => {
            let length = place.delay(*duration);
            around.timed(planned, || sys::option::user_timeout(of(*socket), length))
        }
        Op::Option { socket, name, value } => {
            around.timed(planned, || sys::option::set(of(*socket), *name, *value))
        }
        Op::ReadOption { socket, name } => around.timed(planned, || sys::option::get(of(*socket), *name)),
        Op::Dup { socket, of, descriptor } => descriptor::dup(planned, around, [*socket, *of], *descriptor),
        Op::Number { socket, descriptor } => {
            around.timed(planned, || stage.name_number(*socket, *descriptor))
        }
        Op::FdCheck { socket } => around.timed(planned, || sys::files::descriptor_flags(of(*socket))),
        Op::SetNonblock { socket } => around.timed(planned, || sys::files::set_nonblock(of(*socket))),
        Op::OpenPath { socket } => descriptor::open_path(planned, around, *socket),
        Op::Pass { socket, of } => descriptor::pass(planned, around, [*socket, *of]),
        Op::Fork { duration, exec } => descriptor::fork(planned, around, place.delay(*duration), *exec),
        Op::Destroy { socket } => diag::destroy(planned, around, *socket),
        Op::SocketState { socket } => diag::look(planned, around, *socket, |found| found.state.into()),
        Op::SocketTimer { socket } => diag::look(planned, around, *socket, |found| found.timer.into()),
        Op::SocketRetries { socket } => diag::look(planned, around, *socket, |found| found.retries.into()),
        Op::SocketQueue { socket, which } => {
            diag::look(planned, around, *socket, |found| found.queue(*which).into())
        }
        Op::ProcNetTcp { socket } => diag::proc_net_tcp(planned, around, *socket),
        other => unreachable!("`{}` has its arm above, as every row has", other.name()),
    }
}
