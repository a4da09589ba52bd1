//! Waits for a moment, to some microseconds. The timers of the runtime count milliseconds, which is more than what a
//! proxy adds; on Linux a timer of the kernel that can be polled beside the sockets is exact, and costs no spinning.

use std::io;
use std::time::Instant;

use tollgate_core::Clock;

#[cfg(target_os = "linux")]
mod exact {
    use std::io;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    /// A timer of the kernel. To the runtime it is a pipe: a descriptor that does not block, that can be read when
    /// there is something, and that it owns; it asks for no more than that.
    #[derive(Debug)]
    pub(super) struct Timer(Receiver);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Receiver::from_owned_fd_unchecked(fd).map(Self)
        }

        /// Waits for `span`, which is not zero (that would disarm the timer).
        pub(super) async fn sleep(&self, span: Duration) -> io::Result<()> {
            let value = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(span).map_err(io::Error::other)?,
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value)?;
            let mut expirations = [0_u8; 8];
            loop {
                self.0.readable().await?;
                match self.0.try_read(&mut expirations) {
                    // It was not ready after all.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    rung => return rung.map(drop),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod exact {
    use std::io;
    use std::time::Duration;

    /// The runtime's timer.
    #[derive(Debug)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&self, span: Duration) -> io::Result<()> {
            tokio::time::sleep(span).await;
            Ok(())
        }
    }
}

/// Waits for moments, one after another.
#[derive(Debug)]
pub(crate) struct Alarm(exact::Timer);

impl Alarm {
    /// To be called within a runtime.
    ///
    /// # Errors
    /// The system has no more timers.
    pub(crate) fn new() -> io::Result<Self> {
        exact::Timer::new().map(Self)
    }

    /// Waits for `moment`; returns at once, without giving way, when it has passed.
    pub(crate) async fn until(&self, moment: Instant) -> io::Result<()> {
        let left = moment.saturating_duration_since(Clock.now());
        if left.is_zero() {
            return Ok(());
        }
        self.0.sleep(left).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_not_before_its_time_and_again_when_set_again() {
        let alarm = Alarm::new().unwrap();
        for micros in [300, 50, 2000] {
            let moment = Clock.now() + Duration::from_micros(micros);
            alarm.until(moment).await.unwrap();
            assert!(Clock.now() + Duration::from_micros(5) >= moment);
        }
        alarm.until(Clock.now()).await.unwrap();
    }
}
