//! A known dose: errnos that a configuration puts into its verdict calls, so that a whole run can be held against what is true of it.
//!
//! Pure. Must not know cells or whether one is a control: those have doses of their own. Units: parts per million of the trials.
//! Errors: none; a script whose verdict call no filter reaches has no dosed form. Source: seccomp(2), `SECCOMP_RET_ERRNO`. Tests: below; `tests/guest` plays one.

use rig_protocol::{Call, Errno, Op, Script, Step};
use serde::{Deserialize, Serialize};

/// What a configuration injects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// What the verdict call returns in place of its own return.
    pub errno: Errno,
    /// In so many of a million trials.
    pub rate_ppm: u32,
}

impl Injection {
    /// The script with this dose right before its verdict call. `None` where that is no plain `select` system call, or where the script injects already.
    pub fn into_script(&self, script: &Script) -> Option<Script> {
        if injects(script) {
            return None;
        }
        let mut dosed = script.clone();
        let (lane, at) = dosed.lanes.iter_mut().find_map(|lane| {
            let at = lane.steps.iter().position(|step| step.verdict)?;
            matches!(lane.steps[at].op, Op::Select { call: Call::Select, .. }).then_some((lane, at))
        })?;
        let inject = Op::Inject { errno: self.errno, rate_ppm: self.rate_ppm };
        lane.steps.insert(at, Step::of(inject));
        Some(dosed)
    }
}

/// Whether a script puts errnos into its own calls.
pub fn injects(script: &Script) -> bool {
    script.lanes.iter().flat_map(|lane| &lane.steps).any(|step| matches!(step.op, Op::Inject { .. }))
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Delay, Lane, Side, Slot};

    use super::*;

    fn select(call: Call) -> Script {
        let timeout = Delay::Fixed { ns: 0 };
        let select = Op::Select { call, read: vec![Slot(0)], write: vec![], except: vec![], timeout };
        let steps = vec![
            Step::of(Op::Sleep { duration: timeout }),
            Step { verdict: true, outcome: true, ..Step::of(select) },
        ];
        let lane = Lane { name: "client".into(), side: Side::Target, steps };
        Script { lanes: vec![lane], ..Script::default() }
    }

    #[test]
    fn the_dose_comes_right_before_the_verdict_call_and_is_no_label() {
        let dose = Injection { errno: Errno::EBADF, rate_ppm: 1_000 };
        let dosed = dose.into_script(&select(Call::Select)).expect("a plain select");
        let ops: Vec<&str> = dosed.lanes[0].steps.iter().map(|step| step.op.schema().name).collect();
        assert_eq!(ops, ["sleep", "inject", "select"]);
        let inject = &dosed.lanes[0].steps[1];
        assert!(!inject.verdict && !inject.outcome && inject.timing.is_none());
        assert_eq!(inject.op, Op::Inject { errno: Errno::EBADF, rate_ppm: 1_000 });
        assert!(dosed.lanes[0].unreachable_injection().is_none());
        assert_eq!(dose.into_script(&dosed), None, "one dose is enough");
    }

    #[test]
    fn what_no_filter_reaches_has_no_dosed_form() {
        let dose = Injection { errno: Errno::EBADF, rate_ppm: 1_000 };
        for call in [Call::Pselect6, Call::Libc] {
            assert_eq!(dose.into_script(&select(call)), None, "{call:?}");
        }
        assert_eq!(dose.into_script(&Script::default()), None);
    }
}
