// Anthropic's own client and the AI SDK's Anthropic provider.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { sharedServer, startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const client = new Anthropic({ baseURL: `${server.url}/api/anthropic`, authToken: server.key, apiKey: null, maxRetries: 0 });
const tiny = await sharedServer();
const real = new Anthropic({ baseURL: `${tiny.url}/api/anthropic`, authToken: tiny.key, apiKey: null, maxRetries: 0 });
const weather = { name: 'get_weather', description: 'Weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] } };
const ask = (content, more = {}) => ({ model: 'claude-sonnet-4-5', max_tokens: 4000, messages: [{ role: 'user', content }], ...more });
const thinking = { type: 'enabled', budget_tokens: 1024 };

test('a message has thinking, text, usage and a stop reason', async () => {
  const message = await client.messages.create(ask('hi', { thinking }));
  assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text']);
  assert.equal(message.content[0].thinking, 'Let me think.');
  assert.match(message.content[0].signature, /^glimmer1\./);
  assert.equal(message.content[1].text, 'Hello, 世界 🌍!');
  assert.equal(message.stop_reason, 'end_turn');
  assert.equal(message.model, 'glm-4.7');
  assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
});

test('thinking stays away when it is not asked for', async () => {
  const message = await client.messages.create(ask('hi'));
  assert.deepEqual(message.content.map((block) => block.type), ['text']);
});

test('the stream helper gathers the same message', async () => {
  const seen = [];
  const stream = client.messages.stream(ask('both', { thinking, tools: [weather] }))
    .on('text', (text) => seen.push(text)).on('thinking', (text) => seen.push(text)).on('inputJson', (part) => seen.push(part));
  const message = await stream.finalMessage();
  const whole = await client.messages.create(ask('both', { thinking, tools: [weather] }));
  const plain = ({ content }) => content.map(({ id, ...block }) => block);
  assert.deepEqual(plain(message), plain(whole));
  assert.deepEqual(message.content.filter((block) => block.type === 'tool_use').map((block) => block.input), [{ city: 'Paris' }, { city: 'Saint-Étienne', days: 3 }]);
  assert.equal(message.stop_reason, 'tool_use');
  assert.ok(seen.length > 5);
});

test('a tool loop with returned thinking goes on', async () => {
  const messages = [{ role: 'user', content: 'weather?' }];
  const first = await client.messages.create({ ...ask(''), messages, thinking, tools: [weather] });
  const call = first.content.find((block) => block.type === 'tool_use');
  messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] });
  const second = await client.messages.create({ ...ask(''), messages, thinking, tools: [weather] });
  assert.equal(second.content.at(-1).text, 'The weather is sunny.');
  assert.equal(second.usage.cache_read_input_tokens, 7);
});

test('count_tokens is what the message then costs', async () => {
  const { input_tokens } = await client.messages.countTokens({ model: 'glm-4.7', messages: [{ role: 'user', content: 'hi' }] });
  const message = await client.messages.create(ask('hi'));
  assert.equal(message.usage.input_tokens + message.usage.cache_read_input_tokens, input_tokens);
});

test('stop sequences and limits are told', async () => {
  const stopped = await client.messages.create(ask('stop', { stop_sequences: ['END'] }));
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text.trim()], ['stop_sequence', 'END', 'one two']);
  const cut = await client.messages.create(ask('long', { max_tokens: 20 }));
  assert.deepEqual([cut.stop_reason, cut.usage.output_tokens], ['max_tokens', 20]);
});

test('models are listed and found', async () => {
  const ids = [];
  for await (const model of client.models.list({ limit: 1 })) ids.push(model.id);
  assert.ok(ids.includes('glm-4.7') && new Set(ids).size === ids.length);
  assert.equal((await client.models.retrieve('glm-4.7')).type, 'model');
});

test('errors are of the classes that the client knows', async () => {
  const stranger = new Anthropic({ baseURL: `${server.url}/api/anthropic`, apiKey: 'a.b', maxRetries: 0 });
  await assert.rejects(stranger.messages.create(ask('hi')), Anthropic.AuthenticationError);
  await assert.rejects(client.messages.create(ask('hi', { model: 'gpt-4' })), Anthropic.NotFoundError);
  await assert.rejects(client.messages.create(ask('hi', { max_tokens: undefined })), Anthropic.BadRequestError);
  await assert.rejects(client.messages.create(ask('busy')), (error) => error.status === 529 && /overloaded_error/.test(error.message));
  await assert.rejects(client.messages.create(ask('arrears')), Anthropic.RateLimitError);
  await assert.rejects(client.messages.stream(ask('break')).finalMessage(), Anthropic.APIError);
});

test('a stream that is cancelled ends the answer', async () => {
  const stream = client.messages.stream(ask('slow'));
  for await (const event of stream) if (event.type === 'content_block_delta') break;
  stream.abort();
  for (let tries = 0; !/left=True|"ClientLeft":true/.test(server.log()); tries++) {
    assert.ok(tries < 2400, 'the server never noticed');
    await new Promise((next) => setTimeout(next, 50));
  }
});

const provider = createAnthropic({ baseURL: `${server.url}/api/anthropic/v1`, apiKey: server.key });

test('the AI SDK runs a loop of tools', async () => {
  const result = await generateText({
    model: provider('glm-4.7'),
    prompt: 'weather?',
    maxRetries: 0,
    tools: { get_weather: tool({ description: 'Weather', inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `sunny in ${city}` }) },
    stopWhen: stepCountIs(3),
  });
  assert.equal(result.text, 'The weather is sunny in Paris.');
});

test('the AI SDK streams', async () => {
  let text = '';
  for await (const piece of streamText({ model: provider('glm-4.7'), prompt: 'hi', maxRetries: 0 }).textStream) text += piece;
  assert.equal(text, 'Hello, 世界 🌍!');
});

test('structured outputs hold, also behind thinking', async () => {
  const form = z.object({ count: z.number().int(), kind: z.enum(['tree', 'stone']) });
  for (const more of [{}, { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 4000 }]) {
    const message = await real.messages.parse(ask('How many trees?', { max_tokens: 200, temperature: 0, ...more, output_config: { format: zodOutputFormat(form) } }));
    assert.ok(Number.isInteger(message.parsed_output.count) && ['tree', 'stone'].includes(message.parsed_output.kind));
  }

  await assert.rejects(
    real.messages.create(ask('x', { output_config: { format: { type: 'json_schema', schema: { type: 'nothing' } } } })),
    (fault) => fault.status === 400 && fault.error.error.type === 'invalid_request_error' && fault.message.includes('output_config.format.schema'));
  await assert.rejects(client.beta.messages.create({ ...ask('x'), mcp_servers: [{ type: 'url', url: 'https://example.com', name: 'x' }] }), (fault) => fault.status === 400 && fault.message.includes('mcp_servers'));
});
