//! `probe` and `verify` against a JWKS that is published over HTTPS.

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

/// An HTTPS server on loopback that answers every request alike, and the CA that vouches for it.
struct Site {
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(answer: Answer) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()])
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
                    let _ = serve(&acceptor, stream, answer.as_deref()).await;
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
    answer: Option<&[u8]>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let Some(answer) = answer else {
        // Until the client gives up.
        while stream.read_buf(&mut request).await? > 0 {}
        return Ok(());
    };
    stream.write_all(answer).await?;
    stream.shutdown().await
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
