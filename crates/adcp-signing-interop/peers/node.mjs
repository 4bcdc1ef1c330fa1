// The peer `@adcp/sdk` of npm: a server that verifies and a client that signs.
//
// It has no logic of its own: signatures are made and verified by the public API of the package. It
// reads one JSON object a line and answers each with one. The first gives the public keys of the
// other side and the secret for HMAC; each further one is a message to sign and send, or a call by
// MCP. The argument is the folder whose `node_modules` has the package.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.argv[2]}/`);
const { createSigningFetch, pemToAdcpJwk, signWebhook } = require('@adcp/sdk/signing/client');
const {
  createExpressVerifier,
  createWebhookVerifier,
  InMemoryReplayStore,
  StaticJwksResolver,
  WebhookSignatureError,
} = require('@adcp/sdk/signing/server');

const { closeMCPConnections, ProtocolClient, SingleAgentClient } = require('@adcp/sdk');
const { createWebhookEmitter, mcpToolNameResolver } = require('@adcp/sdk/server');
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const {
  StreamableHTTPClientTransport,
} = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const {
  StreamableHTTPServerTransport,
} = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { z } = require('zod');

const ALGORITHMS = { ed25519: ['ed25519'], 'ecdsa-p256-sha256': ['ec', { namedCurve: 'P-256' }] };
const OPERATION = 'create_media_buy';

/** The own keys by kid, and the public JWKs. */
function makeKeys() {
  const own = new Map();
  const published = [];
  const make = (keyid, alg, adcp_use) => {
    const { privateKey, publicKey } = generateKeyPairSync(...ALGORITHMS[alg]);
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: keyid };
    own.set(keyid, { keyid, alg, privateKey: jwk });
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    return pemToAdcpJwk(pem, { kid: keyid, algorithm: alg, adcp_use });
  };
  for (const purpose of ['request-signing', 'webhook-signing']) {
    for (const alg of Object.keys(ALGORITHMS)) {
      published.push(make(`${purpose}-${alg}`, alg, purpose));
    }
  }
  make('unpublished', 'ed25519', 'request-signing');
  return { own, published };
}

/** The server: the first segment of a path names the profile, or is `mcp` before a version. */
function verifying({ jwks, hmac_secret: webhookSecret }) {
  const agent = { id: 'seller', name: 'seller', agent_uri: 'http://127.0.0.1', protocol: 'mcp' };
  const legacy = new SingleAgentClient(agent, { webhookSecret });
  const keys = new StaticJwksResolver(jwks.keys);
  const webhooks = createWebhookVerifier({ jwks: keys });
  const replayStore = new InMemoryReplayStore();
  const verifierOf = (version, resolveOperation) =>
    createExpressVerifier({
      capability: {
        supported: true,
        covers_content_digest: version === '3.2' ? 'required' : 'either',
        required_for: [OPERATION],
      },
      jwks: keys,
      replayStore,
      resolveOperation,
      getUrl: request => `http://${request.headers.host}${request.url}`,
    });
  const versions = ['3.0', '3.1', '3.2'];
  const requests = new Map(versions.map(each => [each, verifierOf(each, () => OPERATION)]));
  const mcp = new Map(versions.map(each => [each, verifierOf(each, mcpToolNameResolver)]));
  return createServer(async (request, response) => {
    const reply = (status, value, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString('utf8');
      const { method, url, headers } = request;
      const [, profile, version] = url.split('/');
      if (profile === 'hmac') {
        const signature = headers['x-adcp-signature'] ?? '';
        const timestamp = headers['x-adcp-timestamp'] ?? '';
        const isRight = legacy.verifyWebhookSignature(body, signature, timestamp);
        reply(isRight ? 200 : 401, { body });
        return;
      }
      if (profile === 'webhook') {
        const received = { method, url: `http://${headers.host}${url}`, headers, body };
        const { keyid } = await webhooks(received);
        reply(200, { keyid, body });
        return;
      }
      request.rawBody = body;
      // What Express has, and the middleware answers with.
      const express = {
        status: code => ({
          set: (name, value) => ({ json: said => reply(code, said, { [name]: value }) }),
        }),
      };
      let answering;
      const verify = profile === 'mcp' ? mcp.get(version) : requests.get(profile);
      await verify(request, express, error => {
        if (error) throw error;
        const keyid = request.verifiedSigner?.keyid ?? null;
        const isMcp = profile === 'mcp';
        answering = isMcp ? answerMcp(request, response, keyid, body) : reply(200, { keyid, body });
      });
      await answering;
    } catch (error) {
      if (error instanceof WebhookSignatureError) {
        const challenge = { 'WWW-Authenticate': `Signature error="${error.code}"` };
        reply(401, { error: error.message }, challenge);
      } else {
        reply(500, { error: `${error}` });
      }
    }
  });
}

