//! Who is believed, and that nobody else gets to see the credentials.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    certificates::{Authority, Identity},
    fake::{Fake, PASSWORD, credentials},
};
use crate::vsphere::{CertificateProblem, Error, Report, Trust, run};

fn authority() -> Authority {
    Authority::new("vsphere test").unwrap()
}

fn identity(authority: &Authority) -> Identity {
    authority.issue("vcenter").unwrap()
}

/// For another name than the one in the address.
fn named(authority: &Authority) -> Identity {
    authority.issue_for(&["vc.example"], |_| {}).unwrap()
}

fn pin(identity: &Identity) -> Trust {
    Trust::thumbprint(&identity.thumbprint).unwrap()
}

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
    let (ours, other) = (authority(), authority());
    let identity = identity(&ours);
    let fake = Fake::serve(&identity, Trust::CaBundle(ours.pem().to_owned())).await;
    outcome(&fake).await.unwrap();
    assert!(fake.seen("Login")[0].body.contains("s3cr3t-&lt;&amp;&gt;-pass"));

    let fake = Fake::serve(&identity, Trust::CaBundle(other.pem().to_owned())).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Chain(_)));
    let fake = Fake::serve(&identity, Trust::System).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Chain(_) | CertificateProblem::Trust(_)));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_time_is_refused() {
    let ours = authority();
    let fake = Fake::serve(&named(&ours), Trust::CaBundle(ours.pem().to_owned())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Name);

    let expired = ours.issue_for(&["127.0.0.1"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let fake = Fake::serve(&expired.unwrap(), Trust::CaBundle(ours.pem().to_owned())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Expired);
}

#[tokio::test]
async fn a_thumbprint_accepts_one_certificate_whatever_its_name() {
    let ours = authority();
    let (pinned, other) = (named(&ours), identity(&ours));
    let fake = Fake::serve(&pinned, pin(&pinned)).await;
    outcome(&fake).await.unwrap();

    let fake = Fake::serve(&other, pin(&pinned)).await;
    let CertificateProblem::Thumbprint(seen) = refused(&fake).await else { panic!() };
    assert_eq!(Trust::thumbprint(&seen).unwrap(), pin(&other));
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused() {
    let ours = authority();
    let pinned = identity(&ours);
    let thief = pinned.with_other_key().unwrap();
    let fake = Fake::serve(&thief, pin(&pinned)).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Key);
    let fake = Fake::serve(&thief, Trust::CaBundle(ours.pem().to_owned())).await;
    assert_eq!(refused(&fake).await, CertificateProblem::Key);
}

#[tokio::test]
async fn an_unusable_bundle_is_a_certificate_problem_without_a_connection() {
    let ours = authority();
    let fake = Fake::serve(&identity(&ours), Trust::CaBundle("nothing".into())).await;
    assert!(matches!(refused(&fake).await, CertificateProblem::Trust(_)));
}

#[tokio::test]
async fn nothing_printable_holds_a_secret() {
    let ours = authority();
    let fake = Fake::serve(&identity(&ours), Trust::CaBundle(ours.pem().to_owned())).await;
    let shown = format!("{:?} {:?}", fake.endpoint, credentials());
    assert!(!shown.contains(PASSWORD));
    assert!(!shown.contains("BEGIN CERTIFICATE"));
}
