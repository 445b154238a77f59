-- Work that outlives its request. state: 0 queued, 1 running, 2 succeeded, 3 failed, 4 cancelled, 5 expired. body is null once the task has ended.
-- attempt numbers the runs and fences them: what a former run brings is not taken.
CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  access_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  request TEXT,
  batch TEXT,
  item TEXT,
  priority BIGINT NOT NULL,
  position BIGINT NOT NULL,
  state BIGINT NOT NULL,
  body BLOB,
  result BLOB,
  status BIGINT NOT NULL,
  code BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  faults BIGINT NOT NULL,
  lost BIGINT NOT NULL,
  not_before BIGINT NOT NULL,
  node TEXT,
  lease_until BIGINT,
  cancel BIGINT NOT NULL,
  created BIGINT NOT NULL,
  started BIGINT,
  ended BIGINT,
  expires BIGINT NOT NULL,
  purge_at BIGINT NOT NULL
);
CREATE INDEX tasks_open ON tasks (state, priority, position, created) WHERE state < 2;
CREATE INDEX tasks_batch ON tasks (batch, position) WHERE batch IS NOT NULL;
CREATE INDEX tasks_account ON tasks (account, created);
CREATE INDEX tasks_purge ON tasks (purge_at);

-- Tasks given together. ended is set when none of them is open any more.
CREATE TABLE task_batches (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  access_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  total BIGINT NOT NULL,
  cancel_at BIGINT,
  created BIGINT NOT NULL,
  ended BIGINT,
  expires BIGINT NOT NULL,
  purge_at BIGINT NOT NULL
);
CREATE INDEX task_batches_account ON task_batches (account, created);
CREATE INDEX task_batches_purge ON task_batches (purge_at);
CREATE INDEX task_batches_open ON task_batches (expires) WHERE ended IS NULL;
