//! Connections to vCenters: when to make one, and what its news means. No I/O.

use super::Scheduler;
use super::action::Action;
use super::input::{Attempt, ConnectionNews, Kind, Now};
use super::rows::Row;

impl Scheduler {
    pub(super) fn connection(
        &mut self,
        name: &str,
        attempt: Attempt,
        news: ConnectionNews,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(vcenter) = self.vcenters.get_mut(name) else {
            if !matches!(news, ConnectionNews::Ended { .. }) {
                actions.push(Action::Disconnect { vcenter: name.to_owned(), attempt });
            }
            return;
        };
        if vcenter.news(name, attempt, news, now, actions) {
            self.rows.look_again(now.monotonic, |row| {
                row.vcenter.as_deref().is_none_or(|vcenter| vcenter == name)
            });
        }
    }

    /// Connects where there is a reason to and it is time, and tells what became of it.
    pub(super) fn tend_connections(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.lists.have(&[Kind::VCenter, Kind::Secret, Kind::Namespace]) {
            return;
        }
        let names: Vec<String> = self.vcenters.keys().cloned().collect();
        for name in names {
            let twin = self.older_twin(&name).is_some();
            let spent_elsewhere = self.login_is_spent_elsewhere(&name, now);
            let Some(vcenter) = self.vcenters.get_mut(&name) else { continue };
            if twin {
                vcenter.drop_connections(&name, actions);
            } else if !spent_elsewhere {
                let secret = vcenter.setup.as_ref().ok().and_then(|setup| self.secrets.get(&setup.secret));
                vcenter.tend(&name, secret, now, &mut self.next_attempt, actions);
            }
            if vcenter.has_become_stale(now) {
                let concerned = |row: &Row| row.vcenter.as_deref() == Some(&name);
                self.rows.look_again(now.monotonic, concerned);
            }
            self.say_vcenter(&name, now);
        }
    }

    /// The older `VCenter` that is the same vCenter, if there is one.
    pub(super) fn older_twin(&self, name: &str) -> Option<&str> {
        let this = self.vcenters.get(name)?;
        let uuid = this.instance_uuid.as_ref()?;
        let twins = self.vcenters.iter().filter(|(_, other)| other.instance_uuid.as_ref() == Some(uuid));
        let oldest =
            twins.min_by(|(a_name, a), (b_name, b)| a.created.cmp(&b.created).then(a_name.cmp(b_name)));
        oldest.map(|(oldest, _)| oldest.as_str()).filter(|oldest| *oldest != name)
    }

    /// Another `VCenter` is trying the same server with the same Secret, or was refused and its wait is not over: a
    /// wrong password tried twice locks an account twice as soon.
    fn login_is_spent_elsewhere(&self, name: &str, now: Now) -> bool {
        let Some(Ok(setup)) = self.vcenters.get(name).map(|vcenter| &vcenter.setup) else { return false };
        let Some(secret) = self.secrets.get(&setup.secret) else { return false };
        let login = (setup.endpoint.server.as_str(), setup.secret.as_str(), secret.resource_version.as_str());
        self.vcenters.iter().any(|(other, vcenter)| other != name && vcenter.spent_login(now) == Some(login))
    }
}
