-- The data folder that a node runs in, which only one process has open: who registers from it again knows that the former one is gone.
ALTER TABLE nodes ADD COLUMN home TEXT NOT NULL DEFAULT '';
