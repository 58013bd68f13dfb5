-- Ids are 16-byte UUIDs, big-endian, so that the first digits of an id are a range of the index.
-- Moments are milliseconds of Unix time. Enumerations are stored by the names that they have in JSON.

CREATE TABLE devices (
    id BLOB PRIMARY KEY NOT NULL,
    hostname TEXT NOT NULL,
    hardware_id TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    last_seen INTEGER,
    os TEXT NOT NULL DEFAULT '',
    manufacturer TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    inventory TEXT,
    inventory_digest TEXT,
    inventory_at INTEGER,
    volume_count INTEGER NOT NULL DEFAULT 0,
    compliance TEXT,
    verdict TEXT NOT NULL DEFAULT 'unknown',
    blocked TEXT NOT NULL DEFAULT '[]',
    last_error TEXT,
    duplicate_hardware INTEGER NOT NULL DEFAULT 0,
    retired_at INTEGER,
    search_text TEXT NOT NULL
) STRICT;
CREATE INDEX devices_by_hardware ON devices (hardware_id);
CREATE INDEX devices_by_verdict ON devices (verdict) WHERE retired_at IS NULL;

CREATE TABLE device_users (
    device BLOB NOT NULL REFERENCES devices,
    user_key TEXT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (device, user_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_users_by_user ON device_users (user_key);

CREATE TABLE volumes (
    device BLOB NOT NULL REFERENCES devices,
    volume BLOB NOT NULL,
    report TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    present INTEGER NOT NULL,
    PRIMARY KEY (device, volume)
) STRICT, WITHOUT ROWID;

-- `version` and `proof` repeat the newest row of key_versions.
CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    device BLOB NOT NULL,
    volume BLOB NOT NULL,
    protector BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'live',
    version INTEGER NOT NULL DEFAULT 1,
    proof TEXT NOT NULL DEFAULT 'not_proven',
    first_escrowed_at INTEGER NOT NULL,
    disclosed_at INTEGER,
    superseded_at INTEGER,
    UNIQUE (device, volume, protector),
    FOREIGN KEY (device, volume) REFERENCES volumes
) STRICT;
CREATE INDEX keys_by_protector ON keys (protector);
CREATE INDEX keys_untried ON keys (id) WHERE proof = 'not_proven';
CREATE INDEX keys_exposed ON keys (device) WHERE state = 'disclosed';
CREATE INDEX keys_in_doubt ON keys (device) WHERE proof <> 'proven' AND state <> 'superseded';

CREATE TABLE key_versions (
    key INTEGER NOT NULL REFERENCES keys,
    version INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    escrowed_at INTEGER NOT NULL,
    proof TEXT NOT NULL DEFAULT 'not_proven',
    proof_reason TEXT,
    proof_at INTEGER,
    sealed BLOB NOT NULL,
    evidence BLOB NOT NULL, -- raw deflate
    UNIQUE (key, version)
) STRICT;

CREATE TABLE requests (
    id BLOB PRIMARY KEY NOT NULL,
    device BLOB NOT NULL REFERENCES devices,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    done_at INTEGER
) STRICT;
CREATE INDEX requests_by_device ON requests (device, at);
CREATE INDEX requests_pending ON requests (device, at) WHERE done_at IS NULL;

CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    policy TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    uses_left INTEGER,
    used INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER
) STRICT;

CREATE TABLE accounts (
    name_key TEXT PRIMARY KEY NOT NULL, -- the name in lower case
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    role TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    failed_count INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER,
    created_at INTEGER NOT NULL,
    last_sign_in INTEGER
) STRICT;

CREATE TABLE sessions (
    hash BLOB PRIMARY KEY NOT NULL,
    account TEXT NOT NULL REFERENCES accounts,
    created_at INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_account ON sessions (account);

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    device BLOB -- derived from subject and actor, for looking up
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor);
CREATE INDEX audit_by_action ON audit (action);
CREATE INDEX audit_by_device ON audit (device) WHERE device IS NOT NULL;

CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL REFERENCES audit,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_sequence ON checkpoints (sequence);

CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The dashboard's counts, kept by the triggers below.
CREATE TABLE counters (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Recovery data and the audit outlive everything (P6, P4). REPLACE would delete without firing a DELETE trigger, so an
-- INSERT over an existing row is refused as well.
CREATE TRIGGER devices_stay BEFORE DELETE ON devices BEGIN SELECT RAISE(ABORT, 'devices are never deleted'); END;
CREATE TRIGGER devices_not_replaced BEFORE INSERT ON devices WHEN EXISTS (SELECT 1 FROM devices WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'devices are never replaced'); END;
CREATE TRIGGER devices_keep_id BEFORE UPDATE OF id, enrolled_at ON devices
BEGIN SELECT RAISE(ABORT, 'a device keeps its id'); END;

CREATE TRIGGER volumes_stay BEFORE DELETE ON volumes BEGIN SELECT RAISE(ABORT, 'volumes are never deleted'); END;
CREATE TRIGGER volumes_keep_id BEFORE UPDATE OF device, volume, first_seen ON volumes
BEGIN SELECT RAISE(ABORT, 'a volume keeps its id'); END;

CREATE TRIGGER keys_stay BEFORE DELETE ON keys BEGIN SELECT RAISE(ABORT, 'keys are never deleted'); END;
CREATE TRIGGER keys_not_replaced BEFORE INSERT ON keys
WHEN EXISTS (SELECT 1 FROM keys WHERE id = NEW.id OR (device = NEW.device AND volume = NEW.volume AND protector = NEW.protector))
BEGIN SELECT RAISE(ABORT, 'keys are never replaced'); END;
CREATE TRIGGER keys_keep_name BEFORE UPDATE OF id, device, volume, protector, first_escrowed_at ON keys
BEGIN SELECT RAISE(ABORT, 'a key keeps its name'); END;
CREATE TRIGGER keys_keep_disclosure BEFORE UPDATE OF disclosed_at ON keys
WHEN OLD.disclosed_at IS NOT NULL AND NEW.disclosed_at IS NULL
BEGIN SELECT RAISE(ABORT, 'a disclosure cannot be forgotten'); END;

CREATE TRIGGER key_versions_stay BEFORE DELETE ON key_versions BEGIN SELECT RAISE(ABORT, 'keys are never deleted'); END;
CREATE TRIGGER key_versions_not_replaced BEFORE INSERT ON key_versions
WHEN EXISTS (SELECT 1 FROM key_versions WHERE rowid = NEW.rowid OR (key = NEW.key AND version = NEW.version))
BEGIN SELECT RAISE(ABORT, 'keys are never replaced'); END;
CREATE TRIGGER key_versions_keep_secret
BEFORE UPDATE OF key, version, key_version, escrowed_at, sealed, evidence ON key_versions
BEGIN SELECT RAISE(ABORT, 'a sealed secret is never changed'); END;

CREATE TRIGGER policies_stay BEFORE DELETE ON policies BEGIN SELECT RAISE(ABORT, 'policy versions are never deleted'); END;
CREATE TRIGGER policies_keep BEFORE UPDATE ON policies BEGIN SELECT RAISE(ABORT, 'policy versions are never changed'); END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE sequence >= NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the audit only grows at its end'); END;
CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;
CREATE TRIGGER checkpoints_keep BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
CREATE TRIGGER checkpoints_not_replaced BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;

-- Counts.
CREATE TRIGGER count_new_device AFTER INSERT ON devices BEGIN
    INSERT INTO counters VALUES
        ('device.' || NEW.verdict, NEW.retired_at IS NULL),
        ('retired', NEW.retired_at IS NOT NULL),
        ('duplicate', NEW.retired_at IS NULL AND NEW.duplicate_hardware)
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
CREATE TRIGGER count_changed_device AFTER UPDATE OF verdict, retired_at, duplicate_hardware ON devices
WHEN OLD.verdict <> NEW.verdict OR OLD.retired_at IS NOT NEW.retired_at OR OLD.duplicate_hardware <> NEW.duplicate_hardware
BEGIN
    INSERT INTO counters VALUES
        ('device.' || OLD.verdict, -(OLD.retired_at IS NULL)),
        ('retired', -(OLD.retired_at IS NOT NULL)),
        ('duplicate', -(OLD.retired_at IS NULL AND OLD.duplicate_hardware)),
        ('device.' || NEW.verdict, NEW.retired_at IS NULL),
        ('retired', NEW.retired_at IS NOT NULL),
        ('duplicate', NEW.retired_at IS NULL AND NEW.duplicate_hardware)
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
CREATE TRIGGER count_new_key AFTER INSERT ON keys BEGIN
    INSERT INTO counters VALUES
        ('key.' || NEW.state, 1),
        ('proof.' || NEW.proof, NEW.state <> 'superseded')
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
CREATE TRIGGER count_changed_key AFTER UPDATE OF state, proof ON keys
WHEN OLD.state <> NEW.state OR OLD.proof <> NEW.proof
BEGIN
    INSERT INTO counters VALUES
        ('key.' || OLD.state, -1),
        ('proof.' || OLD.proof, -(OLD.state <> 'superseded')),
        ('key.' || NEW.state, 1),
        ('proof.' || NEW.proof, NEW.state <> 'superseded')
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
CREATE TRIGGER count_new_request AFTER INSERT ON requests BEGIN
    INSERT INTO counters VALUES ('requests', NEW.done_at IS NULL)
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
CREATE TRIGGER count_changed_request AFTER UPDATE OF done_at ON requests
WHEN (OLD.done_at IS NULL) <> (NEW.done_at IS NULL)
BEGIN
    INSERT INTO counters VALUES ('requests', (NEW.done_at IS NULL) - (OLD.done_at IS NULL))
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
