//! Connections, credentials, and inventories that grow old.

use std::time::Duration;

use serde_json::json;

use super::world::{GIB, VCENTER, World, datastore};
use crate::scheduler::{Action, ConnectionFailure, ConnectionNews, Input, SeenSecret};

fn vcenter_reason(world: &World) -> String {
    world.vcenter_puts.last().map(|status| status.conditions[0].reason.clone()).unwrap_or_default()
}

fn connected(instance_uuid: &str) -> ConnectionNews {
    ConnectionNews::Connected { version: "8.0.3".into(), instance_uuid: instance_uuid.into() }
}

fn ended(world: &mut World, failure: ConnectionFailure) {
    world.news(ConnectionNews::Ended { failure, message: "gone".into() });
}

#[test]
fn a_refused_password_is_tried_once_per_wait_and_at_once_when_the_secret_changes() {
    let mut world = World::empty(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.login_failure = Some(ConnectionFailure::InvalidCredentials);
    world.boot();
    assert_eq!(vcenter_reason(&world), "InvalidCredentials");
    world.pass(Duration::from_secs(179));
    assert_eq!(world.logins.len(), 1);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.logins.len(), 2);
    world.login_failure = None;
    world.secret("2");
    assert_eq!(world.logins.len(), 3);
    assert_eq!(vcenter_reason(&world), "Connected");
    assert_eq!(world.vcenter_puts.last().unwrap().credentials_version.as_deref(), Some("2"));
}

#[test]
fn a_new_process_does_not_repeat_a_refused_password_within_the_wait() {
    let mut world = World::empty(vec![]);
    world.login_failure = Some(ConnectionFailure::InvalidCredentials);
    world.boot();
    world.pass(Duration::from_mins(1));
    world.boot();
    assert_eq!(world.logins.len(), 1);
    world.pass(Duration::from_secs(110));
    assert_eq!(world.logins.len(), 1);
    world.pass(Duration::from_secs(15));
    assert_eq!(world.logins.len(), 2);
}

#[test]
fn nobody_notices_an_expired_session() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let puts = world.vcenter_puts.len();
    ended(&mut world, ConnectionFailure::SessionLost);
    assert_eq!(world.logins.len(), 2);
    assert_eq!(world.vcenter_puts.len(), puts);
    let key = world.create_sized("web", 10 * GIB);
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn a_session_that_never_gave_an_answer_is_not_renewed_in_a_loop() {
    let mut world = World::empty(vec![]);
    world.inventory = None;
    world.boot();
    for _ in 0..5 {
        let (attempt, _) = world.logins.last().cloned().unwrap();
        let news = ConnectionNews::Ended { failure: ConnectionFailure::SessionLost, message: "gone".into() };
        world.input(Input::Connection { vcenter: "vc".into(), attempt, news });
    }
    assert_eq!(world.logins.len(), 1);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.logins.len(), 2);
}

#[test]
fn a_vcenter_that_is_gone_is_unavailable_only_once_its_answer_is_too_old() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let placed = world.create_sized("placed", 10 * GIB);
    let waits = world.create_sized("waits", 10 * GIB);
    world.login_failure = Some(ConnectionFailure::Unavailable);
    ended(&mut world, ConnectionFailure::Unavailable);
    assert_eq!(vcenter_reason(&world), "ConnectionFailed");
    world.pass(Duration::from_secs(59));
    assert_eq!(world.reason(&waits), "NoEligibleDatastore");
    let young = world.create_sized("young", GIB);
    assert_eq!(world.reason(&young), "Placed", "the last answer is still young enough");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.reason(&waits), "VCenterUnavailable");
    assert_eq!(world.reason(&placed), "Placed");
    let new = world.create_sized("new", GIB);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.reason(&new), "VCenterUnavailable");
    let writes = world.puts.len();
    world.pass(Duration::from_mins(5));
    assert_eq!(world.puts.len(), writes, "it is said once");
    world.login_failure = None;
    world.pass(Duration::from_secs(70));
    assert_eq!(world.reason(&new), "Placed");
    assert_eq!(world.reason(&waits), "NoEligibleDatastore");
    assert_eq!(vcenter_reason(&world), "Connected");
}

