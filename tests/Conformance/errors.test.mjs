// What a request that cannot be served gets: status, business code, and a message that names the field at fault.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { sharedServer, weather } from './server.mjs';

const server = await sharedServer();
const hello = [{ role: 'user', content: 'Hello!' }];
const chat = `${server.base}/chat/completions`;

async function refused(url, init) {
  const response = await fetch(url, init);
  const text = await response.text();
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.ok(response.headers.get('x-request-id'));
  const body = JSON.parse(text);
  assert.deepEqual(Object.keys(body), ['error']);
  assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message']);
  return { status: response.status, code: body.error.code, message: body.error.message, headers: response.headers };
}

const post = (body, authorization = `Bearer ${server.key}`, headers = {}) => refused(chat, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', ...(authorization === null ? {} : { Authorization: authorization }), ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const request = (change) => ({ model: 'glm-4.7', messages: hello, max_tokens: 5, ...change });
const tool = (change) => ({ type: 'function', function: { name: 'f', ...change } });

// Field at fault (as the message must name it), request, business code.
const matrix = [
  ['JSON', '{"model": "glm-4.7", "messages": [', '1210'],
  ['JSON', 'model=glm-4.7', '1210'],
  ['object', '[]', '1210'],
  ['empty', '', '1210'],
  ['model', { messages: hello }, '1213'],
  ['model', request({ model: 7 }), '1214'],
  ['model', request({ model: '' }), '1214'],
  ['no-such-model', request({ model: 'no-such-model' }), '1211'],
  ['chat/completions', request({ model: 'embedding-3' }), '1212'],
  ['messages', { model: 'glm-4.7' }, '1213'],
  ['messages', request({ messages: [] }), '1214'],
  ['messages', request({ messages: 'Hello!' }), '1214'],
  ['messages[0]', request({ messages: ['Hello!'] }), '1214'],
  ['messages[0].role', request({ messages: [{ content: 'Hello!' }] }), '1213'],
  ['messages[0].role', request({ messages: [{ role: 'wizard', content: 'Hello!' }] }), '1214'],
  ['messages[1].content', request({ messages: [...hello, { role: 'user', content: 5 }] }), '1214'],
  ['messages[0].content[0].type', request({ messages: [{ role: 'user', content: [{ type: 'smell', smell: 'rose' }] }] }), '1214'],
  ['messages[0].content[0].text', request({ messages: [{ role: 'user', content: [{ type: 'text' }] }] }), '1213'],
  ['messages[0].content[0]', request({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }] }), '1212'],
  ['messages[1].tool_calls[0].function.name', request({ messages: [...hello, { role: 'assistant', tool_calls: [{ id: '1', type: 'function', function: { arguments: '{}' } }] }] }), '1213'],
  ['tools', request({ tools: {} }), '1214'],
  ['tools[0].function.name', request({ tools: [{ type: 'function', function: { description: 'nameless' } }] }), '1213'],
  ['tools[0].function.name', request({ tools: [tool({ name: 'two words' })] }), '1214'],
  ['tools[1].function.parameters', request({ tools: [weather, tool({ parameters: 'city' })] }), '1214'],
  ['tools[0].type', request({ tools: [{ type: 'teleport', teleport: {} }] }), '1214'],
  ['tools', request({ tools: Array.from({ length: 129 }, (_, i) => tool({ name: `f${i}` })) }), '1214'],
  ['tool_choice', request({ tools: [weather], tool_choice: 'sometimes' }), '1214'],
  ['tool_choice', request({ tools: [weather], tool_choice: { type: 'function', function: { name: 'get_moon' } } }), '1214'],
  ['temperature', request({ temperature: -0.1 }), '1214'],
  ['temperature', request({ temperature: 2.5 }), '1214'],
  ['temperature', request({ temperature: 'warm' }), '1214'],
  ['top_p', request({ top_p: 1.5 }), '1214'],
  ['max_tokens', request({ max_tokens: 0 }), '1214'],
  ['max_tokens', request({ max_tokens: 131073 }), '1214'],
  ['max_tokens', request({ max_tokens: 1.5 }), '1214'],
  ['seed', request({ seed: 'lucky' }), '1214'],
  ['stream', request({ stream: 'perhaps' }), '1214'],
  ['stop', request({ stop: [''] }), '1214'],
  ['stop', request({ stop: ['a', 'b', 'c', 'd', 'e'] }), '1214'],
  ['thinking', request({ thinking: 'enabled' }), '1214'],
  ['thinking.type', request({ thinking: { type: 'sometimes' } }), '1214'],
  ['response_format.type', request({ response_format: { type: 'xml' } }), '1214'],
  ['response_format.json_schema', request({ response_format: { type: 'json_schema' } }), '1213'],
  ['response_format.json_schema.schema', request({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: [1] } } }), '1214'],
  ['request_id', request({ request_id: 'short' }), '1214'],
  ['user_id', request({ user_id: 'u'.repeat(129) }), '1214'],
];

