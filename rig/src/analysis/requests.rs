//! How often io_uring said that a request it was to give up had already been completed by a RST.
//!
//! Holds the scenarios that ask for it, and the request of each. Must not word anything. Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/requests.rs`.

use rig_protocol::Errno;
use serde::Serialize;

use super::measured::Measured;
use super::model::Rate;
use super::rates::{counted, returned};
use super::rules::Rules;

/// Name of each scenario, and the request of io_uring(7) that it makes.
const RACES: [(&str, &str); 3] = [
    ("uring-update-race", "POLL_UPDATE"),
    ("uring-remove-race", "POLL_REMOVE"),
    ("uring-cancel-race", "ASYNC_CANCEL"),
];

/// One cell in which a poll request is given up around a RST.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GivenUp {
    /// Name of the scenario.
    pub scenario: String,
    /// The request that gives it up: `POLL_UPDATE`, `POLL_REMOVE`, `ASYNC_CANCEL`.
    pub request: String,
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// From the question to the RST, as scenarios spell a time.
    pub peer_delay: String,
    /// From the question to the request.
    pub client_delay: String,
    /// How often the request was completed with the errno.
    pub returned: Rate,
}

/// Every such cell that has a trial, in the order of the plan.
pub(super) fn given_up(measured: &[Measured<'_>], errno: Errno, rules: Rules) -> Vec<GivenUp> {
    let of_cell = |cell: &Measured<'_>| {
        let subject = &cell.cell().subject;
        let (_, request) = RACES.iter().find(|(scenario, _)| *scenario == subject.scenario)?;
        let parameter = |name: &str| subject.parameters.get(name).cloned().unwrap_or_default();
        (cell.tally.returned_calls() > 0 && !cell.is_repeat()).then(|| GivenUp {
            scenario: subject.scenario.clone(),
            request: (*request).to_owned(),
            configuration: subject.configuration.name.clone(),
            kernel: subject.kernel.clone(),
            peer_delay: parameter("peer_delay"),
            client_delay: parameter("client_delay"),
            returned: counted(&[cell], |tally| returned(tally, errno), rules),
        })
    };
    measured.iter().filter_map(of_cell).collect()
}