#[test]
fn an_answer_is_as_old_as_it_is_however_late_it_is_told() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.login_failure = Some(ConnectionFailure::Unavailable);
    world.news(ConnectionNews::Confirmed { age: Duration::from_secs(40) });
    ended(&mut world, ConnectionFailure::Unavailable);
    world.pass(Duration::from_secs(19));
    let young = world.create_sized("young", GIB);
    assert_eq!(world.reason(&young), "Placed");
    world.pass(Duration::from_secs(2));
    let late = world.create_sized("late", GIB);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.reason(&late), "VCenterUnavailable");
}

#[test]
fn a_first_answer_that_takes_a_moment_costs_no_write() {
    let mut world = World::empty(vec![datastore("a", "VMFS", 15 * GIB)]);
    let inventory = world.inventory.take();
    world.boot();
    let key = world.create_sized("web", GIB);
    world.pass(Duration::from_secs(8));
    assert_eq!(world.puts.len(), 0);
    let (attempt, _) = world.logins.last().cloned().unwrap();
    let mut news = |news| world.input(Input::Connection { vcenter: "vc".into(), attempt, news });
    news(connected(VCENTER));
    news(ConnectionNews::Inventory { inventory: inventory.unwrap(), age: Duration::ZERO });
    assert_eq!((world.reason(&key).as_str(), world.puts.len()), ("Placed", 1));
}

#[test]
fn a_bad_field_is_told_and_nothing_is_tried() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.vcenter(2, &json!({"datastores": {"namePattern": "("}}));
    assert_eq!(vcenter_reason(&world), "InvalidSpec");
    let status = world.vcenter_puts.last().unwrap();
    assert!(status.conditions.iter().any(|c| c.type_ == "Stalled"));
    world.pass(Duration::from_mins(10));
    assert_eq!(world.logins.len(), 1);
}

