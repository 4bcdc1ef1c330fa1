//! A registry on this machine, for cargo to publish to and resolve from: its index, its packages,
//! and the one call that takes a package. It can be told to refuse.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::checksums::hex;

/// The running registry; it ends with the test's process.
pub(super) struct Registry {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The lines of the index, by crate.
    index: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    /// Uploads in their order, those that were refused marked with `!`.
    uploads: Vec<String>,
    refuse: Option<String>,
    lose_answer: Option<String>,
}

impl Registry {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(&stream.unwrap(), port, &shared));
            }
        });
        Self { port, state }
    }

    /// What cargo has to be configured with: this in place of crates.io.
    pub(super) fn configuration(&self) -> String {
        let index = format!("sparse+http://127.0.0.1:{}/", self.port);
        format!(
            "[registry]\ndefault = \"local\"\n[registries.local]\nindex = \"{index}\"\ntoken = \"t\"\n\
             [source.crates-io]\nreplace-with = \"local\"\n"
        )
    }

    /// Refuses this crate from now on, or none.
    pub(super) fn refuse(&self, name: Option<&str>) {
        self.state.lock().unwrap().refuse = name.map(str::to_owned);
    }

    /// Takes this crate once and answers with an error.
    pub(super) fn lose_the_answer_for(&self, name: &str) {
        self.state.lock().unwrap().lose_answer = Some(name.to_owned());
    }

    pub(super) fn uploads(&self) -> Vec<String> {
        self.state.lock().unwrap().uploads.clone()
    }

    /// SHA-256 of a package that it has.
    pub(super) fn checksum(&self, file: &str) -> Option<String> {
        self.state.lock().unwrap().files.get(file).map(|bytes| hex(&Sha256::digest(bytes)))
    }
}

/// One request, one answer.
fn answer(stream: &TcpStream, port: u16, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap_or(0) > 2 && !head.ends_with("\r\n\r\n") {}
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut state = state.lock().unwrap();
    let (status, reply) = match (method, path) {
        ("GET", "/config.json") => {
            let base = format!("http://127.0.0.1:{port}");
            (
                "200 OK",
                json!({"dl": format!("{base}/dl/{{crate}}-{{version}}.crate"), "api": base})
                    .to_string()
                    .into(),
            )
        }
        ("PUT", "/api/v1/crates/new") => state.upload(&body),
        _ => match path.strip_prefix("/dl/") {
            Some(file) => found(state.files.get(file).cloned()),
            None => found(
                state
                    .index
                    .get(path.rsplit('/').next().unwrap_or_default())
                    .map(|text| text.clone().into()),
            ),
        },
    };
    drop(state);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        reply.len()
    );
    let _ = (&mut &*stream).write_all(&[head.as_bytes(), &reply].concat());
}

fn found(reply: Option<Vec<u8>>) -> (&'static str, Vec<u8>) {
    reply.map_or(("404 Not Found", Vec::new()), |reply| ("200 OK", reply))
}

impl State {
    /// The body is a length and JSON, a length and the package.
    fn upload(&mut self, body: &[u8]) -> (&'static str, Vec<u8>) {
        let (metadata, rest) = framed(body);
        let (package, _) = framed(rest);
        let metadata: Value = serde_json::from_slice(metadata).unwrap();
        let (name, version) =
            (metadata["name"].as_str().unwrap(), metadata["vers"].as_str().unwrap());
        let refusal = |why: &str| {
            ("503 Service Unavailable", json!({"errors": [{"detail": why}]}).to_string().into())
        };
        if self.refuse.as_deref() == Some(name) {
            self.uploads.push(format!("!{name}"));
            return refusal("refused by the test");
        }
        let file = format!("{name}-{version}.crate");
        if self.files.contains_key(&file) {
            self.uploads.push(format!("!{name}"));
            return refusal("it is there already");
        }
        let dependencies: Vec<Value> =
            metadata["deps"].as_array().unwrap().iter().map(indexed).collect();
        let line = json!({
            "name": name, "vers": version, "deps": dependencies, "cksum": hex(&Sha256::digest(package)),
            "features": metadata["features"], "yanked": false,
        });
        *self.index.entry(name.to_owned()).or_default() += &format!("{line}\n");
        self.files.insert(file, package.to_vec());
        self.uploads.push(name.to_owned());
        if self.lose_answer.take_if(|lost| lost == name).is_some() {
            return refusal("the answer is lost");
        }
        ("200 OK", b"{}".to_vec())
    }
}

/// A dependency as the index writes it. All are of this registry.
fn indexed(dependency: &Value) -> Value {
    let mut dependency = dependency.clone();
    let fields = dependency.as_object_mut().unwrap();
    let requirement = fields.remove("version_req").unwrap();
    fields.insert("req".to_owned(), requirement);
    fields.insert("registry".to_owned(), Value::Null);
    dependency
}

fn framed(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(4);
    rest.split_at(u32::from_le_bytes(length.try_into().unwrap()) as usize)
}
