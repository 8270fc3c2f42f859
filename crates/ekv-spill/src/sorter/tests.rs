use proptest::prelude::*;

use super::*;
use crate::SystemScratch;
use crate::error::Operation;
use crate::file::fault::with_fault;

type Record = (Vec<u8>, Vec<u8>);

fn sort(records: &[Record], memory_budget: usize) -> Result<Vec<Record>> {
    let mut sorter = Sorter::new(Arc::new(SystemScratch::new()), memory_budget);
    for (key, payload) in records {
        sorter.push(key, payload)?;
    }
    assert_eq!(sorter.len(), file_len(records.len()));
    let mut sorted = sorter.finish()?;
    let mut out = Vec::new();
    while let Some((key, payload)) = sorted.next()? {
        out.push((key.to_vec(), payload.to_vec()));
    }
    assert!(sorted.next()?.is_none(), "a finished order stays finished");
    Ok(out)
}

fn sorted_in_memory(records: &[Record]) -> Vec<Record> {
    let mut expected = records.to_vec();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    expected
}

/// Records whose keys repeat and share prefixes of many lengths, in a scrambled order.
fn scrambled(count: u32) -> Vec<Record> {
    (0..count)
        .map(|i| {
            let scrambled = i.wrapping_mul(2_654_435_761) % count.div_ceil(2);
            (format!("common/prefix/{scrambled:x}").into_bytes(), format!("payload {i}").into_bytes())
        })
        .collect()
}

#[test]
fn records_without_a_byte_keep_their_place_among_equal_keys() {
    let records: Vec<Record> =
        (0..100_u8).map(|i| (Vec::new(), if i % 7 == 3 { vec![i] } else { Vec::new() })).collect();
    assert_eq!(sort(&records, 1 << 20).unwrap(), records);
}

proptest! {
    #[test]
    fn sorter_agrees_with_a_stable_sort(
        records in prop::collection::vec(
            (
                prop_oneof![
                    prop::collection::vec(0_u8..3, 0..4),
                    prop::collection::vec(any::<u8>(), 0..40),
                    prop::collection::vec(0_u8..2, 8..12),
                ],
                prop::collection::vec(any::<u8>(), 0..50),
            ),
            0..200,
        ),
        memory_budget in prop_oneof![Just(0_usize), 1_usize..2000, Just(1 << 20)],
    ) {
        prop_assert_eq!(sort(&records, memory_budget).unwrap(), sorted_in_memory(&records));
    }
}

#[test]
fn hundreds_of_runs_are_merged_in_several_passes() {
    let records = scrambled(20_000);
    assert_eq!(sort(&records, 4096).unwrap(), sorted_in_memory(&records));
}

#[test]
fn nothing_is_spilled_while_everything_fits() {
    let records = scrambled(1000);
    let (result, fired) = with_fault(Operation::Create, 0, || sort(&records, 1 << 20));
    assert!(!fired);
    assert_eq!(result.unwrap(), sorted_in_memory(&records));
}

#[test]
fn batch_stays_within_its_budget() {
    for record_len in [0, 1, 17, 300, 5000] {
        for memory_budget in [20_000, 100_000, 1 << 20] {
            let mut batch = Batch::new(memory_budget);
            while batch.make_room(record_len) {
                batch.push(&vec![7; record_len], b"");
                assert!(batch.memory_len() <= memory_budget);
            }
            assert!(batch.used_len() * 2 >= memory_budget, "{} of {memory_budget}", batch.used_len());
        }
    }
}

#[test]
fn records_longer_than_the_budget_are_sorted_between_short_ones() {
    let mut records = scrambled(300);
    for (i, letter) in [b'z', b'c', b'a', b'c'].into_iter().enumerate() {
        records.insert(i * 70, (vec![letter; 300_000 + i], vec![letter; 200_000]));
    }
    assert_eq!(sort(&records, 1000).unwrap(), sorted_in_memory(&records));
}

#[test]
fn record_beyond_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let mut sorter = Sorter::new(Arc::new(SystemScratch::new()), 1000);
    let longest = vec![0; RECORD_LEN_MAX];
    sorter.push(&longest, b"").unwrap();
    let error = sorter.push(&longest, b"x").unwrap_err();
    assert!(matches!(error, Error::RecordTooLong { len } if len == file_len(RECORD_LEN_MAX) + 1));
    sorter.push(b"", b"short").unwrap();
    let mut sorted = sorter.finish().unwrap();
    assert_eq!(sorted.next().unwrap(), Some((&b""[..], &b"short"[..])));
    assert_eq!(sorted.next().unwrap(), Some((&longest[..], &b""[..])));
}

#[test]
fn sorter_failing_at_any_operation_reports_which_one() {
    let records = scrambled(250);
    for operation in [Operation::Create, Operation::Write, Operation::Read] {
        let mut n = 0;
        loop {
            let (result, fired) = with_fault(operation, n, || sort(&records, 2048));
            if !fired {
                assert_eq!(result.unwrap(), sorted_in_memory(&records));
                break;
            }
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Io { operation: o, .. } if o == operation), "{error:?}");
            assert!(!error.is_out_of_space());
            n += 1;
        }
        assert!(n > 1, "{operation:?} happened {n} times");
    }
}
