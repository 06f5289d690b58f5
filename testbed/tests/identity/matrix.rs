//! Everybody against everything.

use anyhow::{Result, ensure};
use testbed::bench::identity::Matrix;

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() -> Result<()> {
    let matrix = Matrix::measure().await?;
    ensure!(matrix.mismatches.is_empty(), "{:#?}", matrix.mismatches);
    ensure!(matrix.pairs > 3_000, "only {} pairs were tried", matrix.pairs);
    Ok(())
}

#[test]
fn the_table_of_the_documentation_is_what_is_signed_and_tried() {
    let documented = include_str!("../../../docs/security.md");
    let table = contract::access::table();
    assert!(documented.contains(&table), "docs/security.md lacks this table:\n{table}");
}
