//! A tool that is called by MCP, both ways. Our server is rmcp behind `Verify::mcp`, and our client
//! is rmcp with `SigningClient`. Theirs are the SDK of MCP for their language with their signatures
//! in it, and the client of their own for agents.

use std::{error::Error, sync::Arc, time::Duration};

use adcp_signing_core::{Algorithm, VerifiedSigner, WireVersion};
use adcp_signing_http::{
    Verify,
    rmcp::{SigningClient, challenge},
};
use adcp_signing_interop::{Answer, Change, Direction, Lane, Message, Peer, Wire};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use rmcp::{
    RoleServer, ServiceExt as _,
    handler::server::wrapper::Parameters,
    model::{CallToolRequestParams, CallToolResult, JsonObject},
    service::RequestContext,
    tool, tool_router,
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{StreamableHttpClient, StreamableHttpClientTransportConfig},
        streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager},
    },
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use tower::Layer as _;

use crate::{Pair, our_client::OurClient, our_server::OPERATION, peer::PeerProcess};

const WIRES: [WireVersion; 2] = [WireVersion::V3_1, WireVersion::V3_2];
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
const BUDGET: u32 = 1_000;
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Their clients: the SDK of MCP, and their own.
const THEIR_CLIENTS: [&str; 2] = ["sdk", "agent"];

/// What a client can do to its own call.
const WE_CHANGE: [Change; 3] = [Change::None, Change::Unsigned, Change::UnknownKey];

/// What happens to a call of theirs. The last two happen on the way, before our server.
const THEY_CHANGE: [Change; 5] =
    [Change::None, Change::Unsigned, Change::UnknownKey, Change::Body, Change::Replay];

/// What a tool answers, theirs and ours.
#[derive(Deserialize)]
struct Called {
    keyid: Option<String>,
    budget: u32,
}

impl Called {
    fn judge(text: &str, message: &Message) -> Answer {
        match serde_json::from_str::<Self>(text) {
            Ok(Self { keyid, budget: BUDGET }) if keyid.as_deref() == Some(&*message.keyid()) => {
                Answer::Accepts
            }
            _ => Answer::Fails(format!("the tool answered {text:?}").into()),
        }
    }
}

/// Calls the tool in each way, and gives what was answered wrongly.
pub(crate) async fn exchange(pair: &mut Pair, peer: Peer) -> Vec<String> {
    let Pair { peer: process, client, server } = pair;
    // What happens to a call is in its URL.
    server.expect(Change::None);
    let (mut wrong, mut total) = (Vec::new(), 0);
    let mut check = |by: &str, message: &Message, answer: &Answer| {
        total += 1;
        let right = message.right();
        if *answer != right {
            let Message { lane, change, .. } = message;
            wrong.push(format!("MCP, {by}, {lane}, {change:?}: {answer} in place of {right}"));
        }
    };
    for wire in WIRES {
        for algorithm in ALGORITHMS {
            for change in WE_CHANGE {
                let message = call(peer, Direction::WeSign, wire, algorithm, change);
                let answer = we_call(client, &process.base(), &message).await;
                check("rmcp", &message, &answer);
            }
            // The table of faults has why.
            if (peer, wire) == (Peer::Node, WireVersion::V3_2) {
                continue;
            }
            for by in THEIR_CLIENTS {
                for change in THEY_CHANGE {
                    let message = call(peer, Direction::TheySign, wire, algorithm, change);
                    let answer = they_call(process, by, &server.base(), &message).await;
                    check(by, &message, &answer);
                }
            }
        }
    }
    println!("{} of {total} calls by MCP answered as they should be: {peer}", total - wrong.len());
    wrong
}

fn call(
    peer: Peer,
    direction: Direction,
    version: WireVersion,
    algorithm: Algorithm,
    change: Change,
) -> Message {
    Message {
        lane: Lane { peer, direction, wire: Wire::Request(version), algorithm },
        method: "POST".into(),
        target: format!("mcp/{version}").into(),
        content_type: Some("application/json".into()),
        body: json!({ "budget": BUDGET }).to_string().into(),
        digest: true,
        purpose: "request-signing",
        change,
    }
}

async fn they_call(
    process: &mut PeerProcess,
    client: &str,
    base: &str,
    message: &Message,
) -> Answer {
    let wire = message.lane.wire.name();
    let change = match message.change {
        Change::Body => "body",
        Change::Replay => "replay",
        _ => "none",
    };
    let keyid = (message.change != Change::Unsigned).then(|| message.keyid());
    let order = json!({
        "profile": "mcp",
        "client": client,
        "url": format!("{base}/mcp/{wire}/{change}"),
        "version": wire,
        "keyid": keyid,
        "budget": BUDGET,
    });
    match process.call_mcp(&order).await {
        Ok(text) => Called::judge(&text, message),
        Err(answer) => answer,
    }
}

