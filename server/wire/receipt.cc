#include "server/wire/receipt.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"

namespace trainyard {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%E6SZ";
constexpr absl::string_view kWithheld = "withheld";
constexpr absl::string_view kHexDigits = "0123456789abcdef";
constexpr size_t kKeyIdDigits = 16;
constexpr size_t kDigestDigits = 64;
constexpr size_t kSignatureDigits = 128;
constexpr int64_t kCountMax = 1'000'000'000;  // of integers that count something

absl::string_view CopyName(ReceiptCopy copy) {
  return copy == ReceiptCopy::kStaff ? "staff" : "student";
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone());
}

// The shortest text that reads back as `value`.
std::string ShortestDecimal(double value) {
  std::array<char, 32> buffer;  // the longest needs 24
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

Json NumberJson(double value) {
  Json::Object number;
  number["decimal"] = ShortestDecimal(value);
  number["hex"] = absl::StrFormat("%a", value);
  return number;
}

void AddNumber(const std::optional<double>& value, const char* key, Json::Object* object) {
  if (value.has_value()) (*object)[key] = NumberJson(*value);
}

// Writing.

Json DataJson(const ReceiptFields& fields, ReceiptCopy copy) {
  Json::Array data;
  for (const ReceiptDataset& dataset : fields.data) {
    Json::Object entry;
    entry["role"] = dataset.role;
    entry["commitment"] = dataset.commitment;
    if (copy == ReceiptCopy::kStaff) entry["table_digest"] = dataset.table_digest;
    data.push_back(std::move(entry));
  }
  return data;
}

Json RunsJson(const ReceiptFields& fields, ReceiptCopy copy) {
  const bool is_staff = copy == ReceiptCopy::kStaff;
  Json::Array runs;
  for (const ReceiptRun& run : fields.runs) {
    Json::Object entry;
    entry["result_digest"] = run.result_digest;
    const bool tell_seed = run.seed.has_value() && (is_staff || fields.seeds_revealed);
    if (tell_seed) entry["seed"] = absl::StrCat(*run.seed);
    if (is_staff) AddNumber(run.public_value, "public_value", &entry);
    if (is_staff) AddNumber(run.sealed_value, "sealed_value", &entry);
    runs.push_back(std::move(entry));
  }
  return runs;
}

Json EngineJson(const ReceiptEngine& engine) {
  Json::Object object;
  object["build"] = engine.build;
  object["onednn_version"] = engine.onednn_version;
  object["isa"] = engine.isa;
  object["threads"] = engine.threads;
  object["cpu_family"] = engine.cpu_family;
  object["deterministic"] = engine.deterministic;
  return object;
}

Json WorkJson(const ReceiptWork& work) {
  Json::Object object;
  object["parameters"] = absl::StrCat(work.parameters);
  object["train_flops"] = absl::StrCat(work.train_flops);
  object["epochs"] = work.epochs;
  return object;
}

Json SourceJson(const ReceiptSource& source) {
  Json::Object object;
  object["repository_id"] = source.repository_id;
  object["commit"] = source.commit;
  object["run_id"] = source.run_id;
  object["verified"] = source.verified;
  return object;
}

Json PolicyJson(const ReceiptFields& fields) {
  Json::Object object;
  object["version"] = fields.policy_version;
  object["digest"] = fields.policy_digest;
  return object;
}

Json CriteriaJson(const std::vector<ReceiptCriterion>& criteria) {
  Json::Array array;
  for (const ReceiptCriterion& criterion : criteria) {
    Json::Object entry;
    entry["name"] = criterion.name;
    entry["points"] = criterion.points;
    entry["max_points"] = criterion.max_points;
    entry["passed"] = criterion.passed;
    array.push_back(std::move(entry));
  }
  return array;
}

Json ResultJson(const ReceiptFields& fields, ReceiptCopy copy) {
  const bool tell = copy == ReceiptCopy::kStaff || fields.released;
  if (!tell || !fields.result.has_value()) return std::string(kWithheld);
  const ReceiptResult& result = *fields.result;
  Json::Object object;
  object["points"] = result.points;
  object["max_points"] = result.max_points;
  object["score"] = NumberJson(result.score);
  object["metric"] = result.metric;
  object["sealed"] = result.sealed;
  object["criteria"] = CriteriaJson(result.criteria);
  return object;
}

Json::Object ReceiptJson(const ReceiptFields& fields, ReceiptCopy copy) {
  Json::Object object;
  object["format"] = std::string(kReceiptFormat);
  object["copy"] = std::string(CopyName(copy));
  object["receipt"] = fields.id;
  object["course"] = fields.course;
  object["assignment"] = fields.assignment;
  object["assignment_version"] = fields.assignment_version;
  object["policy"] = PolicyJson(fields);
  object["student"] = fields.student;
  object["submission"] = fields.submission;
  object["accepted_at"] = TimeText(fields.accepted_at);
  object["graded_at"] = TimeText(fields.graded_at);
  object["spec"] = fields.spec;
  object["spec_digest"] = fields.spec_digest;
  object["data"] = DataJson(fields, copy);
  object["seed_count"] = static_cast<int64_t>(fields.runs.size());
  object["runs"] = RunsJson(fields, copy);
  object["engine"] = EngineJson(fields.engine);
  object["work"] = WorkJson(fields.work);
  if (fields.source.has_value()) object["source"] = SourceJson(*fields.source);
  AddNumber(fields.public_score, "public_score", &object);
  object["released"] = fields.released;
  object["result"] = ResultJson(fields, copy);
  object["previous"] = fields.previous;
  return object;
}

// What canonical JSON cannot say: numbers that are none, integers that are too great.
std::vector<FieldViolation> Unwritable(const ReceiptFields& fields) {
  std::vector<FieldViolation> faults;
  const auto check_number = [&](const std::optional<double>& value, absl::string_view field) {
    if (!value.has_value() || std::isfinite(*value)) return;
    faults.push_back({std::string(field), absl::StrCat("is ", *value, "; must be finite")});
  };
  const auto check_count = [&](int64_t value, absl::string_view field) {
    if (value >= -kCountMax && value <= kCountMax) return;
    faults.push_back({std::string(field), absl::StrCat("is ", value, "; at most ", kCountMax)});
  };
  check_number(fields.public_score, "public_score");
  for (size_t i = 0; i < fields.runs.size(); ++i) {
    check_number(fields.runs[i].public_value, absl::StrCat("runs[", i, "].public_value"));
    check_number(fields.runs[i].sealed_value, absl::StrCat("runs[", i, "].sealed_value"));
  }
  if (fields.spec.object() == nullptr) faults.push_back({"spec", "must be an object"});
  check_count(fields.assignment_version, "assignment_version");
  check_count(fields.policy_version, "policy.version");
  check_count(fields.engine.threads, "engine.threads");
  check_count(fields.work.epochs, "work.epochs");
  if (!fields.result.has_value()) {
    faults.push_back({"result", "is missing; only what has one has a receipt"});
    return faults;
  }
  check_number(fields.result->score, "result.score");
  check_count(fields.result->points, "result.points");
  check_count(fields.result->max_points, "result.max_points");
  for (size_t i = 0; i < fields.result->criteria.size(); ++i) {
    check_count(fields.result->criteria[i].points, absl::StrCat("result.criteria[", i, "].points"));
    check_count(fields.result->criteria[i].max_points,
                absl::StrCat("result.criteria[", i, "].max_points"));
  }
  return faults;
}

// Reading.

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of(kHexDigits) == absl::string_view::npos;
}

