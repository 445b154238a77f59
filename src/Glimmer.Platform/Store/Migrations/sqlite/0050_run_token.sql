-- Chance that tells runs of this store from runs of another one with the same number: a journal is replayed only into the store it was written for.
ALTER TABLE ledger_runs ADD COLUMN token TEXT;
