//! The reference of the fields is what the types say.

mod reference;

#[test]
fn the_page_lists_every_field_as_it_is() {
    let page = include_str!("../../docs/policies/README.md");
    for (word, _) in reference::tables() {
        assert!(page.contains(&format!("<!-- fields of {word} -->\n")), "no table of {word}");
    }
    assert!(
        page == reference::page(page),
        "docs/policies/README.md is older than the types: cargo run -p policy --example crds"
    );
}
