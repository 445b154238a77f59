// Reads grammars with a real xgrammar (npm package @mlc-ai/web-xgrammar, its lib/index.js): node scripts/xgrammar.mjs LIB GRAMMARS.jsonl
// Each line: {name, grammar, valid, invalid}. Prints what it reads otherwise; ends with 1 then.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const [lib, grammars] = process.argv.slice(2);
// The package calls itself a module and is written as none.
const copy = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'xgrammar-')), 'index.cjs');
fs.copyFileSync(lib, copy);
const { Grammar, Testings } = createRequire(import.meta.url)(copy);
let checks = 0, wrong = 0;
for (const line of fs.readFileSync(grammars, 'utf8').split('\n').filter(Boolean)) {
  const row = JSON.parse(line);
  let grammar;
  try {
    grammar = await Grammar.fromEBNF(row.grammar, 'root');
  } catch (fault) {
    wrong++;
    console.log(`${row.name}: cannot be read: ${fault}`);
    continue;
  }
  for (const [texts, legal] of [[row.valid, true], [row.invalid, false]]) {
    for (const text of texts) {
      checks++;
      if (await Testings.isGrammarAcceptString(grammar, text) !== legal) {
        wrong++;
        console.log(`${row.name}: ${legal ? 'refuses' : 'accepts'} ${JSON.stringify(text)}`);
      }
    }
  }
  grammar.dispose();
}
fs.rmSync(path.dirname(copy), { recursive: true });
console.log(`${checks} checks, ${wrong} wrong`);
process.exit(wrong === 0 && checks > 0 ? 0 : 1);
