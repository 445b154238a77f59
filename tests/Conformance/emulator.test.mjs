// The sample for Node.js, with OpenAI's own client, against an emulator with everything that makes answers the same.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import test, { after, beforeEach } from 'node:test';
import OpenAI from 'openai';

const root = resolve(import.meta.dirname, '../..');
process.env.GLIMMER_COMMAND ??= `dotnet ${process.env.GLIMMER_PROGRAM ?? resolve(root, 'src/Glimmer.Cli/bin/Release/net10.0/glimmer.dll')}`;
const { startEmulator } = await import('../../samples/emulator/node/emulator.mjs');
const emulator = await startEmulator(resolve(root, 'samples/emulator/greet.yaml'), ['--seed', '3', '--clock', '2026-01-01T00:00:00Z']);
after(() => emulator.stop());
beforeEach(() => emulator.reset());
const client = new OpenAI({ apiKey: emulator.key, baseURL: `${emulator.url}/v1`, maxRetries: 0 });
const ask = (content, more = {}) => ({ model: 'glm-4.7', messages: [{ role: 'user', content }], ...more });

test('the same question after a reset has the same id, time and text', async () => {
  const first = await client.chat.completions.create(ask('hello'));
  const second = await client.chat.completions.create(ask('hello'));
  await emulator.reset();
  assert.deepEqual(await client.chat.completions.create(ask('hello')), first);
  assert.notEqual(second.id, first.id);
  assert.equal(first.created, 1767225600);
});

test('a scripted limit is the client\'s own error', async () => {
  await assert.rejects(client.chat.completions.create(ask('busy')), (fault) => fault instanceof OpenAI.RateLimitError && fault.headers.get('retry-after') === '2');
});

test('an unknown request is told the nearest rule', async () => {
  await assert.rejects(client.chat.completions.create(ask('good night')), /Nearest is \w+, \d of \d conditions hold:\n- /);
  const verdict = await emulator.call('/emulator/verify');
  assert.equal(verdict.status, 409);
  assert.match((await verdict.json()).diff, /greet: expected at least 1 uses, actual 0/);
});

test('vectors are the same for the same text', async () => {
  const { data } = await client.embeddings.create({ model: 'embedding-3', input: ['a', 'b', 'a'], encoding_format: 'float' });
  assert.equal(data[0].embedding.length, 8);
  assert.deepEqual(data[0].embedding, data[2].embedding);
  assert.notDeepEqual(data[0].embedding, data[1].embedding);
});
