CREATE TABLE account_settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'person',
    state BIGINT NOT NULL DEFAULT 0,
    state_until BIGINT,
    state_reason TEXT NOT NULL DEFAULT '',
    tier BIGINT NOT NULL DEFAULT 0,
    language TEXT NOT NULL DEFAULT '',
    created BIGINT NOT NULL,
    deleted BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX accounts_version ON accounts (version);

CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    public_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    deleted BIGINT
);
CREATE INDEX projects_account ON projects (account_id);

CREATE TABLE access_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    project_id BIGINT NOT NULL REFERENCES projects (id),
    public_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    salt BLOB NOT NULL,
    hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    old_salt BLOB,
    old_hash BLOB,
    old_sealed BLOB,
    old_until BIGINT,
    models TEXT,
    networks TEXT,
    spend_cap BIGINT,
    disabled BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    deleted BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX access_keys_account ON access_keys (account_id);
CREATE INDEX access_keys_project ON access_keys (project_id);
CREATE INDEX access_keys_version ON access_keys (version);