bool IsSha256(absl::string_view text) {
  constexpr absl::string_view kPrefix = "sha256:";
  return absl::StartsWith(text, kPrefix) && IsHex(text.substr(kPrefix.size()), kDigestDigits);
}

// An object's members, each asked for once; what is missing, of another kind, or was never asked
// for becomes a fault. What is asked for is always given, if only as a default.
class Members {
 public:
  Members(const Json* json, std::string path, std::vector<FieldViolation>* faults)
      : object_(json == nullptr ? nullptr : json->object()),
        path_(std::move(path)),
        faults_(faults) {
    if (json != nullptr && object_ == nullptr) Fault("", "must be an object");
  }

  void Fault(absl::string_view key, absl::string_view what) {
    faults_->push_back({PathOf(key), std::string(what)});
  }
  std::string PathOf(absl::string_view key) const {
    const bool joined = !path_.empty() && !key.empty();
    return absl::StrCat(path_, joined ? "." : "", key);
  }

  bool Has(const char* key) const { return object_ != nullptr && object_->contains(key); }

  // nullptr, and a fault, when it is missing.
  const Json* Take(const char* key) {
    if (object_ == nullptr) return nullptr;
    known_.insert(key);
    const auto found = object_->find(key);
    if (found != object_->end()) return &found->second;
    Fault(key, "is missing");
    return nullptr;
  }

