//! The vCenter's state and its methods. No I/O, no clock but the one of a wait.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    Login, Options, Request,
    collector::{Collector, Filter, object_content},
    faults::Rule,
    inventory::{Inventory, Object, root_folder},
    schema,
    selection::Spec,
    soap::{Arguments, Call, Fault, response},
    value::{Ref, Value, opaque},
};

/// The state with the bell that rings at every change.
pub(super) struct Shared {
    world: Mutex<World>,
    bell: watch::Sender<u64>,
}

impl Shared {
    pub fn new(options: Options) -> Self {
        Self { world: Mutex::new(World::new(options)), bell: watch::Sender::new(0) }
    }

    /// For reading, or for changes that nobody waits for.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something and wakes whoever waits.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let changed = change(&mut self.lock());
        self.bell.send_modify(|count| *count += 1);
        changed
    }

    /// Handles a call in the session of `cookie`; the whole answer, XML.
    pub async fn call(&self, cookie: &str, call: &Call) -> Result<String, Fault> {
        let returned = if call.method == "WaitForUpdatesEx" {
            self.wait(cookie, call).await?
        } else {
            self.change(|world| world.call(cookie, call))?
        };
        Ok(response(&call.method, &returned))
    }

    async fn wait(&self, cookie: &str, call: &Call) -> Result<String, Fault> {
        let mut bell = self.bell.subscribe();
        let wait = self.change(|world| world.begin_wait(cookie, call))?;
        let deadline = wait.longest.map(|max| Instant::now() + max);
        loop {
            bell.mark_unchanged();
            if let Some(page) = self.lock().poll(cookie, &call.this, &wait)? {
                return Ok(page);
            }
            match deadline {
                None => drop(bell.changed().await),
                Some(deadline) if timeout_at(deadline, bell.changed()).await.is_ok() => {}
                Some(_) => {
                    self.lock().end_wait(cookie, &wait);
                    return Ok(String::new());
                }
            }
        }
    }
}

/// A `WaitForUpdatesEx` in progress.
struct Wait {
    number: u64,
    version: String,
    longest: Option<Duration>,
    limit: usize,
}

/// What a cookie stands for.
#[derive(Default)]
pub(super) struct Session {
    key: String,
    user: Option<String>,
    /// It is over, but answers look fine at first sight: every property is missing.
    dead: bool,
    /// The wait in progress; another one takes its place.
    wait: Option<(u64, Ref)>,
}

struct View {
    session: String,
    container: Ref,
    kinds: Vec<String>,
    recursive: bool,
}

/// The rest of a paged read.
struct Retrieval {
    session: String,
    collector: Ref,
    objects: VecDeque<String>,
    page: usize,
}

/// Everything that the vCenter knows.
pub(super) struct World {
    pub options: Options,
    pub inventory: Inventory,
    pub rules: Vec<Rule>,
    pub requests: Vec<Request>,
    pub logins: Vec<Login>,
    /// Connections that ended before they were connections.
    pub handshakes_failed: usize,
    sessions: BTreeMap<String, Session>,
    views: BTreeMap<String, View>,
    collectors: BTreeMap<String, Collector>,
    retrievals: BTreeMap<String, Retrieval>,
    serial: u64,
}

impl World {
    fn new(options: Options) -> Self {
        Self {
            inventory: Inventory::new(&options.inventory),
            options,
            rules: Vec::new(),
            requests: Vec::new(),
            logins: Vec::new(),
            handshakes_failed: 0,
            sessions: BTreeMap::new(),
            views: BTreeMap::new(),
            collectors: BTreeMap::new(),
            retrievals: BTreeMap::new(),
            serial: 0,
        }
    }

    fn opaque(&mut self, name: &str) -> String {
        self.serial += 1;
        opaque(name, self.serial)
    }

    /// The cookie's session; a new one, with its cookie, when there is none.
    pub fn session(&mut self, cookie: Option<&str>) -> (String, bool) {
        if let Some(cookie) = cookie.filter(|cookie| self.sessions.contains_key(*cookie)) {
            return (cookie.to_owned(), false);
        }
        let (cookie, key) = (self.opaque("cookie").replace('-', ""), self.opaque("session"));
        self.sessions.insert(cookie.clone(), Session { key, ..Session::default() });
        (cookie, true)
    }

    /// Sessions of users who are logged in.
    pub fn logged_in(&self) -> usize {
        self.sessions.values().filter(|session| session.user.is_some() && !session.dead).count()
    }

