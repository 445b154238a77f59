// OpenAI's own base /v1, with unmodified clients against a scripted model: chat completions, Responses, conversations, completions, models.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import OpenAI from 'openai';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText, stepCountIs, tool } from 'ai';
import { ChatOpenAI } from '@langchain/openai';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { RunnableWithMessageHistory } from '@langchain/core/runnables';
import { InMemoryChatMessageHistory } from '@langchain/core/chat_history';
import { z } from 'zod';
import { startEmulator, weather } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const base = `${server.url}/v1`;
const client = new OpenAI({ apiKey: server.key, baseURL: base, maxRetries: 0 });
const greeting = 'Hello, 世界 🌍!';
const flatWeather = { type: 'function', ...weather.function, strict: false };

test('chat completions answer in OpenAI\'s shape', async () => {
  const answer = await client.chat.completions.create({ model: 'glm-4.7', messages: [{ role: 'developer', content: 'Be kind' }, { role: 'user', content: 'Hi' }], n: 2 });
  assert.equal(answer.object, 'chat.completion');
  assert.deepEqual(answer.choices.map((choice) => [choice.index, choice.message.content, choice.message.refusal, choice.finish_reason]), [[0, greeting, null, 'stop'], [1, greeting, null, 'stop']]);
  assert.equal(answer.choices[0].message.reasoning_content, 'Let me think.');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test('a stream adds up, with usage only when asked for', async () => {
  for (const include of [true, false]) {
    const stream = client.chat.completions.stream({ model: 'glm-4.7', messages: [{ role: 'user', content: 'Hi' }], ...(include ? { stream_options: { include_usage: true } } : {}) });
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices[0].message.content, greeting);
    assert.equal(final.usage !== undefined && final.usage !== null, include);
  }
});

test('the tools runner goes through a whole turn', async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: 'glm-4.7',
    messages: [{ role: 'user', content: 'Weather?' }],
    tools: [{ type: 'function', function: { ...weather.function, parse: JSON.parse, function: ({ city }) => { asked.push(city); return 'sunny'; } } }],
  });
  assert.equal(await runner.finalContent(), 'The weather is sunny.');
  assert.deepEqual(asked, ['Paris']);
});

test('responses: text, usage, previous_response_id', async () => {
  const first = await client.responses.create({ model: 'glm-4.7', input: 'Hi', store: true });
  assert.equal(first.output_text, greeting);
  assert.deepEqual(first.output.map((item) => item.type), ['reasoning', 'message']);
  const second = await client.responses.create({ model: 'glm-4.7', input: 'Again', previous_response_id: first.id, store: true });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  assert.equal((await client.responses.retrieve(second.id)).output_text, greeting);
  const items = [];
  for await (const item of client.responses.inputItems.list(second.id)) items.push(item);
  assert.equal(items[0].content[0].text, 'Again');
  await client.responses.delete(second.id);
  await assert.rejects(client.responses.retrieve(second.id), OpenAI.NotFoundError);
});

test('responses: the stream helper sees every event in order', async () => {
  const stream = client.responses.stream({ model: 'glm-4.7', input: 'both', tools: [flatWeather] });
  const types = [];
  let sequence = 0;
  for await (const event of stream) {
    assert.equal(event.sequence_number, sequence++);
    if (types.at(-1) !== event.type) types.push(event.type);
  }
  const final = await stream.finalResponse();
  assert.deepEqual(types.slice(0, 3), ['response.created', 'response.in_progress', 'response.output_item.added']);
  assert.equal(types.at(-1), 'response.completed');
  assert.equal(final.output_text, 'Let me look.');
  assert.deepEqual(final.output.filter((item) => item.type === 'function_call').map((item) => JSON.parse(item.arguments).city), ['Paris', 'Saint-Étienne']);
});

