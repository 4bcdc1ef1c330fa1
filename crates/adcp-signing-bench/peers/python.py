"""A server with the verifier of `adcp` (PyPI): Starlette under uvicorn.

It reads one line of public keys from standard input, prints its port, and serves until standard
input ends.
"""

import asyncio
import importlib.metadata
import json
import sys
import time
from dataclasses import replace

import uvicorn
from adcp.signing import (
    InMemoryReplayStore,
    SignatureVerificationError,
    StaticJwksResolver,
    VerifierCapability,
    VerifyOptions,
    unauthorized_response_headers,
    verify_starlette_request,
)
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

OPERATION = "create_media_buy"


def app(jwks):
    options = VerifyOptions(
        now=0,
        capability=VerifierCapability(
            covers_content_digest="required", required_for=frozenset({OPERATION})
        ),
        operation=OPERATION,
        jwks_resolver=StaticJwksResolver(jwks),
        replay_store=InMemoryReplayStore(),
        signing_profile_version="3.2",
    )

    async def handler(request):
        try:
            await verify_starlette_request(request, options=replace(options, now=time.time()))
        except SignatureVerificationError as refusal:
            return PlainTextResponse(str(refusal), 401, unauthorized_response_headers(refusal))
        return PlainTextResponse(str(len(await request.body())))

    return Starlette(routes=[Route(f"/adcp/{OPERATION}", handler, methods=["POST"])])


async def main():
    jwks = json.loads(sys.stdin.readline())
    server = uvicorn.Server(
        uvicorn.Config(app(jwks), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    version = importlib.metadata.version("adcp")
    print(json.dumps({"version": version, "port": port}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


asyncio.run(main())
