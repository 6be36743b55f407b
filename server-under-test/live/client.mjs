// The basic messages of wsquall.v1 through a real client: Node's `ws`, with permessage-deflate.
// usage: node client.mjs URL FOLDER   FOLDER holds node_modules/ws. One line a check, exit status 0 when all held.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { basics } from './basics.mjs';

const [url, folder] = process.argv.slice(2);
const { WebSocket } = createRequire(`${folder}/`)('ws');

let failed = 0;
for (const perMessageDeflate of [true, false]) {
  const open = (query = '') => {
    const ws = new WebSocket(`${url}/ws${query}`, 'wsquall.v1', { perMessageDeflate });
    ws.on('open', () => assert.equal(ws.extensions.includes('permessage-deflate'), perMessageDeflate));
    return ws;
  };
  for (const [what, error] of await basics(open)) {
    failed += error ? 1 : 0;
    console.log(`${error ? 'FAIL' : 'ok  '}  ws, deflate ${perMessageDeflate ? 'on' : 'off'}: ${what}${error ? `: ${error}` : ''}`);
  }
}
process.exitCode = failed ? 1 : 0;
