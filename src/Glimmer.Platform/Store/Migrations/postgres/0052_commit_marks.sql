-- The last transaction of each writer, so that one whose commit was not answered can be told from another that a crashed server gave the same number. Rows go after a month.
CREATE TABLE store_commits (
  writer BIGINT PRIMARY KEY,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL
) WITH (fillfactor = 20);