#[test]
fn a_missing_secret_is_told_and_heals() {
    let mut world = World::empty(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.boot();
    world.input(Input::SecretGone("vc".into()));
    assert_eq!(vcenter_reason(&world), "Connected", "a session outlives its Secret");
    ended(&mut world, ConnectionFailure::SessionLost);
    assert_eq!(vcenter_reason(&world), "SecretNotFound");
    world.secret("7");
    assert_eq!(vcenter_reason(&world), "Connected");
}

#[test]
fn what_the_vcenter_hides_does_not_exist() {
    let mut world =
        World::start(vec![datastore("a", "VMFS", 15 * GIB), datastore("backup", "NFS", 90 * GIB)]);
    world.vcenter(2, &json!({"datastores": {"excludePattern": "backup.*"}}));
    let key = world.create_sized("web", 20 * GIB);
    let (_, _, message) = world.condition(&key, "Ready").unwrap();
    assert!(message.starts_with("0/1 datastores"), "{message}");
    assert_eq!(world.vcenter_puts.last().unwrap().datastore_count, Some(1));
}

#[test]
fn a_status_that_the_api_server_refuses_is_tried_ever_more_rarely() {
    let mut world = World::empty(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.refuses_vcenters = true;
    world.boot();
    world.pass_with_answers(Duration::from_mins(10));
    let tries = world.vcenter_puts.len();
    // After 2, 4, 8, 16, 32 s, and then every 64 s.
    assert!((10..=16).contains(&tries), "{tries}");
    world.refuses_vcenters = false;
    world.pass_with_answers(Duration::from_secs(70));
    assert_eq!(world.vcenter_puts.len(), tries + 1, "once it is taken, it is not written again");
}

#[test]
fn a_password_that_one_vcenter_object_was_refused_is_not_tried_for_another_one() {
    let mut world = World::empty(vec![]);
    world.login_failure = Some(ConnectionFailure::InvalidCredentials);
    world.boot();
    world.vcenter_named("twin", 1, &json!({}));
    assert_eq!(world.logins.len(), 1, "the same server and Secret");
    world.vcenter_named("other", 1, &json!({"server": "https://other.example.com"}));
    assert_eq!(world.logins.len(), 2);
    world.pass(Duration::from_secs(175));
    assert_eq!(world.logins.len(), 2);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.logins.len(), 4, "one try for each server");
    world.login_failure = None;
    world.inventory = None;
    world.secret("2");
    assert_eq!(world.logins.len(), 6, "whoever is second waits for what becomes of the first");
    let (attempt, _) = world.logins[5].clone();
    world.input(Input::Connection { vcenter: "twin".into(), attempt, news: connected(VCENTER) });
    assert_eq!(world.logins.len(), 7, "now it tries for itself");
}

#[test]
fn a_connection_that_nothing_asks_for_any_more_is_ended() {
    let mut world = World::start(vec![]);
    let (attempt, _) = world.logins.last().cloned().unwrap();
    let mut told = |news| {
        let mut actions = Vec::new();
        let news = Input::Connection { vcenter: "gone".into(), attempt, news };
        world.scheduler.step(world.now(), news, &mut actions);
        actions.iter().filter(|action| matches!(action, Action::Disconnect { .. })).count()
    };
    assert_eq!(told(ConnectionNews::Confirmed { age: Duration::ZERO }), 1);
    let failure = ConnectionFailure::Unavailable;
    assert_eq!(told(ConnectionNews::Ended { failure, message: "gone".into() }), 0, "it has ended");
}

#[test]
fn an_edit_of_the_vcenter_is_news_to_those_who_wait() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.vcenter(2, &json!({"allowedNamespaces": {"from": "None"}}));
    let key = world.create_sized("web", GIB);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.reason(&key), "VCenterNotAllowed");
    world.vcenter(3, &json!({}));
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn labels_of_a_namespace_that_is_gone_count_no_more() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let selector = json!({"from": "Selector", "selector": {"matchLabels": {"tier": "prod"}}});
    world.vcenter(2, &json!({"allowedNamespaces": selector}));
    let labels = [("tier".to_owned(), "prod".to_owned())].into();
    world.input(Input::NamespaceSeen { name: "team-a".into(), labels });
    let before = world.create_sized("before", GIB);
    assert_eq!(world.reason(&before), "Placed");
    world.input(Input::NamespaceGone("team-a".into()));
    let after = world.create_sized("after", GIB);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.reason(&after), "VCenterNotAllowed");
}

#[test]
fn another_address_secret_or_version_of_it_is_another_login() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.secret("1");
    assert_eq!(world.logins.len(), 1);
    world.secret("2");
    assert_eq!(world.logins.len(), 2);
    world.vcenter(2, &json!({"server": "https://vc2.example.com"}));
    assert_eq!(world.logins.len(), 3);
    world.vcenter(3, &json!({"server": "https://vc2.example.com", "credentialsSecretName": "other"}));
    let other = SeenSecret { name: "other".into(), resource_version: "2".into(), missing_keys: vec![] };
    world.input(Input::SecretSeen(other));
    assert_eq!(world.logins.len(), 4, "another Secret, by chance of the same version");
}

/// Another address is another vCenter until it has answered; new credentials are for the same one.
#[test]
fn an_inventory_is_decided_on_for_as_long_as_it_is_of_the_same_vcenter() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.inventory = None;
    world.secret("2");
    let same = world.create_sized("same", GIB);
    assert_eq!(world.reason(&same), "Placed");
    world.vcenter(2, &json!({"server": "https://vc2.example.com"}));
    let other = world.create_sized("other", GIB);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.reason(&other), "nothing", "its first answer is awaited");

    // The same address, and behind it another vCenter or the same one.
    for (instance_uuid, reason) in [("another", "nothing"), (VCENTER, "Placed")] {
        let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
        world.inventory = None;
        world.secret("2");
        let (attempt, _) = world.logins.last().cloned().unwrap();
        world.input(Input::Connection { vcenter: "vc".into(), attempt, news: connected(instance_uuid) });
        let key = world.create_sized("web", GIB);
        world.pass(Duration::from_secs(5));
        assert_eq!(world.reason(&key), reason, "{instance_uuid}");
    }
}

