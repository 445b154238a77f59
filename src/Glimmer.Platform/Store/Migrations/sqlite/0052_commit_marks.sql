-- Empty here: a commit of SQLite is always answered. On PostgreSQL: the last transaction of each writer.
CREATE TABLE store_commits (
  writer BIGINT PRIMARY KEY,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL
);
