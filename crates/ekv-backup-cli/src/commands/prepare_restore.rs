//! `prepare-restore`.

use std::path::Path;

use ekv_backup::Error;
use ekv_backup::restore::{DurableFsync, Placement, PrepareOptions, PrepareReport, RestoreTarget, prepare_restore};
use ekv_backup::shell::quote;

use crate::args::{ClusterArguments, DurableRule, PrepareRestoreArguments, either};
use crate::commands::{target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::{Output, Page};

pub(crate) fn run(arguments: &PrepareRestoreArguments, output: &mut Output) -> Result<Exit, Error> {
    let snapshot = either(&arguments.snapshot, &arguments.input);
    let data_dir = either(&arguments.data_dir, &arguments.data_dir_option);
    target::check_directory_name(data_dir)?;
    let options = PrepareOptions {
        allow_unverified_self_test: arguments.allow_unverified_self_test,
        allow_future_timestamps: arguments.allow_future_timestamps,
        resources: target::resources(&arguments.limits),
        ..cluster_options(&arguments.cluster)
    };
    if arguments.allow_missing_cluster_id {
        output
            .note("--allow-missing-cluster-id has no effect: a fresh cluster needs no cluster id, any other one does");
    }
    let report = prepare_restore(snapshot, arguments.encode_info.as_deref(), data_dir, &options, output.screen())?;
    warn_of_privacy(output, report.privacy, &report.data_dir.display().to_string());
    for warning in &report.warnings {
        output.note(warning);
    }
    output.result(Exit::Done, &report, |out| show_prepared(&report, "the payload, its info file and the dump", out));
    Ok(Exit::Done)
}

/// What the options say about the new cluster.
pub(crate) fn cluster_options(arguments: &ClusterArguments) -> PrepareOptions {
    let target = match &arguments.target_cluster_id {
        Some(id) => RestoreTarget::Cluster(id.clone()),
        None => RestoreTarget::FreshCluster,
    };
    PrepareOptions {
        index: arguments.index,
        term: arguments.term,
        dry_run: arguments.dry_run,
        parents: arguments.parents,
        fsync: match arguments.fsync {
            DurableRule::Full => DurableFsync::Full,
            DurableRule::File => DurableFsync::File,
        },
        ..PrepareOptions::new(arguments.peers.clone(), target)
    }
}

/// What the data directory holds, and what is left to do; `origin` is what it was made from.
pub(crate) fn show_prepared(report: &PrepareReport, origin: &str, out: &mut Page) {
    text::title("Data directory", report.data_dir.display(), report.dry_run, out);
    show_content(report, out);
    if report.dry_run {
        return;
    }
    out.title("Next steps");
    let _ = writeln!(out);
    show_next_steps(report, origin, out);
}

fn show_content(report: &PrepareReport, out: &mut Page) {
    let records = text::count(report.records, "record", "records");
    let _ = writeln!(
        out,
        "  {records}, {}, last commit {} (hlc:{}), Raft index {}, term {}",
        text::bytes(report.payload_bytes),
        report.last_commit.time,
        report.last_commit.hlc,
        report.index,
        report.term
    );
    let _ = writeln!(out, "  payload  SHA-256 {}: as it was written", report.payload_sha256);
    let how =
        if report.dry_run { String::new() } else { format!(" (fsync {}, {})", report.fsync, report.published_by) };
    let _ = writeln!(out, "  files    read back and compared{how}");
    if let Some(selection) = &report.selection {
        let _ = writeln!(out, "  PART     of a snapshot: made with {selection}");
    }
    for (count, what) in [
        (report.losses, "was lost when the dump was made that it is from, and that was accepted"),
        (report.not_restorable, "of that dump is not in it, since no server restores it"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "  MISSING  {}: {what}", text::count(count, "thing", "things"));
        }
    }
    for member in &report.members {
        let _ = writeln!(out, "  member   {} at {}, node id {}", member.raft_id, member.address, member.node_id);
    }
}

/// What is left to do. Source: `docs/format/restore.md`, section 10.
fn show_next_steps(report: &PrepareReport, origin: &str, out: &mut Page) {
    let found_by = match &report.placement {
        Placement::SingleGroup { raft_id, .. } | Placement::OneOfSeveralGroups { raft_id, .. } => Some(raft_id),
        Placement::Elsewhere => None,
    };
    let mut step = 1;
    if report.members.len() > 1 {
        let _ = writeln!(out, "  {step}. Run this command once more for each other member, with its own DATA_DIR:");
        for member in report.members.iter().filter(|member| Some(&member.raft_id) != found_by) {
            let _ = writeln!(out, "       {} (-address {})", member.raft_id, member.address);
        }
        let count = report.members.len();
        let majority = count / 2 + 1;
        let _ = writeln!(out, "     Nothing is served before {majority} of {count} members run.");
        step += 1;
    }
    match &report.placement {
        Placement::SingleGroup { raft_id, raft_data_dir } => {
            show_start(step, report, raft_id, raft_data_dir, out);
            let _ = writeln!(out, "     With these and one Raft group it looks in exactly");
            let _ = writeln!(out, "       {}", report.data_dir.display());
        }
        Placement::OneOfSeveralGroups { raft_id, raft_data_dir, group_id } => {
            show_start(step, report, raft_id, raft_data_dir, out);
            let _ = writeln!(out, "     With these and several Raft groups it looks for group {group_id} in exactly");
            let _ = writeln!(out, "       {}", report.data_dir.display());
            let _ = writeln!(out, "     Every other group needs a directory of its own beside it.");
        }
        Placement::Elsewhere => show_move(step, report, out),
    }
    step += 1;
    let _ = writeln!(out, "  {step}. Read some keys one by one. Until they have been checked, keep {origin},");
    let _ = writeln!(out, "     and keep every old data directory of these members out of the way.");
}

