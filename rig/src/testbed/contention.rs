//! CPU contention: busy threads on every CPU that this process may use.
//!
//! Holds the threads and the time that they got. Must not know who suffers from it: a guest's vCPU threads and a host's agent run on the same
//! CPUs, so both meet it alike. Units: nanoseconds of CPU time. Errors: `io::Error`. Tests: below.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Busy threads; dropping it ends them.
#[derive(Debug)]
pub struct Contention {
    stop: Arc<AtomicBool>,
    used_ns: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Contention {
    /// Starts `per_cpu` busy threads, pinned, on each CPU that the calling thread may use.
    ///
    /// # Errors
    /// What sched_getaffinity(2) or the start of a thread says.
    pub fn start(per_cpu: u32) -> io::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let mut running = Self { stop: Arc::default(), used_ns: Arc::default(), threads: vec![] };
        for cpu in cpus.flat_map(|cpu| (0..per_cpu).map(move |_| cpu)) {
            let (stop, used_ns) = (Arc::clone(&running.stop), Arc::clone(&running.used_ns));
            let thread = thread::Builder::new()
                .name(format!("rig-busy-{cpu}"))
                .spawn(move || compete(cpu, &stop, &used_ns))?;
            running.threads.push(thread);
        }
        Ok(running)
    }

    /// CPU time that the threads got until now: what they took from others.
    pub fn used_ns(&self) -> u64 {
        self.used_ns.load(Ordering::Relaxed)
    }

    /// Ends them, and tells the CPU time that they got.
    pub fn stop(mut self) -> u64 {
        self.end();
        self.used_ns()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Contention {
    fn drop(&mut self) {
        self.end();
    }
}

fn compete(cpu: usize, stop: &AtomicBool, used_ns: &AtomicU64) {
    /// Between two looks at the flag: some 100 microseconds.
    const TURNS: u32 = 100_000;
    let mut only = CpuSet::new();
    // Without its pin it competes all the same, wherever the scheduler puts it.
    let _ = only.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    let mut counted = 0;
    while !stop.load(Ordering::Relaxed) {
        for turn in 0..TURNS {
            std::hint::black_box(turn);
        }
        let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
            .map_or(counted, |time| (time.tv_sec() as u64) * 1_000_000_000 + time.tv_nsec() as u64);
        used_ns.fetch_add(now.saturating_sub(counted), Ordering::Relaxed);
        counted = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_threads_take_cpu_time_until_they_are_stopped() {
        let contention = Contention::start(1).expect("threads start");
        while contention.used_ns() == 0 {
            thread::yield_now();
        }
        assert!(contention.stop() > 0);
    }
}
