-- Policy documents, collections and deployments, each as versions that are never changed; the newest one counts.
-- `content` is JSON, `text` is what an administrator wrote, with comments.
CREATE TABLE items (
    kind TEXT NOT NULL, -- document, collection, deployment
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    content TEXT NOT NULL,
    text TEXT NOT NULL,
    digest TEXT, -- of the whole policy, for the built-in document
    retired INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (kind, id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE newest_items (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER items_stay BEFORE DELETE ON items BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
CREATE TRIGGER items_keep BEFORE UPDATE ON items BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;
CREATE TRIGGER items_not_replaced BEFORE INSERT ON items
WHEN EXISTS (SELECT 1 FROM items WHERE kind = NEW.kind AND id = NEW.id AND version >= NEW.version)
BEGIN SELECT RAISE(ABORT, 'versions only count up'); END;
CREATE TRIGGER newest_item AFTER INSERT ON items BEGIN
    INSERT INTO newest_items VALUES (NEW.kind, NEW.id, NEW.version)
    ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version;
END;

-- The one policy that there was becomes the built-in document, with its history.
INSERT INTO items (kind, id, version, content, text, digest, at, by, note)
SELECT 'document', 'default', version, json_object('id', 'default', 'name', 'Default policy', 'policy', json(policy)), '',
       digest, at, by, note
FROM policies ORDER BY version;
DROP TABLE policies;

-- What administrators say of single devices: tags and own settings. The newest version counts.
CREATE TABLE marks (
    device BLOB NOT NULL REFERENCES devices,
    version INTEGER NOT NULL,
    tags TEXT NOT NULL,
    profile TEXT,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (device, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER marks_stay BEFORE DELETE ON marks BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
CREATE TRIGGER marks_keep BEFORE UPDATE ON marks BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;

-- Exemptions: what was asked for never changes; each decision is a row of its own, the newest one counts.
CREATE TABLE exemptions (
    id INTEGER PRIMARY KEY,
    user_key TEXT NOT NULL,
    user TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', -- repeats the newest decision
    until INTEGER
) STRICT;
CREATE INDEX exemptions_by_user ON exemptions (user_key);
CREATE INDEX exemptions_by_state ON exemptions (state, until);
CREATE TABLE exemption_decisions (
    exemption INTEGER NOT NULL REFERENCES exemptions,
    number INTEGER NOT NULL,
    decision TEXT NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (exemption, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER exemptions_stay BEFORE DELETE ON exemptions BEGIN SELECT RAISE(ABORT, 'exemptions are never deleted'); END;
CREATE TRIGGER exemptions_keep BEFORE UPDATE OF id, user_key, user, requested_at, requested_by, reason ON exemptions
BEGIN SELECT RAISE(ABORT, 'a request is never changed'); END;
CREATE TRIGGER exemption_decisions_stay BEFORE DELETE ON exemption_decisions
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
CREATE TRIGGER exemption_decisions_keep BEFORE UPDATE ON exemption_decisions
BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;

-- Counts the changes that can reach devices; a device that was evaluated under an older count is stale.
CREATE TABLE targeting_state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    generation INTEGER NOT NULL,
    checked_at INTEGER NOT NULL -- until when beginnings and ends that lie in time were looked at
) STRICT;
INSERT INTO targeting_state VALUES (1, 1, 0);

CREATE TABLE effective_policies (
    digest TEXT PRIMARY KEY NOT NULL,
    policy TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE devices ADD COLUMN policy_digest TEXT;
ALTER TABLE devices ADD COLUMN maintenance TEXT;
ALTER TABLE devices ADD COLUMN evaluated INTEGER NOT NULL DEFAULT 0; -- the generation
