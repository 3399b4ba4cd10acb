//! As much of W3C's `WebDriver` (level 2) as the tests need: a chromedriver process and one session in it.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::process::{Service, words};

/// The key that stands for an element in JSON (W3C, "Elements").
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser session. Dropped, the browser ends with its driver.
pub(crate) struct Session {
    client: Client,
    /// `http://127.0.0.1:{port}/session/{id}`.
    base: String,
    _driver: Service,
}

/// An element of the page that is shown.
#[derive(Clone)]
pub(crate) struct Element(String);

impl Session {
    /// Starts a driver whose home (and so the browser's) is `home`, and a browser with these arguments.
    pub(crate) async fn start(client: Client, home: &Path, arguments: &[String]) -> Self {
        let home_is = format!("HOME={}", home.display());
        let command =
            words(&["env", "--unset=XDG_CONFIG_HOME", "--unset=XDG_DATA_HOME", &home_is, "chromedriver", "--port=0"]);
        let mut driver = Service::start("chromedriver", &command, &home.join("chromedriver.log"));
        let port = |log: &str| -> Option<u16> {
            let (_, rest) = log.split_once("started successfully on port ")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let log = home.join("chromedriver.log");
        let log = || std::fs::read_to_string(&log).unwrap_or_default();
        driver.until("it said its port", || port(&log()).is_some());
        let base = format!("http://127.0.0.1:{}/session", port(&log()).unwrap());
        let capabilities = json!({
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let mut session = Self { client, base, _driver: driver };
        let started = session.ask(Method::POST, "", &capabilities).await;
        let id = started["sessionId"].as_str().expect("a session has an id").to_owned();
        session.base = format!("{}/{id}", session.base);
        session
    }

    /// What the driver answers; if it cannot, the error's name and its words.
    async fn try_ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if method == Method::POST {
            request = request.json(body);
        }
        let mut answer: Value = request.timeout(Duration::from_mins(2)).send().await.unwrap().json().await.unwrap();
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let what = format!("{method} {path}");
        self.try_ask(method, path, body).await.unwrap_or_else(|refused| panic!("{what}: {refused}"))
    }

    /// Goes to an address and waits until its page is loaded.
    pub(crate) async fn go(&self, url: &str) -> Result<(), String> {
        self.try_ask(Method::POST, "/url", &json!({ "url": url })).await.map(drop)
    }

    pub(crate) async fn back(&self) {
        self.ask(Method::POST, "/back", &json!({})).await;
    }

    pub(crate) async fn url(&self) -> String {
        self.ask(Method::GET, "/url", &Value::Null).await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn title(&self) -> String {
        self.ask(Method::GET, "/title", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// All elements that a CSS selector finds.
    pub(crate) async fn all(&self, selector: &str) -> Vec<Element> {
        self.elements("css selector", selector).await
    }

    /// The one element that a CSS selector finds.
    pub(crate) async fn one(&self, selector: &str) -> Element {
        self.only(self.all(selector).await, selector).await
    }

    /// The one link with this text.
    pub(crate) async fn link(&self, text: &str) -> Element {
        self.only(self.elements("link text", text).await, text).await
    }

    async fn only(&self, mut found: Vec<Element>, what: &str) -> Element {
        let count = found.len();
        match found.pop() {
            Some(element) if count == 1 => element,
            _ => panic!("{count} elements are {what} at {}:\n{}", self.url().await, self.text().await),
        }
    }

    async fn elements(&self, using: &str, value: &str) -> Vec<Element> {
        let found = self.ask(Method::POST, "/elements", &json!({ "using": using, "value": value })).await;
        let found = found.as_array().unwrap();
        found.iter().map(|element| Element(element[ELEMENT].as_str().unwrap().to_owned())).collect()
    }

    pub(crate) async fn click(&self, element: &Element) {
        self.ask(Method::POST, &format!("/element/{}/click", element.0), &json!({})).await;
    }

    /// Types into an element, as a person would.
    pub(crate) async fn type_into(&self, element: &Element, text: &str) {
        self.ask(Method::POST, &format!("/element/{}/value", element.0), &json!({ "text": text })).await;
    }

    /// An element's text as it is shown.
    pub(crate) async fn text_of(&self, element: &Element) -> String {
        let text = self.ask(Method::GET, &format!("/element/{}/text", element.0), &Value::Null).await;
        text.as_str().unwrap().to_owned()
    }

    /// The page's text as it is shown.
    pub(crate) async fn text(&self) -> String {
        let body = self.all("body").await;
        match body.first() {
            Some(body) => self.text_of(body).await,
            None => String::new(),
        }
    }

    /// Presses one key after the other, for whatever has the focus. Keys without a letter are private characters.
    pub(crate) async fn press(&self, keys: &str) {
        let presses = keys.chars().flat_map(|key| {
            [
                json!({ "type": "keyDown", "value": key.to_string() }),
                json!({ "type": "keyUp", "value": key.to_string() }),
            ]
        });
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": presses.collect::<Vec<_>>() }]);
        self.ask(Method::POST, "/actions", &json!({ "actions": actions })).await;
    }

    /// Presses a key while another one is held.
    pub(crate) async fn press_with(&self, held: &str, key: &str) {
        let presses = [("keyDown", held), ("keyDown", key), ("keyUp", key), ("keyUp", held)];
        let presses = presses.map(|(kind, key)| json!({ "type": kind, "value": key }));
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": presses }]);
        self.ask(Method::POST, "/actions", &json!({ "actions": actions })).await;
    }

    /// Runs a function body in the page, past its content security policy, and waits for what it returns.
    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Value {
        self.ask(Method::POST, "/execute/sync", &json!({ "script": script, "args": arguments })).await
    }

    /// A command of the Chrome `DevTools` protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.ask(Method::POST, "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// What the browser's console has said since the last time.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.ask(Method::POST, "/se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().unwrap();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The text of the dialog that is open.
    pub(crate) async fn dialog(&self) -> Option<String> {
        let text = self.try_ask(Method::GET, "/alert/text", &Value::Null).await.ok()?;
        Some(text.as_str().unwrap_or_default().to_owned())
    }
}