    /// Views, collectors and filters, which live no longer than their sessions.
    pub fn session_objects(&self) -> usize {
        let filters: usize = self.collectors.values().map(|collector| collector.filters.len()).sum();
        self.views.len() + self.collectors.len() + filters
    }

    /// Whether the rest of a truncated answer waits to be fetched.
    pub fn is_truncated(&self) -> bool {
        self.collectors.values().any(Collector::is_truncated)
    }

    /// Ends all sessions; with `quietly`, their objects stay and every property is missing.
    pub fn end_sessions(&mut self, quietly: bool) {
        let cookies: Vec<_> = self.sessions.keys().cloned().collect();
        for cookie in cookies {
            if !quietly {
                self.end_session(&cookie);
            } else if let Some(session) = self.sessions.get_mut(&cookie) {
                session.dead = true;
            }
        }
    }

    fn end_session(&mut self, cookie: &str) {
        self.sessions.remove(cookie);
        self.views.retain(|_, view| view.session != cookie);
        self.collectors.retain(|_, collector| collector.session != cookie);
        self.retrievals.retain(|_, retrieval| retrieval.session != cookie);
    }

    fn authenticated(&self, cookie: &str, this: &Ref) -> Result<&Session, Fault> {
        let session = self.sessions.get(cookie).filter(|session| session.user.is_some());
        session.ok_or_else(|| Fault::not_authenticated(this))
    }

    fn call(&mut self, cookie: &str, call: &Call) -> Result<String, Fault> {
        let mut arguments = call.arguments();
        let this = &call.this;
        match (call.method.as_str(), this.kind.as_str()) {
            ("RetrieveServiceContent", "ServiceInstance") => {
                singleton(this, "ServiceInstance")?;
                arguments.end()?;
                return Ok(self.service_content());
            }
            ("Login", "SessionManager") => {
                singleton(this, "SessionManager")?;
                return self.login(cookie, arguments);
            }
            ("RetrievePropertiesEx", "PropertyCollector") => return self.retrieve(cookie, this, arguments),
            _ => {}
        }
        self.authenticated(cookie, this)?;
        match (call.method.as_str(), this.kind.as_str()) {
            ("CurrentTime", "ServiceInstance") => {
                arguments.end()?;
                Ok("<returnval>2026-01-02T03:04:05.678901Z</returnval>".to_owned())
            }
            ("Logout", "SessionManager") => {
                singleton(this, "SessionManager")?;
                arguments.end()?;
                self.end_session(cookie);
                Ok(String::new())
            }
            ("CreateContainerView", "ViewManager") => {
                singleton(this, "ViewManager")?;
                self.create_view(cookie, arguments)
            }
            ("DestroyView", "ContainerView") => {
                arguments.end()?;
                let own = self.views.get(&this.id).is_some_and(|view| view.session == cookie);
                if !own {
                    return Err(Fault::not_found(this));
                }
                self.views.remove(&this.id);
                Ok(String::new())
            }
            ("CreatePropertyCollector", "PropertyCollector") => {
                arguments.end()?;
                let object = self.session_object("PropertyCollector", cookie);
                self.collectors.insert(object.id.clone(), Collector::new(object.clone(), cookie));
                Ok(object.element("returnval"))
            }
            ("DestroyPropertyCollector", "PropertyCollector") => {
                arguments.end()?;
                self.collector(cookie, this)?;
                self.collectors.remove(&this.id);
                Ok(String::new())
            }
            ("CreateFilter", "PropertyCollector") => self.create_filter(cookie, this, arguments),
            ("DestroyPropertyFilter", "PropertyFilter") => {
                arguments.end()?;
                self.destroy_filter(cookie, this)
            }
            ("CancelWaitForUpdates", "PropertyCollector") => {
                arguments.end()?;
                self.collector(cookie, this)?;
                let session = self.sessions.get_mut(cookie);
                if let Some(session) = session.filter(|s| s.wait.as_ref().is_some_and(|(_, on)| on == this)) {
                    session.wait = None;
                }
                Ok(String::new())
            }
            ("ContinueRetrievePropertiesEx", "PropertyCollector") => {
                let token = arguments.required("token")?.leaf()?.to_owned();
                arguments.end()?;
                let known = self.retrievals.get(&token);
                if known.is_none_or(|known| known.session != cookie || known.collector != *this) {
                    return Err(Fault::invalid_property("token"));
                }
                // A token is good once.
                let retrieval = self.retrievals.remove(&token);
                Ok(retrieval.map_or_else(String::new, |retrieval| self.retrieved(retrieval)))
            }
            ("CancelRetrievePropertiesEx", "PropertyCollector") => {
                let token = arguments.required("token")?.leaf()?.to_owned();
                arguments.end()?;
                let known = self.retrievals.remove(&token).is_some();
                if known { Ok(String::new()) } else { Err(Fault::invalid_property("token")) }
            }
            (method, _) => Err(Fault {
                detail: format!("{}<method>{method}</method>", this.element("receiver")),
                ..Fault::new("MethodNotFound", format!("{} has no method {method}", this.kind))
            }),
        }
    }

