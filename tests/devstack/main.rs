//! Tests against real servers; a missing one is a failure here.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/cel_cases.rs"]
mod cel_cases;
#[allow(dead_code, unused_imports, reason = "shared with the demo; each user needs a part")]
#[path = "../support/stack/mod.rs"]
mod stack;

mod cel;
mod servers;

use stack::Stack;

#[tokio::test]
async fn the_api_server_accepts_and_refuses_what_it_should() {
    let stack = Stack::shared().await.unwrap();
    let client = stack.client().await.unwrap();
    let cases = cel::every_case_holds(&client).await.unwrap();
    println!("{cases} cases");
}
