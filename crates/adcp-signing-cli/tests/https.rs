//! `probe`, `verify` and `resolve` against what is published over HTTPS.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// What a server answers each request with; `None` is never to answer.
type Answer = Option<Vec<u8>>;

/// What a server answers a request for a path with.
type Answers = Box<dyn Fn(&str) -> Answer + Send>;

/// An HTTPS server on loopback, and the CA that vouches for it.
struct Site {
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Site {
    /// A server that answers every request alike.
    fn new(answer: Answer) -> Self {
        Self::with("localhost", Box::new(move |_| answer.clone()))
    }

    /// A server of this name.
    fn with(name: &str, answers: Answers) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let (ready, address) = mpsc::channel();
        thread::spawn(move || {
            let chain = vec![CertificateDer::from(leaf.der().to_vec())];
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let config =
                ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    // A client that refuses the certificate, or reads no further, is no failure of
                    // the server.
                    let _ = serve(&acceptor, stream, &answers).await;
                }
            });
        });
        Self { address: address.recv().unwrap(), folder }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/jwks.json", self.address.port())
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

async fn serve(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    answers: &Answers,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let answer = answers(head.split(' ').nth(1).unwrap_or_default());
    let Some(answer) = answer else {
        // Until the client gives up.
        while stream.read_buf(&mut request).await? > 0 {}
        return Ok(());
    };
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// Whether the head and the body have come.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn reply(status: &str, headers: &str, body: &str) -> Answer {
    let len = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\nconnection: close\r\n{headers}\r\n");
    Some(format!("{head}{body}").into_bytes())
}

/// The `Date` of a server whose clock is so many seconds off.
fn date(offset: i64) -> String {
    let shift = Duration::from_secs(offset.unsigned_abs());
    let now = SystemTime::now();
    let date = if offset < 0 { now - shift } else { now + shift };
    format!("date: {}\r\n", httpdate::fmt_http_date(date))
}

/// A key in a file, and its JWKS.
struct Key {
    folder: tempfile::TempDir,
    jwks: String,
}

impl Key {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.jwk");
        let made = run(&["keygen", "--kid", "buyer", "--out", path.to_str().unwrap()], None);
        Self { folder, jwks: String::from_utf8(made.stdout).unwrap() }
    }

    fn uri(&self) -> String {
        format!("file:{}", self.folder.path().join("key.jwk").display())
    }

    /// The exit code and the answer of a probe against what is published at a URL.
    fn probe(&self, url: &str, ca: Option<&Path>) -> (i32, Value) {
        let uri = self.uri();
        let args = ["probe", "--json", "--allow-in-process-keys", "--key", &uri, "--jwks", url];
        let output = run(&args, ca);
        let answer = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), serde_json::from_str(&answer).unwrap())
    }
}

fn run(args: &[&str], ca: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing"));
    // What a proxy would see is not what the server says.
    command.args(args).env("HTTPS_PROXY", "http://127.0.0.1:1").env_remove("SSL_CERT_DIR");
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    match ca {
        Some(ca) => command.env("SSL_CERT_FILE", ca),
        None => command.env_remove("SSL_CERT_FILE"),
    };
    command.output().unwrap()
}

/// The code of a check, which is `ok` when it passed, and its message.
fn check<'a>(answer: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = answer["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    (check["code"].as_str().unwrap(), check["message"].as_str().unwrap())
}

#[test]
fn a_published_key_and_a_right_clock_are_ready() {
    let key = Key::new();
    let site = Site::new(reply(
        "200 OK",
        &format!("{}cache-control: public, max-age=300\r\n", date(0)),
        &key.jwks,
    ));
    let (exit, answer) = key.probe(&site.url(), Some(&site.ca()));
    assert_eq!(exit, 0, "{answer}");
    assert!(check(&answer, "clock").1.contains("JWKS' server"), "{answer}");
    assert!(check(&answer, "published").1.contains("300 s"), "{answer}");
}

