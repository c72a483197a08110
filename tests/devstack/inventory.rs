//! `berth inventory` against the simulator.

use std::fs;
use std::process::{Command, Output};

use berth::recording::Recording;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::{Logins, Stack, Vcenter, VcenterOptions};

/// In every name.
const MARK: &str = "zorg";

fn options() -> VcenterOptions {
    let inventory = json!({"datacenters": [{
        "name": "zorg-dc",
        "clusters": [{"name": "zorg-c", "hosts": [{"name": "zorg-esx-1"}, {"name": "zorg-esx-2", "maintenance": true}]}],
        "hosts": 1,
        "datastores": [
            {"name": "zorg/gold", "type": "VVOL", "capacity": 1_099_511_627_776_i64, "free": 1_073_741_824},
            {"name": "zorg-silver", "type": "NFS", "maintenanceMode": null, "capacity": null},
            {"name": "zorg-local", "mounts": [{"host": "zorg-esx-1", "accessMode": "readOnly"}]},
        ],
    }]});
    VcenterOptions { inventory, ..VcenterOptions::default() }
}

/// A vCenter, and the files that a user has of it.
struct Setup<'a> {
    stack: &'a Stack,
    vcenter: Vcenter,
    folder: TempDir,
}

impl<'a> Setup<'a> {
    fn new(stack: &'a Stack, name: &str) -> Self {
        let vcenter = stack.start_vcenter(name, options()).unwrap();
        let setup = Self { stack, vcenter, folder: tempfile::tempdir().unwrap() };
        setup.file("password", &setup.vcenter.options().password);
        setup.file("ca.pem", setup.stack.ca_pem());
        setup
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(super::berth());
        command.args(["inventory", "--server", self.vcenter.server_url(), "--quiet", "--username"]);
        command.arg(&self.vcenter.options().username).args(arguments);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn record(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["--password-file", "password", "--ca", "ca.pem"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len(), said.lines().count()),
            (Some(1), 0, 1),
            "{said}"
        );
        said
    }
}

#[test]
fn a_vcenter_recorded_twice_gives_the_same_bytes() {
    let stack = Stack::shared_blocking().unwrap();
    let setup = Setup::new(&stack, "recorded");
    let file = setup.record(&[]);
    assert_eq!(setup.record(&[]), file);
    assert_eq!(setup.vcenter.logins().unwrap(), Logins { succeeded: 2, failed: 0 });
    assert!(setup.vcenter.sessions().unwrap().is_empty(), "it has logged out");
    let recording = Recording::read(&file).unwrap();
    assert_eq!(recording.to_json().unwrap(), file);
    assert_eq!(recording.server, setup.vcenter.server_url());
    assert_eq!(recording.inventory.instance_uuid, setup.vcenter.options().instance_uuid);
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["hosts"].as_array().unwrap().len(), 3);
    let datastores = file["datastores"].as_array().unwrap();
    let named = |name: &str| datastores.iter().find(|one| one["name"] == name).unwrap();
    let gold = named("zorg/gold");
    assert_eq!(gold["moRef"], setup.vcenter.moref("zorg/gold").unwrap());
    assert_eq!((&gold["type"], &gold["freeBytes"]), (&json!("VVOL"), &json!(1_073_741_824)));
    assert_eq!(gold["mounts"]["usable"].as_array().unwrap().len(), 2);
    let silver = named("zorg-silver");
    assert_eq!((silver.get("capacityBytes"), silver.get("maintenanceMode")), (None, None));
    assert_eq!(named("zorg-local")["mounts"]["readOnly"].as_array().unwrap().len(), 1);
}

#[test]
fn an_anonymous_recording_and_a_table_are_printed() {
    let stack = Stack::shared_blocking().unwrap();
    let setup = Setup::new(&stack, "anonymous");
    let (named, anonymous) = (setup.record(&[]), setup.record(&["--anonymize"]));
    for secret in [MARK, "127.0.0.1", &setup.vcenter.options().instance_uuid] {
        assert!(named.contains(secret) && !anonymous.contains(secret), "{secret}: {anonymous}");
    }
    assert_eq!(Recording::read(&anonymous).unwrap(), Recording::read(&named).unwrap().anonymized());
    let table = setup.record(&["--output", "table"]);
    let gold = table.lines().find(|line| line.starts_with("zorg/gold ")).unwrap_or_else(|| panic!("{table}"));
    assert!(gold.contains(" VVOL ") && gold.contains(" 1.0 TiB ") && gold.ends_with(" zorg-dc"), "{table}");
    assert_eq!(table.lines().count(), 4);
}

#[test]
fn a_recording_needs_the_right_password_and_the_right_authority() {
    let stack = Stack::shared_blocking().unwrap();
    let setup = Setup::new(&stack, "guarded");
    setup.file("wrong", "hunter2");
    setup.file("other.pem", stack.unrelated_ca_pem());
    let said = setup.refused(&["--password-file", "wrong", "--ca", "ca.pem"]);
    assert!(said.contains("vCenter refused the user name or password; check --username"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(setup.vcenter.logins().unwrap(), Logins { succeeded: 0, failed: 1 });
    let said = setup.refused(&["--password-file", "password", "--ca", "other.pem"]);
    assert!(said.contains("certificate refused: not issued by a trusted authority"), "{said}");
    assert_eq!(setup.vcenter.logins().unwrap(), Logins { succeeded: 0, failed: 1 });
    setup.record(&[]);
    let pinned = ["--password-file", "password", "--thumbprint", setup.vcenter.thumbprint()];
    assert!(setup.run(&pinned).status.success());
}