    fn service_content(&self) -> String {
        let Options { version, instance_uuid, .. } = &self.options;
        let one = |name: &str, kind: &str, id: &str| Ref::new(kind, id).element(name);
        [
            "<returnval>".to_owned(),
            root_folder().element("rootFolder"),
            one("propertyCollector", "PropertyCollector", "propertyCollector"),
            one("viewManager", "ViewManager", "ViewManager"),
            format!(
                "<about><name>VMware vCenter Server</name><fullName>VMware vCenter Server {version} build-1\
                 </fullName><vendor>VMware, Inc.</vendor><version>{version}</version><build>1</build>\
                 <localeVersion>INTL</localeVersion><localeBuild>000</localeBuild><osType>linux-x64</osType>\
                 <productLineId>vpx</productLineId><apiType>VirtualCenter</apiType>\
                 <apiVersion>{version}.0</apiVersion><instanceUuid>{instance_uuid}</instanceUuid></about>"
            ),
            one("setting", "OptionManager", "VpxSettings"),
            one("sessionManager", "SessionManager", "SessionManager"),
            one("searchIndex", "SearchIndex", "SearchIndex"),
            one("storageResourceManager", "StorageResourceManager", "StorageResourceManager"),
            "</returnval>".to_owned(),
        ]
        .concat()
    }

    fn login(&mut self, cookie: &str, mut arguments: Arguments<'_>) -> Result<String, Fault> {
        let user = arguments.required("userName")?.leaf()?.to_owned();
        let password = arguments.required("password")?.leaf()?.to_owned();
        arguments.optional("locale").map(super::soap::Element::leaf).transpose()?;
        arguments.end()?;
        let session = self.sessions.get_mut(cookie).filter(|session| session.user.is_none());
        let right = user == self.options.username && password == self.options.password;
        let session = session.filter(|_| right);
        self.logins.push(Login { at: Instant::now(), succeeded: session.is_some(), user, password });
        let Some(session) = session else {
            let text = "Cannot complete login due to an incorrect user name or password.";
            return Err(Fault::new("InvalidLogin", text));
        };
        let shown = format!("VSPHERE.LOCAL\\{}", self.options.username.split('@').next().unwrap_or_default());
        session.user = Some(shown.clone());
        let shown = super::value::escape(&shown);
        Ok(format!(
            "<returnval><key>{}</key><userName>{shown}</userName><fullName>{shown}</fullName>\
             <loginTime>2026-01-02T03:04:05.678901Z</loginTime>\
             <lastActiveTime>2026-01-02T03:04:05.678901Z</lastActiveTime><locale>en</locale>\
             <messageLocale>en</messageLocale></returnval>",
            session.key
        ))
    }

    fn session_object(&mut self, kind: &str, cookie: &str) -> Ref {
        let key = self.sessions.get(cookie).map(|session| session.key.clone()).unwrap_or_default();
        Ref::new(kind, format!("session[{key}]{}", self.opaque(kind)))
    }

    fn create_view(&mut self, cookie: &str, mut arguments: Arguments<'_>) -> Result<String, Fault> {
        let container = arguments.required("container")?.object()?;
        let kinds = arguments.many("type").into_iter().map(|kind| kind.leaf().map(str::to_owned));
        let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        let recursive = arguments.required("recursive")?.flag()?;
        arguments.end()?;
        if !self.inventory.objects.contains_key(&container) {
            return Err(Fault::not_found(&container));
        }
        if !kinds.iter().all(|kind| schema::is_known(kind)) {
            return Err(Fault::invalid_argument("type"));
        }
        let object = self.session_object("ContainerView", cookie);
        self.views
            .insert(object.id.clone(), View { session: cookie.to_owned(), container, kinds, recursive });
        Ok(object.element("returnval"))
    }

