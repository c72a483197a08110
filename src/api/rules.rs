//! The rules that the API server itself enforces, as CEL. No I/O.
//!
//! Rules that compare with the stored object, or spec with status, stand at the root; all others at `spec` or
//! deeper, so that an object stored before a rule keeps working as long as that part of it is left alone.
//! CEL here must stay cheap by the API server's own estimate, which only a real API server makes: an optional
//! field is compared as `has(a) == has(b) && (!has(a) || a == b)`, and numbers enter messages by `format`.

use kube::core::{Message, Reason, Rule};

fn refusing(rule: impl Into<String>, message: &str) -> Rule {
    Rule::new(rule).message(message).reason(Reason::FieldValueInvalid)
}

/// The revision of a decision never goes back, and emptying the status does not remove it.
pub(super) fn revision_never_goes_back() -> Rule {
    refusing(
        "!has(oldSelf.status) || !has(oldSelf.status.revision) || (has(self.status) && \
         has(self.status.revision) && self.status.revision >= oldSelf.status.revision)",
        "status.revision never goes back and cannot be removed",
    )
    .field_path(".status.revision")
}

/// Which datastore was decided on may change or go only together with a higher revision.
pub(super) fn decided_once() -> Rule {
    refusing(
        "!has(oldSelf.status) || !has(oldSelf.status.datastore) || (has(self.status) && \
         ((has(self.status.revision) && (!has(oldSelf.status.revision) || \
         self.status.revision > oldSelf.status.revision)) || (has(self.status.datastore) && \
         self.status.datastore.moRef == oldSelf.status.datastore.moRef && \
         self.status.datastore.vCenter.instanceUUID == oldSelf.status.datastore.vCenter.instanceUUID)))",
        "the decision is final: status.datastore may change or go only when status.revision grows",
    )
    .field_path(".status.datastore")
}

/// Once decided, what was decided on may change only in an update that asks for a new decision.
pub(super) fn spec_immutable_once_placed() -> Rule {
    let image = both_or_neither(
        "image",
        &format!("{} && {}", same_size("image", "virtualSize"), same("image.diskType")),
    );
    let root_disk = both_or_neither(
        "rootDisk",
        &format!("{} && {}", same_optional_size("rootDisk", "size"), same("rootDisk.provisioning")),
    );
    let memory = both_or_neither(
        "memory",
        &format!("{} && {}", same_size("memory", "size"), same_optional_size("memory", "reservation")),
    );
    let unchanged = [
        same("placementClassName"),
        same("vCenterName"),
        image,
        root_disk,
        same_disks(),
        memory,
        same("compute"),
        same("datastores"),
        same("spread"),
    ]
    .join(" && ");
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.revision) || \
         self.spec.revision > oldSelf.status.revision || ({unchanged})"
    ))
    .message(Message::Expression(
        "'spec is immutable after placement; set spec.revision to %d or more to ask for a new decision'\
         .format([oldSelf.status.revision + 1])"
            .into(),
    ))
    .reason(Reason::FieldValueForbidden)
    .field_path(".spec")
}

/// An optional field below `spec` is what it was.
fn same(field: &str) -> String {
    let (new, old) = (format!("self.spec.{field}"), format!("oldSelf.spec.{field}"));
    format!("(has({new}) == has({old}) && (!has({new}) || {new} == {old}))")
}

/// An optional part is there in both or in neither, and if it is, this holds.
fn both_or_neither(part: &str, holds: &str) -> String {
    let (new, old) = (format!("self.spec.{part}"), format!("oldSelf.spec.{part}"));
    format!("(has({new}) == has({old}) && (!has({new}) || ({holds})))")
}

/// By value: tools rewrite `21474836480` as `2.147483648e+10`, which is no change.
fn same_size(part: &str, field: &str) -> String {
    same_quantity(&format!("self.spec.{part}.{field}"), &format!("oldSelf.spec.{part}.{field}"))
}

fn same_optional_size(part: &str, field: &str) -> String {
    let (new, old) = (format!("self.spec.{part}.{field}"), format!("oldSelf.spec.{part}.{field}"));
    format!("(has({new}) == has({old}) && (!has({new}) || {}))", same_quantity(&new, &old))
}

fn same_quantity(new: &str, old: &str) -> String {
    let (a, b) = (format!("string({new})"), format!("string({old})"));
    format!(
        "({a} == {b} || (isQuantity({a}) && isQuantity({b}) && quantity({a}).compareTo(quantity({b})) == 0))"
    )
}

