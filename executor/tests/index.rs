//! How much memory the index of what waits takes, in a process of its own: it is measured by what the process has.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use contract::{ChangeId, Digest, Lane};
use executor::queue::{Held, Index, Queued};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CHANGES: u64 = 100_000;

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
fn a_hundred_thousand_changes_take_a_few_tens_of_mebibytes() {
    let digest = Digest::of_value(&serde_json::json!({})).unwrap();
    let before = resident();
    let mut index = Index::default();
    for number in 0..CHANGES {
        let (namespace, name) = (format!("team-{}", number % 500), format!("deployment-number-{number}"));
        let change = ChangeId::derive(&namespace, &name, &digest, None);
        let held =
            Held { change: change.clone(), attempt: 1, asked: None, lane: Some(Lane::Normal), says: 0 };
        index.held(&namespace, &name, held, (0, 0), 0);
        let queued = Queued { change, attempt: 1, lane: Lane::Normal, sequence: number + 1, published: 0 };
        index.queued(&namespace, &name, queued, 0);
    }
    assert_eq!(index.depth(Lane::Normal).0, 100_000);
    let each = resident().saturating_sub(before) / CHANGES;
    println!("{each} bytes a change");
    assert!(each < 500, "{each} bytes a change");
}
