-- The highest number of a check-in that was taken: what was under way for long does not overwrite what is newer.
ALTER TABLE devices ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
