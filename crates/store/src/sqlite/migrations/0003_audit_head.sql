-- The end of the audit chain in a place of its own: entries removed from the end show, and the next entry still names
-- the removed one.
CREATE TABLE audit_head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    sequence INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

INSERT INTO audit_head (only_row, sequence, hash)
SELECT 1, sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1;

CREATE TRIGGER audit_head_follows AFTER INSERT ON audit BEGIN
    INSERT INTO audit_head (only_row, sequence, hash) VALUES (1, NEW.sequence, NEW.hash)
    ON CONFLICT (only_row) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash;
END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head WHEN NEW.sequence <> OLD.sequence + 1
BEGIN SELECT RAISE(ABORT, 'the audit only grows at its end'); END;
