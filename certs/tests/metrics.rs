//! The metrics reference says what the code registers, in the same words.

use certs::{keep, rotation::Metrics};
use ops::admin;

#[test]
fn every_metric_is_in_the_reference() {
    let mut registry = admin::registry("0");
    Metrics::register(&mut registry);
    keep::Metrics::register(&mut registry);
    let reference = include_str!("../../docs/metrics.md");
    assert_eq!(admin::undocumented(&registry, reference), Vec::<String>::new());
}
