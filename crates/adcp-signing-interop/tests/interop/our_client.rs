//! Our client, which signs.

use std::{collections::BTreeMap, time::Duration};

use adcp_signing_core::{
    Clock as _, FixedClock, FixedNonces, Nonces as _, RandomNonces, Signer, SystemClock,
    sign::{AmbiguousUrls, DigestCoverage},
};
use adcp_signing_http::{
    SignedCallError,
    reqwest::{SignMiddleware, signed_call_error},
};
use adcp_signing_interop::{Answer, Change, Message, Wire};
use axum::body::Bytes;
use reqwest::ResponseBuilderExt as _;
use reqwest_middleware::{ClientBuilder, Middleware, Next};

use crate::{
    keys::Keys,
    our_server::Accepted,
    transit::{alter, other_target},
};

pub(crate) struct OurClient {
    base: String,
    plain: reqwest::Client,
    signers: BTreeMap<(Wire, String), Signer>,
}

impl OurClient {
    pub(crate) fn new(keys: &Keys, base: String) -> Self {
        let mut signers = BTreeMap::new();
        for key in keys.all() {
            for wire in Wire::ALL {
                // A key of the other purpose is refused, and not asked for.
                if let Ok(signer) = Signer::new(wire.profile(), std::sync::Arc::clone(key)) {
                    let kid = adcp_signing_core::SigningProvider::identity(&**key).key_id();
                    signers.insert((wire, kid.to_owned()), signer);
                }
            }
        }
        let plain = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Self { base, plain, signers }
    }

    /// Signs with the key of a message, under its profile.
    pub(crate) fn signer(&self, message: &Message) -> Signer {
        self.signers[&(message.lane.wire, message.keyid())].clone()
    }

    pub(crate) async fn send(&self, message: &Message) -> Answer {
        let mut signer = self.signer(message);
        if matches!(message.lane.wire, Wire::Request(_)) {
            signer = signer.with_digest_coverage(match message.digest {
                true => DigestCoverage::Always,
                false => DigestCoverage::Leave,
            });
        }
        if message.change.age() > 0 {
            let then = SystemClock.now().minus(message.change.age());
            signer = signer.with_clock(FixedClock::new(then));
        }
        // Only messages that show a fault have one.
        signer = signer.with_ambiguous_urls(AmbiguousUrls::Allow);
        if message.change == Change::NonceElsewhere {
            let nonce = RandomNonces.next().unwrap();
            signer = signer.with_nonces(FixedNonces::new([nonce.clone(), nonce]));
            let first = Message { target: "elsewhere".into(), ..message.clone() };
            let answer = self.send_by(signer.clone(), &first).await;
            if answer != Answer::Accepts {
                return Answer::Fails(format!("the first of two: {answer}").into());
            }
        }
        self.send_by(signer, message).await
    }

    async fn send_by(&self, signer: Signer, message: &Message) -> Answer {
        let client = ClientBuilder::new(self.plain.clone())
            .with(SignMiddleware::new(signer))
            .with(Transit(message.change))
            .build();
        let method = message.method.parse().unwrap();
        let mut request = client.request(method, format!("{}{}", self.base, message.path()));
        if let Some(content_type) = &message.content_type {
            request = request.header("content-type", content_type.as_ref());
        }
        if !message.body.is_empty() {
            request = request.body(message.body.as_bytes().to_vec());
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                Accepted::judge(status, &response.text().await.unwrap(), message)
            }
            Err(error) => match signed_call_error(&error) {
                Some(SignedCallError::Refused(refusal)) => {
                    Answer::Refuses(refusal.code().to_owned().into())
                }
                _ => Answer::Fails(format!("not sent: {error}").into()),
            },
        }
    }
}

/// Below the signature.
struct Transit(Change);

#[async_trait::async_trait]
impl Middleware for Transit {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let mut body = Bytes::copy_from_slice(body);
        alter(self.0, request.headers_mut(), &mut body);
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        match self.0 {
            Change::Target => {
                let url = request.url().clone();
                *request.url_mut() = other_target(url.as_str()).parse().unwrap();
                let response = next.run(request, extensions).await?;
                // The signer above would take the other URL for a redirect.
                let mut answer = http::Response::builder().status(response.status()).url(url);
                *answer.headers_mut().unwrap() = response.headers().clone();
                Ok(answer.body(response.bytes().await?).unwrap().into())
            }
            Change::Replay => {
                let first = next.clone().run(request.try_clone().unwrap(), extensions).await?;
                if !first.status().is_success() {
                    return Err(reqwest_middleware::Error::middleware(std::io::Error::other(
                        format!("the first of two was answered {}", first.status()),
                    )));
                }
                next.run(request, extensions).await
            }
            _ => next.run(request, extensions).await,
        }
    }
}