#[test]
fn what_must_be_changed_by_somebody_is_misconfigured_and_nothing_else() {
    let misconfigured = |world: &World| {
        let all = world.scheduler.misconfigured();
        all.map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>()
    };
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    assert_eq!(misconfigured(&world), [""; 0]);
    ended(&mut world, ConnectionFailure::Unavailable);
    assert_eq!(misconfigured(&world), [""; 0]);

    let mut world = World::start(vec![]);
    world.login_failure = Some(ConnectionFailure::Unavailable);
    ended(&mut world, ConnectionFailure::Unavailable);
    let seen = SeenSecret {
        name: "vc".into(),
        resource_version: "2".into(),
        missing_keys: vec!["username", "password"],
    };
    world.input(Input::SecretSeen(seen));
    let lacks = "vc: there is no Secret vc with username and password in Berth's namespace";
    assert_eq!(misconfigured(&world), [lacks]);
    world.vcenter(2, &json!({"datastores": {"namePattern": "("}}));
    assert_eq!(
        misconfigured(&world),
        ["vc: datastores.namePattern: \"(\" is not a regular expression: unclosed group"]
    );
    let key = world.create_sized("web", GIB);
    world.pass(Duration::from_secs(3));
    let (_, reason, message) = world.condition(&key, "Ready").unwrap();
    assert_eq!(reason, "VCenterNotAllowed", "{message}");
}

#[test]
fn a_first_answer_is_awaited_for_a_moment_and_only_while_nothing_has_failed() {
    let mut world = World::empty(vec![]);
    world.login_failure = Some(ConnectionFailure::InvalidCredentials);
    world.boot();
    let refused = world.create_sized("web", GIB);
    world.pass(Duration::from_secs(3));
    let (_, reason, message) = world.condition(&refused, "Ready").unwrap();
    assert_eq!(reason, "VCenterUnavailable");
    assert!(message.contains("has given no complete answer in the last 60 s"), "{message}");

    let mut world = World::empty(vec![]);
    world.inventory = None;
    world.boot();
    let awaits = world.create_sized("web", GIB);
    world.pass(Duration::from_secs(9));
    assert_eq!(world.reason(&awaits), "nothing");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.reason(&awaits), "VCenterUnavailable");
}

#[test]
fn a_vcenter_that_falls_silent_is_stale_and_one_that_is_lost_is_not_up() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.pass(Duration::from_secs(62));
    assert_eq!(vcenter_reason(&world), "InventoryStale");
    world.news(ConnectionNews::Confirmed { age: Duration::ZERO });
    assert_eq!(vcenter_reason(&world), "Connected");
    assert_eq!(world.scheduler.figures(world.now()).vcenters, [("vc".to_owned(), true)]);
    world.login_failure = Some(ConnectionFailure::Unavailable);
    ended(&mut world, ConnectionFailure::Unavailable);
    assert_eq!(world.scheduler.figures(world.now()).vcenters, [("vc".to_owned(), false)]);
    let told: Vec<_> = world.announcements.iter().map(|a| (a.reason, a.warning)).collect();
    assert_eq!(told, [("Connected", false), ("Connected", false), ("ConnectionFailed", true)]);
}

#[test]
fn a_vcenter_object_that_is_deleted_is_logged_out() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    assert!(world.attempt.is_some());
    world.input(Input::VCenterGone("vc".into()));
    assert!(world.attempt.is_none());
}

#[test]
fn the_identity_of_a_vcenter_is_forgotten_with_its_address() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let identity = |world: &World| world.vcenter_puts.last().unwrap().instance_uuid.clone();
    world.vcenter(2, &json!({"datastores": {"excludePattern": "b"}}));
    assert_eq!(identity(&world).as_deref(), Some(VCENTER));
    world.login_failure = Some(ConnectionFailure::Unavailable);
    world.vcenter(3, &json!({"server": "https://vc2.example.com"}));
    assert_eq!(identity(&world), None);
}
