-- The double-entry ledger. Amounts are whole ledger units (10^-9 of the currency); instants are UTC milliseconds since 1970.

-- One row per run of a process: its number begins the ids that the run gives out.
CREATE TABLE ledger_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  started BIGINT NOT NULL
);

-- Ids of accounts, projects, keys, models and surfaces, so that wide tables hold numbers.
CREATE TABLE ledger_names (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
);

-- What an account holds, by origin: its cash (kind 1), grants of credits (2), packs (3). Always the sum of its entries.
CREATE TABLE ledger_lots (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  currency TEXT NOT NULL,
  kind BIGINT NOT NULL,
  units BIGINT NOT NULL,
  quantity BIGINT NOT NULL,
  granted_units BIGINT NOT NULL,
  granted_quantity BIGINT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  unit_mask BIGINT NOT NULL,
  models TEXT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_lots_cash ON ledger_lots (account, currency) WHERE kind = 1;
CREATE INDEX ledger_lots_account ON ledger_lots (account);
CREATE INDEX ledger_lots_version ON ledger_lots (version);

-- Append-only. id makes a transaction happen once; the transaction of a group of requests has none.
CREATE TABLE ledger_transactions (
  seq INTEGER PRIMARY KEY,
  id TEXT UNIQUE,
  kind BIGINT NOT NULL,
  account TEXT NOT NULL,
  currency TEXT NOT NULL,
  at BIGINT NOT NULL,
  memo TEXT NOT NULL,
  reference TEXT NOT NULL
);
CREATE INDEX ledger_transactions_account ON ledger_transactions (account, at) WHERE kind <> 1;

-- Append-only. The amounts of a transaction add up to nothing. lot is null on the platform's side.
CREATE TABLE ledger_entries (
  seq BIGINT NOT NULL REFERENCES ledger_transactions (seq),
  line BIGINT NOT NULL,
  book BIGINT NOT NULL,
  lot BIGINT,
  amount BIGINT NOT NULL,
  quantity BIGINT NOT NULL,
  PRIMARY KEY (seq, line)
) WITHOUT ROWID;

-- Append-only. One row per request; seq is the transaction that charged it, 0 when it cost nothing.
CREATE TABLE ledger_usage (
  id INTEGER PRIMARY KEY,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  account BIGINT NOT NULL,
  project BIGINT NOT NULL,
  key BIGINT NOT NULL,
  model BIGINT NOT NULL,
  surface BIGINT NOT NULL,
  request TEXT NOT NULL,
  catalogue BIGINT NOT NULL,
  mode BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  input BIGINT NOT NULL,
  cached_input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  reasoning BIGINT NOT NULL,
  images BIGINT NOT NULL,
  videos BIGINT NOT NULL,
  audio_milliseconds BIGINT NOT NULL,
  audio_tokens BIGINT NOT NULL,
  characters BIGINT NOT NULL,
  pages BIGINT NOT NULL,
  searches BIGINT NOT NULL,
  tools BIGINT NOT NULL,
  plan_units BIGINT NOT NULL,
  currency TEXT NOT NULL,
  cash BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  pack_value BIGINT NOT NULL,
  pack_quantity BIGINT NOT NULL
);
CREATE INDEX ledger_usage_account ON ledger_usage (account, at);

-- Sums of usage rows by local hour, day and month (billing time zone; months are 12 times the year plus 0 to 11), kept in the transaction that adds the rows.
CREATE TABLE ledger_usage_hours (
  account BIGINT NOT NULL,
  hour BIGINT NOT NULL,
  key BIGINT NOT NULL,
  model BIGINT NOT NULL,
  project BIGINT NOT NULL,
  currency TEXT NOT NULL,
  mode BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  input BIGINT NOT NULL,
  cached_input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  reasoning BIGINT NOT NULL,
  images BIGINT NOT NULL,
  videos BIGINT NOT NULL,
  audio_milliseconds BIGINT NOT NULL,
  audio_tokens BIGINT NOT NULL,
  characters BIGINT NOT NULL,
  pages BIGINT NOT NULL,
  searches BIGINT NOT NULL,
  tools BIGINT NOT NULL,
  plan_units BIGINT NOT NULL,
  cash BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  pack_value BIGINT NOT NULL,
  pack_quantity BIGINT NOT NULL,
  PRIMARY KEY (account, hour, key, model, project, currency, mode)
) WITHOUT ROWID;

CREATE TABLE ledger_usage_days (
  account BIGINT NOT NULL,
  day BIGINT NOT NULL,
  key BIGINT NOT NULL,
  model BIGINT NOT NULL,
  project BIGINT NOT NULL,
  currency TEXT NOT NULL,
  mode BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  input BIGINT NOT NULL,
  cached_input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  reasoning BIGINT NOT NULL,
  images BIGINT NOT NULL,
  videos BIGINT NOT NULL,
  audio_milliseconds BIGINT NOT NULL,
  audio_tokens BIGINT NOT NULL,
  characters BIGINT NOT NULL,
  pages BIGINT NOT NULL,
  searches BIGINT NOT NULL,
  tools BIGINT NOT NULL,
  plan_units BIGINT NOT NULL,
  cash BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  pack_value BIGINT NOT NULL,
  pack_quantity BIGINT NOT NULL,
  PRIMARY KEY (account, day, key, model, project, currency, mode)
) WITHOUT ROWID;

CREATE TABLE ledger_usage_months (
  account BIGINT NOT NULL,
  month BIGINT NOT NULL,
  key BIGINT NOT NULL,
  model BIGINT NOT NULL,
  project BIGINT NOT NULL,
  currency TEXT NOT NULL,
  mode BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  input BIGINT NOT NULL,
  cached_input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  reasoning BIGINT NOT NULL,
  images BIGINT NOT NULL,
  videos BIGINT NOT NULL,
  audio_milliseconds BIGINT NOT NULL,
  audio_tokens BIGINT NOT NULL,
  characters BIGINT NOT NULL,
  pages BIGINT NOT NULL,
  searches BIGINT NOT NULL,
  tools BIGINT NOT NULL,
  plan_units BIGINT NOT NULL,
  cash BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  pack_value BIGINT NOT NULL,
  pack_quantity BIGINT NOT NULL,
  PRIMARY KEY (account, month, key, model, project, currency, mode)
) WITHOUT ROWID;

-- What each key has spent, for its cap.
CREATE TABLE ledger_key_spend (
  key_id TEXT NOT NULL,
  currency TEXT NOT NULL,
  total BIGINT NOT NULL,
  month BIGINT NOT NULL,
  month_spent BIGINT NOT NULL,
  day BIGINT NOT NULL,
  day_spent BIGINT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (key_id, currency)
) WITHOUT ROWID;
CREATE INDEX ledger_key_spend_version ON ledger_key_spend (version);

-- Recharges by payment provider or by hand.
CREATE TABLE ledger_payments (
  id TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  provider_reference TEXT,
  provider_charge TEXT,
  account TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount BIGINT NOT NULL,
  refunded BIGINT NOT NULL,
  provider_refunded BIGINT NOT NULL,
  state BIGINT NOT NULL,
  created BIGINT NOT NULL,
  paid BIGINT NOT NULL,
  note TEXT NOT NULL
);
CREATE UNIQUE INDEX ledger_payments_reference ON ledger_payments (provider, provider_reference);
CREATE INDEX ledger_payments_charge ON ledger_payments (provider, provider_charge);
CREATE INDEX ledger_payments_account ON ledger_payments (account, created);

-- What is or was paid back. state: 0 the provider must still be told, 1 done, 2 the provider refused and it was booked back.
CREATE TABLE ledger_payment_refunds (
  id TEXT PRIMARY KEY,
  payment TEXT NOT NULL REFERENCES ledger_payments (id),
  amount BIGINT NOT NULL,
  state BIGINT NOT NULL,
  created BIGINT NOT NULL,
  note TEXT NOT NULL
);
CREATE INDEX ledger_payment_refunds_state ON ledger_payment_refunds (state);

-- What providers told, once each.
CREATE TABLE ledger_payment_events (
  provider TEXT NOT NULL,
  event TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (provider, event)
) WITHOUT ROWID;

-- Numbered without gaps; content is what it said when it was issued.
CREATE TABLE ledger_invoices (
  number INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  currency TEXT NOT NULL,
  period TEXT NOT NULL,
  issued BIGINT NOT NULL,
  content TEXT NOT NULL,
  UNIQUE (account, currency, period)
);
