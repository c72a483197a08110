//! Which virtual disks a VVOL datastore takes. No I/O.
//!
//! A virtual volume is a whole number of MiB (vSphere's "even multiple" means a whole one),
//! and arrays have a smallest one. The image is created on the datastore at its native size and grown
//! afterwards, so that both sizes of a root disk count. Berth never rounds: it says what would be right.

use super::ask::DiskSize;
use super::bytes::{Bytes, MIB, next_whole_mib};
use super::codes::CodeSet;
use super::quantity::binary_spelling;
use super::request::Request;
use crate::api::RejectionCode;

/// The type of the datastores that it is about.
pub(super) const VVOL: &str = "VVOL";
/// The first vSphere that deprecates vVols, which a later one will not have.
const DEPRECATED_SINCE: u32 = 9;

/// To be said of a VVOL datastore in this vCenter, which stays as eligible as any.
pub(super) fn deprecation(vcenter_version: &str) -> Option<&'static str> {
    let major = vcenter_version.split('.').next()?.parse::<u32>().ok()?;
    (major >= DEPRECATED_SINCE).then_some("vVols are deprecated since vSphere 9")
}

/// Why a disk of this size is refused. The minimum comes first: its advice covers both rules.
pub(super) fn refusal(size: Bytes, minimum: Bytes) -> Option<RejectionCode> {
    if size < minimum {
        Some(RejectionCode::BelowMinimumSize)
    } else if size.get().is_multiple_of(MIB) {
        None
    } else {
        Some(RejectionCode::SizeNotMiBAligned)
    }
}

/// What every VVOL datastore has against the disks of this request.
pub(super) fn refusals(request: &Request) -> CodeSet {
    let unknown = if request.image_known { None } else { Some(RejectionCode::SizeUnknown) };
    request
        .disks
        .iter()
        .filter_map(|disk| refusal(disk.size.bytes, request.minimum_vvol_disk))
        .chain(unknown)
        .fold(CodeSet::default(), CodeSet::with)
}

/// The disks that a code is about, with numbers and advice. Empty for codes of other rules.
pub(super) fn detail(request: &Request, code: RejectionCode) -> String {
    match code {
        RejectionCode::SizeUnknown => "the image's own size is not known; set image.virtualSize".to_owned(),
        RejectionCode::SizeNotMiBAligned | RejectionCode::BelowMinimumSize => {
            let minimum = request.minimum_vvol_disk;
            let mut concerned = request.disks.iter().filter(|d| refusal(d.size.bytes, minimum) == Some(code));
            let mut said = Vec::new();
            let mut next = concerned.next();
            while let Some(disk) = next {
                next = concerned.next();
                // The root disk is the image grown: one of the same size is the same disk.
                let subject = if disk.label == "image"
                    && next.is_some_and(|root| root.label == "root disk" && root.size == disk.size)
                {
                    next = concerned.next();
                    "image and root disk are".to_owned()
                } else {
                    format!("{} is", disk.label)
                };
                said.push(say(&subject, &disk.size, minimum));
            }
            said.join("; ")
        }
        _ => String::new(),
    }
}

/// `image is 10737418752 B = 10240 MiB + 512 B; next whole size 10738466816 B`.
fn say(subject: &str, disk: &DiskSize, minimum: Bytes) -> String {
    let bytes = disk.bytes.get();
    let measure = if disk.bytes < minimum {
        format!(", less than the minimum of {} B", minimum.get())
    } else {
        let (whole, rest) = (bytes.checked_div(MIB), bytes.checked_rem(MIB));
        format!(" = {} MiB + {} B", whole.unwrap_or(0), rest.unwrap_or(0))
    };
    let advice = next_whole_mib(disk.bytes, minimum).map_or_else(
        || "; there is no larger whole size within int64".to_owned(),
        |next| format!("; next whole size {} B", next.get()),
    );
    format!("{subject} {bytes} B{measure}{advice}{}", decimal_trap(disk, minimum))
}

/// `10G` is no whole number of MiB, `10Gi` is, and who wrote the first probably meant the second.
fn decimal_trap(disk: &DiskSize, minimum: Bytes) -> String {
    let Some(text) = &disk.decimal else { return String::new() };
    let meant = binary_spelling(text)
        .filter(|binary| Bytes::parse(binary).is_ok_and(|size| refusal(size, minimum).is_none()))
        .map_or_else(String::new, |binary| format!(", {binary} is whole MiB"));
    format!("; {text} is decimal{meant}")
}