  std::string Text(const char* key) {
    const Json* const value = Take(key);
    if (value == nullptr) return "";
    if (value->text() == nullptr) Fault(key, "must be a string");
    return value->text() == nullptr ? "" : *value->text();
  }
  std::string FilledText(const char* key) {
    const size_t faults = faults_->size();
    std::string text = Text(key);
    if (text.empty() && faults == faults_->size()) Fault(key, "must not be empty");
    return text;
  }
  // A text that `fits`; `what` it must be.
  std::string ShapedText(const char* key, bool (*fits)(absl::string_view), absl::string_view what) {
    const size_t faults = faults_->size();
    std::string text = Text(key);
    const bool wrong = faults == faults_->size() && object_ != nullptr && !fits(text);
    if (wrong) Fault(key, absl::StrCat("is \"", text.substr(0, 80), "\"; must be ", what));
    return text;
  }
  std::string Digest(const char* key) {
    return ShapedText(key, &IsSha256, "sha256: and 64 hex digits");
  }

  int64_t Integer(const char* key, int64_t min) {
    const Json* const value = Take(key);
    if (value == nullptr) return 0;
    const int64_t* const integer = value->integer();
    const bool fits = integer != nullptr && *integer >= min && *integer <= kCountMax;
    if (!fits) Fault(key, absl::StrCat("must be an integer from ", min, " to ", kCountMax));
    return fits ? *integer : 0;
  }
  // An integer as a string of its digits.
  template <typename Int>
  Int LongInteger(const char* key) {
    const std::string text = Text(key);
    Int value = 0;
    const bool fits = absl::SimpleAtoi(text, &value) && absl::StrCat(value) == text && value >= 0;
    const bool was_text = object_ != nullptr && Has(key) && object_->find(key)->second.text();
    if (was_text && !fits) Fault(key, "must be a string of decimal digits");
    return fits ? value : 0;
  }
  bool Flag(const char* key) {
    const Json* const value = Take(key);
    if (value == nullptr) return false;
    if (value->boolean() == nullptr) Fault(key, "must be true or false");
    return value->boolean() != nullptr && *value->boolean();
  }
  absl::Time Time(const char* key) {
    const std::string text = Text(key);
    absl::Time time;
    std::string error;
    const bool fits = absl::ParseTime(kTimeFormat, text, absl::UTCTimeZone(), &time, &error) &&
                      TimeText(time) == text;
    if (!fits && Has(key)) Fault(key, "must be a time such as 2027-02-10T18:42:07.123456Z");
    return fits ? time : absl::UnixEpoch();
  }
  double Number(const char* key) {
    Members number(Take(key), PathOf(key), faults_);
    const std::string decimal = number.Text("decimal"), hex = number.Text("hex");
    number.Finish();
    double value = 0;
    const bool fits = absl::SimpleAtod(decimal, &value) && std::isfinite(value) &&
                      ShortestDecimal(value) == decimal && absl::StrFormat("%a", value) == hex;
    if (!fits && Has(key)) Fault(key, "must be the same finite number as decimal and as hex");
    return fits ? value : 0;
  }
  std::optional<double> OptionalNumber(const char* key) {
    if (!Has(key)) return std::nullopt;
    return Number(key);
  }
  // The elements of an array.
  const Json::Array& Array(const char* key) {
    static const auto* none = new Json::Array();
    const Json* const value = Take(key);
    if (value == nullptr) return *none;
    if (value->array() == nullptr) Fault(key, "must be an array");
    return value->array() == nullptr ? *none : *value->array();
  }

