-- Roles were administrator, help_desk, auditor and user. Everybody keeps the powers they had, for all devices.
UPDATE accounts SET role = 'help_desk_administrator' WHERE role = 'help_desk';
UPDATE accounts SET role = 'self_service' WHERE role = 'user';
ALTER TABLE accounts ADD COLUMN scope TEXT; -- a JSON list of collections; NULL: everything

-- To which collections each device belongs, as of its last evaluation; "all-devices" is not written down.
CREATE TABLE device_collections (
    collection TEXT NOT NULL,
    device BLOB NOT NULL REFERENCES devices,
    PRIMARY KEY (collection, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_collections_by_device ON device_collections (device);
UPDATE targeting_state SET generation = generation + 1;

-- What programs call the API with. Kept after they end, for the audit names them.
CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    note TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE TRIGGER api_tokens_stay BEFORE DELETE ON api_tokens BEGIN SELECT RAISE(ABORT, 'API tokens are never deleted'); END;
