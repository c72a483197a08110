//! Reads mounts, one request at a time, so that the watch never waits for more than one answer. Does I/O.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use crate::vsphere::{
    cache::Cache,
    decode::{
        mounts::MountsPage,
        value::{Field, Reason},
    },
    error::Error,
    session::{CALL_DEADLINE, Session},
    soap::{Ref, envelope::Request},
    transport::CallError,
};

/// Datastores of the first request.
const FIRST_PAGE: usize = 100;
/// Datastores of one request.
const MAX_PAGE: usize = 1000;
/// Mounts that one answer should bring: vCenter writes up to 350 bytes for each.
const MOUNTS_PER_ANSWER: usize = 16_000;
/// Some changes show nowhere in the watch, such as a mount that turns read-only: what was read this long ago is
/// read again.
const REREAD_AFTER: Duration = Duration::from_mins(10);
/// Between two requests for that reason, so that a vCenter in which nothing happens is asked three times a
/// minute at most, whatever its size.
const REREAD_PACE: Duration = Duration::from_mins(2);

/// What was asked and what is to be asked next.
pub(crate) struct MountReader {
    page: usize,
    rest: Option<Rest>,
    next_reread: Option<Instant>,
}

/// The rest of an answer, which vCenter keeps for us.
struct Rest {
    token: String,
    /// The datastores that it is about.
    asked: BTreeSet<String>,
}

impl Default for MountReader {
    fn default() -> Self {
        Self { page: FIRST_PAGE, rest: None, next_reread: None }
    }
}

impl MountReader {
    /// There is something to read without delay.
    pub fn is_busy(&self, cache: &Cache) -> bool {
        self.rest.is_some() || cache.mounts.is_wanting()
    }

    /// The rest of an answer is out of date: its datastores are to be asked for anew.
    pub fn forget_rest(&mut self) {
        self.rest = None;
    }

    /// Sends one request, if there is something to read. Returns whether anything was learned.
    pub async fn read(
        &mut self,
        session: &mut Session,
        collector: &Ref,
        cache: &mut Cache,
        now: Instant,
    ) -> Result<bool, CallError> {
        let (answer, asked) = if let Some(Rest { token, asked }) = self.rest.take() {
            let request = Request::ContinueRetrieve { collector, token: &token };
            (session.call(&request, CALL_DEADLINE, MountsPage::read).await, asked)
        } else {
            let asked = self.next(cache, now);
            if asked.is_empty() {
                return Ok(false);
            }
            let datastore = |id: &String| Ref { kind: "Datastore".to_owned(), id: id.clone() };
            let datastores: Vec<_> = asked.iter().map(datastore).collect();
            let request = Request::RetrieveMounts { collector, datastores: &datastores };
            (session.call(&request, CALL_DEADLINE, MountsPage::read).await, asked.into_iter().collect())
        };
        match answer {
            Ok((page, _)) if page.unauthenticated => Err(CallError::Other(Error::NotAuthenticated)),
            Ok((page, at)) => {
                self.take(page, asked, cache, at);
                Ok(true)
            }
            Err(CallError::Other(Error::TooLarge(_))) => Ok(self.ask_for_less(&asked, cache, now)),
            Err(CallError::Fault(fault)) => match fault.missing_object().filter(|id| asked.contains(*id)) {
                // The watch will say that it is gone; the others are still wanted.
                Some(gone) => {
                    cache.mounts.set(gone, Field::Withheld, now);
                    Ok(true)
                }
                None => Err(CallError::Fault(fault)),
            },
            Err(error) => Err(error),
        }
    }

    /// The datastores of the next request.
    fn next(&mut self, cache: &Cache, now: Instant) -> Vec<String> {
        let wanted = cache.mounts.wanted(self.page);
        if !wanted.is_empty() || self.next_reread.is_some_and(|next| now < next) {
            return wanted;
        }
        let Some(then) = now.checked_sub(REREAD_AFTER) else { return wanted };
        let old = cache.mounts.read_before(then, self.page);
        if !old.is_empty() {
            self.next_reread = now.checked_add(REREAD_PACE);
        }
        old
    }

