// What tools of llama.cpp's server ask for.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const send = async (path, body, key = server.key) => {
  const response = await fetch(server.url + path, {
    method: body === undefined ? 'GET' : 'POST', body: body === undefined ? undefined : JSON.stringify(body), headers: key ? { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' } : {},
  });
  return { status: response.status, body: await response.json() };
};

test('health needs no key, the rest does', async () => {
  assert.deepEqual(await send('/health', undefined, ''), { status: 200, body: { status: 'ok' } });
  assert.equal((await send('/props', undefined, '')).status, 401);
  assert.equal((await send('/tokenize', { content: 'x' }, '')).status, 401);
});

test('text comes back from its tokens', async () => {
  const content = 'Hello, 世界 🌍!\n  indented\t<think>';
  const { body: { tokens } } = await send('/tokenize', { content });
  assert.ok(tokens.length > 3 && tokens.every(Number.isInteger));
  assert.equal((await send('/detokenize', { tokens })).body.content, content);
  const { body: { tokens: pieces } } = await send('/tokenize', { content, with_pieces: true });
  assert.deepEqual(pieces.map((piece) => piece.id), tokens);
  const bytes = Buffer.concat(pieces.map(({ piece }) => Buffer.from(piece)));
  assert.equal(bytes.toString(), content);
});

test('added tokens are read as such unless told otherwise', async () => {
  const added = (await send('/tokenize', { content: '<think>' })).body.tokens;
  const plain = (await send('/tokenize', { content: '<think>', parse_special: false })).body.tokens;
  assert.equal(added.length, 1);
  assert.ok(plain.length > 1);
});

test('a conversation is written as its prompt', async () => {
  const messages = [{ role: 'system', content: 'Be brief' }, { role: 'user', content: 'Hi' }];
  const { body: { prompt } } = await send('/apply-template', { messages });
  assert.match(prompt, /Be brief/);
  assert.match(prompt, /<\|assistant\|>/);
  const { body: { tokens } } = await send('/tokenize', { content: prompt });
  const counted = await send('/api/anthropic/v1/messages/count_tokens', { model: 'glm-4.7', messages: [messages[1]], system: 'Be brief', thinking: { type: 'adaptive' } });
  assert.equal(tokens.length, counted.body.input_tokens);
});

test('a raw prompt is gone on with, whole and streamed, and a gap is filled', async () => {
  const { body: whole } = await send('/completion', { prompt: 'stop', n_predict: 20, stop: ['END'] });
  assert.deepEqual([whole.content, whole.stop, whole.stop_type, whole.stopping_word], ['one two ', true, 'word', 'END']);
  assert.ok(whole.timings.predicted_n > 0 && whole.tokens_evaluated > 0);
  const response = await fetch(`${server.url}/completion`, { method: 'POST', headers: { Authorization: `Bearer ${server.key}` }, body: JSON.stringify({ prompt: 'stop', stream: true }) });
  const events = (await response.text()).trim().split('\n\n').map((line) => JSON.parse(line.slice(6)));
  assert.equal(events.map((event) => event.content).join(''), 'one two END three');
  assert.equal(events.at(-1).stop_type, 'eos');
  const { body: filled } = await send('/infill', { input_prefix: 'def f(', input_suffix: '): pass' });
  assert.ok(filled.stop && filled.content.length > 0);
});

test('props tell the context', async () => {
  const { body } = await send('/props');
  assert.ok(body.default_generation_settings.n_ctx > 100_000 && body.total_slots > 0);
  assert.equal(body.model_alias, 'glm-4.7');
});

test('what cannot be is told', async () => {
  for (const [path, body] of [['/tokenize', {}], ['/tokenize', { content: 5 }], ['/detokenize', { tokens: 'x' }], ['/detokenize', { tokens: [-1] }], ['/apply-template', { messages: [] }], ['/apply-template', []]]) {
    const { status, body: said } = await send(path, body);
    assert.equal(status, 400, path + JSON.stringify(body));
    assert.ok(said.error.message.length > 10);
  }
});
