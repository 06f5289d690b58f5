//! The reference of Kubernetes Events says what the code writes.

use executor::event::EventReason;

#[test]
fn every_reason_is_in_the_reference_with_its_type_and_nothing_else_is() {
    let reference = include_str!("../../docs/events.md");
    let listed: Vec<_> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| row.split('|').take(2).map(|cell| cell.trim().trim_end_matches('`')).collect::<Vec<_>>())
        .filter(|row| matches!(row[..], [_, "Normal" | "Warning"]))
        .collect();
    let written: Vec<_> =
        EventReason::ALL.iter().map(|reason| vec![reason.as_str(), reason.kind()]).collect();
    assert_eq!(listed, written);
}
