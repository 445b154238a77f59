CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    email_verified BIGINT NOT NULL DEFAULT 0,
    name TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    password TEXT,
    operator BIGINT NOT NULL DEFAULT 0,
    disabled BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    last_login BIGINT
);

CREATE TABLE user_logins (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX user_logins_user ON user_logins (user_id);

CREATE TABLE memberships (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE sessions (
    token TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE mail_tokens (
    token TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    public_id TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    user_id BIGINT,
    account_id BIGINT,
    role TEXT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX mail_tokens_account ON mail_tokens (account_id);
CREATE INDEX mail_tokens_email ON mail_tokens (email);
CREATE INDEX mail_tokens_expires ON mail_tokens (expires);

CREATE TABLE end_user_locks (
    account_id BIGINT NOT NULL,
    end_user TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created BIGINT NOT NULL,
    expires BIGINT,
    released BIGINT,
    version BIGINT NOT NULL,
    PRIMARY KEY (account_id, end_user)
);
CREATE INDEX end_user_locks_version ON end_user_locks (version);

CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL DEFAULT '',
    account_id BIGINT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    old_value TEXT,
    new_value TEXT
);
CREATE INDEX audit_log_account ON audit_log (account_id, id);