/// The same disks by name, in any order.
fn same_disks() -> String {
    let (new, old) = ("self.spec.additionalDisks", "oldSelf.spec.additionalDisks");
    let size = same_quantity("d.size", "o.size");
    format!(
        "(has({new}) == has({old}) && (!has({new}) || (size({new}) == size({old}) && {new}.all(d, \
         {old}.exists(o, o.name == d.name && has(o.provisioning) == has(d.provisioning) && \
         (!has(d.provisioning) || o.provisioning == d.provisioning) && {size})))))"
    )
}

/// A decision without a number could be replaced without one.
pub(super) fn decision_has_revision() -> Rule {
    refusing("!has(self.datastore) || has(self.revision)", "datastore cannot be set without revision")
}

/// There must be something to place.
pub(super) fn something_to_place() -> Rule {
    refusing(
        "has(self.image) || (has(self.rootDisk) && has(self.rootDisk.size))",
        "image or rootDisk.size is required",
    )
    .reason(Reason::FieldValueRequired)
}

/// No condition on types, or others than VVOL.
const NOT_ONLY_VVOL: &str = "!has(self.datastores) || !has(self.datastores.types) || \
     size(self.datastores.types) == 0 || !self.datastores.types.all(t, t.lowerAscii() == 'vvol')";

/// Where only VVOL is allowed, a size that no VVOL datastore takes is refused before anything is placed.
pub(super) fn whole_mib_where_only_vvol(parent: &str, field: &str) -> Rule {
    let size = format!("quantity(string(self.{parent}.{field}))");
    let bytes = format!("{size}.asInteger()");
    Rule::new(format!(
        "!has(self.{parent}) || !has(self.{parent}.{field}) || {NOT_ONLY_VVOL} || \
         !isQuantity(string(self.{parent}.{field})) || !{size}.isInteger() || {bytes} % 1048576 == 0"
    ))
    .message(Message::Expression(format!(
        "'only VVOL is allowed, and VVOL datastores take whole MiB only: {parent}.{field} is %d B = \
         %d MiB + %d B; next whole size %d B = %dMi'.format([{bytes}, {bytes} / 1048576, {bytes} % 1048576, \
         ({bytes} / 1048576 + 1) * 1048576, {bytes} / 1048576 + 1])"
    )))
    .reason(Reason::FieldValueInvalid)
}

/// The same for every additional disk.
pub(super) fn whole_mib_of_additional_disks_where_only_vvol() -> Rule {
    let whole = "!isQuantity(string(d.size)) || !quantity(string(d.size)).isInteger() || \
                 quantity(string(d.size)).asInteger() % 1048576 == 0";
    Rule::new(format!(
        "!has(self.additionalDisks) || {NOT_ONLY_VVOL} || self.additionalDisks.all(d, {whole})"
    ))
    .message(Message::Expression(format!(
        "'only VVOL is allowed, and VVOL datastores take whole MiB only: not so disk %s of additionalDisks'\
             .format([self.additionalDisks.filter(d, !({whole}))[0].name])"
    )))
    .reason(Reason::FieldValueInvalid)
}

/// What is reserved is part of the memory.
pub(super) fn reservation_within_size() -> Rule {
    refusing(
        "!has(self.reservation) || !isQuantity(string(self.reservation)) || !isQuantity(string(self.size)) || \
         !quantity(string(self.reservation)).isGreaterThan(quantity(string(self.size)))",
        "reservation cannot be more than size",
    )
}

/// The size of a disk.
pub(super) fn positive_size() -> Rule {
    refusing(
        "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
        "must be a size greater than 0, such as 40Gi or 21474836480",
    )
}

/// An amount that may be nothing.
pub(super) fn size_or_zero() -> Rule {
    refusing(
        "isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",
        "must be a size of 0 or more, such as 50Gi",
    )
}

/// A size that VVOL datastores take. Spellings with a fraction are left to the controller, which is exact.
pub(super) fn whole_mib() -> Rule {
    refusing(
        "!isQuantity(string(self)) || !quantity(string(self)).isInteger() || \
         quantity(string(self)).asInteger() % 1048576 == 0",
        "must be a whole number of MiB, such as 4Mi",
    )
}

/// One way to trust a server is enough, and two could disagree.
pub(super) fn one_way_to_trust() -> Rule {
    refusing(
        "!has(self.caBundle) || !has(self.thumbprintSHA256)",
        "caBundle and thumbprintSHA256 exclude each other",
    )
}

/// A selector that is not used would be read as one that is.
pub(super) fn selector_when_selected() -> Rule {
    refusing(
        "(has(self.from) && self.from == 'Selector') == has(self.selector)",
        "selector is required with from: Selector, and not allowed otherwise",
    )
}

/// As for every label selector.
pub(super) fn values_as_operator_says() -> Rule {
    refusing(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        "values are required with In and NotIn, and not allowed with Exists and DoesNotExist",
    )
}
