//! Tests against real servers; a missing one is a failure here.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/cel_cases.rs"]
mod cel_cases;

mod cel;

/// The API server is the one that `KUBECONFIG` names.
#[tokio::test]
async fn the_api_server_accepts_and_refuses_what_it_should() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let client = kube::Client::try_default().await.unwrap();
    let cases = cel::every_case_holds(&client).await.unwrap();
    println!("{cases} cases");
}