test('responses: tools by hand, with reasoning returned', async () => {
  const input = [{ role: 'user', content: 'Weather?' }];
  const first = await client.responses.create({ model: 'glm-4.7', input, tools: [flatWeather], store: false, include: ['reasoning.encrypted_content'] });
  const call = first.output.find((item) => item.type === 'function_call');
  assert.ok(first.output[0].encrypted_content.length > 20);
  const second = await client.responses.create({
    model: 'glm-4.7', tools: [flatWeather], store: false, input: [...input, ...first.output, { type: 'function_call_output', call_id: call.call_id, output: 'rainy' }],
  });
  assert.equal(second.output_text, 'The weather is rainy.');
});

test('responses: a tool that takes free text', async () => {
  const tools = [{ type: 'custom', name: 'run_line', description: 'Runs a line' }];
  const stream = client.responses.stream({ model: 'glm-4.7', input: 'run', tools, store: true });
  const pieces = [];
  for await (const event of stream) if (event.type === 'response.custom_tool_call_input.delta') pieces.push(event.delta);
  const { id, output } = await stream.finalResponse();
  const call = output.find((item) => item.type === 'custom_tool_call');
  assert.deepEqual([call.name, call.input, pieces.join('')], ['run_line', 'echo "é"\nls', call.input]);
  const second = await client.responses.create({ model: 'glm-4.7', tools, previous_response_id: id, input: [{ type: 'custom_tool_call_output', call_id: call.call_id, output: 'files' }] });
  assert.equal(second.output_text, 'It said files.');
});

test('responses: a prompt is counted as it is charged', async () => {
  const request = { model: 'glm-4.7', input: 'Hi', instructions: 'Be kind', tools: [flatWeather] };
  const { object, input_tokens: counted } = await client.responses.inputTokens.count(request);
  assert.equal(object, 'response.input_tokens');
  assert.equal(counted, (await client.responses.create(request)).usage.input_tokens);
});

test('responses: background is polled, conversations go on', async () => {
  let response = await client.responses.create({ model: 'glm-4.7', input: 'slow', background: true });
  assert.equal(response.status, 'queued');
  response = await client.responses.cancel(response.id);
  assert.equal(response.status, 'cancelled');
  const conversation = await client.conversations.create({ metadata: { topic: 'x' } });
  await client.responses.create({ model: 'glm-4.7', input: 'Hi', conversation: conversation.id });
  const page = await client.conversations.items.list(conversation.id, { order: 'asc' });
  assert.deepEqual(page.data.map((item) => item.type), ['message', 'reasoning', 'message']);
  await client.conversations.delete(conversation.id);
});

test('responses: a background response is streamed, left, and gone on with from any event', async () => {
  const seen = [];
  let id;
  for await (const event of await client.responses.create({ model: 'glm-4.7', input: 'steps', background: true, stream: true })) {
    if (event.type === 'response.created') id = event.response.id;
    seen.push(event);
    if (event.type === 'response.output_text.delta') break;
  }
  assert.deepEqual(seen.slice(0, 3).map((event) => event.type), ['response.created', 'response.queued', 'response.in_progress']);
  assert.equal(seen[0].response.status, 'queued');

  // The rest, by hand.
  const known = seen.at(-1).sequence_number;
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: known })) seen.push(event);
  assert.deepEqual(seen.map((event) => event.sequence_number), seen.map((_, index) => index));
  assert.equal(seen.at(-1).type, 'response.completed');
  const text = 'step '.repeat(20).trimEnd();
  assert.equal(seen.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join(''), text);
  assert.equal(seen.at(-1).response.output_text ?? seen.at(-1).response.output[0].content[0].text, text);

  // Once it has ended it is told again: the same, also by the helper, which keeps a snapshot.
  const again = [];
  for await (const event of await client.responses.retrieve(id, { stream: true })) again.push(event);
  assert.deepEqual(again, seen);
  const helper = client.responses.stream({ response_id: id, starting_after: known });
  const rest = [];
  for await (const event of helper) rest.push(event.sequence_number);
  assert.deepEqual(rest, seen.slice(known + 1).map((event) => event.sequence_number));
  const final = await helper.finalResponse();
  assert.deepEqual([final.status, final.output_text], ['completed', text]);
  assert.equal((await client.responses.retrieve(id)).output_text, text);
});

