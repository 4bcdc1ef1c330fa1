"""The peer `adcp` of PyPI: a server that verifies and a client that signs.

It has no logic of its own: signatures are made and verified by the public API of the package. It
reads one JSON object a line and answers each with one. The first gives the public keys of the
other side and the secret for HMAC; each further one is a message to sign and send, or a call by
MCP.
"""

import asyncio
import importlib.metadata
import json
import logging
import platform
import sys
import time
import warnings
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import httpx2
import uvicorn
from adcp import ADCPClient
from adcp.server.signed_requests import (
    RequestSignatureVerification,
    SignedRequestVerificationMiddleware,
    verified_signer_for_request,
)
from adcp.signing import (
    InMemoryReplayStore,
    SignatureVerificationError,
    SigningConfig,
    StaticJwksResolver,
    StaticSignerKeys,
    VerifierCapability,
    VerifyOptions,
    generate_signing_keypair,
    install_signing_event_hook,
    load_private_key_pem,
    sign_request,
    signing_operation,
    unauthorized_response_headers,
    verify_request_signature,
    verify_starlette_request,
)
from adcp.types import AgentConfig, Protocol
from adcp.types.domains.protocol.get_adcp_capabilities_response import RequestSigning
from adcp.validation import ValidationHookConfig
from adcp.webhooks import (
    LegacyWebhookHmacError,
    LegacyWebhookHmacOptions,
    WebhookVerifyOptions,
    sign_legacy_webhook,
    sign_webhook,
    verify_webhook_hmac,
    verify_webhook_signature,
)
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse

ALGORITHMS = {"ed25519": "ed25519", "ecdsa-p256-sha256": "es256"}
OPERATION = "create_media_buy"
VERSIONS = ("3.0", "3.1", "3.2")
BUYER = "https://buyer.example.com"


def make_keys():
    """The own keys by kid, each as (private key, algorithm), and the public JWKs."""
    private, public = {}, []
    for purpose in ("request-signing", "webhook-signing"):
        for algorithm, name in ALGORITHMS.items():
            kid = f"{purpose}-{algorithm}"
            pem, jwk = generate_signing_keypair(alg=name, kid=kid, purpose=purpose)
            private[kid] = (load_private_key_pem(pem), algorithm)
            public.append(jwk)
    pem, _ = generate_signing_keypair(kid="unpublished")
    private["unpublished"] = (load_private_key_pem(pem), "ed25519")
    return private, public


def digest_policy(version):
    return "required" if version == "3.2" else "either"


