//! What a configuration needs of the host, and what of it is missing.
//!
//! Pure: the host is described, not looked at. Must not know cells. Units: none.
//! Errors: none; what is missing is a reason in plain words, and the cells that need it are skipped with it.
//! Tests: below.

use super::qemu::{Engine, Resolved, argv};
use super::spec::{Accelerator, Backend, TargetSpec};

/// What this host can do for targets, as it was probed: `Err` holds why not.
#[derive(Debug, Clone)]
pub struct HostAbilities {
    /// Private network namespaces: nothing runs without them.
    pub namespaces: Result<(), String>,
    /// QEMU's version.
    pub qemu: Result<String, String>,
    /// A tap can be made.
    pub tap: Result<(), String>,
    /// A tap with several queues can be made.
    pub tap_multiqueue: Result<(), String>,
    /// /dev/vhost-net opens and is vhost-net.
    pub vhost_net: Result<(), String>,
    /// What executes guests, if that has been found out.
    pub accelerator: Option<Resolved>,
}

impl HostAbilities {
    /// Why a target of this kind cannot be had here, or `None`.
    pub fn lack(&self, target: &TargetSpec) -> Option<String> {
        if let Err(why) = &self.namespaces {
            return Some(format!("no network namespaces: {why}"));
        }
        let TargetSpec::Qemu(spec) = target else { return None };
        if let Err(why) = &self.qemu {
            return Some(format!("no QEMU: {why}"));
        }
        if let Err(unsupported) = argv::check(spec) {
            return Some(unsupported.to_string());
        }
        if let (Accelerator::Kvm, Some(Resolved { engine: Engine::Tcg, reason })) =
            (spec.accelerator, &self.accelerator)
        {
            return Some(format!("KVM does not function: {reason}"));
        }
        match spec.nic.backend {
            Backend::User => None,
            Backend::Tap => self.lack_tap(spec.nic.queues),
            Backend::TapVhost => match &self.vhost_net {
                Err(why) => Some(format!("no vhost-net: {why}")),
                Ok(()) => self.lack_tap(spec.nic.queues),
            },
        }
    }

    fn lack_tap(&self, queues: u32) -> Option<String> {
        let tap = if queues > 1 { &self.tap_multiqueue } else { &self.tap };
        tap.as_ref().err().map(|why| format!("no tap: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Localtime, Nic, NicModel, QemuSpec};

    fn able() -> HostAbilities {
        HostAbilities {
            namespaces: Ok(()),
            qemu: Ok("7.2".into()),
            tap: Ok(()),
            tap_multiqueue: Ok(()),
            vhost_net: Ok(()),
            accelerator: None,
        }
    }

    fn guest(backend: Backend, queues: u32, accelerator: Accelerator) -> TargetSpec {
        TargetSpec::Qemu(QemuSpec {
            accelerator,
            machine: "q35".into(),
            vcpus: 2,
            memory_mib: 256,
            nic: Nic { model: NicModel::VirtioNet, backend, queues },
            localtime: Localtime::Present,
        })
    }

    #[test]
    fn each_lack_is_named_and_blocks_only_what_needs_it() {
        let lacking = HostAbilities {
            vhost_net: Err("there is no /dev/vhost-net".into()),
            tap_multiqueue: Err("one queue only".into()),
            accelerator: Some(Resolved { engine: Engine::Tcg, reason: "no kernel boots".into() }),
            ..able()
        };
        let lack = |backend, queues, accelerator| lacking.lack(&guest(backend, queues, accelerator));
        assert_eq!(lacking.lack(&TargetSpec::Host), None);
        assert_eq!(lack(Backend::Tap, 1, Accelerator::Auto), None);
        assert_eq!(lack(Backend::User, 1, Accelerator::Auto), None);
        assert_eq!(
            lack(Backend::TapVhost, 1, Accelerator::Auto).as_deref(),
            Some("no vhost-net: there is no /dev/vhost-net")
        );
        assert_eq!(lack(Backend::Tap, 2, Accelerator::Auto).as_deref(), Some("no tap: one queue only"));
        assert_eq!(
            lack(Backend::Tap, 1, Accelerator::Kvm).as_deref(),
            Some("KVM does not function: no kernel boots")
        );
        let none = HostAbilities { qemu: Err("not in PATH".into()), ..able() };
        assert_eq!(none.lack(&TargetSpec::Host), None);
        assert_eq!(
            none.lack(&guest(Backend::User, 1, Accelerator::Tcg)).as_deref(),
            Some("no QEMU: not in PATH")
        );
    }
}
