//! `berth inventory` as a user runs it, against the strict fake.

use std::process::{Output, Stdio};

use berth::recording::Recording;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::fake_vcenter::{Action, FakeVcenter, Options};

/// In every name.
const MARK: &str = "zorg";

fn options() -> Options {
    let datastores = json!([
        {"name": "zorg-gold", "type": "VVOL", "capacity": 1_099_511_627_776_i64, "free": 1_073_741_824, "timestamp": "2026-01-02T03:04:05Z"},
        {"name": "zorg/silver", "type": "vsan", "maintenanceMode": null, "capacity": null, "withheld": ["capability"]},
        {"name": "zorg-local", "mounts": [{"host": "zorg-esx-1", "accessMode": "readOnly"}]},
    ]);
    let clusters = json!([{"name": "zorg-c", "hosts": [{"name": "zorg-esx-1"}, {"name": "zorg-esx-2"}]}]);
    let datacenter = json!({"name": "zorg-dc", "clusters": clusters, "datastores": datastores});
    Options { inventory: json!({"datacenters": [datacenter]}), ..Options::default() }
}

/// A vCenter, and the files that a user has of it.
struct Setup {
    fake: FakeVcenter,
    folder: TempDir,
}

impl Setup {
    async fn new(options: Options) -> Self {
        let fake = FakeVcenter::start(options).await;
        let folder = tempfile::tempdir().unwrap();
        let setup = Self { fake, folder };
        setup.file("password", &format!("{}\n", Options::default().password));
        setup.file("ca.pem", &setup.fake.ca_pem);
        setup
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("inventory").args(["--username", &Options::default().username]).args(arguments);
        command.current_dir(self.folder.path()).kill_on_drop(true).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// With these arguments besides server and username.
    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["--server", &self.fake.url], arguments].concat()).output().await.unwrap()
    }

    /// What is printed with the right password and CA.
    async fn record(&self, arguments: &[&str]) -> String {
        let right = ["--password-file", "password", "--ca", "ca.pem", "--quiet"];
        let output = self.run(&[&right, arguments].concat()).await;
        assert_eq!(text(output.stderr), "");
        assert!(output.status.success());
        text(output.stdout)
    }

    /// The one line that is said when it fails.
    async fn refused(&self, arguments: &[&str]) -> String {
        failed(self.run(&[arguments, &["--quiet"]].concat()).await)
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn failed(output: Output) -> String {
    let said = text(output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    let line = said.strip_suffix('\n').unwrap_or_default();
    assert!(!line.is_empty() && !line.contains('\n'), "one line: {said:?}");
    line.to_owned()
}

#[tokio::test]
async fn recorded_twice_without_a_change_it_is_the_same_file() {
    let setup = Setup::new(options()).await;
    let first = setup.record(&[]).await;
    assert_eq!(setup.record(&[]).await, first);
    assert_eq!((setup.fake.sessions(), setup.fake.logins().len()), (0, 2), "it has logged out");
    let recording = Recording::read(&first).unwrap();
    assert_eq!(recording.server, setup.fake.url);
    assert_eq!(recording.inventory.vcenter_version, "8.0.3");
    assert_eq!(recording.to_json().unwrap(), first);
    let file: Value = serde_json::from_str(&first).unwrap();
    let hosts = file["hosts"].as_array().unwrap();
    let host = hosts.iter().find(|host| host["name"] == "zorg-esx-1").unwrap();
    assert_eq!(host["path"], "/zorg-dc/host/zorg-c/zorg-esx-1");
    let all = hosts.iter().map(|host| host["moRef"].clone()).collect::<Value>();
    let [gold, silver, local] = file["datastores"].as_array().unwrap().as_slice() else { panic!("{first}") };
    assert_eq!(gold["figuresTime"], "2026-01-02T03:04:05Z");
    assert_eq!((&gold["freeBytes"], &gold["mounts"]["usable"]), (&json!(1_073_741_824), &all));
    assert_eq!((&silver["name"], &silver["withheld"]), (&json!("zorg/silver"), &json!(["thinProvisioning"])));
    assert_eq!((silver.get("capacityBytes"), silver.get("maintenanceMode")), (None, None));
    assert_eq!(local["mounts"], json!({"readOnly": [host["moRef"]]}));

    setup.fake.set_datastore("zorg-gold", &json!({"free": 5}));
    let changed = setup.record(&[]).await;
    let differing = first.lines().zip(changed.lines()).filter(|(before, after)| before != after);
    assert_eq!(differing.count(), 1, "a change is a small difference");
}

#[tokio::test]
async fn all_mounts_are_waited_for() {
    let datastores = (0..1200).map(|n| json!({"name": format!("d{n}")})).collect();
    let setup = Setup::new(Options::with_datastores(&datastores)).await;
    let recording = Recording::read(&setup.record(&[]).await).unwrap();
    let all = recording.inventory.datastores();
    assert_eq!(all.len(), 1200);
    assert!(all.iter().all(|one| one.mounts.read().is_some_and(|mounts| mounts.usable.len() == 3)));
    assert!(setup.fake.count("WaitForUpdatesEx") > 13, "in more than one answer");
}

#[tokio::test]
async fn an_anonymous_recording_names_nothing() {
    let setup = Setup::new(options()).await;
    let named = setup.record(&[]).await;
    let anonymous = setup.record(&["--anonymize"]).await;
    assert_eq!(setup.record(&["--anonymize"]).await, anonymous);
    for secret in [MARK, "127.0.0.1", &Options::default().instance_uuid, "/vmfs/volumes/vvol"] {
        assert!(named.contains(secret) && !anonymous.contains(secret), "{secret}: {anonymous}");
    }
    assert_eq!(Recording::read(&named).unwrap().anonymized(), Recording::read(&anonymous).unwrap());
    assert!(!setup.record(&["--anonymize", "-o", "table"]).await.contains(MARK));
}

#[tokio::test]
async fn a_table_has_a_line_for_each_datastore() {
    let setup = Setup::new(options()).await;
    let table = setup.record(&["-o", "table"]).await;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let [header, gold, silver, local] = rows.as_slice() else { panic!("{table}") };
    let columns =
        "NAME MOREF TYPE CAPACITY FREE UNCOMMITTED ACCESSIBLE MAINTENANCE HOSTS DATACENTER".split(' ');
    assert_eq!(*header, columns.collect::<Vec<_>>());
    let starts = ["zorg-gold", "datastore-10001", "VVOL", "1.0", "TiB", "1.0", "GiB"];
    assert!(gold.starts_with(&starts) && gold.ends_with(&["true", "normal", "2/2", "zorg-dc"]), "{table}");
    assert!(silver.starts_with(&["zorg/silver", "datastore-10002", "vsan", "?"]), "{table}");
    assert!(local.ends_with(&["true", "normal", "0/2", "zorg-dc"]), "{table}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_not_repeated_to_anybody() {
    let setup = Setup::new(options()).await;
    setup.file("wrong", "hunter2\n");
    let said = setup.refused(&["--password-file", "wrong", "--ca", "ca.pem"]).await;
    let start =
        format!("error: {}: vCenter refused the user name or password; check --username", setup.fake.url);
    assert!(said.starts_with(&start) && !said.contains("hunter2"), "{said}");
    let logins = setup.fake.logins();
    assert_eq!((logins.len(), logins[0].password.as_str()), (1, "hunter2"));
}

#[tokio::test]
async fn a_password_can_come_from_standard_input_and_keeps_its_blanks() {
    let password = " word \r";
    let setup = Setup::new(Options { password: password.to_owned(), ..options() }).await;
    let server = ["--server", &setup.fake.url, "--password-file", "-", "--ca", "ca.pem"];
    let mut command = setup.command(&server);
    let input = std::fs::File::from(pipe(&format!("{password}\r\n")));
    let output = command.stdin(input).output().await.unwrap();
    assert!(output.status.success(), "{}", text(output.stderr));
    assert_eq!(setup.fake.logins()[0].password, password);
}

/// The end of a pipe from which this can be read.
fn pipe(text: &str) -> std::os::fd::OwnedFd {
    use std::io::Write as _;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

#[tokio::test]
async fn a_vcenter_that_is_not_trusted_gets_no_password() {
    let setup = Setup::new(options()).await;
    let other = crate::tls::Authority::new("Someone else's CA").unwrap();
    setup.file("other.pem", other.pem());
    let password = ["--password-file", "password"];
    let said = setup.refused(&[&password[..], &["--ca", "other.pem"]].concat()).await;
    assert!(said.contains(": certificate refused: not issued by a trusted authority ("), "{said}");
    assert!(said.ends_with("; give its CA with --ca, or its thumbprint with --thumbprint"), "{said}");
    let said = setup.refused(&password).await;
    assert!(said.contains(": certificate refused: "), "{said}");
    let wrong = "AB".repeat(32);
    let said = setup.refused(&[&password[..], &["--thumbprint", &wrong]].concat()).await;
    let seen = format!("the server presents another certificate, SHA-256 {}", setup.fake.thumbprint);
    assert!(said.contains(&seen), "{said}");
    assert_eq!(setup.fake.logins().len(), 0);
    let right = setup.run(&[&password[..], &["--thumbprint", &setup.fake.thumbprint]].concat()).await;
    assert!(right.status.success(), "{}", text(right.stderr));
}

#[tokio::test]
async fn what_cannot_be_used_is_said_before_anything_is_sent() {
    let setup = Setup::new(options()).await;
    setup.file("empty", "\n");
    setup.file("long", &"x".repeat(5000));
    setup.file("no.pem", "no PEM");
    std::fs::write(setup.folder.path().join("binary"), b"a\xff").unwrap();
    let missing = "No such file or directory (os error 2)";
    for (arguments, expected) in [
        (&["--password-file", "gone"][..], format!("--password-file gone: {missing}")),
        (&["--password-file", "empty"], "--password-file empty: it is empty".into()),
        (&["--password-file", "long"], "--password-file long: it is longer than 4096 bytes".into()),
        (&["--password-file", "binary"], "--password-file binary: it is not UTF-8".into()),
        (&["--password-file", "password", "--ca", "gone"], format!("--ca gone: {missing}")),
        (
            &["--password-file", "password", "--ca", "no.pem"],
            "--ca no.pem: the CA bundle has no certificate".into(),
        ),
        (
            &["--password-file", "password", "--thumbprint", &"AB".repeat(20)],
            "--thumbprint: this is a SHA-1 thumbprint; give the SHA-256 one".into(),
        ),
    ] {
        assert_eq!(setup.refused(arguments).await, format!("error: {expected}"));
    }
    for server in ["https://vc.example.com/sdk", "https://user:word@vc.example.com"] {
        let server = ["--server", server, "--password-file", "password"];
        let said = failed(setup.command(&server).output().await.unwrap());
        assert_eq!(said, "error: --server: it is not HOST[:PORT], without user and path");
    }
    assert_eq!(setup.fake.requests().len(), 0);
}

#[tokio::test]
async fn nobody_there_and_no_vcenter_there_are_told_apart() {
    let mut setup = Setup::new(options()).await;
    let right = ["--password-file", "password", "--ca", "ca.pem"];
    setup.fake.next("RetrieveServiceContent", Action::Replace("VirtualCenter".into(), "HostAgent".into()));
    let said = setup.refused(&right).await;
    assert!(said.contains(": unusable endpoint: the server is not a vCenter; give the address of"), "{said}");
    setup.fake.next("Login", Action::Status(503));
    let said = setup.refused(&right).await;
    assert!(said.contains(": HTTP status 503; try again"), "{said}");
    setup.fake.stop();
    let said = setup.refused(&right).await;
    assert!(
        said.contains(": unreachable: ") && said.contains("; check --server and the way there"),
        "{said}"
    );
}

#[tokio::test]
async fn an_interrupted_recording_logs_out_and_prints_nothing() {
    for signal in ["INT", "TERM"] {
        let setup = Setup::new(options()).await;
        setup.fake.always("WaitForUpdatesEx", Action::Hang);
        let right = ["--server", &setup.fake.url, "--password-file", "password", "--ca", "ca.pem", "--quiet"];
        let child = setup.command(&right).spawn().unwrap();
        while setup.fake.count("WaitForUpdatesEx") == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(setup.fake.sessions(), 1);
        let pid = child.id().unwrap().to_string();
        let sent = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, signal, &pid]).status().await;
        assert!(sent.unwrap().success());
        let said = failed(child.wait_with_output().await.unwrap());
        assert_eq!(said, format!("error: {}: interrupted", setup.fake.url));
        assert_eq!(setup.fake.sessions(), 0);
    }
}

#[tokio::test]
async fn what_is_left_out_or_not_shown_is_counted() {
    let datastores = json!([{"name": "good", "withheld": ["info"]}, {"name": "bell\u{7}"}]);
    let setup = Setup::new(Options::with_datastores(&datastores)).await;
    let output = setup.run(&["--password-file", "password", "--ca", "ca.pem"]).await;
    let said = text(output.stderr);
    let warnings = "warning: objects that make no sense and are left out: 1\n\
                    warning: datastores of which vCenter does not show everything: 1; grant the account Read-only on them\n";
    assert!(said.ends_with(warnings), "{said}");
    assert_eq!(Recording::read(&text(output.stdout)).unwrap().inventory.datastores().len(), 1);
}