    fn view_object(&self, object: &Ref, view: &View) -> Object {
        let wanted = |kind: &str| {
            view.kinds.is_empty() || view.kinds.iter().any(|base| schema::distance(kind, base).is_some())
        };
        let inside = self.inventory.objects.values().filter(|object| {
            wanted(&object.this.kind) && self.inventory.is_below(object, &view.container, view.recursive)
        });
        let inside = inside.map(|object| object.this.clone()).collect();
        let properties = BTreeMap::from([
            ("view".to_owned(), Value::Refs(inside)),
            ("container".to_owned(), Value::Ref(view.container.clone())),
            ("recursive".to_owned(), Value::Bool(view.recursive)),
        ]);
        Object { this: object.clone(), properties, withheld: BTreeSet::new() }
    }

    /// Any object that the session of `cookie` can name.
    fn find(&self, cookie: &str, object: &Ref) -> Option<Arc<Object>> {
        match object.kind.as_str() {
            "ContainerView" => {
                let view = self.views.get(&object.id).filter(|view| view.session == cookie)?;
                Some(Arc::new(self.view_object(object, view)))
            }
            "SessionManager" if object.id == "SessionManager" => {
                let session = self.sessions.get(cookie).filter(|session| session.user.is_some());
                let current = session.map(|session| {
                    let user = session.user.clone().unwrap_or_default();
                    let fields =
                        vec![("key", Value::Text(session.key.clone())), ("userName", Value::Text(user))];
                    ("currentSession".to_owned(), Value::Data("UserSession", fields))
                });
                let properties = current.into_iter().collect();
                Some(Arc::new(Object { this: object.clone(), properties, withheld: BTreeSet::new() }))
            }
            _ => self.inventory.objects.get(object).cloned(),
        }
    }

    fn collector(&self, cookie: &str, this: &Ref) -> Result<&Collector, Fault> {
        let own = self.collectors.get(&this.id).filter(|collector| collector.session == cookie);
        own.filter(|own| own.object == *this).ok_or_else(|| Fault::not_found(this))
    }

    /// The default collector of every session is made when it is first used.
    fn own_collector(&mut self, cookie: &str, this: &Ref) -> Result<String, Fault> {
        if this.kind == "PropertyCollector" && this.id == "propertyCollector" {
            let id = format!("propertyCollector of {cookie}");
            let new = || Collector::new(Ref::new("PropertyCollector", id.clone()), cookie);
            self.collectors.entry(id.clone()).or_insert_with(new);
            return Ok(id);
        }
        self.collector(cookie, this).map(|collector| collector.object.id.clone())
    }

    fn create_filter(
        &mut self,
        cookie: &str,
        this: &Ref,
        mut arguments: Arguments<'_>,
    ) -> Result<String, Fault> {
        let spec = Spec::read(arguments.required("spec")?)?;
        let partial = arguments.required("partialUpdates")?.flag()?;
        arguments.end()?;
        let id = self.own_collector(cookie, this)?;
        if let Some(unknown) = spec.roots().find(|root| self.find(cookie, root).is_none()) {
            return Err(Fault::not_found(unknown));
        }
        let object = self.session_object("PropertyFilter", cookie);
        let returned = object.element("returnval");
        if let Some(collector) = self.collectors.get_mut(&id) {
            collector.filters.push(Filter { object, spec, partial });
        }
        Ok(returned)
    }

    fn destroy_filter(&mut self, cookie: &str, this: &Ref) -> Result<String, Fault> {
        for collector in self.collectors.values_mut().filter(|collector| collector.session == cookie) {
            let before = collector.filters.len();
            collector.filters.retain(|filter| filter.object != *this);
            if collector.filters.len() < before {
                return Ok(String::new());
            }
        }
        Err(Fault::not_found(this))
    }

