-- Responses that a client asked to keep. input and body are JSON; a row goes when it expires.
CREATE TABLE responses (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  status TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  previous TEXT,
  node TEXT,
  alive BIGINT NOT NULL,
  input TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX responses_expires ON responses (expires);

-- What the model said in them, item by item, for requests that name an item.
CREATE TABLE response_items (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  response TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX response_items_response ON response_items (response);

-- Conversations and their items, numbered from 1 in each.
CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  metadata TEXT NOT NULL,
  items BIGINT NOT NULL
);
CREATE INDEX conversations_expires ON conversations (expires);
CREATE TABLE conversation_items (
  conversation TEXT NOT NULL,
  number BIGINT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (conversation, number)
);
