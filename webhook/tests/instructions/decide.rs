//! The decision alone, for an instruction counter to look at: parse, decide, encode. `decide update 1000`

#![allow(clippy::unwrap_used, reason = "a review that cannot be decided is to stop the measurement")]

use std::hint::black_box;

use webhook::{hold, review::Request};

const UPDATE: &str = include_str!("../../examples/reviews/update.json");
const CREATE: &str = include_str!("../../examples/reviews/create.json");

fn main() {
    let mut arguments = std::env::args().skip(1);
    let body = if arguments.next().unwrap() == "create" { CREATE } else { UPDATE };
    let settings = hold::Settings { warnings: true };
    for _ in 0..arguments.next().unwrap().parse::<u32>().unwrap() {
        let request = Request::parse(black_box(body).as_bytes()).unwrap();
        let (verdict, answer) = hold::decide(&request, &settings, &hold::NoPolicies).unwrap();
        assert_eq!(verdict, hold::Verdict::Held);
        black_box(answer.encode(&request.uid));
    }
}