fn show_start(step: u32, report: &PrepareReport, raft_id: &str, raft_data_dir: &Path, out: &mut Page) {
    let member = report.members.iter().find(|member| member.raft_id == raft_id);
    let address = member.map_or("", |member| member.address.as_str());
    let _ = writeln!(out, "  {step}. Start the server on it, without a bootstrap flag; its flags must be");
    let flags = format!("       -raftId {} -address {} -raftDataDir", quote(raft_id.as_ref()), quote(address.as_ref()));
    out.command("", &flags, raft_data_dir, "");
}

fn show_move(step: u32, report: &PrepareReport, out: &mut Page) {
    let raft_id = report.members.first().map_or("", |member| member.raft_id.as_str());
    let _ =
        writeln!(out, "  {step}. No member finds it under this name. A server looks in <raftDataDir>/<raftId>, or in");
    let _ = writeln!(
        out,
        "     <raftDataDir>/<raftId>/group-<id> where it has several Raft groups. Move it there as a whole, to a"
    );
    let _ = writeln!(out, "     name at which nothing exists, for example");
    let target = format!(" <raftDataDir>/{}", quote(raft_id.as_ref()));
    out.command("", "       mv", &report.data_dir, target);
    let _ = writeln!(
        out,
        "     and start the server without a bootstrap flag, with -raftId, -address and -raftDataDir to match."
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use ekv_backup::restore::MemberReport;

    fn report(placement: Placement, ids: &[&str]) -> PrepareReport {
        let members = ids.iter().map(|id| MemberReport {
            raft_id: (*id).to_owned(),
            address: format!("{id}.example:50051"),
            node_id: "0".repeat(16),
        });
        PrepareReport {
            format_version: 1,
            data_dir: "/data/x".into(),
            dry_run: false,
            placement,
            files: Vec::new(),
            index: 1,
            term: 1,
            members: members.collect(),
            records: 1,
            payload_bytes: 68,
            payload_sha256: String::new(),
            fsm_crc32c: String::new(),
            last_commit: ekv_backup::Moment { hlc: 0, hlc_text: String::new(), unix_ms: 0, time: String::new() },
            source_cluster_id: String::new(),
            selection: None,
            losses: 0,
            not_restorable: 0,
            published_by: "",
            privacy: ekv_backup::Privacy::Modes,
            fsync: "",
            warnings: Vec::new(),
        }
    }

    fn steps(placement: Placement, ids: &[&str]) -> String {
        let mut out = Page::plain();
        show_next_steps(&report(placement, ids), "the dump", &mut out);
        out.into_text()
    }

    #[test]
    fn steps_name_the_flags_with_which_the_server_finds_the_directory() {
        let single = Placement::SingleGroup { raft_id: "n1".into(), raft_data_dir: "/data".into() };
        let shown = steps(single, &["n1"]);
        assert!(shown.contains("-raftId n1 -address n1.example:50051 -raftDataDir /data\n"), "{shown}");
        assert!(!shown.contains("3."), "{shown}");
        let group = Placement::OneOfSeveralGroups { raft_id: "n1".into(), raft_data_dir: "/data".into(), group_id: 2 };
        assert!(steps(group, &["n1"]).contains("looks for group 2 in exactly\n       /data/x\n"));
    }

    #[test]
    fn steps_say_where_to_move_a_directory_that_no_server_finds() {
        let shown = steps(Placement::Elsewhere, &["n1"]);
        assert!(shown.contains("mv /data/x <raftDataDir>/n1\n"), "{shown}");
    }

    #[test]
    fn steps_of_several_members_name_the_others_and_the_majority() {
        let single = Placement::SingleGroup { raft_id: "n2".into(), raft_data_dir: "/data".into() };
        let shown = steps(single, &["n1", "n2", "n3"]);
        assert!(shown.contains("       n1 (-address n1.example:50051)\n       n3 ("), "{shown}");
        assert!(shown.contains("before 2 of 3 members run"), "{shown}");
        assert!(shown.find("n3 (") < shown.find("2. Start the server"), "{shown}");
    }
}
