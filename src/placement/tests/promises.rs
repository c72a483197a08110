//! Both space rules over the life of instances: placed, written, grown, deleted, expired, restarted.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::api::Provisioning;

/// A volume as its vCenter reports it, in bytes of the storage: on vSAN every byte of a disk is two.
#[derive(Clone, Debug)]
struct Volume {
    kind: &'static str,
    capacity: u64,
    free: u64,
    uncommitted: u64,
}

/// A placed instance and its VM.
#[derive(Clone, Debug)]
struct Instance {
    /// Its number among the volumes.
    volume: usize,
    /// What it was promised.
    promised: Claim,
    /// What of it is still kept.
    own: OwnClaim,
    /// The decision was written; until then it can be forgotten.
    confirmed: bool,
    /// What its disks have written; 0 with `uncommitted` 0: it has not appeared.
    committed: u64,
    /// What its thin disks can still write by their present size.
    uncommitted: u64,
}

impl Instance {
    fn has_appeared(&self) -> bool {
        self.committed + self.uncommitted > 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Size {
    image: u64,
    growth: u64,
    thick: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Decide(Size),
    /// Another revision of a placement. A VM that is there keeps its volume while that has room for its growth; else
    /// it is moved at once.
    DecideAgain(Index, Size),
    Confirm(Index),
    /// A decision that could not be written.
    Forget(Index),
    /// The disks are there or extended: so much of what is to be written at creation is written, and so much of
    /// the rest is of their size now.
    Appear(Index, Index, Index),
    /// The guest writes to a thin disk.
    Grow(Index, Index),
    Delete(Index),
    /// The instance never appeared.
    Expire(Index),
    /// The ledger is made anew of what is written down.
    Restart,
}

#[derive(Clone, Debug)]
struct World {
    volumes: Vec<Volume>,
    class: ClassRules,
    ledger: Ledger,
    instances: Vec<Instance>,
}

impl World {
    fn inventory(&self) -> Inventory {
        let datastores = self.volumes.iter().enumerate().flat_map(|(n, volume)| {
            // Each volume is seen twice, under two references.
            (0..2).map(move |twin| Datastore {
                url: url(n),
                capacity: Some(volume.capacity),
                free: Some(volume.free),
                uncommitted: Some(volume.uncommitted),
                ..datastore(&format!("datastore-{n}-{twin}"), &format!("{n}"), volume.kind)
            })
        });
        inventory(datastores.collect())
    }

    /// One of the instances for which this holds.
    fn one(&self, which: Index, holds: impl Fn(&Instance) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.instances.len()).filter(|n| holds(&self.instances[*n])).collect();
        (!all.is_empty()).then(|| all[which.index(all.len())])
    }

    fn kept(&self, volume: usize) -> Kept {
        self.ledger.on(&Backing(url(volume)))
    }

    /// `InsufficientFreeSpace` would not hold against a placement of nothing.
    fn has_free_space(&self, n: usize) -> bool {
        let Volume { capacity, free, .. } = self.volumes[n];
        let headroom = (capacity * u64::from(self.class.headroom_percent)).div_ceil(100);
        u128::from(headroom.max(self.class.headroom)) + self.kept(n).immediate <= u128::from(free)
    }

    /// Nor would `OversubscriptionLimit`.
    fn is_within_limit(&self, n: usize) -> bool {
        let Volume { capacity, free, uncommitted, .. } = self.volumes[n];
        let promised = u128::from(capacity - free + uncommitted) + self.kept(n).bytes;
        promised * 100 <= u128::from(capacity * u64::from(self.class.oversubscription.unwrap()))
    }

    /// The sum of what is kept for every instance.
    fn rebuilt(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for instance in self.instances.iter().rev() {
            ledger.add(&instance.own.backing, &instance.own.claim);
        }
        ledger
    }

    /// The volume that a placement went to.
    fn decide(&mut self, size: &Size, replaced: Option<usize>) -> Option<usize> {
        let provisioning = if size.thick { Provisioning::Thick } else { Provisioning::Thin };
        let (image, root) = (size.image.to_string(), (size.image + size.growth).to_string());
        let asked = Ask { root_provisioning: provisioning, ..ask(Some(&image), Some(&root)) };
        let old = replaced.map(|n| self.instances[n].own.clone());
        let mut request = Request::compile(&asked, &self.class, &Selector::default(), old);
        let vm = replaced.map(|n| &self.instances[n]).filter(|instance| instance.has_appeared());
        let mut there =
            vm.map(|&Instance { volume, committed, uncommitted, .. }| (volume, committed, uncommitted));
        if let Some((volume, committed, uncommitted)) = there {
            let usage = Usage { committed, uncommitted };
            request = request
                .of_instance(super::Instance { datastore: MoRef(format!("datastore-{volume}-0")), usage });
        }
        let Selected { backing, claim, .. } = decide(&request, &self.inventory(), &self.ledger).selected?;
        let volume = (0..self.volumes.len()).find(|n| url(*n) == backing.0).unwrap();
        there = there.filter(|(present, _, _)| *present == volume);
        let (committed, uncommitted) =
            there.map_or((0, 0), |(_, committed, uncommitted)| (committed, uncommitted));
        if let Some(n) = replaced {
            if there.is_some() {
                // The VM and its files stay.
                let gone = self.instances.remove(n);
                self.ledger.remove(&gone.own.backing, &gone.own.claim);
            } else {
                self.remove(n);
            }
        }
        self.ledger.add(&backing, &claim);
        // What its disks will occupy there.
        let factor = if self.volumes[volume].kind == "vsan" { 2 } else { 1 };
        let full = (size.image + size.growth) * factor;
        let written = if size.thick { full } else { size.image * factor };
        let growth = full.saturating_sub(committed + uncommitted);
        assert_eq!(
            claim,
            Claim { bytes: bytes(growth), immediate: bytes(written.saturating_sub(committed)) }
        );
        let promised = Claim {
            bytes: bytes(claim.bytes.get() + committed + uncommitted),
            immediate: bytes(claim.immediate.get() + committed),
        };
        self.instances.push(Instance {
            volume,
            promised,
            own: OwnClaim { backing, claim },
            confirmed: committed + uncommitted > 0,
            committed,
            uncommitted,
        });
        Some(volume)
    }

    /// With its VM, if there is one.
    fn remove(&mut self, n: usize) {
        let gone = self.instances.remove(n);
        self.ledger.remove(&gone.own.backing, &gone.own.claim);
        let volume = &mut self.volumes[gone.volume];
        volume.free += gone.committed;
        volume.uncommitted -= gone.uncommitted;
    }

    /// The VM's figures and its volume's change together, and what is kept is what the disks do not occupy yet.
    fn occupy(&mut self, n: usize, committed: u64, uncommitted: u64) {
        let instance = &mut self.instances[n];
        let volume = &mut self.volumes[instance.volume];
        volume.free -= committed - instance.committed;
        volume.uncommitted = volume.uncommitted - instance.uncommitted + uncommitted;
        (instance.committed, instance.uncommitted) = (committed, uncommitted);
        let left = |promised: Bytes, occupied: u64| bytes(promised.get().saturating_sub(occupied));
        let claim = Claim {
            bytes: left(instance.promised.bytes, committed + uncommitted),
            immediate: left(instance.promised.immediate, committed),
        };
        self.ledger.remove(&instance.own.backing, &instance.own.claim);
        self.ledger.add(&instance.own.backing, &claim);
        instance.own.claim = claim;
    }

    /// The volume that a placement went to.
    fn take(&mut self, step: &Step) -> Option<usize> {
        match *step {
            Step::Decide(size) => return self.decide(&size, None),
            Step::DecideAgain(which, size) => {
                let n = self.one(which, |_| true)?;
                return self.decide(&size, Some(n));
            }
            Step::Confirm(which) => {
                let n = self.one(which, |instance| !instance.confirmed)?;
                self.instances[n].confirmed = true;
            }
            Step::Forget(which) => {
                let n = self.one(which, |instance| !instance.confirmed)?;
                self.remove(n);
            }
            Step::Appear(which, written, sized) => {
                let n = self.one(which, |instance| instance.confirmed)?;
                let Instance { volume, promised, committed, uncommitted, .. } = &self.instances[n];
                let (all, now) = (promised.bytes.get(), promised.immediate.get());
                // On a full volume nothing can be written.
                let more = up_to(written, now.saturating_sub(*committed).min(self.volumes[*volume].free));
                // A disk is never smaller than it was, nor than what is written at creation.
                let least = now.max(committed + uncommitted);
                let size = least + up_to(sized, all - least);
                let committed = committed + more;
                self.occupy(n, committed, size - committed);
            }
            Step::Grow(which, by) => {
                let n = self.one(which, |instance| instance.uncommitted > 0)?;
                let Instance { committed, uncommitted, .. } = self.instances[n];
                let more = up_to(by, uncommitted.min(self.volumes[self.instances[n].volume].free));
                self.occupy(n, committed + more, uncommitted - more);
            }
            Step::Delete(which) => {
                let n = self.one(which, Instance::has_appeared)?;
                self.remove(n);
            }
            Step::Expire(which) => {
                let n = self.one(which, |instance| instance.confirmed && !instance.has_appeared())?;
                self.remove(n);
            }
            Step::Restart => self.ledger = self.rebuilt(),
        }
        None
    }
}

fn url(volume: usize) -> String {
    format!("ds:///{volume}/")
}

/// 0 to `most`, both often.
fn up_to(which: Index, most: u64) -> u64 {
    let place = u64::try_from(which.index(usize::try_from(most + 3).unwrap())).unwrap();
    place.saturating_sub(1).min(most)
}

fn step() -> impl Strategy<Value = Step> {
    let size = || {
        (1_u64..24, 0_u64..24, any::<bool>()).prop_map(|(image, growth, thick)| Size { image, growth, thick })
    };
    let which = any::<Index>;
    prop_oneof![
        5 => size().prop_map(Step::Decide),
        1 => (which(), size()).prop_map(|(which, size)| Step::DecideAgain(which, size)),
        4 => which().prop_map(Step::Confirm),
        1 => which().prop_map(Step::Forget),
        5 => (which(), which(), which()).prop_map(|(which, written, size)| Step::Appear(which, written, size)),
        2 => (which(), which()).prop_map(|(which, by)| Step::Grow(which, by)),
        1 => which().prop_map(Step::Delete),
        1 => which().prop_map(Step::Expire),
        1 => Just(Step::Restart),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let volume = (select(vec!["VMFS", "vsan", "NFS"]), 0_u64..256, 0_u64..256, 0_u64..32).prop_map(
        |(kind, capacity, free, uncommitted)| Volume {
            kind,
            capacity,
            free: free.min(capacity),
            uncommitted,
        },
    );
    let headroom = (select(vec![0_u32, 0, 7, 33]), select(vec![0_u64, 0, 9]));
    (prop::collection::vec(volume, 1..=3), headroom, select(vec![100_u32, 150])).prop_map(
        |(volumes, (headroom_percent, headroom), limit)| World {
            volumes,
            class: ClassRules {
                headroom_percent,
                headroom,
                oversubscription: Some(limit),
                ..ClassRules::default()
            },
            ledger: Ledger::default(),
            instances: Vec::new(),
        },
    )
}

proptest! {
    #![proptest_config(samples::cases(400))]

    /// 6. Whatever happens to instances, in any order: what was promised of a volume stays within its limit; room
    /// that is kept free for what is to be written is there, unless disks have grown into it, which they cannot
    /// where no more than the capacity is promised; and the ledger is the sum of what is kept.
    #[test]
    fn kept_room_stays_within_both_rules(start in world(), steps in prop::collection::vec(step(), 1..60)) {
        let mut world = start.clone();
        let all = 0..start.volumes.len();
        for step in &steps {
            let had_space: Vec<bool> = all.clone().map(|n| world.has_free_space(n)).collect();
            if let Some(n) = world.take(step) {
                prop_assert!(world.has_free_space(n), "{step:?} on {n}: {world:?}");
                prop_assert!(start.is_within_limit(n), "{step:?} on {n}: {world:?}");
            }
            for n in all.clone() {
                prop_assert_eq!(world.is_within_limit(n), start.is_within_limit(n), "{:?} on {}: {:?}", step, n, &world);
                let grown = matches!(step, Step::Grow(..));
                prop_assert!(world.has_free_space(n) || !had_space[n] || grown, "{step:?} on {n}: {world:?}");
                let free = u128::from(world.volumes[n].free);
                let may_be_full = world.class.oversubscription > Some(100);
                prop_assert!(may_be_full || world.kept(n).immediate <= free, "{step:?} on {n}: {world:?}");
            }
            prop_assert_eq!(&world.ledger, &world.rebuilt(), "{:?}: {:?}", step, &world);
        }
        // Nothing is left behind.
        while !world.instances.is_empty() {
            world.remove(0);
        }
        prop_assert_eq!(&world.ledger, &Ledger::default());
    }
}
