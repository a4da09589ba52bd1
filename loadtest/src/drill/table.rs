//! The drills: what is broken, and what must hold all the same.

use std::time::Duration;

/// A rehearsal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drill {
    /// What the command line calls it.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// What is broken.
    pub fault: Fault,
    /// What must not hold, where the caller does not say otherwise.
    pub fail_if: &'static [&'static str],
}

/// What is broken. Where it is a provider, it is the one with the most traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// The provider's process is killed.
    Kill,
    /// The provider behaves differently: this JSON is laid over what it does all day.
    Behave(&'static str),
    /// The same, on and off.
    Flap {
        /// While it is down.
        behaviour: &'static str,
        /// For how long, each time; for as long it is up.
        every: Duration,
    },
    /// The provider's name cannot be resolved any more, and its connections are gone.
    Nameless,
    /// The gateway's process is killed, and started again at once.
    KillGateway,
    /// The gateway reads a changed config file so often.
    Reload(Duration),
    /// Two gateways behind a balancer are drained and started again, one after the other.
    Roll,
}

impl Fault {
    /// Whether it strikes a provider.
    pub const fn is_upstream(&self) -> bool {
        !matches!(self, Self::KillGateway | Self::Reload(_) | Self::Roll)
    }

    /// Whether whoever meets it gets no good answer.
    pub(crate) fn fails_all(&self) -> bool {
        match self {
            Self::Behave(text) => !text.contains("fail_ratio") && !text.contains("pacing"),
            Self::Kill | Self::Nameless | Self::Flap { .. } => true,
            Self::KillGateway | Self::Reload(_) | Self::Roll => false,
        }
    }
}

/// Requests meet the fault for as long as it lasts; the others serve them.
const OUTAGE: &[&str] = &[
    "met<1",
    "success<99.9%",
    "untold>0",
    "shift>10s",
    "added_p99>2s",
    "attempts>1.5",
    "return>60s",
];

/// The same, but for the return: a credential without money is not tried again so soon that one could be waited for.
const UNPAID: &[&str] = match OUTAGE.split_last() {
    Some((_return, rest)) => rest,
    None => OUTAGE,
};

/// Who meets a stall waits for a clock before another target is asked.
const STALL: &[&str] = &[
    "met<1",
    "success<99.9%",
    "untold>0",
    "shift>15s",
    "added_p99>10s",
    "attempts>1.5",
    "return>60s",
];

