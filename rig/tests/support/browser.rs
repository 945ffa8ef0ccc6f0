//! A browser without a screen: what a page is once it is laid out and its scripts have run.
//!
//! Must not know which page. Nothing is fetched: pages are files of this host. Every browser has a profile folder of its own, and ends with the test: it is
//! driven through a pipe, and closes when the other end does. Protocol: Chrome DevTools Protocol, over `--remote-debugging-pipe`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tools::needs;

/// Reaching it is a failure of the page or the browser, not of a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What keeps it from asking the network for anything that is not the page.
const QUIET: [&str; 8] = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// Chromium takes commands on descriptor 3 and answers on 4: the shell puts its own streams there, and is replaced.
const ON_3_AND_4: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";

/// Chromium, and its profile.
pub(crate) struct Browser {
    program: PathBuf,
    profile: TempDir,
}

impl Browser {
    /// Where this host has none, says that the test is skipped.
    pub(crate) fn find() -> Option<Self> {
        let program = needs("chromium")?;
        Some(Self { program, profile: tempfile::tempdir().expect("a folder") })
    }

    /// The page of this file as the browser has it after its scripts: HTML.
    pub(crate) fn dom(&self, page: &Path) -> String {
        let mut tab = self.start();
        tab.show(page, View::default());
        let dom = tab.evaluate("document.documentElement.outerHTML");
        dom.as_str().expect("text").to_owned()
    }

    /// Starts it, with one empty tab.
    pub(crate) fn start(&self) -> Tab {
        let said = self.profile.path().join("said");
        let mut command = Command::new("sh");
        command.args(["-c", ON_3_AND_4]).arg(&self.program);
        command.args(["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
        command.arg("--remote-debugging-pipe").args(QUIET);
        if nix::unistd::geteuid().is_root() {
            // Its sandbox refuses root.
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", self.profile.path().join("profile").display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(&said).expect("a file"));
        let mut child = command.spawn().expect("a shell");
        let to = child.stdin.take().expect("piped");
        let mut from = child.stdout.take().expect("piped");
        let (sender, answers) = channel();
        // It ends when the browser closes its end, or nobody listens.
        thread::spawn(move || {
            let (mut held, mut part) = (Vec::new(), vec![0; 1 << 16]);
            while let Ok(length @ 1..) = from.read(&mut part) {
                held.extend_from_slice(&part[..length]);
                while let Some(end) = held.iter().position(|byte| *byte == 0) {
                    let message: Vec<u8> = held.drain(..=end).collect();
                    let message = serde_json::from_slice(&message[..end]).expect("JSON");
                    if sender.send(message).is_err() {
                        return;
                    }
                }
            }
        });
        let session = String::new();
        let mut tab =
            Tab { child, to: Some(to), answers, said, session, asked: 0, events: vec![], scripts: true };
        tab.attach();
        tab
    }
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// Width of the window, in pixels of CSS.
    pub(crate) width: u32,
    /// Whether the reader prefers dark colours.
    pub(crate) dark: bool,
    /// Whether the page's own scripts run.
    pub(crate) scripts: bool,
    /// Whether it is styled as it is for print.
    pub(crate) paper: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { width: 1440, dark: false, scripts: true, paper: false }
    }
}

/// Narrower than this is a telephone.
const PHONE: u32 = 600;

/// A tab of a browser that runs.
pub(crate) struct Tab {
    child: Child,
    /// Closed when the browser is to end.
    to: Option<ChildStdin>,
    answers: Receiver<Value>,
    said: PathBuf,
    session: String,
    asked: u64,
    events: Vec<Value>,
    /// Whether the scripts of the page that is shown may run.
    scripts: bool,
}

impl Tab {
    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let session =
            self.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        self.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page.enable", "Network.enable", "Runtime.enable"] {
            self.call(domain, json!({}));
        }
    }