test('responses: the helper follows one that is being made, and a cancelled one ends', async () => {
  const helper = client.responses.stream({ model: 'glm-4.7', input: 'slow', background: true });
  const types = [];
  let id;
  for await (const event of helper) {
    types.push(event.type);
    id ??= event.response?.id;
    if (event.type === 'response.content_part.added') await client.responses.cancel(id);
  }
  assert.equal(types.at(-1), 'response.failed');
  assert.equal((await helper.finalResponse()).status, 'cancelled');
  await assert.rejects(client.responses.retrieve('resp_none', { stream: true }), OpenAI.NotFoundError);
  await assert.rejects(client.responses.retrieve('resp_none', { stream: true, starting_after: 5 }), OpenAI.NotFoundError);
});

test('raw completions: text, tokens, streams, gaps', async () => {
  const answer = await client.completions.create({ model: 'glm-4.7', prompt: 'Once', max_tokens: 50, echo: true });
  assert.equal(answer.object, 'text_completion');
  assert.equal(answer.choices[0].text, `Once${greeting}`);
  const post = (path, body) => fetch(server.url + path, { method: 'POST', headers: { Authorization: `Bearer ${server.key}` }, body: JSON.stringify(body) }).then((response) => response.json());
  const { tokens } = await post('/tokenize', { content: 'Once' });
  assert.equal(answer.usage.prompt_tokens, tokens.length);
  const ofTokens = await client.completions.create({ model: 'glm-4.7', prompt: tokens, max_tokens: 50, echo: true });
  assert.deepEqual(ofTokens.choices, answer.choices);
  assert.deepEqual(ofTokens.usage, answer.usage);
  let text = '';
  for await (const chunk of await client.completions.create({ model: 'glm-4.7', prompt: ['Once', 'stop'], max_tokens: 50, stream: true, stop: 'END' })) if (chunk.choices[0]?.index === 1) text += chunk.choices[0].text;
  assert.equal(text, 'one two ');
  const gap = await client.completions.create({ model: 'glm-4.7', prompt: 'def f(', suffix: '): pass', max_tokens: 50 });
  assert.ok(gap.usage.prompt_tokens > 3);
});

test('signs of life while a prompt is read are left out by the client', async () => {
  const lines = (events) => events.map((event) => `: ping\n\ndata: ${JSON.stringify(event)}\n\n`).join('') + ': ping\n\ndata: [DONE]\n\n';
  const fed = (body) => new OpenAI({ apiKey: 'x', fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }) });
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'a' } }] };
  let text = '';
  for await (const one of await fed(lines([chunk, chunk])).chat.completions.create({ model: 'm', messages: [], stream: true })) text += one.choices[0].delta.content;
  assert.equal(text, 'aa');
  const kinds = [];
  const delta = { type: 'response.output_text.delta', delta: 'a', item_id: 'i', output_index: 0, content_index: 0, sequence_number: 1 };
  for await (const one of await fed(lines([delta])).responses.create({ model: 'm', input: 'x', stream: true })) kinds.push(one.type);
  assert.deepEqual(kinds, ['response.output_text.delta']);
});

test('completions, models and errors', async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.ok(models.includes('glm-4.7'));
  assert.equal((await client.models.retrieve('glm-4.7')).object, 'model');
  await assert.rejects(client.chat.completions.create({ model: 'nope', messages: [{ role: 'user', content: 'Hi' }] }), (error) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
  await assert.rejects(client.responses.create({ model: 'glm-4.7', input: 'arrears' }), (error) => error instanceof OpenAI.RateLimitError && error.code === 'insufficient_quota');
  await assert.rejects(client.responses.create({ model: 'glm-4.7', input: 'x', tools: [{ type: 'file_search', vector_store_ids: [] }] }), (error) => error instanceof OpenAI.BadRequestError && error.param === 'tools[0].type');
  await assert.rejects(client.embeddings.create({ model: 'embedding-3', input: 'x' }), (error) => /no backend/.test(error.message));
});

