// Copilot CLI with a provider of one's own, which it knows in three dialects: reads, edits and shows a file through its own tools in each.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('copilot.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

const env = { COPILOT_MODEL: 'glm-4.7', COPILOT_PROVIDER_API_KEY: server.key, COPILOT_OFFLINE: 'true', COPILOT_AUTO_UPDATE: 'false' };
const dialects = {
  'chat completions': { COPILOT_PROVIDER_BASE_URL: `${server.url}/v1` },
  responses: { COPILOT_PROVIDER_BASE_URL: `${server.url}/v1`, COPILOT_PROVIDER_WIRE_API: 'responses' },
  messages: { COPILOT_PROVIDER_BASE_URL: `${server.url}/api/anthropic`, COPILOT_PROVIDER_TYPE: 'anthropic' },
};

for (const [name, variables] of Object.entries(dialects)) {
  test(`a scripted session over ${name}`, async () => {
    shop.write('work/greeting.txt', 'Hello there\n');
    const { code, out, err } = await shop.run(program('copilot'), ['--allow-all-tools', '--no-color', '--prompt', `Change the greeting in the file ${shop.file} and show it`], { ...env, ...variables });
    assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
    assert.match(out, /It says: Goodbye there/, `${out}\n${err}\n${server.log()}`);
    assert.equal(shop.read(), 'Goodbye there\n');
  });
}
