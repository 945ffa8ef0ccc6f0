//! A block's captured packets: kept where they are worth it, with the trials' names on them.
//!
//! Must not know packet sockets or the file's bytes. Units: as in `testbed`.
//! Errors: none here; a disk that does not take the file stops the run, as for every other part of the record. Tests: `tests/trouble/capture.rs`, `tests/guest/capture.rs` (root).

mod annotate;

use rig_protocol::TrialRecord;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;

use self::annotate::{Names, annotate};
use super::attempt::Attempt;
use super::environment;
use super::laboratory::Laboratory;
use super::session::joined;
use crate::event::Event;
use crate::path::Addressing;
use crate::record::Layout;
use crate::record::format::{BlockRecord, CaptureWhen};
use crate::testbed::CapturedPackets;
use crate::testbed::pcapng::{self, Heading};

/// Hands the packets of a finished block over to the record, if they are worth keeping, a file for each end, and names the files in the block.
pub(super) async fn keep(
    laboratory: &Laboratory,
    packets: CapturedPackets,
    attempt: &Attempt,
    record: &mut BlockRecord,
    trials: &[TrialRecord],
    events: &UnboundedSender<Event>,
) {
    if !is_worth_keeping(laboratory.capture, attempt.cell.control.is_some(), record) {
        return;
    }
    let run = laboratory.results.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (attempt, trials) = (attempt.clone(), trials.to_vec());
    // As the testbed captures: next to the target, then next to the peer.
    let ends = [Layout::target_capture, Layout::peer_capture].map(|name| name(&record.id, record.attempt));
    let encode = move || {
        let names = name_trials(&packets, &attempt, &trials);
        let heading = heading(&run, &attempt, &names);
        let of_point = |point| pcapng::encode(&packets, point, &heading, |packet| names.of_packet(packet));
        ends.into_iter().enumerate().map(|(point, file)| (file, of_point(point))).collect::<Vec<_>>()
    };
    for (file, bytes) in joined(spawn_blocking(encode).await) {
        record.captures.push(file.clone());
        // A spine without listeners is a run whose record has failed already.
        let _ = events.send(Event::PacketsCaptured { block: record.id.clone(), file, bytes });
    }
}

fn is_worth_keeping(when: CaptureWhen, control: bool, record: &BlockRecord) -> bool {
    match when {
        CaptureWhen::Never => false,
        // A control's errnos are made on purpose.
        CaptureWhen::Anomaly => record.tally.anomalies > 0 && !control,
        CaptureWhen::Always => true,
    }
}

fn name_trials(packets: &CapturedPackets, attempt: &Attempt, trials: &[TrialRecord]) -> Names {
    let subject = &attempt.cell.subject;
    if subject.configuration.target.proxied() {
        // The ports on the wire are the proxy's, and tell nothing of the guest's.
        return Names::default();
    }
    let client = Addressing::default().target_by(subject.path.family);
    annotate(packets, trials, &subject.script, client)
}

fn heading(run: &str, attempt: &Attempt, names: &Names) -> Heading {
    let host = environment::host();
    let Attempt { cell, block, attempt, .. } = attempt;
    let subject = &cell.subject;
    let parameters = subject.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    let mut comments = vec![
        format!("run {run}"),
        format!(
            "cell {}: {}{} on {} {} over {}",
            cell.id,
            subject.scenario,
            parameters.collect::<String>(),
            subject.configuration.name,
            subject.kernel,
            subject.path.name
        ),
        format!("block {}, attempt {attempt}, seed {}", block.id, block.seed),
        "checksums may be incomplete and segments long: senders leave both to their NIC (offload)".to_owned(),
    ];
    if let Some(proxy) = subject.configuration.target.proxy() {
        comments.push(format!(
            "{proxy} ends TCP between the guest and this wire: the ports are its own, and no packet is assigned to a trial"
        ));
    }
    if !names.unplaced.is_empty() {
        let trials: Vec<String> = names.unplaced.iter().map(u64::to_string).collect();
        comments.push(format!("kept trials whose packets could not be told apart: {}", trials.join(", ")));
    }
    Heading {
        hardware: host.cpu,
        os: format!("Linux {}", host.kernel),
        application: format!("rig {}", env!("CARGO_PKG_VERSION")),
        comments,
    }
}
