-- sequence: below it every number lies that a run of a background response has given to its events, or may give. marks: where a stream of the response was cut into pieces.
ALTER TABLE responses ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE responses ADD COLUMN marks TEXT;

-- Events of background responses that are being made, for nodes that stream them and do not make them: consecutive ones from number to last, as they are sent.
-- Only with PostgreSQL, and only until the response has ended.
CREATE TABLE response_events (
  response TEXT NOT NULL,
  number BIGINT NOT NULL,
  last BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (response, number)
);