const DRILLS: [Drill; 14] = [
    Drill {
        name: "kill-primary",
        about: "the provider with the most traffic is killed: connections are refused",
        fault: Fault::Kill,
        fail_if: OUTAGE,
    },
    Drill {
        name: "brown-out",
        about: "it answers ten times slower, and two of five requests with 503",
        fault: Fault::Behave(
            r#"{"latency": {"lognormal": {"median_ms": 300, "sigma": 0.5}}, "failure": {"status": 503}, "fail_ratio": 0.4}"#,
        ),
        fail_if: &[
            "met<1",
            "success<99.9%",
            "untold>0",
            "return>60s",
            "added_p99>5s",
            "attempts>2",
        ],
    },
    Drill {
        name: "storm-429",
        about: "it refuses everything with 429 and 'retry-after: 2'",
        fault: Fault::Behave(r#"{"failure": {"status": 429, "retry_after": "2"}}"#),
        fail_if: OUTAGE,
    },
    Drill {
        name: "storm-529",
        about: "it is overloaded: everything is refused with 529, or 503 where its dialect has no 529",
        fault: Fault::Behave(r#"{"failure": {"status": 529}}"#),
        fail_if: OUTAGE,
    },
    Drill {
        name: "stall-before-headers",
        about: "it takes requests and never answers",
        fault: Fault::Behave(r#"{"fault": {"kind": "hang", "at": "before_head"}}"#),
        fail_if: STALL,
    },
    Drill {
        name: "stall-mid-stream",
        about: "its answers stop in the middle, and connections stay open",
        fault: Fault::Behave(r#"{"fault": {"kind": "hang", "at": {"after_chunks": 5}}}"#),
        fail_if: STALL,
    },
    Drill {
        name: "cut-mid-stream",
        about: "its connections are closed in the middle of answers",
        fault: Fault::Behave(r#"{"fault": {"kind": "cut", "at": {"after_chunks": 5}}}"#),
        fail_if: OUTAGE,
    },
    Drill {
        name: "slow-drip",
        about: "its answers trickle: 16 bytes every 20 ms",
        fault: Fault::Behave(r#"{"pacing": {"write_bytes": 16, "write_pause_ms": 20}}"#),
        fail_if: &[
            "met<1",
            "success<99.9%",
            "untold>0",
            "return>60s",
            "added_p99>15s",
            "attempts>1.5",
        ],
    },
    Drill {
        name: "flapping",
        about: "it resets every connection for two seconds, is well for two, and so on",
        fault: Fault::Flap {
            behaviour: r#"{"fault": {"kind": "reset", "at": "before_head"}}"#,
            every: Duration::from_secs(2),
        },
        fail_if: &[
            "met<1",
            "success<99.9%",
            "untold>0",
            "return>60s",
            "added_p99>2s",
            "attempts>1.5",
        ],
    },
    Drill {
        name: "dns-gone",
        about: "its name cannot be resolved any more, and no connection to it is left",
        fault: Fault::Nameless,
        fail_if: OUTAGE,
    },
    Drill {
        name: "budget-exhausted",
        about: "the account at it has no money left: everything is refused with 402",
        fault: Fault::Behave(r#"{"failure": {"status": 402}}"#),
        fail_if: UNPAID,
    },
    Drill {
        name: "gateway-kill-9",
        about: "the gateway is killed under load, and started again at once",
        fault: Fault::KillGateway,
        fail_if: &["recovery>5s", "failed_after>0", "log_broken>0", "cache_lost>10%"],
    },
    Drill {
        name: "reload-under-load",
        about: "the gateway reads a changed config file four times a second",
        fault: Fault::Reload(Duration::from_millis(250)),
        fail_if: &["failed>0", "reloads_missing>0", "added_p99>250ms"],
    },
    Drill {
        name: "rolling-restart",
        about: "two gateways behind a balancer are drained (SIGTERM) and started again, one after the other",
        fault: Fault::Roll,
        fail_if: &["failed>0", "added_p99>1s"],
    },
];

/// All drills, in the order in which `all` holds them.
pub fn drills() -> &'static [Drill] {
    &DRILLS
}

/// The drill of that name.
pub fn drill(name: &str) -> Option<&'static Drill> {
    DRILLS.iter().find(|drill| drill.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::site::everyday;
    use crate::drill::strike::laid_over;
    use crate::drill::thresholds::Threshold;

    #[test]
    fn every_drill_has_its_own_name_thresholds_that_can_be_read_and_a_sound_behaviour() {
        for drill in drills() {
            assert_eq!(super::drill(drill.name), Some(drill));
            assert!(!drill.fail_if.is_empty());
            for text in drill.fail_if {
                let threshold = text.parse::<Threshold>().expect(text);
                assert!(threshold.is_of(drill), "{}: {text}", drill.name);
            }
            if let Fault::Behave(behaviour) | Fault::Flap { behaviour, .. } = drill.fault {
                let struck = laid_over(&everyday(), behaviour).expect(drill.name);
                assert_eq!(struck.problems(), []);
                assert_ne!(struck, everyday());
            }
        }
        assert_eq!(super::drill("kill"), None);
    }

    #[test]
    fn a_fault_that_spares_some_is_met_by_whoever_comes_by() {
        let sparing: Vec<_> = drills()
            .iter()
            .filter(|it| it.fault.is_upstream() && !it.fault.fails_all())
            .collect();
        let names: Vec<_> = sparing.iter().map(|it| it.name).collect();
        assert_eq!(names, ["brown-out", "slow-drip"]);
    }

    #[test]
    fn an_account_without_money_owes_no_return() {
        assert!(OUTAGE.contains(&"return>60s") && !UNPAID.contains(&"return>60s"));
        assert_eq!(UNPAID.len() + 1, OUTAGE.len());
    }
}