  // To be called after all members were asked for.
  void Finish() {
    if (object_ == nullptr) return;
    for (const auto& [key, value] : *object_) {
      if (!known_.contains(key)) Fault(key.substr(0, 80), "is not known in this format");
    }
  }

 private:
  const Json::Object* const object_;
  const std::string path_;
  std::vector<FieldViolation>* const faults_;
  std::set<std::string> known_;
};

using Faults = std::vector<FieldViolation>;

std::string ElementPath(absl::string_view array, size_t index) {
  return absl::StrCat(array, "[", index, "]");
}

std::vector<ReceiptDataset> ReadData(const Json::Array& array, ReceiptCopy copy, Faults* faults) {
  std::vector<ReceiptDataset> data;
  for (const Json& entry : array) {
    Members members(&entry, ElementPath("data", data.size()), faults);
    ReceiptDataset& dataset = data.emplace_back();
    dataset.role = members.FilledText("role");
    dataset.commitment = members.ShapedText(
        "commitment", [](absl::string_view text) { return IsHex(text, kDigestDigits); },
        "64 hex digits");
    if (copy == ReceiptCopy::kStaff) dataset.table_digest = members.Digest("table_digest");
    members.Finish();
  }
  return data;
}

std::vector<ReceiptRun> ReadRuns(const Json::Array& array, ReceiptCopy copy, Faults* faults) {
  std::vector<ReceiptRun> runs;
  for (const Json& entry : array) {
    Members members(&entry, ElementPath("runs", runs.size()), faults);
    ReceiptRun& run = runs.emplace_back();
    run.result_digest = members.Digest("result_digest");
    if (members.Has("seed")) run.seed = members.LongInteger<uint64_t>("seed");
    if (copy == ReceiptCopy::kStaff) run.public_value = members.OptionalNumber("public_value");
    if (copy == ReceiptCopy::kStaff) run.sealed_value = members.OptionalNumber("sealed_value");
    members.Finish();
  }
  return runs;
}

ReceiptEngine ReadEngine(Members members) {
  ReceiptEngine engine;
  engine.build = members.FilledText("build");
  engine.onednn_version = members.FilledText("onednn_version");
  engine.isa = members.FilledText("isa");
  engine.threads = members.Integer("threads", 1);
  engine.cpu_family = members.FilledText("cpu_family");
  engine.deterministic = members.Flag("deterministic");
  members.Finish();
  return engine;
}

ReceiptWork ReadWork(Members members) {
  ReceiptWork work;
  work.parameters = members.LongInteger<int64_t>("parameters");
  work.train_flops = members.LongInteger<int64_t>("train_flops");
  work.epochs = members.Integer("epochs", 0);
  members.Finish();
  return work;
}

// Receipts from before there was such a member have none.
std::optional<ReceiptSource> ReadSource(Members* receipt, Faults* faults) {
  if (!receipt->Has("source")) return std::nullopt;
  Members members(receipt->Take("source"), "source", faults);
  ReceiptSource source;
  source.repository_id = members.Text("repository_id");
  source.commit = members.Text("commit");
  source.run_id = members.Text("run_id");
  source.verified = members.Flag("verified");
  members.Finish();
  return source;
}

std::vector<ReceiptCriterion> ReadCriteria(const Json::Array& array, Faults* faults) {
  std::vector<ReceiptCriterion> criteria;
  for (const Json& entry : array) {
    Members members(&entry, ElementPath("result.criteria", criteria.size()), faults);
    ReceiptCriterion& criterion = criteria.emplace_back();
    criterion.name = members.FilledText("name");
    criterion.points = members.Integer("points", 0);
    criterion.max_points = members.Integer("max_points", 0);
    criterion.passed = members.Flag("passed");
    members.Finish();
  }
  return criteria;
}

