// A server with the middleware of `@adcp/sdk` (npm): Express.
//
// It reads one line of public keys from standard input, prints its port, and serves until standard
// input ends. The argument is the folder whose `node_modules` has the package.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.argv[2]}/`);
const express = require('express');
const {
  createExpressVerifier,
  InMemoryReplayStore,
  StaticJwksResolver,
} = require('@adcp/sdk/signing/server');

const OPERATION = 'create_media_buy';

const lines = createInterface({ input: process.stdin });
const jwks = await new Promise(first => lines.once('line', line => first(JSON.parse(line))));
const app = express();
app.post(
  `/adcp/${OPERATION}`,
  express.text({ type: () => true, limit: '1mb' }),
  (request, _, next) => {
    request.rawBody = request.body;
    next();
  },
  createExpressVerifier({
    capability: {
      supported: true,
      covers_content_digest: 'required',
      required_for: [OPERATION],
    },
    jwks: new StaticJwksResolver(jwks.keys),
    // The nonces of a run, as many as they are.
    replayStore: new InMemoryReplayStore({ maxEntriesPerKeyid: 1_000_000 }),
    resolveOperation: () => OPERATION,
    getUrl: request => `http://${request.headers.host}${request.url}`,
  }),
  (request, response) => response.type('text').send(`${request.rawBody.length}`)
);
const server = app.listen(0, '127.0.0.1', () => {
  const { version } = require('@adcp/sdk/package.json');
  process.stdout.write(`${JSON.stringify({ version, port: server.address().port })}\n`);
});
lines.once('close', () => process.exit(0));
