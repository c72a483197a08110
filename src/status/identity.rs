//! The identity that a placement gives to its VM. No I/O.

use uuid::Uuid;

/// UUID that the VM of a placement is created with: version 5, in the vCenter's own name space, of
/// `<cluster identity>/<namespace>/<name>`. It is the same whoever computes it, whenever, and no other
/// placement's.
#[must_use]
pub fn instance_uuid(vcenter: &str, cluster_identity: &str, namespace: &str, name: &str) -> String {
    // A vCenter's identity is a UUID; should one not be, its text is still a name space of its own.
    let space = Uuid::parse_str(vcenter).unwrap_or_else(|_| Uuid::new_v5(&Uuid::nil(), vcenter.as_bytes()));
    Uuid::new_v5(&space, format!("{cluster_identity}/{namespace}/{name}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VCENTER: &str = "dbed6e0c-bd88-4ef6-b594-21283e1c677f";

    #[test]
    fn it_is_stable_and_differs_with_every_part() {
        let base = instance_uuid(VCENTER, "east", "team-a", "web-01");
        assert_eq!(base, instance_uuid(VCENTER, "east", "team-a", "web-01"));
        assert_eq!(Uuid::parse_str(&base).unwrap().get_version_num(), 5);
        let others = [
            instance_uuid("not a uuid", "east", "team-a", "web-01"),
            instance_uuid(VCENTER, "west", "team-a", "web-01"),
            instance_uuid(VCENTER, "east", "team-b", "web-01"),
            instance_uuid(VCENTER, "east", "team-a", "web-02"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