async fn we_call(client: &OurClient, base: &str, message: &Message) -> Answer {
    let url = format!("{base}/mcp/{}", message.lane.wire.name_at_peers());
    let http = reqwest::Client::builder().no_proxy();
    let called = match message.change {
        Change::Unsigned => session(http.build().unwrap(), url).await,
        _ => {
            let signing = SigningClient::from_builder(http, client.signer(message));
            session(signing.unwrap(), url).await
        }
    };
    match called {
        Ok(text) => Called::judge(&text, message),
        Err(error) => match challenge(&*error) {
            Some(challenge) => Answer::Refuses(challenge.code().to_owned().into()),
            None => Answer::Fails(format!("{error:?}").into()),
        },
    }
}

/// Looks for the tool, calls it, and gives its text.
async fn session<C>(http: C, url: String) -> Result<String, Box<dyn Error>>
where
    C: StreamableHttpClient + Sync,
{
    let seller = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(http, seller);
    let client = timeout(ENDS_WITHIN, ().serve(transport)).await??;
    let tools = timeout(ENDS_WITHIN, client.list_all_tools()).await??;
    if !tools.iter().any(|tool| tool.name == OPERATION) {
        return Err("the tool is not listed".into());
    }
    let order = json!({ "budget": BUDGET }).as_object().cloned().unwrap();
    let order = CallToolRequestParams::new(OPERATION).with_arguments(order);
    let answer = timeout(ENDS_WITHIN, client.call_tool(order)).await??;
    client.cancel().await?;
    let text = answer.content.first().and_then(|content| content.as_text());
    Ok(text.ok_or("the tool answered no text")?.text.clone())
}

/// Our server, below `/mcp`. The last segment says what happens to the call on its way.
pub(crate) fn server(verify: impl Fn(Wire) -> Verify) -> Router {
    let mut app = Router::new();
    for wire in WIRES {
        let mcp = StreamableHttpService::new(
            move || Ok(Seller { wire }),
            Arc::new(LocalSessionManager::default()),
            Default::default(),
        );
        let mcp = verify(Wire::Request(wire)).mcp().layer(mcp);
        app = app.route_service(&format!("/mcp/{wire}/{{change}}"), mcp);
    }
    app.layer(from_fn(on_the_way))
}

/// Does to the call of the tool what is to happen to it, and nothing to the rest of the session.
async fn on_the_way(Path(change): Path<String>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let is_call = text.contains("tools/call") && text.contains(OPERATION);
    let text = match &*change {
        "body" if is_call => text.replacen(&BUDGET.to_string(), &(BUDGET + 1).to_string(), 1),
        _ => text,
    };
    let request = || Request::from_parts(parts.clone(), Body::from(text.clone()));
    if change == "replay" && is_call {
        let first = next.clone().run(request()).await;
        assert!(first.status().is_success(), "the first of two was answered {}", first.status());
    }
    next.run(request()).await
}

/// Sells, and says which calls have to be signed.
#[derive(Debug, Clone)]
struct Seller {
    wire: WireVersion,
}

#[tool_router(server_handler)]
impl Seller {
    #[tool(description = "Names the key that signed the call")]
    fn create_media_buy(
        &self,
        Parameters(order): Parameters<JsonObject>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let head = context.extensions.get::<http::request::Parts>().unwrap();
        let signer = head.extensions.get::<VerifiedSigner>();
        let keyid = signer.map(VerifiedSigner::keyid);
        json!({ "keyid": keyid, "budget": order["budget"] }).to_string()
    }

    #[tool(description = "Says what the seller can do")]
    fn get_adcp_capabilities(&self) -> CallToolResult {
        let digest = if self.wire == WireVersion::V3_2 { "required" } else { "either" };
        CallToolResult::structured(json!({
            "status": "completed",
            "adcp": {
                "major_versions": [3],
                "supported_versions": [self.wire.as_str()],
                "idempotency": { "supported": false },
            },
            "supported_protocols": ["media_buy"],
            "request_signing": {
                "supported": true,
                "covers_content_digest": digest,
                "required_for": [OPERATION],
                "supported_for": [OPERATION],
            },
        }))
    }
}
