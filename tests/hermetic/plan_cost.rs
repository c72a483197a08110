//! What a large plan costs: processor time and bytes of the optimised binary. Takes a release build.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::random::Random;

const MANY: u64 = 1000;
const GIB: u64 = 1 << 30;

/// 1,000 placements of all sorts, as people write them.
fn manifests() -> String {
    let mut text = String::from(
        "apiVersion: berth.dev/v1alpha1\nkind: PlacementClass\nmetadata:\n  name: standard\n  annotations:\n    \
         berth.dev/is-default-class: \"true\"\nspec: {}\n---\napiVersion: berth.dev/v1alpha1\nkind: VCenter\n\
         metadata: {name: vc}\nspec:\n  server: https://vc.example.com\n  credentialsSecretName: vc\n  \
         allowedNamespaces: {from: All}\n",
    );
    let mut random = Random(5);
    for number in 0..MANY {
        let odd = if random.below(3) == 0 { random.below(1 << 20) } else { 0 };
        let image = (1 + random.below(200)) * GIB + odd;
        let pattern = ["\".*\"", "gold-.*", "silver-[0-9]+", "\".*[02468]\""]
            [usize::try_from(random.below(4)).unwrap()];
        let types = ["[VVOL]", "[VMFS, NFS]", "[]"][usize::try_from(random.below(3)).unwrap()];
        // Only VVOL and no whole MiB is refused before anything is planned.
        let types = if odd > 0 { "[]" } else { types };
        write!(
            text,
            "---\napiVersion: berth.dev/v1alpha1\nkind: InstancePlacement\nmetadata:\n  name: web-{number:04}\n  \
             namespace: team-{}\n  labels: {{app: web}}\nspec:\n  image: {{virtualSize: {image}}}\n  \
             rootDisk: {{size: 300Gi, provisioning: {}}}\n  datastores:\n    namePattern: {pattern}\n    \
             types: {types}\n",
            number % 10,
            if random.below(2) == 0 { "Thick" } else { "Thin" },
        )
        .unwrap();
    }
    text
}

/// 1,000 datastores, each mounted by 64 hosts.
fn inventory() -> String {
    let mut random = Random(6);
    let hosts: Vec<_> = (0..64)
        .map(|n| json!({"moRef": format!("host-{n}"), "name": format!("esx-{n}"), "path": format!("/DC0/host/C0/esx-{n}"), "cluster": "domain-c1", "datacenter": "datacenter-1"}))
        .collect();
    let mounts: Vec<_> = (0..64).map(|n| format!("host-{n}")).collect();
    let datastores: Vec<_> = (0..MANY)
        .map(|n| {
            let kind = ["VVOL", "VMFS", "NFS", "vsan"][usize::try_from(n % 4).unwrap()];
            let metal = ["gold", "silver", "bronze"][usize::try_from(random.below(3)).unwrap()];
            let mode = if random.below(20) == 0 { "inMaintenance" } else { "normal" };
            json!({
                "moRef": format!("datastore-{n}"), "name": format!("{metal}-{n}"), "datacenter": "datacenter-1", "type": kind,
                "url": format!("ds:///vmfs/volumes/{n}/"), "accessible": true, "maintenanceMode": mode,
                "capacityBytes": 4000 * GIB, "freeBytes": (200 + random.below(3000)) * GIB, "uncommittedBytes": random.below(500) * GIB,
                "multipleHostAccess": true, "thinProvisioning": true, "mounts": {"usable": mounts},
            })
        })
        .collect();
    json!({
        "apiVersion": "berth.dev/inventory/v1",
        "vCenter": {"server": "https://vc.example.com", "instanceUUID": "4d1a6d5e-8a7c-4c0b-9f0e-2b6f5c1d3e4f", "version": "8.0.3"},
        "datacenters": [{"moRef": "datacenter-1", "name": "DC0", "path": "/DC0"}],
        "clusters": [{"moRef": "domain-c1", "name": "C0", "path": "/DC0/host/C0"}],
        "hosts": hosts, "datastores": datastores,
    })
    .to_string()
}

/// Processor time, user and system, not wall-clock time. Writes `target/long/plan.json`.
#[test]
#[ignore = "needs a release build: make test-long"]
fn a_plan_of_a_thousand_against_a_thousand_costs_less_than_a_second_and_two_megabytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plan.yaml"), manifests()).unwrap();
    fs::write(folder.path().join("vc.json"), inventory()).unwrap();
    let mut figures = Vec::new();
    for output in ["json", "html"] {
        let script = format!(
            "TIMEFORMAT='%U %S'; time \"$0\" plan -f plan.yaml --inventory vc.json -o {output} > out || [ $? = 2 ]"
        );
        let binary = root.join("target/release/berth");
        let mut command = Command::new("bash");
        let ran = command.args(["-c", &script]).arg(&binary).current_dir(&folder).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.success(), "{said}");
        let seconds: f64 = said.split_whitespace().map(|part| part.parse::<f64>().unwrap()).sum();
        let bytes = fs::metadata(folder.path().join("out")).unwrap().len();
        println!("{output}: {seconds} s of processor time, {bytes} bytes");
        figures.push(json!({"output": output, "cpuSeconds": seconds, "bytes": bytes}));
        assert!(seconds < 1.0, "{seconds} s");
        assert!(output == "json" || bytes < 2_000_000, "{bytes} bytes");
    }
    let long = root.join("target/long");
    fs::create_dir_all(&long).unwrap();
    fs::write(
        long.join("plan.json"),
        json!({"placements": MANY, "datastores": MANY, "runs": figures}).to_string(),
    )
    .unwrap();
}
