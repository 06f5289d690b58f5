//! `roadstead-certs`: makes and rotates the certificates of a Roadstead. Parse, run, say what was done.

mod args;
mod callout;
mod identities;
mod kept;
mod push;
mod rotate;
mod run;
mod running;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match run::run(args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roadstead-certs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
