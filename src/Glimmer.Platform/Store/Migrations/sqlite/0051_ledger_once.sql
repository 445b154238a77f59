-- Requests that may be run again by another node (tasks), each charged once whoever settles it first: another run, or a journal. Rows go after a month.
CREATE TABLE ledger_once (
  request TEXT PRIMARY KEY,
  at BIGINT NOT NULL
);
CREATE INDEX ledger_once_at ON ledger_once (at);