    /// Takes one page of an answer about the datastores that were `asked` for.
    fn take(&mut self, page: MountsPage, mut asked: BTreeSet<String>, cache: &mut Cache, at: Instant) {
        let (mut datastores, mut mounts) = (0_usize, 0_usize);
        for (id, found) in page.datastores {
            if asked.remove(&id) {
                datastores = datastores.saturating_add(1);
                mounts = mounts.saturating_add(found.known().map_or(0, Vec::len));
                cache.mounts.set(&id, found, at);
            }
        }
        match page.token {
            // Every page brings something, unless the server makes fun of its clients.
            Some(token) if datastores > 0 && !asked.is_empty() => self.rest = Some(Rest { token, asked }),
            _ => {
                let fitting = datastores.saturating_mul(MOUNTS_PER_ANSWER).checked_div(mounts.max(1));
                let twice = self.page.saturating_mul(2).min(MAX_PAGE);
                self.page = fitting.unwrap_or(1).clamp(1, twice);
                // Nothing is said of those that the answer leaves out.
                for id in asked {
                    cache.mounts.set(&id, Field::Withheld, at);
                }
            }
        }
    }

    /// The answer was too large. Returns whether one datastore alone is.
    fn ask_for_less(&mut self, asked: &BTreeSet<String>, cache: &mut Cache, now: Instant) -> bool {
        self.page = (asked.len() / 2).max(1);
        let alone = asked.first().filter(|_| asked.len() == 1);
        if let Some(id) = alone {
            cache.mounts.set(id, Field::Malformed(Reason::Mount), now);
        }
        alone.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vsphere::decode::mounts::RawMount;

    /// So many datastores, all read at once.
    fn read_at(begin: Instant, count: usize) -> Cache {
        let mut cache = Cache::default();
        for n in 0..count {
            let id = format!("datastore-{n:04}");
            cache.mounts.want(id.clone());
            cache.mounts.set(&id, Field::Absent, begin);
        }
        cache
    }

    #[test]
    fn what_was_read_long_ago_is_read_again_a_page_at_a_time() {
        let begin = Instant::now();
        let mut cache = read_at(begin, 250);
        let mut reader = MountReader::default();
        assert!(reader.next(&cache, begin + REREAD_AFTER).is_empty());
        assert!(!reader.is_busy(&cache), "it is not urgent");
        let mut seen = BTreeSet::new();
        let mut now = begin + REREAD_AFTER + Duration::from_secs(1);
        for expected in [100, 100, 50] {
            let page = reader.next(&cache, now);
            assert_eq!(page.len(), expected);
            for id in page {
                cache.mounts.set(&id, Field::Absent, now);
                assert!(seen.insert(id.clone()), "{id} is read twice while others wait");
            }
            assert!(reader.next(&cache, now + REREAD_PACE / 2).is_empty(), "no burst");
            now += REREAD_PACE;
        }
        assert_eq!(seen.len(), 250);
    }

    #[test]
    fn what_is_wanted_comes_first_and_nothing_starves() {
        let begin = Instant::now();
        let mut cache = read_at(begin, 300);
        let mut reader = MountReader::default();
        cache.mounts.want("new".to_owned());
        let mut seen = BTreeSet::new();
        // All of them are wanted again and again, faster than they can be read.
        for turn in 1..=4_u32 {
            cache.mounts.want_all();
            let now = begin + Duration::from_secs(1) * turn;
            let page = reader.next(&cache, now);
            assert!(turn > 1 || page.first().is_some_and(|id| id == "new"), "{page:?}");
            for id in page {
                cache.mounts.set(&id, Field::Absent, now);
                seen.insert(id);
            }
        }
        assert_eq!(seen.len(), 301);
    }

    #[test]
    fn a_request_is_as_large_as_its_answer_may_be() {
        let mut reader = MountReader::default();
        let now = Instant::now();
        let mut answer = |count: usize, hosts: usize| {
            let asked: Vec<_> = (0..count).map(|n| format!("datastore-{n}")).collect();
            let mount =
                |n| RawMount { host: format!("host-{n}"), mounted: None, accessible: None, writable: true };
            let mounts = Field::Known((0..hosts).map(mount).collect::<Vec<_>>());
            let datastores = asked.iter().map(|id| (id.clone(), mounts.clone())).collect();
            let page = MountsPage { datastores, ..MountsPage::default() };
            reader.take(page, asked.into_iter().collect(), &mut Cache::default(), now);
            reader.page
        };
        assert_eq!([answer(100, 64), answer(200, 64), answer(250, 64)], [200, 250, 250]);
        assert_eq!([answer(50, 2500), answer(6, 2500)], [6, 6]);
        assert_eq!([answer(6, 1), answer(12, 0), answer(1000, 0)], [12, 24, 48]);
    }
}
