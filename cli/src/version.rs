//! `kubectl roadstead version`.

use serde_json::json;

use crate::{
    args::{Version, VersionOutput},
    failure::Failure,
    screen::Screen,
};

/// Prints the version of this program.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &Version, screen: &mut Screen) -> Result<(), Failure> {
    screen.print(&text(args.output))
}

fn text(output: Option<VersionOutput>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match output {
        Some(VersionOutput::Json) => format!("{:#}\n", json!({ "clientVersion": { "version": version } })),
        None => format!("Client Version: v{version}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_the_version_from_an_object() {
        let read: serde_json::Value = serde_json::from_str(&text(Some(VersionOutput::Json))).unwrap();
        assert_eq!(read["clientVersion"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(text(None).starts_with("Client Version: v"));
    }
}
