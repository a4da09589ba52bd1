//! Whether a target may be asked: one word, so that it is never seen half changed.

use std::time::Duration;

use tollgate_core::Moment;

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Its state.
    pub mode: GateMode,
    /// Half-open: permits left.
    pub probes: u8,
    /// Rises with each half-open period (and wraps): tells the outcomes of one from those of another. 13 bits.
    pub generation: u16,
    /// Closed: the share of requests let through, in 255ths; less than 255 while a target is being re-admitted.
    pub admission: u8,
    /// Open: when the next probe may go out. To the millisecond, and at most 24 days away.
    pub until: Moment,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateMode {
    /// Everything goes through, or the share that is re-admitted.
    Closed,
    /// Nothing goes through.
    Open,
    /// So many probes go through.
    HalfOpen,
    /// An operator says that nothing goes through.
    ForcedOpen,
    /// An operator says that everything goes through.
    ForcedClosed,
    /// An operator lets it run dry: nothing new goes through, and nobody is to blame.
    Drained,
}

impl GateMode {
    /// The name in the admin API, metrics and decisions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::Drained => "drained",
        }
    }

    const fn code(self) -> u64 {
        match self {
            Self::Closed => 0,
            Self::Open => 1,
            Self::HalfOpen => 2,
            Self::ForcedOpen => 3,
            Self::ForcedClosed => 4,
            Self::Drained => 5,
        }
    }

    const fn from_code(code: u64) -> Self {
        match code {
            1 => Self::Open,
            2 => Self::HalfOpen,
            3 => Self::ForcedOpen,
            4 => Self::ForcedClosed,
            5 => Self::Drained,
            _ => Self::Closed,
        }
    }
}

/// Bits of a generation.
const GENERATIONS: u16 = (1 << 13) - 1;

impl Gate {
    /// Everything goes through.
    pub const CLOSED: Self = Self {
        mode: GateMode::Closed,
        probes: 0,
        generation: 0,
        admission: u8::MAX,
        until: Moment::ZERO,
    };

    /// As one word: `until` (32 bits of milliseconds) · admission (8) · generation (13) · probes (8) · mode (3).
    pub(crate) fn pack(self) -> u64 {
        (u64::from(wrapped_millis(self.until)) << 32)
            | (u64::from(self.admission) << 24)
            | (u64::from(self.generation & GENERATIONS) << 11)
            | (u64::from(self.probes) << 3)
            | self.mode.code()
    }

    /// From a word; `now` tells which turn of the millisecond counter is meant.
    pub(crate) fn unpack(word: u64, now: Moment) -> Self {
        Self {
            mode: GateMode::from_code(word & 0b111),
            probes: low_byte(word >> 3),
            generation: low_bits(word >> 11) & GENERATIONS,
            admission: low_byte(word >> 24),
            until: near(now, high_half(word)),
        }
    }

    /// The same word with one probe fewer; `None`: it has none to give.
    pub(crate) fn without_probe(word: u64) -> Option<u64> {
        let half_open = GateMode::from_code(word & 0b111) == GateMode::HalfOpen;
        (half_open && low_byte(word >> 3) > 0).then(|| word - (1 << 3))
    }
}

fn low_byte(word: u64) -> u8 {
    u8::try_from(word & 0xff).unwrap_or(u8::MAX)
}

fn low_bits(word: u64) -> u16 {
    u16::try_from(word & 0xffff).unwrap_or(u16::MAX)
}

pub(super) fn high_half(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

/// Milliseconds as 32 bits that wrap after 49 days.
pub(super) fn wrapped_millis(moment: Moment) -> u32 {
    u32::try_from(moment.millis() & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The moment nearest to `now` with these wrapped milliseconds.
pub(super) fn near(now: Moment, wrapped: u32) -> Moment {
    let ahead = wrapped.wrapping_sub(wrapped_millis(now));
    if ahead <= u32::MAX / 2 {
        Moment::from_millis(now.millis()) + Duration::from_millis(u64::from(ahead))
    } else {
        Moment::from_millis(now.millis().saturating_sub(u64::from(ahead.wrapping_neg())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_word_holds_a_gate(
            code in 0u64..6, probes: u8, generation in 0..=GENERATIONS, admission: u8,
            now in 0u64..1 << 40, ahead in -1_000_000i64..1_000_000,
        ) {
            let until = Moment::from_millis(now.saturating_add_signed(ahead));
            let gate = Gate { mode: GateMode::from_code(code), probes, generation, admission, until };
            prop_assert_eq!(Gate::unpack(gate.pack(), Moment::from_millis(now)), gate);
        }

        #[test]
        fn taking_a_probe_changes_nothing_else(probes in 1u8.., generation in 0..=GENERATIONS) {
            let gate = Gate { mode: GateMode::HalfOpen, probes, generation, ..Gate::CLOSED };
            let taken = Gate::unpack(Gate::without_probe(gate.pack()).unwrap(), Moment::ZERO);
            prop_assert_eq!(taken, Gate { probes: probes - 1, ..gate });
        }
    }

    #[test]
    fn only_a_half_open_gate_gives_probes() {
        let gate = |mode, probes| {
            Gate {
                mode,
                probes,
                ..Gate::CLOSED
            }
            .pack()
        };
        assert_eq!(Gate::without_probe(gate(GateMode::Open, 3)), None);
        assert_eq!(Gate::without_probe(gate(GateMode::Closed, 3)), None);
        assert_eq!(Gate::without_probe(gate(GateMode::HalfOpen, 0)), None);
    }
}
