// LangChain's OpenAI chat model.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ChatOpenAI } from '@langchain/openai';
import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { sharedServer, weather } from './server.mjs';

const server = await sharedServer();
const model = new ChatOpenAI({ model: 'glm-4.7', apiKey: server.key, configuration: { baseURL: server.base }, temperature: 0, maxTokens: 300, maxRetries: 0 });

test('invoke answers', async () => {
  const answer = await model.invoke([new SystemMessage('You are a friendly assistant.'), new HumanMessage('Hello!')]);
  assert.ok(answer.content.length > 0);
  assert.ok(answer.usage_metadata.total_tokens > 0);
});

test('stream gives the pieces', async () => {
  let text = '';
  for await (const piece of await model.stream('Hello! Who are you?')) text += piece.content;
  assert.ok(text.length > 0);
});

test('a bound tool is called', async () => {
  const answer = await model.bindTools([weather], { tool_choice: 'required' }).invoke('What is the weather in Paris?');
  assert.equal(answer.tool_calls[0].name, 'get_weather');
  assert.equal(typeof answer.tool_calls[0].args.city, 'string');
});
