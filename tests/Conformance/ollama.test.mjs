// Ollama's own client.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { Ollama } from 'ollama';
import { startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const client = new Ollama({ host: server.url, headers: { Authorization: `Bearer ${server.key}` } });
const weather = { type: 'function', function: { name: 'get_weather', description: 'Weather of a city', parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] } } };
const ask = (content, more = {}) => ({ model: 'glm-4.7:latest', messages: [{ role: 'user', content }], ...more });

test('a chat has thinking, text, counts and a reason', async () => {
  const answer = await client.chat(ask('hi', { think: true }));
  assert.equal(answer.message.thinking, 'Let me think.');
  assert.equal(answer.message.content, 'Hello, 世界 🌍!');
  assert.deepEqual([answer.done, answer.done_reason], [true, 'stop']);
  assert.ok(answer.prompt_eval_count > 0 && answer.eval_count > 0 && answer.total_duration > 0);
});

test('thinking can be switched off', async () => {
  const answer = await client.chat(ask('hi', { think: false }));
  assert.equal(answer.message.thinking, undefined);
});

test('a stream says the same', async () => {
  const whole = await client.chat(ask('both', { think: true, tools: [weather] }));
  const said = { thinking: '', content: '', calls: [] };
  let last;
  for await (const part of await client.chat({ ...ask('both', { think: true, tools: [weather] }), stream: true })) {
    said.thinking += part.message.thinking ?? '';
    said.content += part.message.content;
    said.calls.push(...(part.message.tool_calls ?? []));
    last = part;
  }
  const plain = (calls) => calls.map((call) => call.function);
  assert.equal(said.thinking, whole.message.thinking);
  assert.equal(said.content, whole.message.content);
  assert.deepEqual(plain(said.calls), plain(whole.message.tool_calls));
  assert.deepEqual(said.calls.map((call) => call.function.arguments), [{ city: 'Paris' }, { city: 'Saint-Étienne', days: 3 }]);
  assert.deepEqual([last.done, last.eval_count], [true, whole.eval_count]);
});

test('a tool loop goes on', async () => {
  const messages = [{ role: 'user', content: 'weather?' }];
  const first = await client.chat({ model: 'glm-4.7', messages, tools: [weather], think: true });
  const call = first.message.tool_calls[0];
  messages.push(first.message, { role: 'tool', tool_name: call.function.name, content: 'sunny' });
  const second = await client.chat({ model: 'glm-4.7', messages, tools: [weather], think: true });
  assert.equal(second.message.content, 'The weather is sunny.');
});

test('a prompt is answered, whole and streamed', async () => {
  const whole = await client.generate({ model: 'glm-4.7', prompt: 'hi', think: true });
  assert.deepEqual([whole.thinking, whole.response, whole.done_reason], ['Let me think.', 'Hello, 世界 🌍!', 'stop']);
  let text = '';
  for await (const part of await client.generate({ model: 'glm-4.7', prompt: 'hi', stream: true })) text += part.response;
  assert.equal(text, whole.response);
});

test('options hold', async () => {
  const cut = await client.chat(ask('long', { think: false, options: { num_predict: 20 } }));
  assert.deepEqual([cut.done_reason, cut.eval_count], ['length', 20]);
  const stopped = await client.chat(ask('stop', { think: false, options: { stop: ['END'] } }));
  assert.equal(stopped.message.content.trim(), 'one two');
});

test('a stream can be aborted', async () => {
  const stream = await client.chat({ ...ask('slow'), stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream) stream.abort();
  }, { name: 'AbortError' });
});

test('models are listed and described', async () => {
  const { models } = await client.list();
  assert.ok(models.some((model) => model.name === 'glm-4.7:latest'));
  assert.ok((await client.ps()).models.length > 0);
  const shown = await client.show({ model: 'glm-4.7' });
  assert.ok(shown.capabilities.includes('tools') && shown.capabilities.includes('thinking'));
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
});

test('errors have their status and text', async () => {
  const stranger = new Ollama({ host: server.url });
  await assert.rejects(stranger.list(), { name: 'ResponseError', status_code: 401 });
  await assert.rejects(client.chat(ask('hi', { model: 'llama3' })), { name: 'ResponseError', status_code: 404 });
  await assert.rejects(client.chat(ask('busy')), { name: 'ResponseError', error: 'Too busy' });
  await assert.rejects(client.embed({ model: 'glm-4.7', input: 'x' }), { status_code: 400 });
  await assert.rejects(async () => { for await (const _ of await client.chat({ ...ask('break'), stream: true })) { /* until it breaks */ } });
});
