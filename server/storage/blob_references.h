// Who refers to a blob: the one place that knows every column that holds a digest. A blob lives as
// long as a row of datasets (digest, table_digest, labels_digest), models (digest), checkpoints
// (digest) or jobs (result_digest, of an analysis) names it.
//
// Why removal cannot race with a new reference: both happen in bodies of Database::Write, which run
// one after the other. RemoveUnreferencedBlobs looks and removes inside one body; whoever inserts a
// row with a digest MUST check BlobStore::Path(digest) in the inserting body, and write the blob
// again when it is gone; or, when it cannot write it again, Retain the digest before it checks and
// Release it when the row is durable.
//
// Thread-safety: all functions from any thread. Errors: of the database and the blob store.
#ifndef TRAINYARD_SERVER_STORAGE_BLOB_REFERENCES_H_
#define TRAINYARD_SERVER_STORAGE_BLOB_REFERENCES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

class BlobStore;
class Connection;
class Database;

absl::StatusOr<bool> IsBlobReferenced(Connection& connection, absl::string_view digest);

// Every digest that a row refers to.
absl::StatusOr<absl::flat_hash_set<std::string>> ReferencedBlobs(Connection& connection);

// Removes those of `digests` that no row refers to; empty ones are skipped. To be called after the
// deletion of a row is durable: a crash in between leaves a blob for SweepBlobs, never a row
// without its blob.
absl::Status RemoveUnreferencedBlobs(Database& database, BlobStore& blobs,
                                     const std::vector<std::string>& digests);

// Removes every blob no row refers to; returns how many. For start, before anything writes blobs.
absl::StatusOr<int64_t> SweepBlobs(Database& database, BlobStore& blobs);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_BLOB_REFERENCES_H_
