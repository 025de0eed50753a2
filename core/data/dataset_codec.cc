#include "core/data/dataset_codec.h"

#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/preprocessor_codec.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYPREP01";
constexpr size_t kPreambleBytes = 8 + 8;  // magic, header_size
constexpr size_t kAlignment = 64;
constexpr size_t kBlocksPerPart = 4;  // features, targets, classes, weights
constexpr uint32_t kNotesMax = 1'000;
constexpr size_t kNoteBytesMax = 65'536;

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("prepared data is damaged: ", what),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "it is made again for the next job; check the disk"});
}

template <typename T>
absl::string_view BytesOf(const T* values, int64_t count) {
  return {reinterpret_cast<const char*>(values), static_cast<size_t>(count) * sizeof(T)};
}

std::array<absl::string_view, kBlocksPerPart> BlocksOf(const Part& part) {
  return {BytesOf(part.features.data(), part.features.size()),
          BytesOf(part.targets.data(), static_cast<int64_t>(part.targets.size())),
          BytesOf(part.classes.data(), static_cast<int64_t>(part.classes.size())),
          BytesOf(part.weights.data(), static_cast<int64_t>(part.weights.size()))};
}

std::string EncodeHeader(const PreparedData& prepared) {
  const Dataset& dataset = prepared.dataset;
  ByteWriter w;
  WriteStrings(prepared.notes, &w);
  WriteStrings(dataset.classes, &w);
  w.F64(dataset.target_offset);
  w.F64(dataset.target_scale);
  WritePreprocessor(dataset.preprocessor, &w);
  for (const Part* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    w.I64(part->features.rows());
    w.I64(part->features.cols());
    for (const absl::string_view block : BlocksOf(*part)) {
      w.U64(block.size());
      w.U32(crc32c::Value(block));
    }
  }
  return std::move(w).Take();
}

// A class or numbers for every row, and a weight for every row or for none.
bool HasTargets(const Part& part) {
  const auto rows = static_cast<size_t>(part.rows());
  const size_t numbers = part.targets.size();
  const bool has_classes = part.classes.size() == rows && numbers == 0;
  const bool has_numbers =
      part.classes.empty() && rows > 0 && numbers >= rows && numbers % rows == 0;
  return (has_classes || has_numbers) && (part.weights.empty() || part.weights.size() == rows);
}

// Blocks of the file from `position` on.
class BlockReader {
 public:
  BlockReader(PreparedFile* file, size_t position) : file_(*file), position_(position) {}

  bool ReadPart(ByteReader* header, Part* part) {
    int64_t rows = 0;
    int64_t cols = 0;
    if (!header->I64(&rows) || !header->I64(&cols)) return false;
    if (rows < 0 || cols < 0 || rows > limits::kDatasetRowsMax) return false;
    absl::string_view features;
    if (!Take(header, &features)) return false;
    if (cols > 0 && rows > static_cast<int64_t>(features.size() / sizeof(float)) / cols) return false;
    if (features.size() != static_cast<size_t>(rows * cols) * sizeof(float)) return false;
    part->features = Matrix::View(rows, cols, reinterpret_cast<const float*>(features.data()),
                                  file_.file);
    return Copy(header, &part->targets) && Copy(header, &part->classes) &&
           Copy(header, &part->weights) && HasTargets(*part);
  }

  bool done() const { return position_ == file_.file->bytes().size(); }

 private:
  bool Take(ByteReader* header, absl::string_view* block) {
    uint64_t size = 0;
    uint32_t crc = 0;
    if (!header->U64(&size) || !header->U32(&crc)) return false;
    const absl::string_view bytes = file_.file->bytes();
    const size_t begin = AlignUp(position_, kAlignment);
    if (begin > bytes.size() || size > bytes.size() - begin) return false;
    *block = bytes.substr(begin, size);
    position_ = begin + size;
    file_.blocks.push_back({*block, crc});
    return true;
  }

  // One number a row: copied, so that a Part is what it is elsewhere.
  template <typename T>
  bool Copy(ByteReader* header, std::vector<T>* values) {
    absl::string_view block;
    if (!Take(header, &block) || block.size() % sizeof(T) != 0) return false;
    values->resize(block.size() / sizeof(T));
    if (!block.empty()) std::memcpy(values->data(), block.data(), block.size());
    return true;
  }

  PreparedFile& file_;
  size_t position_;
};

bool DecodeHeader(absl::string_view header, size_t position, PreparedFile* file) {
  ByteReader r(header);
  Dataset& dataset = file->prepared.dataset;
  if (!ReadStrings(&r, kNoteBytesMax, &file->prepared.notes) ||
      file->prepared.notes.size() > kNotesMax ||
      !ReadStrings(&r, limits::kFieldBytesMax, &dataset.classes) || !r.F64(&dataset.target_offset) ||
      !r.F64(&dataset.target_scale) || !ReadPreprocessor(&r, &dataset.preprocessor))
    return false;
  BlockReader blocks(file, position);
  for (Part* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    if (!blocks.ReadPart(&r, part)) return false;
  }
  return r.done() && blocks.done();
}

}  // namespace

absl::Status PreparedFile::CheckCells() const {
  for (const CheckedBlock& block : blocks) {
    if (crc32c::Value(block.bytes) != block.crc) return Damaged("checksum of a block");
  }
  return absl::OkStatus();
}

absl::Status EncodeDataset(const PreparedData& prepared,
                           const std::function<absl::Status(absl::string_view)>& append) {
  const std::string header = EncodeHeader(prepared);
  ByteWriter w;
  w.Raw(kMagic.data(), kMagic.size());
  w.U64(header.size());
  w.Raw(header.data(), header.size());
  w.U32(crc32c::Value(header));
  size_t position = w.size_bytes();
  TY_RETURN_IF_ERROR(append(w.bytes()));
  const Dataset& dataset = prepared.dataset;
  for (const Part* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    for (const absl::string_view block : BlocksOf(*part)) {
      TY_RETURN_IF_ERROR(append(std::string(AlignUp(position, kAlignment) - position, '\0')));
      TY_RETURN_IF_ERROR(append(block));
      position = AlignUp(position, kAlignment) + block.size();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PreparedFile> OpenPrepared(const std::string& path, const DataConfig& config) {
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> mapped, MappedFile::Open(path));
  return ReadPrepared(std::move(mapped), config);
}

absl::StatusOr<PreparedFile> ReadPrepared(std::shared_ptr<const MappedFile> mapped,
                                          const DataConfig& config) {
  PreparedFile file;
  file.file = std::move(mapped);
  const absl::string_view bytes = file.file->bytes();
  ByteReader r(bytes);
  std::string magic(kMagic.size(), '\0');
  uint64_t header_size = 0;
  if (!r.Raw(magic.data(), magic.size()) || magic != kMagic || !r.U64(&header_size) ||
      header_size > r.remaining())
    return Damaged("its start");
  const absl::string_view header = bytes.substr(kPreambleBytes, header_size);
  ByteReader after(bytes.substr(kPreambleBytes + header_size));
  uint32_t crc = 0;
  if (!after.U32(&crc) || crc != crc32c::Value(header)) return Damaged("checksum of the header");
  file.prepared.dataset.config = config;
  if (!DecodeHeader(header, kPreambleBytes + header_size + sizeof crc, &file)) {
    return Damaged("its parts do not fit each other");
  }
  return file;
}

}  // namespace trainyard
