// Gemini CLI in print mode, configured by `glimmer configure`: reads, edits and shows a file through its own tools, driven by a scenario.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('gemini.yaml');
const shop = workshop();

// What the program sends passes by here, to be looked at.
const sent = [];
const ear = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  sent.push({ url: request.url, body });
  const answer = await fetch(server.url + request.url, { method: request.method, headers: { 'content-type': 'application/json', 'x-goog-api-key': request.headers['x-goog-api-key'] ?? '' }, body: request.method === 'GET' ? undefined : body });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
  response.end(Buffer.from(await answer.arrayBuffer()));
});
await new Promise((done) => ear.listen(0, '127.0.0.1', done));
const address = `http://127.0.0.1:${ear.address().port}`;
after(async () => { ear.closeAllConnections(); ear.close(); await server.stop(); shop.remove(); });
const settings = join(shop.home, '.gemini', 'settings.json');
const run = (prompt, env = {}, ...more) => shop.run(program('gemini'), ['-p', prompt, ...more], { GEMINI_CLI_TRUST_WORKSPACE: 'true', ...env });

test('glimmer configure writes its configuration', () => {
  shop.configure('gemini-cli', { url: address, key: server.key });

  // Beside what a user needs: nothing of it may reach for the internet here.
  const written = JSON.parse(readFileSync(settings, 'utf8'));
  writeFileSync(settings, JSON.stringify({ ...written, general: { enableAutoUpdate: false, enableAutoUpdateNotification: false }, telemetry: { enabled: false }, tools: { useRipgrep: false } }));
});

test('a scripted session reads, edits and shows a file', async () => {
  const { code, out, err } = await run(`Change the greeting in the file ${shop.file} and show it`, {}, '--output-format', 'json', '--approval-mode', 'yolo');
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const { response, stats } = JSON.parse(out);
  assert.match(response, /It says: [\s\S]*Goodbye there/);
  assert.equal(shop.read(), 'Goodbye there\n');
  assert.deepEqual([stats.tools.totalSuccess, stats.tools.totalFail], [3, 0]);
  const { api, tokens } = stats.models['glm-4.7'];
  assert.deepEqual([api.totalRequests, api.totalErrors], [4, 0]);
  assert.ok(tokens.prompt > 0 && tokens.candidates > 0 && tokens.thoughts > 0);

  // The program sends no thoughts back, only their signatures: by these the model knows what it thought.
  assert.deepEqual([...new Set(sent.map((one) => one.url))], ['/v1beta/models/glm-4.7:streamGenerateContent?alt=sse']);
  const parts = sent.map((one) => JSON.parse(one.body).contents.flatMap((content) => content.parts));
  assert.ok(!parts.flat().some((part) => part.thought));
  const known = parts[2].filter((part) => part.functionCall).map((part) => Buffer.from(part.thoughtSignature ?? '', 'base64').toString());
  assert.deepEqual(known, ['glimmer1.I must read the file first.', 'glimmer1.Now the edit.']);
});

test('print mode streams', async () => {
  const { code, out, err } = await run('Say something', {}, '--output-format', 'stream-json');
  assert.equal(code, 0, `${out}\n${err}`);
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(events.filter((event) => event.type === 'message' && event.role === 'assistant').map((event) => event.content).join(''), 'Fine.');
  assert.equal(events.at(-1).status, 'success');
});

test('a wrong key is told as such', async () => {
  const { code, out, err } = await run('Hi', { GEMINI_API_KEY: 'wrong.key' });
  assert.notEqual(code, 0);
  assert.match(out + err, /401|UNAUTHENTICATED|[Aa]uthenticat/);
});
