-- Nodes that share this store. Instants are the database's own clock, milliseconds since 1970. A node whose lease has ended is
-- removed by another one, which frees what it held; its number never comes again.
CREATE TABLE nodes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  program TEXT NOT NULL,
  protocol BIGINT NOT NULL,
  shared BIGINT NOT NULL,
  started BIGINT NOT NULL,
  lease_end BIGINT NOT NULL,
  sequence BIGINT NOT NULL
);
CREATE INDEX nodes_lease ON nodes (lease_end);

-- How often a node of a name has registered, kept when its row goes.
CREATE TABLE node_epochs (name TEXT PRIMARY KEY, epoch BIGINT NOT NULL);

-- Limits that nodes share: the sums over all nodes. kind as SliceKind; full_at is a rate's bucket, in microseconds.
CREATE TABLE slice_limits (
  id TEXT PRIMARY KEY,
  kind BIGINT NOT NULL,
  cap BIGINT NOT NULL,
  held BIGINT NOT NULL,
  wanting BIGINT NOT NULL,
  holders BIGINT NOT NULL,
  keep_ms BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  full_at BIGINT NOT NULL
);
CREATE INDEX slice_limits_expires ON slice_limits (expires) WHERE expires > 0;
CREATE INDEX slice_limits_lacking ON slice_limits (id) WHERE wanting > 0;

-- The nodes' parts. free_at is set when the node is gone and its part still counts.
CREATE TABLE slice_holdings (
  limit_id TEXT NOT NULL,
  node BIGINT NOT NULL,
  units BIGINT NOT NULL,
  want BIGINT NOT NULL,
  free_at BIGINT,
  PRIMARY KEY (node, limit_id)
);
CREATE INDEX slice_holdings_limit ON slice_holdings (limit_id);
CREATE INDEX slice_holdings_free ON slice_holdings (free_at) WHERE free_at IS NOT NULL;