#[test]
fn a_clock_is_wrong_beyond_what_verifiers_allow() {
    let key = Key::new();
    // What the server says of the time, the code of the check, and a word of its message.
    let cases = [
        (date(50), "ok", "behind"),
        (date(-50), "ok", "ahead of"),
        (date(70), "clock_skew", "behind"),
        (date(-70), "clock_skew", "ahead of"),
        (format!("{}age: 3600\r\n", date(-3600)), "ok", "JWKS' server"),
        (format!("{}age: 0\r\n", date(-3600)), "clock_skew", "ahead of"),
        (String::new(), "no_date", "sent no Date"),
        ("date: yesterday\r\n".to_owned(), "no_date", "sent no Date"),
    ];
    for (headers, code, word) in cases {
        let site = Site::new(reply("200 OK", &headers, &key.jwks));
        let (exit, answer) = key.probe(&site.url(), Some(&site.ca()));
        let (found, message) = check(&answer, "clock");
        let failed = code == "clock_skew";
        assert_eq!((found, exit), (code, if failed { 3 } else { 0 }), "{headers:?} {answer}");
        assert!(message.contains(word), "{headers:?} {message}");
    }
}

#[test]
fn what_a_verifier_could_not_fetch_is_not_published() {
    let key = Key::new();
    let long = format!("{}{}", key.jwks, " ".repeat(64 * 1024));
    let cases = [
        (
            reply("302 Found", "location: https://localhost/\r\n", ""),
            "redirect",
            "jwks_unavailable",
        ),
        (reply("404 Not Found", "", &key.jwks), "404", "jwks_unavailable"),
        (reply("200 OK", "", &long), "longer than 65536 bytes", "jwks_unavailable"),
        (reply("200 OK", "", "<html>"), "no JWKS", "jwks_invalid"),
        (reply("200 OK", "", r#"{"keys":[]}"#), "no key named buyer", "kid_not_published"),
        (None, "did not come within 10 s", "jwks_unavailable"),
    ];
    for (answer, reason, code) in cases {
        let site = Site::new(answer);
        let (exit, answer) = key.probe(&site.url(), Some(&site.ca()));
        let (found, message) = check(&answer, "published");
        assert_eq!((found, exit), (code, 3), "{reason}: {answer}");
        assert!(message.contains(reason), "{reason}: {message}");
        assert_eq!(check(&answer, "signatures").0, "ok", "the key is checked anyway: {answer}");
        // The clock of a server that did not answer was compared with.
        let clock = if code == "jwks_unavailable" { code } else { "no_date" };
        assert_eq!(check(&answer, "clock").0, clock, "{answer}");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_believed() {
    let key = Key::new();
    let site = Site::new(reply("200 OK", "", &key.jwks));
    let (exit, answer) = key.probe(&site.url(), None);
    let (code, message) = check(&answer, "published");
    assert_eq!((code, exit), ("jwks_unavailable", 3), "{answer}");
    assert!(message.contains("ertificate"), "{message}");
}

#[test]
fn a_url_that_verifiers_would_not_take_is_refused() {
    let key = Key::new();
    for url in [
        "http://buyer.example/jwks.json",
        "https://user:secret@buyer.example/jwks.json",
        "https://",
    ] {
        let (exit, answer) = key.probe(url, None);
        assert_eq!((exit, check(&answer, "input").0), (2, "invalid_input"), "{url}: {answer}");
        assert!(!answer.to_string().contains("secret"), "{answer}");
    }
}

#[test]
fn a_message_is_verified_with_the_published_keys() {
    let key = Key::new();
    let site = Site::new(reply("200 OK", "", &key.jwks));
    let uri = key.uri();
    let args = ["sign", "--allow-in-process-keys", "--key", &uri, "examples/create_media_buy.http"];
    let signed = key.folder.path().join("signed.http");
    std::fs::write(&signed, run(&args, None).stdout).unwrap();
    let url = site.url();
    let output = run(&["verify", "--jwks", &url, signed.to_str().unwrap()], Some(&site.ca()));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("verified signed by buyer"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The agent `https://buyer.test/mcp` with its brand.json, and its JWKS unless that is broken.
fn operator(brand: &'static str) -> Site {
    let port = Arc::new(std::sync::OnceLock::<u16>::new());
    let known = Arc::clone(&port);
    let key = Key::new();
    let answers = move |path: &str| {
        let url = |path: &str| format!("https://buyer.test:{}{path}", known.get().unwrap());
        let json = "content-type: application/json\r\n";
        match path {
            "/mcp" => {
                let identity = serde_json::json!({ "brand_json_url": url("/brand.json") });
                let result = serde_json::json!({ "structuredContent": { "identity": identity } });
                let answer = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "result": result });
                reply("200 OK", json, &answer.to_string())
            }
            "/brand.json" => reply("200 OK", json, &brand.replace("AGENT", &url("/mcp"))),
            "/.well-known/jwks.json" => reply("200 OK", json, &key.jwks),
            _ => reply("404 Not Found", "", ""),
        }
    };
    let site = Site::with("buyer.test", Box::new(answers));
    port.set(site.address.port()).unwrap();
    site
}

const LISTED: &str = r#"{"agents":[{"type":"buying","id":"buyer","url":"AGENT"}]}"#;

fn resolve(site: &Site, options: &[&str]) -> Output {
    let agent = format!("https://BUYER.test:{}/mcp", site.address.port());
    let args = [&["resolve", "--loopback-host", "buyer.test"], options, &[&agent]].concat();
    run(&args, Some(&site.ca()))
}

#[test]
fn an_agent_is_resolved_step_by_step() {
    let site = operator(LISTED);
    let shown = resolve(&site, &[]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.status.code(), Some(0), "{text}");
    for part in ["✓ 1  capabilities", "✓ 8  JWKS", "1 keys: buyer", "found"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let answer: Value = serde_json::from_slice(&resolve(&site, &["--json"]).stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["steps"][7]["step"]), (&true.into(), &8.into()));
    assert!(answer["steps"][3]["fetched_at"].is_i64(), "{answer}");
}

#[test]
fn a_step_that_fails_has_its_code_details_and_exit_code() {
    for (brand, exit, code) in [
        (r#"{"agents":[]}"#, 1, "request_signature_agent_not_in_brand_json"),
        ("{", 1, "request_signature_brand_json_malformed"),
    ] {
        let site = operator(brand);
        let shown = resolve(&site, &[]);
        let text = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(shown.status.code(), Some(exit), "{text}");
        assert!(text.contains("✗") && text.contains(code), "{text}");
        assert!(text.contains("brand_json_url: https://buyer.test:"), "{text}");
        let answer: Value = serde_json::from_slice(&resolve(&site, &["--json"]).stdout).unwrap();
        assert_eq!((&answer["ok"], &answer["error_code"]), (&false.into(), &code.into()));
        assert!(answer["details"]["brand_json_url"].is_string(), "{answer}");
    }
    // The contract before 3.3 compares bytes.
    let shown = resolve(&operator(LISTED), &["--contract", "3.2.4"]);
    assert_eq!(shown.status.code(), Some(1));
}

#[test]
fn a_name_that_leads_to_this_machine_is_refused_unless_it_is_named() {
    let site = operator(LISTED);
    let agent = format!("https://localhost:{}/mcp", site.address.port());
    let shown = run(&["resolve", &agent], Some(&site.ca()));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.status.code(), Some(3), "{text}");
    assert!(text.contains("reserved address"), "{text}");
    for args in [
        ["resolve", "http://buyer.test/"],
        ["resolve", "https://127.0.0.1/"],
        ["resolve", "--purpose=x"],
        ["resolve", "--contract=2.5"],
    ] {
        let args = [&args[..], &["https://buyer.test/"][..usize::from(args[1].starts_with("--"))]];
        assert_eq!(run(&args.concat(), None).status.code(), Some(2), "{args:?}");
    }
}
