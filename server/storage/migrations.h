// The numbered migrations of the metadata database. Each is applied once, in order, in one transaction; a file that
// has landed is never edited: add the next number instead.
#ifndef TRAINYARD_SERVER_STORAGE_MIGRATIONS_H_
#define TRAINYARD_SERVER_STORAGE_MIGRATIONS_H_

#include <array>

#include "absl/strings/string_view.h"

namespace trainyard {

// kMigrations[i] takes the schema from version i to i + 1 (PRAGMA user_version).
// `record` columns hold the serialized public proto message; the other columns are what is searched or ordered by.
// `number` orders lists (newest first) and is the page token.
inline constexpr std::array<absl::string_view, 7> kMigrations = {R"sql(
CREATE TABLE datasets (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  state INTEGER NOT NULL,               -- trainyard.v1.Dataset.State
  committed_size_bytes INTEGER NOT NULL, -- durable bytes of the upload
  declared_size_bytes INTEGER NOT NULL,
  digest TEXT,                          -- of the uploaded bytes, once READY
  table_digest TEXT,                    -- of the columnar form, once READY
  record BLOB NOT NULL                  -- trainyard.v1.Dataset
) STRICT;
CREATE INDEX datasets_by_digest ON datasets (digest);
CREATE INDEX datasets_by_table_digest ON datasets (table_digest);

CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  dataset TEXT NOT NULL,                -- datasets/{id}
  state INTEGER NOT NULL,               -- trainyard.v1.JobState
  infra_failures INTEGER NOT NULL,      -- in a row
  last_sequence INTEGER NOT NULL,       -- of the newest row in events
  record BLOB NOT NULL                  -- trainyard.v1.TrainingJob
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_dataset ON jobs (dataset, state);
CREATE INDEX jobs_by_owner ON jobs (owner, number);

CREATE TABLE events (
  job INTEGER NOT NULL,                 -- jobs.number
  sequence INTEGER NOT NULL,
  record BLOB NOT NULL,                 -- trainyard.v1.JobEvent
  PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  job TEXT NOT NULL,                    -- trainingJobs/{id}
  digest TEXT NOT NULL,                 -- of the bundle
  record BLOB NOT NULL                  -- trainyard.v1.Model
) STRICT;
CREATE INDEX models_by_digest ON models (digest);

CREATE TABLE requests (
  owner TEXT NOT NULL,
  request_id TEXT NOT NULL,
  method TEXT NOT NULL,
  body_digest TEXT NOT NULL,            -- sha256 of the request without request_id
  resource TEXT NOT NULL,               -- name of what the call made
  PRIMARY KEY (owner, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_resource ON requests (resource);
)sql",
                                                                 R"sql(
-- Of the result of an analysis, which no row of models refers to.
ALTER TABLE jobs ADD COLUMN result_digest TEXT;
CREATE INDEX jobs_by_result_digest ON jobs (result_digest) WHERE result_digest IS NOT NULL;

-- Models that a job starts from or analyses.
CREATE TABLE job_models (
  job INTEGER NOT NULL,                 -- jobs.number
  model TEXT NOT NULL,                  -- models/{id}
  PRIMARY KEY (job, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_models_by_model ON job_models (model);
)sql",
                                                                 R"sql(
-- The dataset whose rows a job only tests on.
ALTER TABLE jobs ADD COLUMN test_dataset TEXT; -- datasets/{id}
CREATE INDEX jobs_by_test_dataset ON jobs (test_dataset, state) WHERE test_dataset IS NOT NULL;

-- Of the file that finalizing another dataset took the labels from; its bytes are kept for as long.
ALTER TABLE datasets ADD COLUMN labels_digest TEXT;
CREATE INDEX datasets_by_labels_digest ON datasets (labels_digest) WHERE labels_digest IS NOT NULL;
)sql",
                                                                 R"sql(
-- Where an unfinished job can go on from: the newest two.
CREATE TABLE checkpoints (
  job INTEGER NOT NULL,                 -- jobs.number
  step INTEGER NOT NULL,                -- steps done
  digest TEXT NOT NULL,
  record BLOB NOT NULL,                 -- trainyard.v1.Checkpoint
  PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoints_by_digest ON checkpoints (digest);

-- Of a job that succeeded: the same for every training that gives the same model.
ALTER TABLE jobs ADD COLUMN reuse_key TEXT;
-- When it became terminal, in seconds since 1970.
ALTER TABLE jobs ADD COLUMN end_seconds INTEGER;
CREATE INDEX jobs_by_end ON jobs (end_seconds, number) WHERE end_seconds IS NOT NULL;
CREATE INDEX models_by_job ON models (job);
CREATE INDEX jobs_by_reuse_key ON jobs (reuse_key) WHERE reuse_key IS NOT NULL;
)sql",
                                                                 R"sql(
CREATE INDEX datasets_by_owner ON datasets (owner, number);
CREATE INDEX models_by_owner ON models (owner, number);

CREATE TABLE users (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  record BLOB NOT NULL                  -- trainyard.v1.User
) STRICT;

CREATE TABLE tokens (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,                   -- users.id
  secret_digest TEXT NOT NULL,          -- sha256 of the secret, which is not kept
  record BLOB NOT NULL                  -- trainyard.v1.Token
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user, number);

-- Every write, one entry each; an entry's digest covers the one before.
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,         -- 1, 2, 3, ...
  digest TEXT NOT NULL,
  record BLOB NOT NULL                  -- trainyard.v1.AuditEntry
) STRICT;
)sql",
                                                                 R"sql(
-- Everything that decides a grade, in order; never changed. The state of a course is what its events add up to.
CREATE TABLE course_events (
  course TEXT NOT NULL,                 -- id
  sequence INTEGER NOT NULL,            -- 1, 2, 3, ...
  record BLOB NOT NULL,                 -- trainyard.v1.CourseEvent
  PRIMARY KEY (course, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE submissions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  course TEXT NOT NULL,                 -- id
  assignment TEXT NOT NULL,             -- id
  student TEXT NOT NULL,                -- users.id
  state INTEGER NOT NULL,               -- trainyard.v1.SubmissionState
  cache_key TEXT NOT NULL,              -- the same for every submission that gives the same score
  record BLOB NOT NULL,                 -- trainyard.v1.Submission, as its student sees it
  sealed BLOB NOT NULL                  -- trainyard.v1.SealedRecord, which no answer to a student has
) STRICT;
CREATE INDEX submissions_by_state ON submissions (state, number);
CREATE INDEX submissions_by_student ON submissions (course, assignment, student, number);
CREATE INDEX submissions_by_cache_key ON submissions (cache_key, number);

-- The best public losses of a student, row by row: the state of the Ladder.
CREATE TABLE ladders (
  course TEXT NOT NULL,
  assignment TEXT NOT NULL,
  version INTEGER NOT NULL,             -- of the assignment
  student TEXT NOT NULL,
  best_loss REAL NOT NULL,              -- as reported
  row_losses BLOB NOT NULL,             -- float32, little endian
  PRIMARY KEY (course, assignment, version, student)
) STRICT, WITHOUT ROWID;

-- Datasets that assignments use: they are not deleted.
CREATE TABLE assignment_datasets (
  course TEXT NOT NULL,
  assignment TEXT NOT NULL,
  version INTEGER NOT NULL,
  dataset TEXT NOT NULL,                -- datasets/{id}
  PRIMARY KEY (course, assignment, version, dataset)
) STRICT, WITHOUT ROWID;
CREATE INDEX assignment_datasets_by_dataset ON assignment_datasets (dataset);

-- 1: see DatasetService.SealDataset. No job may begin on it.
ALTER TABLE datasets ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;

-- What is to be sent to other services, and what was.
CREATE TABLE deliveries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  course TEXT NOT NULL,
  state INTEGER NOT NULL,               -- trainyard.v1.Delivery.State
  next_attempt_seconds INTEGER NOT NULL, -- since 1970
  topic TEXT NOT NULL,                  -- of a topic, deliveries go out in order: course/assignment/student/kind
  timestamp_seconds INTEGER NOT NULL,   -- since 1970; what a document says it is of, growing in a topic
  record BLOB NOT NULL,                 -- trainyard.v1.Delivery
  document BLOB NOT NULL                -- the bytes to send
) STRICT;
CREATE INDEX deliveries_by_state ON deliveries (state, next_attempt_seconds);
CREATE INDEX deliveries_by_topic ON deliveries (topic, number);
CREATE INDEX deliveries_by_course ON deliveries (course, number);

-- Keys that the server made: of signatures, salts, webhooks.
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
                                                                 R"sql(
-- How many deliveries of a course are WAITING (state 1): looked at before each new one.
CREATE TABLE delivery_counts (
  course TEXT PRIMARY KEY,              -- id
  waiting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_counts SELECT course, COUNT(*) FROM deliveries WHERE state = 1 GROUP BY course;
CREATE TRIGGER deliveries_insert AFTER INSERT ON deliveries WHEN NEW.state = 1 BEGIN
  INSERT INTO delivery_counts VALUES (NEW.course, 1) ON CONFLICT (course) DO UPDATE SET waiting = waiting + 1;
END;
CREATE TRIGGER deliveries_update AFTER UPDATE OF state ON deliveries WHEN NEW.state != OLD.state BEGIN
  UPDATE delivery_counts SET waiting = waiting - 1 WHERE OLD.state = 1 AND course = OLD.course;
  INSERT INTO delivery_counts SELECT NEW.course, 1 WHERE NEW.state = 1
    ON CONFLICT (course) DO UPDATE SET waiting = waiting + 1;
END;
CREATE TRIGGER deliveries_delete AFTER DELETE ON deliveries WHEN OLD.state = 1 BEGIN
  UPDATE delivery_counts SET waiting = waiting - 1 WHERE course = OLD.course;
END;
)sql"};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_MIGRATIONS_H_
