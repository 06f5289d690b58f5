//! Writes the definitions of the custom resources into the chart, and the reference of their fields into the docs:
//! `cargo run -p policy --example crds`, after a change of `policy/src/resource`. The tests of `policy` fail until it was
//! run.

use std::{error::Error, fs, path::Path};

#[path = "../tests/reference/mod.rs"]
mod reference;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("charts/roadstead/files/crds");
    fs::create_dir_all(&folder)?;
    for (plural, definition) in policy::resource::definitions() {
        let text = "# Written by `cargo run -p policy --example crds` from policy/src/resource.\n".to_owned()
            + &serde_norway::to_string(&definition)?;
        fs::write(folder.join(plural + ".yaml"), text)?;
    }
    let page = root.join("docs/policies/README.md");
    fs::write(&page, reference::page(&fs::read_to_string(&page)?))?;
    Ok(())
}
