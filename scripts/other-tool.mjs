// Part of other-tool.sh: answers RECIPE.N.prompt with RECIPE.gguf in llama.cpp and compares with RECIPE.N.ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const folder = process.argv[2];
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
let same = 0, all = 0, broken = 0;
for (const file of readdirSync(folder).filter(name => name.endsWith(".gguf")).sort()) {
  const recipe = file.slice(0, -".gguf".length);
  try {
    const model = await llama.loadModel({ modelPath: join(folder, file) });
    for (const prompt of readdirSync(folder).filter(name => name.startsWith(`${recipe}.`) && name.endsWith(".prompt")).sort()) {
      // The answer without thinking begins after a thought that is closed at once.
      const text = JSON.parse(readFileSync(join(folder, prompt), "utf8")).rendered.replace(/<think>$/, "</think>");
      const context = await model.createContext({ contextSize: 512, threads: 2 });
      const tokens = [];
      for await (const token of context.getSequence().evaluate(model.tokenize(text, true), { temperature: 0 })) {
        if (model.isEogToken(token) || tokens.length === 48)
          break;
        tokens.push(token);
      }

      await context.dispose();
      const theirs = model.detokenize(tokens).trim();
      const ours = readFileSync(join(folder, prompt.replace(/prompt$/, "ours")), "utf8").trim();
      all++;
      same += ours === theirs;
      console.log(`${recipe.padEnd(7)} ${ours === theirs ? "same   " : "DIFFERS"} ${JSON.stringify(ours)}${ours === theirs ? "" : ` / ${JSON.stringify(theirs)}`}`);
    }

    await model.dispose();
  } catch (fault) {
    broken++;
    console.log(`${recipe.padEnd(7)} DOES NOT LOAD: ${fault.message}`);
  }
}

console.log(`${same} of ${all} answers are the same, ${broken} files do not load`);
process.exit(broken > 0 || all === 0 || same < all * 2 / 3 ? 1 : 0);
