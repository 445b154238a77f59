-- What happened to coding plans. Append-only: an account's subscription is the sum of its events (JSON), numbered from 1.
CREATE TABLE plan_events (
  account TEXT NOT NULL,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL,
  event TEXT NOT NULL,
  author TEXT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (account, number)
);
CREATE INDEX plan_events_version ON plan_events (version);

-- Texts that change the catalogue (kind catalogue) or replace the plans (kind plans). Append-only; ledger rows name the id.
CREATE TABLE catalogue_versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  author TEXT NOT NULL,
  note TEXT NOT NULL,
  created BIGINT NOT NULL
);

-- Which version was in force from when on; the last row of a kind counts, 0 is what the program brings. Append-only.
CREATE TABLE catalogue_activations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  catalogue_version BIGINT NOT NULL,
  author TEXT NOT NULL,
  at BIGINT NOT NULL
);
