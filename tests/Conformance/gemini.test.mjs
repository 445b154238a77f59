// Google's own client of its Gemini API.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai';
import { startEmulator } from './server.mjs';

const server = await startEmulator('dialects.yaml');
after(() => server.stop());
const clientOf = (apiKey, httpOptions = {}) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: server.url, ...httpOptions } });
const client = clientOf(server.key);
const model = 'glm-4.7';
const weather = { name: 'get_weather', description: 'Weather of a city', parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING }, days: { type: Type.INTEGER } }, required: ['city'] } };
const tools = [{ functionDeclarations: [weather] }];
const shown = { thinkingConfig: { includeThoughts: true } };
const partsOf = (answer) => answer.candidates[0].content.parts;
const thoughtOf = (parts) => parts.filter((part) => part.thought).map((part) => part.text).join('');

test('an answer has thoughts, text, counts and a reason', async () => {
  const answer = await client.models.generateContent({ model, contents: 'hi', config: shown });
  assert.equal(answer.text, 'Hello, 世界 🌍!');
  assert.equal(thoughtOf(partsOf(answer)), 'Let me think.');
  assert.deepEqual([answer.candidates[0].finishReason, answer.modelVersion], ['STOP', model]);
  const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount, totalTokenCount } = answer.usageMetadata;
  assert.ok(promptTokenCount > 0 && candidatesTokenCount > 0 && thoughtsTokenCount > 0);
  assert.equal(totalTokenCount, promptTokenCount + candidatesTokenCount + thoughtsTokenCount);
  assert.ok(answer.responseId);
});

test('thoughts are hidden unless asked for, and can be switched off', async () => {
  const hidden = await client.models.generateContent({ model, contents: 'hi' });
  assert.equal(thoughtOf(partsOf(hidden)), '');
  assert.ok(partsOf(hidden).at(-1).thoughtSignature);
  const off = await client.models.generateContent({ model, contents: 'hi', config: { thinkingConfig: { thinkingBudget: 0 } } });
  assert.equal(off.usageMetadata.thoughtsTokenCount, undefined);
});

test('a stream says the same', async () => {
  const asked = { model, contents: 'both', config: { ...shown, tools } };
  const whole = await client.models.generateContent(asked);
  const parts = [];
  let last;
  for await (const piece of await client.models.generateContentStream(asked)) {
    parts.push(...partsOf(piece));
    last = piece;
  }
  const plain = (list) => list.filter((part) => part.functionCall).map(({ functionCall: { name, args } }) => ({ name, args }));
  const textOf = (list) => list.filter((part) => !part.thought).map((part) => part.text ?? '').join('');
  assert.equal(thoughtOf(parts), thoughtOf(partsOf(whole)));
  assert.equal(textOf(parts), 'Let me look.');
  assert.deepEqual(plain(parts), plain(partsOf(whole)));
  assert.deepEqual(whole.functionCalls.map((call) => call.args), [{ city: 'Paris' }, { city: 'Saint-Étienne', days: 3 }]);
  assert.equal(last.candidates[0].finishReason, 'STOP');
  assert.deepEqual(last.usageMetadata, whole.usageMetadata);
});

test('a tool loop goes on', async () => {
  const contents = [{ role: 'user', parts: [{ text: 'weather?' }] }];
  const first = await client.models.generateContent({ model, contents, config: { tools } });
  const [call] = first.functionCalls;
  assert.deepEqual([call.name, call.args], ['get_weather', { city: 'Paris' }]);
  contents.push(first.candidates[0].content, { role: 'user', parts: [{ functionResponse: { id: call.id, name: call.name, response: { output: 'sunny' } } }] });
  const second = await client.models.generateContent({ model, contents, config: { tools } });
  assert.equal(second.text, 'The weather is sunny.');
  assert.equal(second.usageMetadata.cachedContentTokenCount, 7);
});

test('a call can be demanded or forbidden', async () => {
  const choose = (mode, allowedFunctionNames) => client.models.generateContent({ model, contents: 'weather?', config: { tools, toolConfig: { functionCallingConfig: { mode, allowedFunctionNames } } } });
  assert.equal((await choose(FunctionCallingConfigMode.ANY, ['get_weather'])).functionCalls.length, 1);
  await assert.rejects(choose(FunctionCallingConfigMode.ANY, ['nope']), { name: 'ApiError', status: 400 });
});

test('functions of the client are called by itself', async () => {
  const asked = [];
  const answer = await client.models.generateContent({
    model,
    contents: 'weather?',
    config: { tools: [{ callTool: async (calls) => { asked.push(...calls); return calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: 'sunny' } } })); }, tool: async () => tools[0] }] },
  });
  assert.equal(answer.text, 'The weather is sunny.');
  assert.equal(asked.length, 1);
});

