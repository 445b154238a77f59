// Codex CLI in print mode over the Responses API: reads, edits and shows a file with its own shell tool, driven by a scenario.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('codex.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

shop.write('home/.codex/config.toml', `
model = "glm-4.7"
model_provider = "glimmer"
[model_providers.glimmer]
name = "Glimmer"
base_url = "${server.url}/v1"
env_key = "GLIMMER_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`);
const run = (prompt, key = server.key, ...more) => shop.run(
  program('codex'), ['exec', '--json', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', ...more, prompt], { GLIMMER_API_KEY: key });
const eventsOf = (out) => out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

test('a scripted session reads, edits and shows a file', async () => {
  const { code, out, err } = await run(`Change the greeting in the file ${shop.file} and show it`);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  const events = eventsOf(out);
  const items = events.filter((event) => event.type === 'item.completed').map((event) => event.item);
  assert.equal(items.filter((item) => item.type === 'command_execution').length, 3, out);
  assert.match(items.filter((item) => item.type === 'agent_message').at(-1).text, /It says: [\s\S]*Goodbye there/);
  assert.ok(items.some((item) => item.type === 'reasoning' && /must read/.test(item.text)), out);
  assert.equal(shop.read(), 'Goodbye there\n');
  const { usage } = events.find((event) => event.type === 'turn.completed');
  assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
});

test('a plain question is answered', async () => {
  const { code, out, err } = await run('Say something');
  assert.equal(code, 0, `${out}\n${err}`);
  assert.ok(eventsOf(out).some((event) => event.item?.type === 'agent_message' && event.item.text === 'Fine.'), out);
});

test('a wrong key is told as such', async () => {
  const { code, out, err } = await run('Hi', 'wrong.key');
  assert.notEqual(code, 0);
  assert.match(out + err, /401|[Aa]uthenticat|[Uu]nauthori/);
});
