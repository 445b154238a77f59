// A folder for an agent to work in, with a home of its own, and a way to run the agent there.
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const program = (name) => join(import.meta.dirname, 'node_modules', '.bin', name);

export function workshop() {
  const root = mkdtempSync(join(tmpdir(), 'glimmer-agent-'));
  const home = join(root, 'home');
  const work = join(root, 'work');
  mkdirSync(home);
  mkdirSync(work);
  const file = join(work, 'greeting.txt');
  writeFileSync(file, 'Hello there\n');
  return {
    home,
    work,
    file,
    read: () => readFileSync(file, 'utf8'),
    write: (path, text) => { mkdirSync(join(root, path, '..'), { recursive: true }); writeFileSync(join(root, path), text); },
    /** Runs a program to its end; resolves to its output. */
    run(command, args, env, timeout = 120_000) {
      return new Promise((done, fail) => {
        const child = spawn(command, args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: home, TERM: 'dumb', NO_COLOR: '1', ...env } });
        let out = '';
        let err = '';
        child.stdout.on('data', (chunk) => { out += chunk; });
        child.stderr.on('data', (chunk) => { err += chunk; });
        const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
        child.once('error', fail);
        child.once('exit', (code) => { clearTimeout(timer); done({ code, out, err }); });
      });
    },
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}
