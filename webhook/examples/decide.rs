//! The decision alone, over example reviews: parse, decide, encode. `decide update 1000` does the work, for an
//! instruction counter to look at; `decide allocations` says how many allocations one review takes.

#![allow(clippy::unwrap_used, reason = "a review that cannot be decided is to stop the measurement")]

use std::{alloc::System, hint::black_box};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use webhook::{hold, review::Request};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const UPDATE: &str = include_str!("reviews/update.json");
const CREATE: &str = include_str!("reviews/create.json");

fn main() {
    let settings = hold::Settings { warnings: true };
    let decide = |body: &str| {
        let request = Request::parse(body.as_bytes()).unwrap();
        let (verdict, answer) = hold::decide(&request, &settings, &hold::NoPolicies).unwrap();
        assert_eq!(verdict, hold::Verdict::Held);
        black_box(answer.encode(&request.uid));
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["allocations"] => {
            for (name, body) in [("update", UPDATE), ("create", CREATE)] {
                decide(body);
                let region = Region::new(ALLOCATOR);
                decide(body);
                let change = region.change();
                println!("{name} {}", change.allocations + change.reallocations);
            }
        }
        [which, times] => {
            let body = if which == "create" { CREATE } else { UPDATE };
            (0..times.parse::<u32>().unwrap()).for_each(|_| decide(black_box(body)));
        }
        _ => eprintln!("usage: decide allocations | decide update TIMES | decide create TIMES"),
    }
}
