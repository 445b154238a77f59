// Vercel's AI SDK with the Zhipu provider.
import assert from 'node:assert/strict';
import test from 'node:test';
import { generateText, streamText, tool } from 'ai';
import { createZhipu } from 'zhipu-ai-provider';
import { z } from 'zod';
import { sharedServer } from './server.mjs';

const server = await sharedServer();
const zhipu = createZhipu({ baseURL: server.base, apiKey: server.key });

test('generateText answers', async () => {
  const { text, usage, finishReason } = await generateText({ model: zhipu('glm-4.7'), prompt: 'Hello!', temperature: 0, maxOutputTokens: 300, maxRetries: 0 });
  assert.ok(text.length > 0);
  assert.ok(usage.totalTokens > 0);
  assert.ok(['stop', 'length'].includes(finishReason));
});

test('streamText streams', async () => {
  const result = streamText({ model: zhipu('glm-4.7'), prompt: 'Hello! What can you do?', temperature: 0, maxOutputTokens: 300, maxRetries: 0 });
  let text = '';
  for await (const piece of result.textStream) text += piece;
  assert.ok(text.length > 0);
  assert.ok(['stop', 'length'].includes(await result.finishReason));
});

test('a tool is called with arguments that its schema accepts', async () => {
  let asked = null;
  const result = await generateText({
    model: zhipu('glm-4.7'),
    prompt: 'What is the weather in Paris?',
    tools: {
      get_weather: tool({
        description: 'Current weather of a city',
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => { asked = city; return { sky: 'clear' }; },
      }),
    },
    // The provider sends "auto" whatever it is asked for, so the model must want to: its likeliest answer is a call.
    temperature: 0,
    maxOutputTokens: 400,
    maxRetries: 0,
  });
  assert.equal(result.toolCalls[0].toolName, 'get_weather');
  assert.equal(asked, result.toolCalls[0].input.city);
});
