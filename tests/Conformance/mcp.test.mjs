// The MCP client: the platform's MCP servers are not served yet, and a client must learn that as it learns any error of the platform.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const requestInit = { headers: { Authorization: `Bearer ${server.key}` } };
const connect = (transport) => new Client({ name: 'conformance', version: '1' }).connect(transport);

for (const path of ['/api/mcp/web_search_prime/mcp', '/api/mcp/web_reader/mcp', '/api/mcp-broker/proxy/web-search/mcp']) {
  test(`${path}: not served, said in JSON and at once`, async () => {
    await assert.rejects(connect(new StreamableHTTPClientTransport(new URL(server.url + path), { requestInit })), (error) => /1221/.test(error.message) && /not served/.test(error.message));
    const response = await fetch(server.url + path, { method: 'POST', ...requestInit, body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}' });
    assert.equal(response.status, 400);
    assert.deepEqual(Object.keys(await response.json()), ['error']);
  });
}

test('the older transport learns it too, and keys in the query are not logged', async () => {
  const url = new URL(`${server.url}/api/mcp/web_search_prime/sse?Authorization=${server.key}`);
  await assert.rejects(connect(new SSEClientTransport(url)));
  assert.ok(!server.log().includes(server.key.split('.')[1]));
});
