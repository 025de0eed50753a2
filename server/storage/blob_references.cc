#include "server/storage/blob_references.h"

#include "core/base/status_macros.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"

namespace trainyard {
namespace {

// Every digest that a row refers to.
constexpr absl::string_view kReferences =
    "SELECT digest FROM datasets WHERE digest IS NOT NULL "
    "UNION SELECT table_digest FROM datasets WHERE table_digest IS NOT NULL "
    "UNION SELECT labels_digest FROM datasets WHERE labels_digest IS NOT NULL "
    "UNION SELECT digest FROM models "
    "UNION SELECT result_digest FROM jobs WHERE result_digest IS NOT NULL "
    "UNION SELECT digest FROM checkpoints";

// The same columns, asked for one digest, so that each is answered by its index.
constexpr absl::string_view kIsReferenced =
    "SELECT EXISTS (SELECT 1 FROM datasets WHERE digest = ?1) "
    "OR EXISTS (SELECT 1 FROM datasets WHERE table_digest = ?1) "
    "OR EXISTS (SELECT 1 FROM datasets WHERE labels_digest = ?1) "
    "OR EXISTS (SELECT 1 FROM models WHERE digest = ?1) "
    "OR EXISTS (SELECT 1 FROM jobs WHERE result_digest = ?1) "
    "OR EXISTS (SELECT 1 FROM checkpoints WHERE digest = ?1)";

}  // namespace

absl::StatusOr<bool> IsBlobReferenced(Connection& connection, absl::string_view digest) {
  TY_ASSIGN_OR_RETURN(Statement find, connection.Prepare(kIsReferenced));
  TY_RETURN_IF_ERROR(find.Bind(digest).Step().status());
  return find.Int(0) != 0;
}

absl::StatusOr<absl::flat_hash_set<std::string>> ReferencedBlobs(Connection& connection) {
  TY_ASSIGN_OR_RETURN(Statement rows, connection.Prepare(kReferences));
  absl::flat_hash_set<std::string> referenced;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return referenced;
    referenced.insert(rows.Text(0));
  }
}

absl::Status RemoveUnreferencedBlobs(Database& database, BlobStore& blobs,
                                     const std::vector<std::string>& digests) {
  return database.Write([&](Connection& connection) -> absl::Status {
    for (const std::string& digest : digests) {
      if (digest.empty()) continue;
      TY_ASSIGN_OR_RETURN(const bool referenced, IsBlobReferenced(connection, digest));
      if (!referenced) TY_RETURN_IF_ERROR(blobs.Remove(digest));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<int64_t> SweepBlobs(Database& database, BlobStore& blobs) {
  absl::flat_hash_set<std::string> referenced;
  TY_RETURN_IF_ERROR(database.Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(referenced, ReferencedBlobs(connection));
    return absl::OkStatus();
  }));
  return blobs.Sweep([&](const std::string& digest) { return referenced.contains(digest); });
}

}  // namespace trainyard