class Verifying:
    """The server: the first segment of a path names the profile, and a second one `starlette` asks
    for the package's wrapper of Starlette. Below `mcp` the second is the version of an MCP
    server."""

    def __init__(self, jwks, hmac_secret):
        self.hmac_secret = hmac_secret.encode()
        keys = StaticJwksResolver(jwks)
        replay = InMemoryReplayStore()
        self.webhooks = WebhookVerifyOptions(jwks_resolver=keys, replay_store=replay)
        self.requests = {
            version: VerifyOptions(
                now=0,
                capability=VerifierCapability(
                    covers_content_digest=digest_policy(version),
                    required_for=frozenset({OPERATION}),
                ),
                operation=OPERATION,
                jwks_resolver=keys,
                replay_store=replay,
                signing_profile_version=version,
            )
            for version in VERSIONS
        }
        self.mcp = {version: make_mcp_server(version) for version in VERSIONS}
        self.mcp_apps = {
            version: SignedRequestVerificationMiddleware(
                server.streamable_http_app(
                    streamable_http_path=f"/mcp/{version}",
                    # The middleware ends a stream of events before the answer is in it.
                    json_response=True,
                ),
                RequestSignatureVerification(
                    signer_keys=StaticSignerKeys({BUYER: jwks}),
                    required_for=frozenset({OPERATION}),
                    covers_content_digest=digest_policy(version),
                    replay_store=replay,
                    signing_profile_version=version,
                ),
                transport="mcp",
            )
            for version, server in self.mcp.items()
        }

    async def __call__(self, scope, receive, send):
        _, profile, *rest = scope["path"].split("/")
        if profile == "mcp":
            await self.mcp_apps[rest[0]](scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
            received = {
                "method": request.method,
                # Starlette's own has the path without its escapes.
                "url": as_received(request),
                "headers": dict(request.headers),
                "body": body,
            }
            if profile == "hmac":
                options = LegacyWebhookHmacOptions(self.hmac_secret, "seller", time.time())
                verify_webhook_hmac(headers=request.headers, body=body, options=options)
                await JSONResponse({"body": body.decode()})(scope, receive, send)
                return
            if profile == "webhook":
                signer = verify_webhook_signature(**received, options=self.webhooks)
            else:
                options = replace(self.requests[profile], now=time.time())
                if rest[0] == "starlette":
                    signer = await verify_starlette_request(request, options=options)
                else:
                    signer = verify_request_signature(
                        **received, options=options, raw_headers=request.headers.raw
                    )
            answer = JSONResponse({"keyid": signer.key_id, "body": body.decode()})
        except LegacyWebhookHmacError as refusal:
            answer = JSONResponse({"error": str(refusal)}, 401)
        except SignatureVerificationError as refusal:
            headers = unauthorized_response_headers(refusal)
            answer = JSONResponse({"error": str(refusal)}, 401, headers)
        except Exception as error:
            answer = JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
        await answer(scope, receive, send)


def make_mcp_server(version):
    """An MCP server whose tool names the key that signed its call."""
    server = MCPServer(f"seller of AdCP {version}")

    @server.tool(name=OPERATION, structured_output=False)
    async def create_media_buy(budget: int, context: Context) -> str:
        signer = verified_signer_for_request(context.request_context.request)
        return json.dumps({"keyid": signer and signer.key_id, "budget": budget})

    return server


def as_received(request):
    """The URL of a request, byte for byte."""
    query = request.scope["query_string"].decode()
    path = request.scope["raw_path"].decode()
    return f"http://{request.headers['host']}{path}{'?' if query else ''}{query}"


async def send_hmac(client, secret, message):
    """Signs a webhook by the legacy HMAC, sends it, and gives what came back."""
    headers, body = sign_legacy_webhook(
        secret,
        message["payload"],
        timestamp=int(time.time()) - message["age"],
        headers={"Content-Type": "application/json"},
    )
    response = await client.post(message["url"], headers=headers, content=body)
    return {"status": response.status_code, "body": response.text}


async def send(client, keys, message):
    """Signs a message, sends it, and gives what came back."""
    private, algorithm = keys[message["keyid"]]
    headers = {"Content-Type": message["content_type"]} if message["content_type"] else {}
    request = client.build_request(
        message["method"], message["url"], headers=headers, content=message["body"].encode()
    )
    common = {
        "method": request.method,
        "url": str(request.url),
        "headers": headers,
        "body": request.content,
        "private_key": private,
        "key_id": message["keyid"],
        "alg": algorithm,
        "created": int(time.time()) - message["age"],
    }
    if message["profile"] == "webhook":
        signed = sign_webhook(**common)
    else:
        signed = sign_request(
            **common,
            cover_content_digest=message["digest"],
            signing_profile_version=message["profile"],
        )
    request.headers.update(signed.as_dict())
    response = await client.send(request)
    return {
        "status": response.status_code,
        "challenge": response.headers.get("www-authenticate"),
        "body": response.text,
    }


async def call_mcp(keys, message):
    """Calls the tool by MCP, signed where there is a key, and gives its text, or the first refusal.
    The client is the SDK of MCP with a hook that signs, or this package's own."""
    refusals = []

    async def record(response):
        if response.status_code == 401:
            challenge = response.headers.get("www-authenticate")
            refusals.append({"status": 401, "challenge": challenge, "body": ""})

    signing = None
    if message["keyid"]:
        private, algorithm = keys[message["keyid"]]
        signing = SigningConfig(private_key=private, key_id=message["keyid"], alg=algorithm)
    call = call_by_agent if message["client"] == "agent" else call_by_sdk
    try:
        body = await call(record, signing, message)
    except Exception:
        if not refusals:
            raise
    return refusals[0] if refusals else {"status": 200, "challenge": None, "body": body}


async def call_by_sdk(record, signing, message):
    async with httpx2.AsyncClient(trust_env=False, event_hooks={"response": [record]}) as client:
        if signing:
            capability = RequestSigning(
                supported=True,
                covers_content_digest=digest_policy(message["version"]),
                required_for=[OPERATION],
            )
            install_signing_event_hook(
                client,
                signing=signing,
                seller_capability=capability,
                adcp_version=message["version"],
            )
        async with (
            streamable_http_client(message["url"], http_client=client) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            assert OPERATION in [tool.name for tool in tools], "the tool is not listed"
            with signing_operation(OPERATION):
                answer = await session.call_tool(OPERATION, {"budget": message["budget"]})
            return answer.content[0].text


async def call_by_agent(record, signing, message):
    """It asks the seller which calls to sign."""

    def client_factory(**options):
        return httpx2.AsyncClient(**options, event_hooks={"response": [record]})

    async with ADCPClient(
        AgentConfig(id="seller", agent_uri=message["url"], protocol=Protocol.MCP),
        signing=signing,
        adcp_version=message["version"],
        validation=ValidationHookConfig(requests="off", responses="off"),
        httpx_client_factory=client_factory,
    ) as client:
        result = await client.adapter.create_media_buy({"budget": message["budget"]})
        assert result.success, result.error
        return json.dumps(result.data)


async def main():
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    known = json.loads(await lines.readline())
    keys, public = make_keys()
    # A warning for each webhook that comes unsigned.
    logging.disable(logging.WARNING)
    # One about the legacy HMAC.
    warnings.simplefilter("ignore", DeprecationWarning)
    verifying = Verifying(known["jwks"], known["hmac_secret"])
    server = uvicorn.Server(
        uvicorn.Config(
            verifying,
            host="127.0.0.1",
            port=0,
            log_level="error",
            lifespan="off",
        )
    )
    mcp = AsyncExitStack()
    for each in verifying.mcp.values():
        await mcp.enter_async_context(each.session_manager.run())
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(
        json.dumps(
            {
                "version": importlib.metadata.version("adcp"),
                "runtime": f"Python {platform.python_version()}",
                "port": server.servers[0].sockets[0].getsockname()[1],
                "keys": public,
            }
        ),
        flush=True,
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        while line := await lines.readline():
            try:
                message = json.loads(line)
                if message["profile"] == "hmac":
                    answer = await send_hmac(client, known["hmac_secret"], message)
                elif message["profile"] == "mcp":
                    answer = await call_mcp(keys, message)
                else:
                    answer = await send(client, keys, message)
            except Exception as error:
                answer = {"failure": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    server.should_exit = True
    await serving
    await mcp.aclose()


asyncio.run(main())
