//! Tests against real servers; a missing one is a failure here.

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