    /// What the browser answers to a command; fails where it refuses, ends, or does not answer.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let sent = self.to.as_mut().expect("it runs").write_all(&bytes);
        sent.unwrap_or_else(|error| panic!("{method}: {error}: {}", read(&self.said)));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.next(method, deadline);
            if answer["id"] == json!(self.asked) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&mut self, what: &str, deadline: Instant) -> Value {
        match self.answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{what}: no answer within {PATIENCE:?}: {}", read(&self.said))
            }
            Err(RecvTimeoutError::Disconnected) => {
                panic!("{what}: the browser ended: {}", read(&self.said))
            }
        }
    }

    /// Waits for an event that came since the last page was begun, or will come.
    fn wait(&mut self, event: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.events.iter().any(|one| one["method"] == event) {
            let next = self.next(event, deadline);
            self.events.push(next);
        }
    }

    /// Opens the page of this file, anew.
    pub(crate) fn show(&mut self, page: &Path, view: View) {
        self.show_at(&format!("file://{}", page.display()), view);
    }

    /// Opens an address, which may have a fragment, anew.
    pub(crate) fn show_at(&mut self, address: &str, view: View) {
        let View { width, dark, scripts, paper } = view;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < PHONE});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"media": if paper { "print" } else { "" }, "features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media);
        self.scripts = scripts;
        self.let_scripts_run(scripts);
        // From a page to itself with another fragment nothing is loaded.
        self.navigate("about:blank");
        self.navigate(address);
    }

    fn navigate(&mut self, address: &str) {
        self.events.clear();
        let answer = self.call("Page.navigate", json!({"url": address}));
        assert!(answer["errorText"].is_null(), "{address}: {}", answer["errorText"]);
        self.wait("Page.loadEventFired");
    }

    fn let_scripts_run(&mut self, may: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !may}));
    }

    /// What an expression is, in a world of its own: it sees the page and not the page's variables. Where the page's scripts may not run, it runs, and they do
    /// not: they had to while the page was loaded.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let tree = self.call("Page.getFrameTree", json!({}));
        let frame = &tree["frameTree"]["frame"]["id"];
        let world = self.call("Page.createIsolatedWorld", json!({"frameId": frame, "worldName": "tests"}));
        let asked = json!({
            "expression": expression,
            "contextId": world["executionContextId"],
            "awaitPromise": true,
            "returnByValue": true,
        });
        // Without scripts no timer fires, of whatever world, and a promise that waits for one is never kept.
        self.let_scripts_run(true);
        let mut answer = self.call("Runtime.evaluate", asked);
        self.let_scripts_run(self.scripts);
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Presses a key and lets it go: `Tab`, `Enter`, `Escape`, `ArrowDown`, or a character.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Escape" => ("Escape", 27, ""),
            " " => ("Space", 32, " "),
            "ArrowUp" => ("ArrowUp", 38, ""),
            "ArrowDown" => ("ArrowDown", 40, ""),
            "ArrowLeft" => ("ArrowLeft", 37, ""),
            "ArrowRight" => ("ArrowRight", 39, ""),
            _ => {
                let mut characters = key.chars();
                let one = characters.next().filter(|_| characters.next().is_none());
                let one = one.unwrap_or_else(|| panic!("{key} is not a key that this test knows"));
                ("", one.to_ascii_uppercase() as u32, key)
            }
        };
        let mut event = json!({"type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number});
        if !text.is_empty() {
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event);
    }

    /// A picture of the whole page: PNG.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        let size = self.call("Page.getLayoutMetrics", json!({}));
        let size = &size["cssContentSize"];
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        bytes(&self.call("Page.captureScreenshot", asked)["data"])
    }

    /// The page on paper: PDF.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        bytes(&self.call("Page.printToPDF", json!({"printBackground": false}))["data"])
    }

    /// When the page was first painted after its navigation began, in milliseconds; none where it was not.
    pub(crate) fn first_paint_ms(&mut self) -> Option<f64> {
        self.evaluate(
            "performance.getEntriesByType('paint').find(one => one.name == 'first-paint')?.startTime",
        )
        .as_f64()
    }

    /// Every address that was asked for since the page was begun, the page's own among them.
    pub(crate) fn fetched(&mut self) -> Vec<String> {
        // What was asked for before an answer to this has come before it.
        self.call("Page.getFrameTree", json!({}));
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests
            .map(|event| event["params"]["request"]["url"].as_str().expect("an address").to_owned())
            .collect()
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.to = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What base 64 is (RFC 4648, section 4).
fn bytes(text: &Value) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut held, mut bits) = (vec![], 0_u32, 0);
    for byte in text.as_str().expect("text").bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|one| *one == byte).expect("base 64") as u32;
        held = (held << 6 | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    out
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("it was written")).into_owned()
}