for (const [field, body, code] of matrix) {
  const name = typeof body === 'string' ? JSON.stringify(body) : JSON.stringify(body).slice(0, 100);
  test(`refused with ${code} for ${field}: ${name}`, async () => {
    const streamed = typeof body === 'string' || 'stream' in body ? body : { ...body, stream: true };
    for (const sent of [body, streamed]) {
      const answer = await post(sent);
      assert.equal(answer.status, 400);
      assert.equal(answer.code, code, answer.message);
      assert.ok(answer.message.includes(field), answer.message);
    }
  });
}

test('a prompt longer than the context is 1261 and says both lengths', async () => {
  const answer = await post(request({ messages: [{ role: 'user', content: 'word '.repeat(200_000) }] }));
  assert.equal(answer.status, 400);
  assert.equal(answer.code, '1261');
  const [prompt, context] = answer.message.match(/\d{3,}/g).map(Number);
  assert.ok(prompt > context, answer.message);
});

test('a body over the limit is 413 with 1210 and the setting that allows more', async () => {
  const answer = await post(request({ messages: [{ role: 'user', content: 'x'.repeat(33 << 20) }] })).catch((fault) => fault);
  // The rest of the body is not read: a client that still sends may see the connection end before the answer.
  if (answer instanceof Error) {
    assert.match(String(answer.cause?.code), /ECONNRESET|EPIPE|UND_ERR_SOCKET/);
  } else {
    assert.equal(answer.status, 413);
    assert.equal(answer.code, '1210');
    assert.match(answer.message, /Limits:BodyBytes/);
  }
});

// Credentials.
const [id, secret] = server.key.split('.');
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token({ key = id, sign = secret, exp = Date.now() + 60_000, alg = 'HS256' } = {}) {
  const text = `${part({ alg, sign_type: 'SIGN' })}.${part({ api_key: key, exp, timestamp: Date.now() })}`;
  return `${text}.${createHmac('sha256', sign).update(text).digest('base64url')}`;
}

test('every form of a good credential is taken', async () => {
  const ok = async (headers, query = '') => {
    const response = await fetch(`${server.base}/models${query}`, { headers });
    await response.text();
    return response.status;
  };
  assert.equal(await ok({ Authorization: `Bearer ${server.key}` }), 200);
  assert.equal(await ok({ Authorization: server.key }), 200);
  assert.equal(await ok({ 'x-api-key': server.key }), 200);
  assert.equal(await ok({}, `?Authorization=${server.key}`), 200);
  assert.equal(await ok({ Authorization: `Bearer ${token()}` }), 200);
  assert.equal(await ok({ Authorization: `Bearer ${token({ exp: Math.floor(Date.now() / 1000) + 60 })}` }), 200, 'exp in seconds');
});

for (const [name, credential, code] of [
  ['none', null, '1001'],
  ['the word Bearer alone', 'Bearer ', '1001'],
  ['not a key', 'Bearer nonsense', '1002'],
  ['four parts', 'Bearer a.b.c.d', '1002'],
  ['a token that is no JSON', 'Bearer a.b.c', '1002'],
  ['a token of another algorithm', `Bearer ${token({ alg: 'none' })}`, '1002'],
  ['an unknown key', 'Bearer nobody.nothing', '1000'],
  ['a wrong secret', `Bearer ${id}.${'x'.repeat(secret.length)}`, '1000'],
  ['an expired token', `Bearer ${token({ exp: Date.now() - 3_600_000 })}`, '1003'],
  ['an expired token in seconds', `Bearer ${token({ exp: Math.floor(Date.now() / 1000) - 3600 })}`, '1003'],
  ['a token of an unknown key', `Bearer ${token({ key: 'nobody' })}`, '1004'],
  ['a token signed with another secret', `Bearer ${token({ sign: 'guess' })}`, '1004'],
]) {
  test(`credential refused with ${code}: ${name}`, async () => {
    const answer = await post(request({}), credential);
    assert.equal(answer.status, 401);
    assert.equal(answer.code, code);
    assert.ok(!answer.message.includes(secret));
  });
}

test('messages are in the language that the client prefers', async () => {
  const answer = await post(request({ temperature: 9 }), `Bearer ${server.key}`, { 'Accept-Language': 'zh-CN' });
  assert.match(answer.message, /temperature 参数非法/);
});

// Routes.
test('GET on the chat route says which method is right', async () => {
  const answer = await refused(chat, { headers: { Authorization: `Bearer ${server.key}` } });
  assert.equal(answer.status, 405);
  assert.equal(answer.code, '1210');
  assert.match(answer.headers.get('allow') ?? '', /POST/);
  assert.match(answer.message, /POST/);
});

test('a route that nobody knows is 404 with 1222; one of the platform that is not served is 1221', async () => {
  const unknown = await refused(`${server.base}/chat/completion`, { method: 'POST', body: '{}' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.code, '1222');
  assert.match(unknown.message, /chat\/completion/);
  const offline = await refused(`${server.base}/videos/generations`, { method: 'POST', body: '{}' });
  assert.equal(offline.code, '1221');
  assert.match(offline.message, /videos\/generations/);
});
