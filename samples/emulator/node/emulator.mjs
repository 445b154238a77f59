// Starts `glimmer emulate`. GLIMMER_COMMAND may name the program ("dotnet /path/glimmer.dll").
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export async function startEmulator(scenario, args = []) {
  const [program, ...first] = (process.env.GLIMMER_COMMAND ?? 'glimmer').split(' ');
  const child = spawn(program, [...first, 'emulate', scenario, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout });
  const { url, key } = await new Promise((ready, fail) => {
    lines.once('line', (line) => ready(JSON.parse(line))); // the first line is {"url": …, "key": …, "pid": …}
    child.once('error', fail);
    child.once('exit', (code) => fail(new Error(`the emulator ended with code ${code}`)));
  });
  const call = async (path, method = 'GET', body = undefined) =>
    fetch(url + path, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  return {
    url,
    key,
    call,
    reset: () => call('/emulator/reset', 'POST'),
    stop: async () => {
      if (child.exitCode !== null) return child.exitCode;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      return (await exited)[0]; // 1 after a strict run that did not go as expected
    },
  };
}
