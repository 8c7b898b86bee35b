-- The tables, version 1. A change takes the next version and a step from this one (G12).

-- One row a commit, until it and all before it are folded into the tables below: at most about a second, or, on a busy
-- server, some dozen megabytes. Ringback's own form; a server that stops leaves it empty.
CREATE TABLE journal (
  seq    INTEGER PRIMARY KEY,
  format INTEGER NOT NULL,
  body   BLOB    NOT NULL
) STRICT;

-- One row an invitation. Running ones have an index of their own, which stays as small as they are few.
CREATE TABLE calls (
  id       BLOB    NOT NULL UNIQUE, -- the UUIDv7's 16 bytes: in order of being sent
  ended_at INTEGER,                 -- milliseconds since 1970; null while it runs
  format   INTEGER NOT NULL,
  body     TEXT    NOT NULL
) STRICT;
CREATE INDEX calls_running ON calls (id) WHERE ended_at IS NULL;

-- One row a user, without their requests and what is derived from the running calls.
CREATE TABLE lines (
  user   TEXT    NOT NULL UNIQUE,
  format INTEGER NOT NULL,
  body   TEXT    NOT NULL
) STRICT;

-- A user's last 32 requests, which a repeat is known by: each takes the place of the one 32 before.
CREATE TABLE requests (
  user   TEXT    NOT NULL,
  slot   INTEGER NOT NULL, -- the request's number modulo 32
  format INTEGER NOT NULL,
  body   TEXT    NOT NULL,
  PRIMARY KEY (user, slot)
) STRICT, WITHOUT ROWID;

-- One row an unhandled missed call; a user's lie together.
CREATE TABLE missed (
  user       TEXT    NOT NULL,
  invitation BLOB    NOT NULL,
  turn       INTEGER NOT NULL,
  format     INTEGER NOT NULL,
  body       TEXT    NOT NULL,
  PRIMARY KEY (user, invitation, turn)
) STRICT, WITHOUT ROWID;

-- Appended, a row a turn that ended; found by user, forgotten by age.
CREATE TABLE history (
  row        INTEGER PRIMARY KEY,
  user       TEXT    NOT NULL,
  invitation BLOB    NOT NULL,
  turn       INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  format     INTEGER NOT NULL,
  body       TEXT    NOT NULL
) STRICT;

-- History by user. It follows behind, so that few of its pages are written at a time: `history_unindexed` in `meta` is
-- the first row of history that it may not have. A server that stops leaves it complete.
CREATE TABLE history_by_user (
  user TEXT    NOT NULL,
  row  INTEGER NOT NULL,
  PRIMARY KEY (user, row)
) STRICT, WITHOUT ROWID;

-- What there is to know of the whole; `written_by` is the newest version of Ringback that opened it,
-- `history_unindexed` is there while rows of history aren't in their index.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
