// OpenCode, configured by `glimmer configure`: reads, edits and shows a file through its own tools, driven by a scenario.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startEmulator } from '../server.mjs';
import { program, workshop } from './workshop.mjs';

const server = await startEmulator('opencode.yaml');
const shop = workshop();
after(async () => { await server.stop(); shop.remove(); });

test('glimmer configure writes its configuration', () => { shop.configure('opencode', server); });

test('a scripted session reads, edits and shows', async () => {
  const env = { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1', OPENCODE_DISABLE_DEFAULT_PLUGINS: '1', OPENCODE_PERMISSION: '{"*":"allow"}' };
  const { code, out, err } = await shop.run(program('opencode'), ['run', `Change the greeting in the file ${shop.file} and show it`], env);
  assert.equal(code, 0, `${out}\n${err}\n${server.log()}`);
  assert.match(out, /It says: [\s\S]*Goodbye there/, `${out}\n${err}\n${server.log()}`);
  assert.equal(shop.read(), 'Goodbye there\n');
});