std::optional<ReceiptResult> ReadResult(const Json* json, Faults* faults) {
  const bool withheld = json != nullptr && json->text() != nullptr && *json->text() == kWithheld;
  if (withheld || json == nullptr) return std::nullopt;
  Members members(json, "result", faults);
  ReceiptResult result;
  result.points = members.Integer("points", 0);
  result.max_points = members.Integer("max_points", 0);
  result.score = members.Number("score");
  result.metric = members.FilledText("metric");
  result.sealed = members.Flag("sealed");
  result.criteria = ReadCriteria(members.Array("criteria"), faults);
  members.Finish();
  return result;
}

// What a copy must and must not say.
void CheckCopy(const Receipt& receipt, Faults* faults) {
  const ReceiptFields& fields = receipt.fields;
  const bool tells = receipt.copy == ReceiptCopy::kStaff || fields.released;
  if (tells && !fields.result.has_value()) {
    faults->push_back({"result", "is withheld, though this copy may tell it"});
  }
  if (!tells && fields.result.has_value()) {
    faults->push_back({"result", "is told, though it is not released"});
  }
}

void ReadIdentity(Members* members, Faults* faults, ReceiptFields* fields) {
  fields->id = members->FilledText("receipt");
  fields->course = members->FilledText("course");
  fields->assignment = members->FilledText("assignment");
  fields->assignment_version = members->Integer("assignment_version", 1);
  Members policy(members->Take("policy"), "policy", faults);
  fields->policy_version = policy.Integer("version", 1);
  fields->policy_digest = policy.Digest("digest");
  policy.Finish();
  fields->student = members->FilledText("student");
  fields->submission = members->FilledText("submission");
  fields->accepted_at = members->Time("accepted_at");
  fields->graded_at = members->Time("graded_at");
  fields->previous = members->ShapedText(
      "previous", [](absl::string_view text) { return text.empty() || IsSha256(text); },
      "empty, or sha256: and 64 hex digits");
}

void ReadSpec(Members* members, ReceiptFields* fields) {
  fields->spec_digest = members->Digest("spec_digest");
  const Json* const spec = members->Take("spec");
  if (spec == nullptr) return;
  if (spec->object() == nullptr) members->Fault("spec", "must be an object");
  fields->spec = *spec;
}

void ReadEvaluation(Members* members, ReceiptCopy copy, Faults* faults, ReceiptFields* fields) {
  fields->data = ReadData(members->Array("data"), copy, faults);
  fields->runs = ReadRuns(members->Array("runs"), copy, faults);
  const int64_t seed_count = members->Integer("seed_count", 1);
  if (seed_count != static_cast<int64_t>(fields->runs.size())) {
    members->Fault("seed_count",
                   absl::StrCat("is ", seed_count, " with ", fields->runs.size(), " runs"));
  }
  for (const ReceiptRun& run : fields->runs) fields->seeds_revealed |= run.seed.has_value();
  fields->engine = ReadEngine(Members(members->Take("engine"), "engine", faults));
  fields->work = ReadWork(Members(members->Take("work"), "work", faults));
  fields->source = ReadSource(members, faults);
  fields->public_score = members->OptionalNumber("public_score");
  fields->released = members->Flag("released");
  fields->result = ReadResult(members->Take("result"), faults);
}

ReceiptCopy ReadCopy(Members* members) {
  const std::string copy = members->ShapedText(
      "copy", [](absl::string_view text) { return text == "student" || text == "staff"; },
      "\"student\" or \"staff\"");
  return copy == "staff" ? ReceiptCopy::kStaff : ReceiptCopy::kStudent;
}