test('a chat keeps what was said, streamed too', async () => {
  const chat = client.chats.create({ model, config: { tools } });
  const first = await chat.sendMessage({ message: 'weather?' });
  const [{ id, name }] = first.functionCalls;
  let text = '';
  for await (const piece of await chat.sendMessageStream({ message: { functionResponse: { id, name, response: { output: 'rainy' } } } })) text += piece.text ?? '';
  assert.equal(text, 'The weather is rainy.');
  assert.equal((await chat.sendMessage({ message: 'hi' })).text, 'Hello, 世界 🌍!');
  assert.ok(chat.getHistory(true).length >= 6);
});

test('a schema is taken in both forms', async () => {
  for (const form of [{ responseSchema: { type: Type.OBJECT, properties: { a: { type: Type.STRING, nullable: true } }, propertyOrdering: ['a'] } }, { responseJsonSchema: { type: 'object', properties: { a: { type: 'string' } } } }]) {
    const answer = await client.models.generateContent({ model, contents: 'json', config: { responseMimeType: 'application/json', ...form } });
    assert.deepEqual(JSON.parse(answer.text), { a: 'b' });
  }
  await assert.rejects(client.models.generateContent({ model, contents: 'json', config: { responseSchema: { type: Type.OBJECT } } }), { status: 400 });
});

test('the configuration holds', async () => {
  const cut = await client.models.generateContent({ model, contents: 'long', config: { maxOutputTokens: 20, thinkingConfig: { thinkingBudget: 0 } } });
  assert.deepEqual([cut.candidates[0].finishReason, cut.usageMetadata.candidatesTokenCount], ['MAX_TOKENS', 20]);
  const stopped = await client.models.generateContent({ model, contents: 'stop', config: { stopSequences: ['END'], systemInstruction: 'Be brief', temperature: 0, topP: 0.9, topK: 40, seed: 7, candidateCount: 1 } });
  assert.equal(stopped.text.trim(), 'one two');
});

test('prompts are counted exactly', async () => {
  const { totalTokens } = await client.models.countTokens({ model, contents: 'hi' });
  const answer = await client.models.generateContent({ model, contents: 'hi' });
  assert.equal(totalTokens, answer.usageMetadata.promptTokenCount);
});

test('texts become vectors', async () => {
  const other = await startEmulator('embeddings.yaml');
  after(() => other.stop());
  const { embeddings } = await clientOf(other.key, { baseUrl: other.url }).models.embedContent({ model: 'gemini-embedding-001', contents: ['a', 'b'], config: { taskType: 'RETRIEVAL_QUERY', outputDimensionality: 8 } });
  assert.deepEqual(embeddings.map((one) => one.values.length), [8, 8]);
});

test('models are listed and described', async () => {
  const names = [];
  for await (const one of await client.models.list({ config: { pageSize: 3 } })) names.push(one.name);
  assert.ok(names.includes('models/glm-4.7') && names.includes('models/glm-4.5-air'));
  assert.equal(new Set(names).size, names.length);
  const one = await client.models.get({ model: 'gemini-2.5-pro' });
  assert.deepEqual([one.name, one.thinking], ['models/glm-4.7', true]);
  assert.ok(one.supportedActions.includes('generateContent'));
});

test('other versions and names of models answer too', async () => {
  for (const apiVersion of ['v1', 'v1alpha']) {
    const other = clientOf(server.key, { apiVersion });
    assert.equal((await other.models.generateContent({ model: 'gemini-2.5-flash', contents: 'hi' })).modelVersion, 'glm-4.5-air');
    assert.ok((await other.models.get({ model })).name);
  }
});

test('a stream can be aborted', async () => {
  const abort = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of await client.models.generateContentStream({ model, contents: 'slow', config: { abortSignal: abort.signal } })) abort.abort();
  }, /abort/i);
});

test('errors have their status and form', async () => {
  const errorOf = async (work) => {
    const error = await work.then(() => assert.fail('no error'), (fault) => fault);
    assert.ok(error instanceof ApiError, String(error));
    return { status: error.status, ...JSON.parse(error.message).error };
  };
  const ask = (contents, more = {}) => errorOf(client.models.generateContent({ model, contents, ...more }));
  assert.deepEqual((await errorOf(clientOf('wrong.key').models.generateContent({ model, contents: 'hi' }))).status, 'UNAUTHENTICATED');
  assert.equal((await ask('hi', { model: 'llama3' })).code, 404);
  const busy = await ask('busy');
  assert.deepEqual([busy.code, busy.status, busy.message], [503, 'UNAVAILABLE', 'Too busy']);
  assert.equal(busy.details.find((detail) => detail.retryDelay).retryDelay, '1s');
  assert.deepEqual([(await ask('arrears')).code, (await ask('arrears')).status], [429, 'RESOURCE_EXHAUSTED']);
  assert.match((await ask('hi', { config: { tools: [{ googleSearch: {} }] } })).message, /googleSearch/);
  assert.equal((await ask([{ text: 'x' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }])).status, 'INVALID_ARGUMENT');
  await assert.rejects(async () => {
    for await (const _ of await client.models.generateContentStream({ model, contents: 'break' })) { /* until it breaks */ }
  }, { name: 'ApiError', status: 500 });
});