test('a fault in the middle reaches the reader', async () => {
  const stream = await client.chat.completions.create({ model: 'glm-4.7', messages: [{ role: 'user', content: 'break' }], stream: true });
  await assert.rejects(async () => { for await (const chunk of stream) assert.ok(chunk); });
  const events = [];
  for await (const event of await client.responses.create({ model: 'glm-4.7', input: 'break', stream: true })) events.push(event.type);
  assert.equal(events.at(-1), 'response.failed');
});

const provider = createOpenAI({ apiKey: server.key, baseURL: base });
const weatherTool = tool({ description: 'Weather', inputSchema: z.object({ city: z.string() }), execute: async () => 'windy' });

test('ai sdk: Responses by default, with steps through a tool', async () => {
  const result = await generateText({ model: provider('glm-4.7'), prompt: 'Weather?', tools: { get_weather: weatherTool }, stopWhen: stepCountIs(3), maxRetries: 0 });
  assert.equal(result.text, 'The weather is windy.');
  assert.equal(result.steps.length, 2);
});

test('ai sdk: streams reasoning and text', async () => {
  const result = streamText({ model: provider('glm-4.7'), prompt: 'Hi', maxRetries: 0, providerOptions: { openai: { forceReasoning: true, reasoningSummary: 'auto' } } });
  const kinds = new Set();
  for await (const part of result.fullStream) kinds.add(part.type);
  assert.ok(kinds.has('reasoning-delta'), [...kinds].join());
  assert.equal(await result.text, greeting);
});

for (const useResponsesApi of [false, true]) {
  const name = useResponsesApi ? 'langchain over Responses' : 'langchain over chat completions';
  const model = new ChatOpenAI({ model: 'glm-4.7', apiKey: server.key, configuration: { baseURL: base }, maxRetries: 0, useResponsesApi });
  const textOf = (message) => message.text;

  test(`${name}: chain and stream`, async () => {
    const chain = ChatPromptTemplate.fromMessages([['system', 'Be brief'], ['human', '{question}']]).pipe(model).pipe(new StringOutputParser());
    assert.equal(await chain.invoke({ question: 'Hi' }), greeting);
    let text = '';
    for await (const piece of await chain.stream({ question: 'Hi' })) text += piece;
    assert.equal(text, greeting);
  });

  test(`${name}: memory`, async () => {
    const history = new InMemoryChatMessageHistory();
    const prompt = ChatPromptTemplate.fromMessages([new MessagesPlaceholder('history'), ['human', '{question}']]);
    const chain = new RunnableWithMessageHistory({ runnable: prompt.pipe(model), getMessageHistory: () => history, inputMessagesKey: 'question', historyMessagesKey: 'history' });
    for (let turn = 0; turn < 2; turn++) assert.equal(textOf(await chain.invoke({ question: 'Hi' }, { configurable: { sessionId: 's' } })), greeting);
    assert.equal((await history.getMessages()).length, 4);
  });

  test(`${name}: an agent's loop`, async () => {
    const bound = model.bindTools([weather]);
    const messages = [new SystemMessage('Use tools'), new HumanMessage('Weather?')];
    let answer = await bound.invoke(messages);
    assert.equal(answer.tool_calls[0].args.city, 'Paris');
    messages.push(answer, new ToolMessage({ tool_call_id: answer.tool_calls[0].id, content: 'cold' }));
    answer = await bound.invoke(messages);
    assert.ok(answer instanceof AIMessage);
    assert.equal(textOf(answer), 'The weather is cold.');
  });
}