absl::StatusOr<Receipt> ReadReceipt(const Json& json) {
  Faults faults;
  Receipt receipt;
  Members members(&json, "", &faults);
  members.ShapedText(
      "format", [](absl::string_view text) { return text == kReceiptFormat; },
      absl::StrCat("\"", kReceiptFormat, "\""));
  receipt.copy = ReadCopy(&members);
  ReadIdentity(&members, &faults, &receipt.fields);
  ReadSpec(&members, &receipt.fields);
  ReadEvaluation(&members, receipt.copy, &faults, &receipt.fields);
  CheckCopy(receipt, &faults);
  receipt.key_id = members.ShapedText(
      "key_id", [](absl::string_view text) { return IsHex(text, kKeyIdDigits); }, "16 hex digits");
  members.ShapedText(
      "signature", [](absl::string_view text) { return IsHex(text, kSignatureDigits); },
      "128 hex digits");
  members.Finish();
  if (faults.empty()) return receipt;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
}

absl::StatusOr<Json> ParseDocument(absl::string_view document) {
  absl::StatusOr<Json> json = ParseJson(document);
  if (!json.ok()) return Annotate(json.status(), "this is no receipt");
  return json;
}

// The text of a member; empty when there is none.
std::string TextOf(const Json::Object& object, const char* key) {
  const auto found = object.find(key);
  const bool is_text = found != object.end() && found->second.text() != nullptr;
  return is_text ? *found->second.text() : "";
}

absl::Status CheckSignature(const Json& json, absl::string_view public_key) {
  const Json::Object* const object = json.object();
  if (object == nullptr || TextOf(*object, "signature").empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     "this is no receipt: it has no member \"signature\"",
                     {.reason = ErrorReason::kInvalidRequest,
                      .hint = "give the document of GetReceipt, as it was written"});
  }
  const std::string key_id = TextOf(*object, "key_id");
  if (key_id != KeyId(public_key)) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("the receipt is signed with key \"", key_id.substr(0, 40),
                                  "\", not with ", KeyId(public_key)),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "give the public key of the server that made the receipt",
                      .in_force = absl::StrCat("public key ", public_key)});
  }
  Json::Object unsigned_object = *object;
  unsigned_object.erase("signature");
  const std::string signed_bytes = CanonicalJson(unsigned_object);
  if (VerifySignature(signed_bytes, TextOf(*object, "signature"), public_key)) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kDataLoss,
                   "the signature does not hold: the receipt was altered after it was signed",
                   {.reason = ErrorReason::kDigestMismatch,
                    .hint = "ask the server for the receipt again",
                    .in_force = absl::StrCat("public key ", public_key)});
}

}  // namespace

absl::StatusOr<std::string> BuildReceipt(const ReceiptFields& fields, ReceiptCopy copy,
                                         const SigningKey& key) {
  std::vector<FieldViolation> faults = Unwritable(fields);
  if (!faults.empty()) return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
  Json::Object object = ReceiptJson(fields, copy);
  object["key_id"] = key.key_id();
  object["signature"] = key.Sign(CanonicalJson(object));
  std::string document = CanonicalJson(object);
  if (static_cast<int64_t>(document.size()) > kJsonBytesMax) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("the receipt would have ", document.size(), " bytes"),
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "make the spec smaller",
                      .in_force = absl::StrCat("at most ", kJsonBytesMax, " bytes")});
  }
  // What is signed can be read: all other rules stand in one place. None is about what is in the
  // spec, which may be long.
  object["spec"] = Json::Object();
  TY_RETURN_IF_ERROR(ReadReceipt(Json(std::move(object))).status());
  return document;
}

absl::StatusOr<Receipt> ParseReceipt(absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json json, ParseDocument(document));
  return ReadReceipt(json);
}

absl::StatusOr<Receipt> VerifyReceipt(absl::string_view document, absl::string_view public_key) {
  TY_ASSIGN_OR_RETURN(const Json json, ParseDocument(document));
  TY_RETURN_IF_ERROR(CheckSignature(json, public_key));
  return ReadReceipt(json);
}

std::string ReceiptDigest(absl::string_view document) {
  return absl::StrCat("sha256:", Sha256Hex(document));
}

}  // namespace trainyard
