// A receipt is the signed statement of one evaluation: who submitted what and when, what was
// computed from it on which data by which engine, and how many points it is worth. Anybody who has
// the public key can check it without a server; with the datasets, anybody can compute it again.
//
//   TY_ASSIGN_OR_RETURN(std::string document, BuildReceipt(fields, ReceiptCopy::kStudent, key));
//   TY_ASSIGN_OR_RETURN(Receipt receipt, VerifyReceipt(document, public_key));
//
// The document is canonical JSON (canonical_json.h) of these members, all required but for those
// with
// "?". The signature is of the canonical JSON of all of them but `signature`, so white space added
// later does no harm.
//
//   format              "trainyard-receipt-v1"
//   copy                "student" | "staff"
//   receipt, course, assignment, student, submission           text
//   assignment_version                                         integer from 1
//   policy              {version, digest}
//   accepted_at, graded_at                                     "2027-02-10T18:42:07.123456Z"
//   spec                the canonical spec as proto3 JSON; numbers that are no integers as strings,
//                       which protobuf's readers take for numbers
//   spec_digest, previous   "sha256:" and 64 hex digits; previous "" for a course's first
//   data                [{role, commitment, table_digest? (staff)}]
//   seed_count          integer
//   runs                [{result_digest, seed? (staff, or revealed), public_value? (staff),
//                         sealed_value? (staff)}], one a seed
//   engine              {build, onednn_version, isa, threads, cpu_family, deterministic}
//   work                {parameters, train_flops, epochs}      the first two as strings
//   source?             {repository_id, commit, run_id, verified}   of the spec: texts, and whether
//                       an identity token proved them; else they are what the submitter said
//   public_score?       number                                 as the Ladder reported it
//   released            bool
//   result              "withheld" (student, unless released) | {points, max_points, score, metric,
//                        sealed, criteria: [{name, points, max_points, passed}]}
//   key_id              16 hex digits
//   signature           128 hex digits, Ed25519
//
//   number = {"decimal": shortest that reads back the same, "hex": C's %a}
//
// A member is never given another meaning; a change is another `format`. A member with "?" may be
// added: documents without it say what they always said, and readers that are older refuse it.
//
// Receipts of a course are a chain: `previous` is ReceiptDigest of the staff copy of the receipt
// before, so that none can be taken out or put in later.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_RECEIPT_H_
#define TRAINYARD_SERVER_WIRE_RECEIPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/wire/canonical_json.h"
#include "server/wire/signature.h"

namespace trainyard {

inline constexpr absl::string_view kReceiptFormat = "trainyard-receipt-v1";

// For whom a document is. The student's has nothing of sealed data before the release, nothing
// exact of public data, and no seeds before they are revealed.
enum class ReceiptCopy { kStudent, kStaff };

struct ReceiptDataset {
  std::string role;          // "training", "public" or "sealed"
  std::string commitment;    // 64 hex digits: HMAC-SHA256(salt, table digest)
  std::string table_digest;  // staff only
  bool operator==(const ReceiptDataset&) const = default;
};

struct ReceiptRun {
  std::string result_digest;           // of the model's bundle
  std::optional<uint64_t> seed;        // staff, or revealed
  std::optional<double> public_value;  // staff only
  std::optional<double> sealed_value;  // staff only
  bool operator==(const ReceiptRun&) const = default;
};

// What says which machine gives the same bits.
struct ReceiptEngine {
  std::string build;
  std::string onednn_version;
  std::string isa;
  int64_t threads = 0;
  std::string cpu_family;
  bool deterministic = false;
  bool operator==(const ReceiptEngine&) const = default;
};

struct ReceiptWork {
  int64_t parameters = 0;
  int64_t train_flops = 0;  // of one seed
  int64_t epochs = 0;
  bool operator==(const ReceiptWork&) const = default;
};

// As v1::SubmissionSource: each text may be empty.
struct ReceiptSource {
  std::string repository_id;
  std::string commit;
  std::string run_id;
  bool verified = false;  // by an identity token, and not what the submitter said
  bool operator==(const ReceiptSource&) const = default;
};

struct ReceiptCriterion {
  std::string name;
  int64_t points = 0;
  int64_t max_points = 0;
  bool passed = false;
  bool operator==(const ReceiptCriterion&) const = default;
};

struct ReceiptResult {
  int64_t points = 0;
  int64_t max_points = 0;
  double score = 0;     // of the metric that decided, as it is told
  std::string metric;   // "ACCURACY"
  bool sealed = false;  // score is of sealed data
  std::vector<ReceiptCriterion> criteria;
  bool operator==(const ReceiptResult&) const = default;
};

struct ReceiptFields {
  std::string id;
  std::string course;      // courses/{c}
  std::string assignment;  // courses/{c}/assignments/{a}
  int64_t assignment_version = 0;
  int64_t policy_version = 0;
  std::string policy_digest;
  std::string student;     // id
  std::string submission;  // name
  absl::Time accepted_at;  // written with microseconds, the rest cut off
  absl::Time graded_at;
  std::string spec_digest;
  Json spec;  // proto3 JSON of the canonical TrainingSpec, its fractions as text; an object
  std::vector<ReceiptDataset> data;
  std::vector<ReceiptRun> runs;
  ReceiptEngine engine;
  ReceiptWork work;
  std::optional<ReceiptSource> source;
  std::optional<double> public_score;
  // Students may know `result`. Unless it is true, their copy says "withheld".
  bool released = false;
  // Students may know the seeds.
  bool seeds_revealed = false;
  // Required to build; absent from a student's copy that was parsed and is withheld.
  std::optional<ReceiptResult> result;
  std::string previous;  // ReceiptDigest; empty for the first of a course
  bool operator==(const ReceiptFields&) const = default;
};

// A document that was read. `fields` has what this copy has, `seeds_revealed` says whether that
// includes seeds.
struct Receipt {
  ReceiptFields fields;
  ReceiptCopy copy = ReceiptCopy::kStudent;
  std::string key_id;
};

// What `copy` may have of `fields`, signed. INVALID_ARGUMENT with every fault of the fields;
// TOO_LARGE beyond kJsonBytesMax.
absl::StatusOr<std::string> BuildReceipt(const ReceiptFields& fields, ReceiptCopy copy,
                                         const SigningKey& key);

// Reads a document without looking at its signature. INVALID_ARGUMENT/INVALID_REQUEST with every
// missing, unknown and malformed member.
absl::StatusOr<Receipt> ParseReceipt(absl::string_view document);

// Checks the signature, then reads. FAILED_PRECONDITION/INVALID_STATE: signed with another key;
// DATA_LOSS/DIGEST_MISMATCH: altered after it was signed; INVALID_ARGUMENT: no receipt at all.
// REQUIRES: IsPublicKey(public_key).
absl::StatusOr<Receipt> VerifyReceipt(absl::string_view document, absl::string_view public_key);

// `sha256:` and hex of the document's bytes.
std::string ReceiptDigest(absl::string_view document);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_RECEIPT_H_
