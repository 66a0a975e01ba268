//! What the operating system does with threads: priorities, and breaks in the middle of whatever they compute.
//!
//! Both are Linux's; elsewhere threads of the background are threads like the others.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) use breaks::{Breaks, ThreadId, prepare, this_thread};
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) use no_breaks::{Breaks, ThreadId, prepare, this_thread};

/// Has this thread run when no other one wants to, where the system has such a policy: a thread that is only nice is
/// left its share of time before another one that wakes up runs.
pub(super) fn idle_priority() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::set_thread_priority_and_policy;
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, thread_native_id,
        };
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
            tracing::warn!(%error, "training and loading run at a low priority, not only when nothing else does");
            if let Err(error) = rustix::process::setpriority_process(None, 19) {
                tracing::warn!(%error, "training and loading run at the priority of forecasts");
            }
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod breaks {
    use std::ffi::c_int;
    use std::io;
    use std::sync::OnceLock;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::signal::{
        SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
    };
    use nix::sys::time::TimeSpec;
    use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
    use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

    /// A thread of this process, by the number that the system has given it.
    pub(in super::super) type ThreadId = i32;

    /// Ignored where nobody has asked for it, so that one that comes late does no harm.
    const SIGNAL: Signal = Signal::SIGURG;
    /// Of a break in nanoseconds, to which the system adds fifty to a hundred microseconds. Any length will do: a processor
    /// looks for other work in the moment in which it has none.
    const BREAK: i64 = 10_000;

    pub(in super::super) fn this_thread() -> ThreadId {
        nix::unistd::gettid().as_raw()
    }

    /// Makes [`Breaks`] possible, once for the process.
    ///
    /// # Errors
    /// What the operating system says where it does not allow it.
    #[allow(unsafe_code)]
    pub(in super::super) fn prepare() -> io::Result<()> {
        static PREPARED: OnceLock<Result<(), Errno>> = OnceLock::new();
        let prepared = PREPARED.get_or_init(|| {
            let action = SigAction::new(SigHandler::Handler(sleep), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: the handler makes one call of the system that may be made in one, touches no memory but its own
            // stack and leaves `errno` as it is; nothing in this program has a handler of this signal.
            unsafe { sigaction(SIGNAL, &action) }.map(|_| ())
        });
        prepared.map_err(io::Error::from)
    }

    /// Runs in the middle of what a thread computes.
    extern "C" fn sleep(_signal: c_int) {
        // Returns its error and does not set `errno`. What ends it early ends a break.
        let _ =
            clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &TimeSpec::new(0, BREAK));
    }

    /// A thread takes breaks while this lives.
    #[derive(Debug)]
    pub(in super::super) struct Breaks {
        _timer: Timer,
    }

    impl Breaks {
        /// # Errors
        /// What the operating system says, if the thread is no more.
        pub(in super::super) fn begin(thread: ThreadId, every: Duration) -> io::Result<Self> {
            let notify = SigevNotify::SigevThreadId { signal: SIGNAL, thread_id: thread, si_value: 0 };
            let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify))?;
            timer.set(Expiration::Interval(every.into()), TimerSetTimeFlags::empty())?;
            Ok(Breaks { _timer: timer })
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod no_breaks {
    use std::io;
    use std::time::Duration;

    pub(in super::super) type ThreadId = i32;

    pub(in super::super) fn this_thread() -> ThreadId {
        0
    }

    pub(in super::super) fn prepare() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[derive(Debug)]
    pub(in super::super) struct Breaks;

    impl Breaks {
        pub(in super::super) fn begin(_thread: ThreadId, _every: Duration) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