    /// `RetrievePropertiesEx`. Without a session it answers all the same, with every property missing.
    fn retrieve(&mut self, cookie: &str, this: &Ref, mut arguments: Arguments<'_>) -> Result<String, Fault> {
        let mut specs = vec![Spec::read(arguments.required("specSet")?)?];
        for more in arguments.many("specSet") {
            specs.push(Spec::read(more)?);
        }
        let mut options = Arguments::of(arguments.required("options")?);
        let page = options.optional("maxObjects").map(super::soap::Element::number).transpose()?;
        options.end()?;
        arguments.end()?;
        let dead = self.authenticated(cookie, this).map_or(true, |session| session.dead);
        if !dead && this.id != "propertyCollector" {
            self.collector(cookie, this)?;
        }
        let find = |object: &Ref| self.find(cookie, object);
        let mut objects = VecDeque::new();
        for spec in &specs {
            if let Some(unknown) = spec.roots().find(|root| find(root).is_none()) {
                return Err(if dead { Fault::not_authenticated(unknown) } else { Fault::not_found(unknown) });
            }
            let selected = spec.select(&find);
            objects.extend(selected.values().map(|object| object_content(spec, object, dead)));
        }
        let page = page.map_or(usize::MAX, |page| usize::try_from(page).unwrap_or(usize::MAX));
        let page = page.clamp(1, self.options.page);
        let (session, collector) = (cookie.to_owned(), this.clone());
        Ok(self.retrieved(Retrieval { session, collector, objects, page }))
    }

    fn retrieved(&mut self, mut rest: Retrieval) -> String {
        if rest.objects.is_empty() {
            return String::new();
        }
        let first: String = rest.objects.drain(..rest.page.min(rest.objects.len())).collect();
        let mut token = String::new();
        if !rest.objects.is_empty() {
            let opaque = self.opaque("token");
            token = format!("<token>{opaque}</token>");
            self.retrievals.insert(opaque, rest);
        }
        format!("<returnval>{token}{first}</returnval>")
    }

    fn begin_wait(&mut self, cookie: &str, call: &Call) -> Result<Wait, Fault> {
        self.authenticated(cookie, &call.this)?;
        let mut arguments = call.arguments();
        let version = arguments.optional("version").map(super::soap::Element::leaf).transpose()?;
        let version = version.unwrap_or_default().to_owned();
        let (mut longest, mut limit) = (None, self.options.page);
        if let Some(options) = arguments.optional("options") {
            let mut options = Arguments::of(options);
            longest = options.optional("maxWaitSeconds").map(super::soap::Element::number).transpose()?;
            if let Some(asked) = options.optional("maxObjectUpdates") {
                limit = limit.min(usize::try_from(asked.number()?).unwrap_or(usize::MAX));
            }
            options.end()?;
        }
        arguments.end()?;
        if limit == 0 {
            return Err(Fault::invalid_argument("options.maxObjectUpdates"));
        }
        self.own_collector(cookie, &call.this)?;
        self.serial += 1;
        let number = self.serial;
        if let Some(session) = self.sessions.get_mut(cookie) {
            session.wait = Some((number, call.this.clone()));
        }
        Ok(Wait { number, version, longest: longest.map(Duration::from_secs), limit })
    }

    fn end_wait(&mut self, cookie: &str, wait: &Wait) {
        let session = self.sessions.get_mut(cookie);
        if let Some(session) = session.filter(|s| s.wait.as_ref().is_some_and(|(n, _)| *n == wait.number)) {
            session.wait = None;
        }
    }

    /// The answer to a wait, when there is something to say.
    fn poll(&mut self, cookie: &str, this: &Ref, wait: &Wait) -> Result<Option<String>, Fault> {
        let session = self.authenticated(cookie, this)?;
        if session.wait.as_ref().is_none_or(|(number, _)| *number != wait.number) {
            return Err(Fault::new("RequestCanceled", "The task was canceled by a user."));
        }
        let dead = session.dead;
        let id = self.own_collector(cookie, this)?;
        // Taken out while it looks at the rest.
        let Some(mut collector) = self.collectors.remove(&id) else { return Err(Fault::not_found(this)) };
        let mut serial = self.serial;
        let mut fresh = || {
            serial += 1;
            opaque("version", serial)
        };
        let find = |object: &Ref| self.find(cookie, object);
        let polled = collector.poll(&wait.version, wait.limit, dead, &find, &mut fresh);
        self.serial = serial;
        self.collectors.insert(id, collector);
        let page = polled?.map(|page| page.xml());
        if page.is_some() {
            self.end_wait(cookie, wait);
        }
        Ok(page)
    }
}

fn singleton(this: &Ref, id: &str) -> Result<(), Fault> {
    if this.id == id { Ok(()) } else { Err(Fault::not_found(this)) }
}
