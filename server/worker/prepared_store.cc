#include "server/worker/prepared_store.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/version.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCheckedMax = 1'000;
constexpr absl::string_view kTemporaryMark = ".tmp";
// A temporary file that is older than this has no writer any more.
constexpr auto kTemporaryAgeMax = std::chrono::hours(1);

// What of a spec decides how data is prepared.
v1::TrainingSpec DataPart(const v1::TrainingSpec& spec) {
  v1::TrainingSpec part;
  part.set_target_column(spec.target_column());
  *part.mutable_feature_columns() = spec.feature_columns();
  *part.mutable_label_columns() = spec.label_columns();
  part.set_weight_column(spec.weight_column());
  part.set_task(spec.task());
  part.set_scaling(spec.scaling());
  *part.mutable_split() = spec.split();
  *part.mutable_feature_defaults() = spec.feature_defaults();
  *part.mutable_feature_options() = spec.feature_options();
  part.set_target_scaling(spec.target_scaling());
  part.set_seed(spec.seed());
  return part;
}

int64_t BytesOf(const Dataset& dataset) {
  int64_t bytes = 0;
  for (const Part* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    bytes += part->features.size() * static_cast<int64_t>(sizeof(float));
  }
  return bytes;
}

struct CachedFile {
  fs::path path;
  fs::file_time_type used;
  int64_t bytes = 0;
};

// Those that still are there when they are looked at.
std::vector<CachedFile> ListFiles(const std::string& directory) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const fs::file_time_type used = fs::last_write_time(it->path(), gone);
    const auto bytes = static_cast<int64_t>(gone ? 0 : fs::file_size(it->path(), gone));
    if (!gone) files.push_back({it->path(), used, bytes});
  }
  return files;
}

bool IsAbandoned(const CachedFile& file) {
  return absl::EndsWith(file.path.string(), kTemporaryMark) &&
         fs::file_time_type::clock::now() - file.used > kTemporaryAgeMax;
}

absl::Status WriteFile(const std::string& path, const PreparedData& prepared) {
  PosixFileSystem files;
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files.Create(path));
  return EncodeDataset(prepared, [&](absl::string_view bytes) { return file->Append(bytes); });
}

}  // namespace

void PreparedStore::Use(std::string directory, int64_t bytes_max) {
  directory_ = std::move(directory);
  bytes_max_ = bytes_max;
  used_.clear();
  std::error_code ignored;  // what is written there says why it cannot be
  if (!directory_.empty()) fs::create_directories(directory_, ignored);
}

std::string PreparedStore::TemporaryPath(const std::string& name) const {
  return absl::StrCat(PathOf(name), ".", getpid(), kTemporaryMark);
}

std::string PreparedStore::ScratchPath() const {
  return directory_.empty() ? "" : TemporaryPath("features");
}

std::string PreparedStore::KeyOf(const v1::JobAssignment& assignment, int64_t fold) {
  const std::string digest = Sha256Digest(absl::StrCat(
      BuildString(), "\n", assignment.table_digest(), "\n", assignment.test_table_digest(), "\n",
      fold, "\n", MessageDigest(DataPart(assignment.resolved_spec()))));
  return std::string(absl::StripPrefix(digest, "sha256:"));
}

std::optional<PreparedData> PreparedStore::Find(const std::string& key, const DataConfig& config) {
  if (!keeps()) return std::nullopt;
  absl::StatusOr<PreparedFile> file = OpenPrepared(PathOf(key), config);
  if (!file.ok()) {
    if (!absl::IsNotFound(file.status())) {
      Log::Warning("prepared_data_unreadable", {{"why", file.status().message()}});
    }
    return std::nullopt;
  }
  std::error_code ignored;
  fs::last_write_time(PathOf(key), fs::file_time_type::clock::now(), ignored);
  PreparedData prepared = std::move(file->prepared);
  if (!checked_.contains(key)) used_.push_back({key, *std::move(file)});
  return prepared;
}

bool PreparedStore::Keep(const std::string& key, const PreparedData& prepared) {
  const int64_t bytes = BytesOf(prepared.dataset);
  if (!keeps() || bytes < kBytesMin || bytes > bytes_max_) return false;
  Evict(bytes);
  // Each process writes a file of its own, and the last one stays: they are equal.
  const std::string temporary = TemporaryPath(key);
  const absl::Status written = WriteFile(temporary, prepared);
  std::error_code error;
  if (written.ok()) fs::rename(temporary, PathOf(key), error);
  if (written.ok() && !error) return true;
  fs::remove(temporary, error);
  Log::Warning("prepared_data_not_kept", {{"why", written.message()}});
  return false;
}

void PreparedStore::Evict(int64_t bytes) const {
  std::vector<CachedFile> files = ListFiles(directory_);
  std::sort(files.begin(), files.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.used < b.used; });
  int64_t total = bytes;
  for (const CachedFile& file : files) total += file.bytes;
  for (const CachedFile& file : files) {
    if (total <= bytes_max_ && !IsAbandoned(file)) continue;
    std::error_code gone;
    fs::remove(file.path, gone);
    total -= file.bytes;
  }
}

absl::Status PreparedStore::CheckUsed() {
  const std::vector<Used> used = std::exchange(used_, {});
  for (const Used& one : used) {
    const absl::Status whole = one.file.CheckCells();
    if (whole.ok()) {
      if (checked_.size() >= kCheckedMax) checked_.clear();
      checked_.insert(one.key);
      continue;
    }
    std::error_code ignored;
    fs::remove(PathOf(one.key), ignored);
    return whole;
  }
  return absl::OkStatus();
}

}  // namespace trainyard