/** Answers a message of MCP, without a session. The tool names the key that signed its call. */
async function answerMcp(request, response, keyid, body) {
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return;
  }
  const server = new McpServer({ name: 'seller', version: '1.0.0' });
  server.registerTool(OPERATION, { inputSchema: { budget: z.number() } }, ({ budget }) => ({
    content: [{ type: 'text', text: JSON.stringify({ keyid, budget }) }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response, JSON.parse(body));
}

/**
 * Calls the tool by MCP, signed where there is a key, and gives its text, or the first refusal. The
 * client is the SDK of MCP with a fetch that signs, or this package's own.
 */
async function callMcp(own, { client, url, keyid, budget }) {
  const key = own.get(keyid);
  const plain = globalThis.fetch;
  let refusal;
  const recording = async (...request) => {
    const response = await plain(...request);
    if (response.status === 401) {
      refusal ??= { status: 401, challenge: response.headers.get('www-authenticate'), body: '' };
    }
    return response;
  };
  try {
    const call = client === 'agent' ? callByAgent : callBySdk;
    return { status: 200, body: await call(recording, url, key, { budget }) };
  } catch (error) {
    if (refusal) return refusal;
    throw error;
  } finally {
    globalThis.fetch = plain;
  }
}

async function callBySdk(upstream, url, key, order) {
  const fetch = key ? createSigningFetch(upstream, key, { coverContentDigest: true }) : upstream;
  const client = new Client({ name: 'buyer', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(url), { fetch });
  try {
    await client.connect(transport);
    const { tools } = await client.listTools();
    if (!tools.some(tool => tool.name === OPERATION)) throw new Error('the tool is not listed');
    const answer = await client.callTool({ name: OPERATION, arguments: order });
    await transport.terminateSession();
    return answer.content[0].text;
  } finally {
    await client.close();
  }
}

/** It asks the seller which calls to sign. */
async function callByAgent(upstream, url, key, order) {
  // It takes no other.
  globalThis.fetch = upstream;
  const agent = { id: 'seller', name: 'seller', agent_uri: url, protocol: 'mcp' };
  if (key) {
    const { keyid: kid, alg, privateKey: private_key } = key;
    agent.request_signing = { kid, alg, private_key, agent_url: 'https://buyer.example.com' };
  }
  try {
    const answer = await ProtocolClient.callTool(agent, OPERATION, order);
    return answer.content[0].text;
  } finally {
    await closeMCPConnections();
  }
}

/** Signs a webhook by the legacy HMAC, sends it, and gives what came back. */
async function sendHmac(signerKey, secret, { url, payload }) {
  let answer;
  const recording = async (...request) => {
    const response = await fetch(...request);
    answer = { status: response.status, body: await response.clone().text() };
    return response;
  };
  const emitter = createWebhookEmitter({
    signerKey,
    fetch: recording,
    generateIdempotencyKey: () => payload.idempotency_key,
    retries: { maxAttempts: 1 },
    suppressLegacyWarnings: true,
  });
  const authentication = { type: 'hmac_sha256', secret };
  await emitter.emit({ url, payload, operation_id: payload.idempotency_key, authentication });
  return answer;
}

/** Signs a message, sends it, and gives what came back. */
async function send(own, { url, method, content_type, body, profile, keyid, digest, age }) {
  const key = own.get(keyid);
  const now = () => Math.floor(Date.now() / 1000) - age;
  const headers = content_type ? { 'content-type': content_type } : {};
  let response;
  if (profile === 'webhook') {
    const signed = signWebhook({ method, url, headers, body }, key, { now });
    response = await fetch(url, { method, headers: signed.headers, body });
  } else {
    const options = { coverContentDigest: digest, now, shouldSign: () => true };
    const signing = createSigningFetch(fetch, key, options);
    response = await signing(url, { method, headers, ...(body === '' ? {} : { body }) });
  }
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: await response.text(),
  };
}

const { own, published } = makeKeys();
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const known = JSON.parse((await lines.next()).value);
const server = verifying(known);
await new Promise(ready => server.listen(0, '127.0.0.1', ready));
const say = value => process.stdout.write(`${JSON.stringify(value)}\n`);
say({
  version: require('@adcp/sdk/package.json').version,
  runtime: `Node.js ${process.versions.node}`,
  port: server.address().port,
  keys: published,
});
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  try {
    const message = JSON.parse(line);
    if (message.profile === 'hmac') {
      say(await sendHmac(own.get('unpublished'), known.hmac_secret, message));
    } else if (message.profile === 'mcp') {
      say(await callMcp(own, message));
    } else {
      say(await send(own, message));
    }
  } catch (error) {
    say({ failure: `${error}${error.cause ? `: ${error.cause}` : ''}` });
  }
}
process.exit(0);
