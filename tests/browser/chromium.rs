//! A headless Chromium, driven by Chrome's debugging protocol over a pipe. It reaches nobody: its proxy is a port that
//! nobody listens on. Does I/O: it starts a process.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::optional;

/// How long one answer may take; generous, because machines are busy.
const LIMIT: Duration = Duration::from_mins(2);
/// The debugging protocol is on descriptors 3 and 4, which here are the standard input and output.
const START: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// Notes what a page was not allowed to do, and what failed in it.
const WATCH: &str = "window.violations = []; \
    addEventListener('securitypolicyviolation', (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`)); \
    addEventListener('unhandledrejection', (event) => violations.push(String(event.reason)));";

/// A running browser. Dropping it ends it.
pub struct Chromium {
    child: Child,
    pipe: Option<ChildStdin>,
    incoming: Receiver<Value>,
    events: VecDeque<Value>,
    calls: u64,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub touch: bool,
    pub scripts: bool,
    pub media: &'static str,
}

/// A window on a desk.
pub const DESK: Look =
    Look { width: 1440, height: 1000, dark: false, touch: false, scripts: true, media: "screen" };
/// A small telephone.
pub const PHONE: Look = Look { width: 360, height: 740, touch: true, ..DESK };

impl Chromium {
    /// None when there is no Chromium, which strict runs do not accept.
    pub fn start() -> Option<Self> {
        let program = optional::program("chromium", "chromium", "browser")?;
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args([
                "--disable-default-apps",
                "--disable-extensions",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args(["--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, incoming) = channel();
        thread::spawn(move || {
            for message in output.split(0) {
                let Ok(message) = message else { return };
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let events = VecDeque::new();
        Some(Self { child, pipe, incoming, events, calls: 0, _profile: profile })
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, file: &Path, look: Look) -> Page<'_> {
        let target = self.call(None, "Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session =
            self.call(None, "Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().to_owned();
        let mut page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.call("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH}));
        page.look(look);
        page.call("Page.navigate", &json!({"url": format!("file://{}", file.display())}));
        page.wait("Page.loadEventFired");
        page
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            call["sessionId"] = json!(session);
        }
        let mut message = call.to_string().into_bytes();
        message.push(0);
        self.pipe.as_mut().unwrap().write_all(&message).unwrap();
        loop {
            let answer = self.receive(method);
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push_back(answer);
        }
    }

    fn receive(&self, what: &str) -> Value {
        self.incoming.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("Chromium and {what}: {error}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends by itself when the pipe does; killing it is for one that hangs.
        drop(self.pipe.take());
        while self.incoming.recv_timeout(Duration::from_secs(20)).is_ok() {}
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One open page.
pub struct Page<'a> {
    browser: &'a mut Chromium,
    session: String,
}

impl Page<'_> {
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    /// Changes how it is looked at.
    pub fn look(&mut self, look: Look) {
        let Look { width, height, dark, touch, scripts, media } = look;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        self.call("Emulation.setTouchEmulationEnabled", &json!({"enabled": touch}));
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}));
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !scripts}));
    }

    /// The value of an expression, or of the promise that it is.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &ask);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true, looking at it in every frame.
    pub fn until(&mut self, expression: &str) {
        self.evaluate(&format!(
            "new Promise((done) => {{ const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look(); }})"
        ));
    }

    /// Presses a key, such as `ArrowDown`, and lets it go.
    pub fn press(&mut self, key: &str, control: bool) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "PageUp" => 33,
            "PageDown" => 34,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            other => panic!("which key is {other}?"),
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                               "modifiers": if control { 2 } else { 0 }});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Taps with a finger on the middle of an element.
    pub fn tap(&mut self, selector: &str) {
        let place = self.evaluate(&format!(
            "(() => {{ const box = document.querySelector({}).getBoundingClientRect(); \
             return {{x: box.x + box.width / 2, y: box.y + box.height / 2}}; }})()",
            json!(selector)
        ));
        self.call("Input.dispatchTouchEvent", &json!({"type": "touchStart", "touchPoints": [place]}));
        self.call("Input.dispatchTouchEvent", &json!({"type": "touchEnd", "touchPoints": []}));
    }

    /// A picture of what is seen, as PNG, and in a file of `target/plan-screenshots/`.
    pub fn screenshot(&mut self, name: &str) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        let png = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        let folder = repository().join("target/plan-screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), &png).unwrap();
        png
    }

    /// Everything that was asked for so far, by address.
    pub fn requests(&self) -> Vec<String> {
        let asked = self.events("Network.requestWillBeSent");
        asked.map(|event| event["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything that went wrong so far: errors, logged lines, dialogs, and breaches of the page's policy.
    pub fn complaints(&mut self) -> Vec<String> {
        let violations = self.evaluate("violations");
        let mut complaints: Vec<_> = violations.as_array().unwrap().iter().map(Value::to_string).collect();
        for kind in [
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        ] {
            complaints.extend(self.events(kind).map(|event| format!("{kind}: {event}")));
        }
        complaints
    }

    fn events<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        let ours =
            move |event: &&Value| event["method"] == method && event["sessionId"] == self.session.as_str();
        self.browser.events.iter().filter(ours).map(|event| &event["params"])
    }

    fn wait(&mut self, method: &str) {
        while self.events(method).next().is_none() {
            let event = self.browser.receive(method);
            self.browser.events.push_back(event);
        }
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
