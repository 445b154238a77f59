-- Who invited whom: the last link followed before the first paid order counts.
CREATE TABLE invitations (
  invitee TEXT PRIMARY KEY,
  inviter TEXT NOT NULL,
  bound BIGINT NOT NULL
);
CREATE INDEX invitations_inviter ON invitations (inviter);

-- What an invitation earned. state: 0 under review, 1 valid, 2 granted, 3 void. turn is the place among the inviter's valid friends, from 1.
CREATE TABLE invitation_rewards (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  invitee TEXT NOT NULL UNIQUE,
  inviter TEXT NOT NULL,
  order_id TEXT NOT NULL UNIQUE,
  currency TEXT NOT NULL,
  paid BIGINT NOT NULL,
  reward BIGINT NOT NULL,
  state BIGINT NOT NULL,
  turn BIGINT,
  created BIGINT NOT NULL,
  due BIGINT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX invitation_rewards_inviter ON invitation_rewards (inviter, state);
CREATE INDEX invitation_rewards_due ON invitation_rewards (state, due);
