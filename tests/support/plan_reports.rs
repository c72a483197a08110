//! Reports of plans as an engine could have made them: a small one to read, a hostile one, and large ones. No I/O.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use berth::api::RejectionCode;
use berth::plan::{API_VERSION, Cell, Matrix, PlannedDatastore, PlannedPlacement, Report, Row, Summary};
use serde_json::{Value, json};

use crate::random::Random;

const GIB: u64 = 1 << 30;
/// What a name from outside may try.
pub const HOSTILE: &str = "</script><img src=x onerror=alert(1)>|`@admin`\u{1b}[31m\u{202e}\n\"'&<!--]]>*_#1";

fn datastore(vcenter: &str, number: usize, name: &str, kind: &str, figures: [u64; 4]) -> PlannedDatastore {
    let [capacity, free, before, after] = figures.map(|gib| gib * GIB);
    PlannedDatastore {
        vcenter: vcenter.to_owned(),
        name: name.to_owned(),
        mo_ref: format!("datastore-{number}"),
        kind: kind.to_owned(),
        capacity_bytes: Some(capacity),
        free_bytes: Some(free),
        claimed_before_bytes: before,
        claimed_after_bytes: after,
    }
}

fn placement(name: &str, datastore: Option<&str>, reason: &str, message: &str) -> PlannedPlacement {
    let mut status = json!({"observedGeneration": 1});
    if let Some(name) = datastore {
        status["datastore"] = json!({"name": name});
    }
    PlannedPlacement {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        ready: datastore.is_some(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        status,
    }
}

fn report(placements: Vec<PlannedPlacement>, datastores: Vec<PlannedDatastore>, matrix: Matrix) -> Report {
    let total = placements.len();
    let placed = placements.iter().filter(|placement| placement.ready).count();
    let summary = Summary { total, placed, refused: total - placed };
    Report { api_version: API_VERSION, placements, datastores, summary, matrix: Some(matrix) }
}

/// Four placements and six datastores of two vCenters: something of everything.
pub fn small() -> Report {
    use RejectionCode::{InsufficientFreeSpace, MaintenanceMode, OversubscriptionLimit, SizeNotMiBAligned};
    let eligible = |rank| Cell::Eligible { rank };
    let refused = |codes, detail| Cell::Refused { codes, detail: Some(detail) };
    let mut unknown = datastore("vc-west", 7, "west-nfs", "NFS", [0, 0, 0, 0]);
    (unknown.capacity_bytes, unknown.free_bytes) = (None, None);
    let datastores = vec![
        datastore("vc-east", 11, "vmfs-01", "VMFS", [2048, 900, 40, 140]),
        datastore("vc-east", 12, "vmfs-02", "VMFS", [2048, 300, 0, 0]),
        datastore("vc-east", 13, "vmfs-03-in-maintenance", "VMFS", [4096, 4000, 0, 0]),
        datastore("vc-east", 14, "vsan-a", "vsan", [10240, 700, 120, 120]),
        datastore("vc-east", 15, "vvol-gold", "VVOL", [1024, 1024, 0, 40]),
        unknown,
    ];
    let placements = vec![
        placement(
            "web-1",
            Some("vmfs-01"),
            "Placed",
            "selected vmfs-01 (3 of 5 eligible); not eligible: 1 MaintenanceMode, 1 SizeNotMiBAligned (root disk \
             is 10000000000 B, not whole MiB; the next is 10000269312 B)",
        ),
        placement(
            "web-2",
            Some("vvol-gold"),
            "Placed",
            "selected vvol-gold (4 of 5 eligible); not eligible: 1 MaintenanceMode",
        ),
        placement(
            "warehouse",
            None,
            "NoEligibleDatastore",
            "0/5 datastores are eligible: 4 InsufficientFreeSpace, 2 OversubscriptionLimit, 1 MaintenanceMode (2 fail \
             more than one rule).",
        ),
        placement("batch", None, "ClassNotFound", "placement class \"golden\" does not exist"),
    ];
    let row = |cells: [Cell; 5]| Row { cells: cells.into_iter().chain([Cell::Elsewhere]).collect() };
    let matrix = Matrix {
        rows: vec![
            row([eligible(1), eligible(3), refused(0, 0), eligible(2), refused(1, 1)]),
            row([eligible(2), eligible(4), refused(0, 0), eligible(3), eligible(1)]),
            row([refused(3, 2), refused(2, 3), refused(0, 0), refused(3, 4), refused(2, 5)]),
            Row::default(),
        ],
        code_sets: vec![
            vec![MaintenanceMode],
            vec![SizeNotMiBAligned],
            vec![InsufficientFreeSpace],
            vec![InsufficientFreeSpace, OversubscriptionLimit],
        ],
        details: [
            "it is in maintenance: inMaintenance",
            "root disk is 10000000000 B, not whole MiB; the next is 10000269312 B",
            "needs 1500.0 GiB, has 760.0 GiB: 900.0 free - 0.0 headroom - 140.0 claimed\n\
             1148.0 GiB used + 140.0 claimed + 1500.0 requested > 100 % of 2048.0 GiB",
            "needs 1500.0 GiB, has 300.0 GiB: 300.0 free - 0.0 headroom - 0.0 claimed",
            "needs 3000.0 GiB, has 580.0 GiB: 700.0 free - 0.0 headroom - 120.0 claimed\n\
             9540.0 GiB used + 120.0 claimed + 3000.0 requested > 100 % of 10240.0 GiB",
            "needs 1500.0 GiB, has 984.0 GiB: 1024.0 free - 0.0 headroom - 40.0 claimed",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    report(placements, datastores, matrix)
}

/// The small one with [`HOSTILE`] in every text.
pub fn hostile() -> Report {
    let mut report = small();
    for placement in &mut report.placements {
        for text in
            [&mut placement.namespace, &mut placement.name, &mut placement.reason, &mut placement.message]
        {
            text.push_str(HOSTILE);
        }
        if let Some(Value::String(name)) = placement.status.pointer_mut("/datastore/name") {
            name.push_str(HOSTILE);
        }
    }
    for datastore in &mut report.datastores {
        for text in [&mut datastore.vcenter, &mut datastore.name, &mut datastore.mo_ref, &mut datastore.kind]
        {
            text.push_str(HOSTILE);
        }
    }
    for detail in report.matrix.iter_mut().flat_map(|matrix| &mut matrix.details) {
        detail.push_str(HOSTILE);
    }
    report
}

/// A plan of many placements against many datastores, with `details` when they are few: sizes, types, clusters and
/// states differ, room is claimed one after another, and so no two rows need be the same.
pub fn large(placements: usize, datastores: usize, details: bool) -> Report {
    let mut random = Random(5);
    let mut datastores: Vec<_> = (0..datastores).map(|number| some_datastore(&mut random, number)).collect();
    // A cluster sees every datastore of its number, and one in seven of the others.
    let clusters: Vec<_> = datastores.iter().map(|_| random.below(4)).collect();
    let mut matrix = Matrix::default();
    let mut sets = Places::default();
    let mut texts = Places::default();
    let mut planned = Vec::new();
    for number in 0..placements {
        let need = [8, 20, 40, 100, 250, 900][usize::try_from(random.below(6)).unwrap()] + random.below(16);
        let (cluster, kinds, aligned) = (random.below(4), random.below(3), random.below(5) > 0);
        let mut row = Row::default();
        let mut ranking = Vec::new();
        for (place, datastore) in datastores.iter().enumerate() {
            let here = clusters[place] == cluster || (place + number / 50).is_multiple_of(7);
            let codes = codes(datastore, need, kinds, aligned, here);
            if codes.is_empty() {
                ranking.push((Reverse(room(datastore)), datastore.name.clone(), place));
                row.cells.push(Cell::Eligible { rank: 0 });
                continue;
            }
            let detail = details.then(|| {
                let has = room(datastore) / GIB;
                let free = datastore.free_bytes.unwrap() / GIB;
                let claimed = free - has;
                let says =
                    format!("needs {need}.0 GiB, has {has}.0 GiB: {free}.0 free - {claimed}.0 claimed");
                texts.of(vec![says; codes.len()].join("\n"))
            });
            row.cells.push(Cell::Refused { codes: sets.of(codes), detail });
        }
        ranking.sort();
        for (rank, (_, _, place)) in (1..).zip(&ranking) {
            row.cells[*place] = Cell::Eligible { rank };
        }
        let first = ranking.first().map(|(_, _, place)| *place);
        planned.push(outcome(number, first.map(|place| &datastores[place]), ranking.len(), datastores.len()));
        if let Some(place) = first {
            datastores[place].claimed_after_bytes += need * GIB;
        }
        matrix.rows.push(row);
    }
    matrix.code_sets = sets.into_values();
    matrix.details = texts.into_values();
    report(planned, datastores, matrix)
}

fn some_datastore(random: &mut Random, number: usize) -> PlannedDatastore {
    let kind = ["VMFS", "VMFS", "VMFS", "NFS", "NFS41", "vsan", "VVOL"][number % 7];
    let capacity = 500 + random.below(8000);
    let free = capacity * (2 + random.below(70)) / 100;
    let claimed = if number.is_multiple_of(9) { free / 3 } else { 0 };
    let name = format!("{}-{}-{number:03}", kind.to_lowercase(), ["gold", "silver", "bronze"][number % 3]);
    datastore("vc-east", 1000 + number, &name, kind, [capacity, free, claimed, claimed])
}

fn room(datastore: &PlannedDatastore) -> u64 {
    datastore.free_bytes.unwrap().saturating_sub(datastore.claimed_after_bytes)
}

fn codes(
    datastore: &PlannedDatastore,
    need: u64,
    kinds: u64,
    aligned: bool,
    here: bool,
) -> Vec<RejectionCode> {
    let number = datastore.mo_ref.len() + usize::try_from(datastore.capacity_bytes.unwrap() / GIB).unwrap();
    let block = ["VMFS", "vsan", "VVOL"].contains(&datastore.kind.as_str());
    let capacity = datastore.capacity_bytes.unwrap();
    let promised = capacity - datastore.free_bytes.unwrap() + datastore.claimed_after_bytes + need * GIB;
    [
        (RejectionCode::TypeNotAllowed, kinds == 1 && !block),
        (RejectionCode::NotAccessible, number.is_multiple_of(31)),
        (RejectionCode::MaintenanceMode, number.is_multiple_of(17)),
        (RejectionCode::NameNotMatched, kinds == 2 && datastore.name.contains("bronze")),
        (RejectionCode::NotInScope, !here),
        (RejectionCode::NotShared, number.is_multiple_of(23)),
        (RejectionCode::NotMountedOnHosts, number.is_multiple_of(13)),
        (RejectionCode::InsufficientFreeSpace, room(datastore) < need * GIB),
        (RejectionCode::OversubscriptionLimit, promised > capacity),
        (RejectionCode::SizeNotMiBAligned, !aligned && datastore.kind == "VVOL"),
    ]
    .into_iter()
    .filter_map(|(code, fails)| fails.then_some(code))
    .collect()
}

fn outcome(
    number: usize,
    selected: Option<&PlannedDatastore>,
    eligible: usize,
    of: usize,
) -> PlannedPlacement {
    let against = "214 NotInScope, 131 InsufficientFreeSpace, 97 TypeNotAllowed, 58 NotMountedOnHosts, 44 MaintenanceMode, \
                   31 SizeNotMiBAligned (root disk is 10000000000 B, not whole MiB; the next is 10000269312 B), \
                   12 NotAccessible (61 fail more than one rule)";
    let name = format!("{}-{number:03}", ["web", "db", "cache", "build-runner"][number % 4]);
    let Some(datastore) = selected else {
        let message = format!("0/{of} datastores are eligible: {against}.");
        return placement(&name, None, "NoEligibleDatastore", &message);
    };
    let message =
        format!("selected {} ({eligible} of {of} eligible); not eligible: {against}", datastore.name);
    placement(&name, Some(&datastore.name), "Placed", &message)
}

/// Values, each there once, and where.
struct Places<T>(BTreeMap<T, u32>);

impl<T: Ord> Default for Places<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Places<T> {
    fn of(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap();
        *self.0.entry(value).or_insert(next)
    }

    fn into_values(self) -> Vec<T> {
        let mut values: Vec<_> = self.0.into_iter().map(|(value, place)| (place, value)).collect();
        values.sort();
        values.into_iter().map(|(_, value)| value).collect()
    }
}
