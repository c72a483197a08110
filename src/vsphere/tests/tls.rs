//! Who is believed, and that nobody else gets to see the credentials.

use rcgen::{CertificateParams, KeyPair};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::fake::{Authority, Fake, PASSWORD, credentials};
use crate::vsphere::{CertificateProblem, Error, Report, Trust, run};

/// Runs until connected or refused.
async fn outcome(fake: &Fake) -> Result<(), Error> {
    let (sender, mut receiver) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(fake.endpoint.clone(), credentials(), sender, stop.clone()));
    while let Some(report) = receiver.recv().await {
        if matches!(report, Report::Connected { .. }) {
            stop.cancel();
        }
    }
    running.await.unwrap()
}

/// Refused, and not one byte of the conversation reached the server.
async fn refused(fake: &Fake) -> CertificateProblem {
    let Err(Error::Certificate(problem)) = outcome(fake).await else { panic!("not refused") };
    let state = fake.state.lock().unwrap();
    assert_eq!((state.bytes, state.seen.len()), (0, 0));
    problem
}

#[tokio::test]
async fn the_given_authority_is_accepted_and_no_other() {
    let (ours, other) = (Authority::new(), Authority::new());
    let identity = ours.issue("127.0.0.1");
    let fake = Fake::serve(identity.server(), Trust::CaBundle(ours.pem.clone())).await;
    outcome(&fake).await.unwrap();
    assert!(fake.seen("Login")[0].body.contains("s3cr3t-&lt;&amp;&gt;-pass"));

    let fake = Fake::serve(identity.server(), Trust::CaBundle(other.pem)).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Chain(_)));
    let fake = Fake::serve(identity.server(), Trust::System).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Chain(_) | CertificateProblem::Trust(_)));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_time_is_refused() {
    let ours = Authority::new();
    let fake = Fake::serve(ours.issue("vc.example").server(), Trust::CaBundle(ours.pem.clone())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Name);

    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let fake = Fake::serve(ours.issue_with(&params).server(), Trust::CaBundle(ours.pem.clone())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Expired);
}

#[tokio::test]
async fn a_thumbprint_accepts_one_certificate_whatever_its_name() {
    let ours = Authority::new();
    let (pinned, other) = (ours.issue("vc.example"), ours.issue("127.0.0.1"));
    let fake = Fake::serve(pinned.server(), pinned.thumbprint()).await;
    outcome(&fake).await.unwrap();

    let fake = Fake::serve(other.server(), pinned.thumbprint()).await;
    let CertificateProblem::Thumbprint(seen) = refused(&fake).await else { panic!() };
    assert_eq!(Trust::thumbprint(&seen).unwrap(), other.thumbprint());
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused() {
    let ours = Authority::new();
    let pinned = ours.issue("127.0.0.1");
    let thiefs_key = KeyPair::generate().unwrap();
    let fake = Fake::serve(pinned.server_with_key(&thiefs_key), pinned.thumbprint()).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Key);
    let fake = Fake::serve(pinned.server_with_key(&thiefs_key), Trust::CaBundle(ours.pem.clone())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Key);
}

#[tokio::test]
async fn an_unusable_bundle_is_a_certificate_problem_without_a_connection() {
    let ours = Authority::new();
    let fake = Fake::serve(ours.issue("127.0.0.1").server(), Trust::CaBundle("nothing".into())).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Trust(_)));
}

#[tokio::test]
async fn nothing_printable_holds_a_secret() {
    let ours = Authority::new();
    let fake = Fake::serve(ours.issue("127.0.0.1").server(), Trust::CaBundle(ours.pem.clone())).await;
    let shown = format!("{:?} {:?}", fake.endpoint, credentials());
    assert!(!shown.contains(PASSWORD));
    assert!(!shown.contains("BEGIN CERTIFICATE"));
}
