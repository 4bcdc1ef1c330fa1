//! The vectors, through the layer: every message that HTTP libraries can carry is answered as the
//! vector says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{collections::BTreeMap, path::Path};

use adcp_signing_conformance::vectors::{
    Answer, CaseResult, Delivery, Refusal, Report, run_folder_through,
};
use adcp_signing_core::{FallbackCredential, Transport, Verified};
use adcp_signing_http::{AcceptedCredential, BaseUrl, Verify, VerifyLayer};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use tower::{Layer as _, ServiceExt as _, service_fn};

fn layer(verify: &Verify, transport: Option<&Transport>) -> VerifyLayer {
    match transport {
        None => verify.webhooks(),
        Some(Transport::Rest { operation }) => verify.operation(operation),
        Some(Transport::RestPath) => verify.rest_path(),
        Some(Transport::Mcp) => verify.mcp(),
        Some(Transport::A2a) => verify.a2a(),
        Some(other) => panic!("no layer is for {other:?}"),
    }
}

/// The message as an HTTP server receives it, or why it cannot be one.
fn request(delivery: &Delivery<'_>) -> Result<(BaseUrl, Request<Full<Bytes>>), String> {
    let url = delivery.request.url;
    let after_scheme = url.find("://").ok_or("the URL has no scheme")? + 3;
    let path = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    let base: BaseUrl = url[..path].parse().map_err(|_| "no server is known by this authority")?;
    let target = match &url[path..] {
        path if path.starts_with('/') => path.to_owned(),
        rest => format!("/{rest}"),
    };
    let uri: Uri = target.parse().map_err(|_| "the path is none of the http crate")?;
    if uri.path_and_query().is_none_or(|path| path.as_str() != target) {
        return Err("a client would send another path".to_owned());
    }
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(delivery.request.body)));
    *request.method_mut() =
        delivery.request.method.parse().map_err(|_| "the method is none of the http crate")?;
    *request.uri_mut() = match delivery.request.pseudo_authority {
        Some(authority) => {
            let scheme = &url[..after_scheme];
            format!("{scheme}{authority}{target}").parse().map_err(|_| "no such :authority")?
        }
        None => uri,
    };
    for line in delivery.request.fields {
        let length = delivery.request.body.len().to_string();
        if line.is("content-length") && line.value != length.as_bytes() {
            return Err("no server passes on a body of another length".to_owned());
        }
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| "no such field")?;
        let value = HeaderValue::from_bytes(line.value).map_err(|_| "no such field value")?;
        request.headers_mut().append(name, value);
    }
    if delivery.fallback == FallbackCredential::Valid {
        request.extensions_mut().insert(AcceptedCredential::of("vector"));
    }
    Ok((base, request))
}

fn receive(delivery: &Delivery<'_>) -> Result<Answer, String> {
    let (base, request) = request(delivery)?;
    let verify = Verify::new(delivery.verifier.clone(), base).max_unsigned_body(usize::MAX);
    // The handler answers with what the layer has told it.
    let handler = service_fn(async |request: Request<Full<Bytes>>| {
        let mut response = Response::new(Full::<Bytes>::default());
        response.extensions_mut().extend(request.extensions().clone());
        Ok::<_, std::convert::Infallible>(response)
    });
    let service = layer(&verify, delivery.transport).layer(handler);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let response = runtime.block_on(service.oneshot(request)).unwrap();
    if let Some(verified) = response.extensions().get::<Verified>() {
        return Ok(Ok(verified.clone()));
    }
    let status = response.status().as_u16();
    let challenge = response.headers().get("www-authenticate").map(|value| {
        let challenge = adcp_signing_core::profile::Challenge::parse(value.to_str().unwrap());
        challenge.unwrap().code().to_owned()
    });
    let body = runtime.block_on(http_body_util::BodyExt::collect(response.into_body())).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    let code = body["error"].as_str().unwrap().to_owned();
    if let Some(challenge) = challenge {
        assert_eq!(challenge, code, "field and body name one code");
    }
    Ok(Err(Refusal { status, code, inward: None }))
}

fn run(folder: &str) -> Report {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors").join(folder);
    run_folder_through(&root, None, |delivery| receive(&delivery)).unwrap()
}

/// Fails for each case that failed, and prints why others were not run.
fn check(report: &Report, at_least: usize) {
    let mut skipped = BTreeMap::<&str, usize>::new();
    let mut failed = Vec::new();
    for case in &report.cases {
        match &case.result {
            CaseResult::Passed => {}
            CaseResult::Skipped(reason) => *skipped.entry(reason).or_default() += 1,
            CaseResult::Failed(reason) => {
                failed.push(format!("{}: {}: {reason}", case.file.display(), case.name));
            }
        }
    }
    println!("{} passed; not run: {skipped:?}", report.passed());
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(report.passed() >= at_least, "only {} passed: {skipped:?}", report.passed());
}

#[test]
fn published_vectors_through_the_layer() {
    check(&run("adcp"), 350);
}

#[test]
fn our_own_vectors_through_the_layer() {
    check(&run("own"), 600);
}
