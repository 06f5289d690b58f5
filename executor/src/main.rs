//! Executor of Roadstead.

use std::process::ExitCode;

use clap::Parser as _;
use executor::{args::Args, run::run};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    ops::start(run(Args::parse())).await
}
