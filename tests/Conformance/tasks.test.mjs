// What is answered later: Anthropic's batches by its own client, asynchronous chats by plain requests.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const client = new Anthropic({ baseURL: `${server.url}/api/anthropic`, authToken: server.key, apiKey: null, maxRetries: 0 });
const ask = (custom_id, content, more = {}) => ({ custom_id, params: { model: 'claude-sonnet-4-5', max_tokens: 4000, messages: [{ role: 'user', content }], ...more } });
const soon = (ms) => new Promise((done) => setTimeout(done, ms));

async function ended(id) {
  for (let tries = 0; tries < 2400; tries++) {
    const batch = await client.messages.batches.retrieve(id);
    if (batch.processing_status === 'ended') return batch;
    await soon(50);
  }
  throw new Error('the batch did not end');
}

test('a batch is made, followed, read and deleted', async () => {
  const batch = await client.messages.batches.create({ requests: [ask('greets', 'hi'), ask('refused', 'arrears'), ask('wrong', 'hi', { max_tokens: 0 }), ask('stops', 'stop', { stop_sequences: ['END'] })] });
  assert.equal(batch.processing_status, 'in_progress');
  assert.equal(new Date(batch.expires_at) - new Date(batch.created_at), 24 * 3600 * 1000);
  const { request_counts } = await ended(batch.id);
  assert.deepEqual(request_counts, { processing: 0, succeeded: 2, errored: 2, canceled: 0, expired: 0 });
  const results = {};
  for await (const line of await client.messages.batches.results(batch.id)) results[line.custom_id] = line.result;
  assert.equal(results.greets.message.content[0].text, 'Hello, 世界 🌍!');
  assert.equal(results.stops.message.stop_sequence, 'END');
  assert.equal(results.refused.error.error.type, 'rate_limit_error');
  assert.equal(results.wrong.error.error.type, 'invalid_request_error');
  assert.equal((await client.messages.batches.delete(batch.id)).type, 'message_batch_deleted');
  await assert.rejects(client.messages.batches.retrieve(batch.id), Anthropic.NotFoundError);
});

test('lists are paged by the client', async () => {
  const made = [];
  for (let i = 0; i < 3; i++) made.unshift((await client.messages.batches.create({ requests: [ask('a', 'hi')] })).id);
  const ids = [];
  for await (const batch of client.messages.batches.list({ limit: 2 })) ids.push(batch.id);
  assert.deepEqual(ids, made);
});

test('a batch that is cancelled ends', async () => {
  const batch = await client.messages.batches.create({ requests: Array.from({ length: 30 }, (_, i) => ask(`r${i}`, 'slow')) });
  await client.messages.batches.cancel(batch.id);
  const { request_counts } = await ended(batch.id);
  assert.ok(request_counts.canceled > 0);
  assert.equal(request_counts.canceled + request_counts.succeeded, 30);
});

test('an asynchronous chat has the answer of the chat', async () => {
  const headers = { Authorization: `Bearer ${server.key}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ model: 'glm-4.7', request_id: 'request-1', messages: [{ role: 'user', content: 'hi' }] });
  const given = await (await fetch(`${server.base}/async/chat/completions`, { method: 'POST', headers, body })).json();
  assert.deepEqual({ ...given, id: '' }, { id: '', request_id: 'request-1', model: 'glm-4.7', task_status: 'PROCESSING' });
  let result;
  for (let tries = 0; tries < 4800 && (!result || result.task_status === 'PROCESSING'); tries++) {
    await soon(25);
    result = await (await fetch(`${server.base}/async-result/${given.id}`, { headers })).json();
  }
  assert.equal(result.task_status, 'SUCCESS');
  assert.deepEqual([result.id, result.request_id, result.object], [given.id, 'request-1', 'chat.completion']);
  assert.equal(result.choices[0].message.content, 'Hello, 世界 🌍!');
  assert.ok(result.usage.total_tokens > 0);
  const unknown = await fetch(`${server.base}/async-result/1`, { headers });
  assert.deepEqual([unknown.status, (await unknown.json()).error.code], [400, '1214']);
});
