#include "core/data/file_format.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/data/number.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

constexpr int kSvmlightLinesMax = 20;

struct Foreign {
  absl::string_view magic;
  absl::string_view name;
  absl::string_view hint;
};

constexpr absl::string_view kToCsv = "save the table as CSV in UTF-8 and upload that";
constexpr absl::string_view kOtherCompression = "decompress it, or use gzip or zstd";
constexpr absl::string_view kOnce = "compress the file once";
constexpr absl::string_view kFromPandas =
    "write it as CSV, for example with pandas.read_…(…).to_csv(\"table.csv\", index=False)";

constexpr Foreign kForeign[] = {
    {"PAR1\x15", "a Parquet file", kFromPandas},
    {absl::string_view("ARROW1\0\0", 8), "an Arrow file", kFromPandas},
    {"\x89HDF\r\n\x1A\n", "an HDF5 file", kFromPandas},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook", kToCsv},
    {"SQLite format 3", "an SQLite database", kToCsv},
    {"MATLAB 5.0 MAT-file", "a MATLAB file", "save its arrays with numpy.savez and upload that"},
    {"\x80\x03", "a Python pickle", "save its arrays with numpy.savez and upload that"},
    {"\x80\x04", "a Python pickle", "save its arrays with numpy.savez and upload that"},
    {"\x80\x05", "a Python pickle", "save its arrays with numpy.savez and upload that"},
    {"%PDF-", "a PDF document", kToCsv},
    {"\xFF\xFE", "text in UTF-16", "convert it, for example with `iconv -f UTF-16 -t UTF-8`"},
    {"\xFE\xFF", "text in UTF-16", "convert it, for example with `iconv -f UTF-16 -t UTF-8`"},
    {"\xFD"
     "7zXZ",
     "an xz file", kOtherCompression},
    {"BZh91AY&SY", "a bzip2 file", kOtherCompression},
    {"\x04\x22\x4D\x18", "an LZ4 file", kOtherCompression},
    {"7z\xBC\xAF\x27\x1C", "a 7z archive", kOtherCompression},
    {"Rar!\x1A", "a RAR archive", kOtherCompression},
    {"\x1F\x8B", "gzip inside another compression", kOnce},
    {"\x28\xB5\x2F\xFD", "zstd inside another compression", kOnce},
};

// A tar archive has its magic behind the first file's name.
constexpr size_t kTarMagicAt = 257;
constexpr absl::string_view kTarMagic = "ustar";

bool IsZstd(absl::string_view head) {
  if (absl::StartsWith(head, "\x28\xB5\x2F\xFD")) return true;
  // A skippable frame, which pzstd begins with.
  const bool skippable = absl::EndsWith(head.substr(0, 4), "\x2A\x4D\x18");
  return head.size() >= 4 && skippable && (static_cast<uint8_t>(head[0]) & 0xF0) == 0x50;
}

bool IsZip(absl::string_view head) {
  return absl::StartsWith(head, "PK\x03\x04") || absl::StartsWith(head, "PK\x05\x06");
}

// No text begins with two zeros.
bool IsIdx(absl::string_view head) {
  if (head.size() < 4 || head[0] != '\0' || head[1] != '\0') return false;
  return head[2] >= 0x08 && head[2] <= 0x0E && head[2] != 0x0A;
}

// The next word of `*line`, empty when there is none.
absl::string_view NextWord(absl::string_view* line) {
  while (!line->empty() && absl::ascii_isspace(static_cast<unsigned char>(line->front())))
    line->remove_prefix(1);
  size_t size = 0;
  while (size < line->size() && !absl::ascii_isspace(static_cast<unsigned char>((*line)[size])))
    ++size;
  const absl::string_view word = line->substr(0, size);
  line->remove_prefix(size);
  return word;
}

// A number, or several between commas: labels of more than one, which the reader then refuses.
bool IsLabel(absl::string_view word) {
  while (true) {
    const size_t comma = word.find(',');
    if (!ParseNumber(word.substr(0, comma)).has_value()) return false;
    if (comma == absl::string_view::npos) return true;
    word.remove_prefix(comma + 1);
  }
}

bool IsPair(absl::string_view word) {
  const size_t colon = word.find(':');
  if (colon == 0 || colon == absl::string_view::npos) return false;
  const absl::string_view index = word.substr(0, colon);
  const bool digits = std::all_of(index.begin(), index.end(), absl::ascii_isdigit);
  const absl::string_view value = word.substr(colon + 1);
  const bool number = ParseNumber(value).has_value() || absl::EqualsIgnoreCase(value, "nan");
  return (digits || index == "qid") && number;
}

// `line` has no comment. `cut`: its last word may be half a word.
bool IsSvmlightLine(absl::string_view line, bool cut, int* pair_count) {
  if (!IsLabel(NextWord(&line))) return false;
  while (true) {
    const absl::string_view word = NextWord(&line);
    if (word.empty() || (cut && line.empty())) return true;
    if (!IsPair(word)) return false;
    ++*pair_count;
  }
}

bool IsSvmlight(absl::string_view head) {
  const bool whole_file = head.size() < kFormatHeadBytes;
  if (absl::StartsWith(head, kByteOrderMark)) head.remove_prefix(kByteOrderMark.size());
  int pair_count = 0;
  for (int lines = 0; lines < kSvmlightLinesMax && !head.empty();) {
    const size_t line_end = head.find('\n');
    const bool last = line_end == absl::string_view::npos;
    const bool cut = last && !whole_file;
    const absl::string_view text = head.substr(0, line_end);
    head.remove_prefix(last ? head.size() : line_end + 1);
    const absl::string_view line = absl::StripAsciiWhitespace(text.substr(0, text.find('#')));
    if (line.empty()) continue;
    if (!IsSvmlightLine(line, cut, &pair_count)) return cut && lines > 0 && pair_count > 0;
    ++lines;
  }
  return pair_count > 0;
}

}  // namespace

absl::string_view FormatName(FileFormat format) {
  switch (format) {
    case FileFormat::kUnspecified:
      return "unspecified";
    case FileFormat::kCsv:
      return "csv";
    case FileFormat::kNpy:
      return "npy";
    case FileFormat::kNpz:
      return "npz";
    case FileFormat::kIdx:
      return "idx";
    case FileFormat::kSvmlight:
      return "svmlight";
  }
  return "unspecified";
}

absl::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kUnspecified:
      return "unspecified";
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
  }
  return "unspecified";
}

Compression DetectCompression(absl::string_view head) {
  if (absl::StartsWith(head, "\x1F\x8B")) return Compression::kGzip;
  if (IsZstd(head)) return Compression::kZstd;
  return Compression::kNone;
}

FileFormat DetectFormat(absl::string_view head) {
  if (absl::StartsWith(head, "\x93NUMPY")) return FileFormat::kNpy;
  if (IsZip(head)) return FileFormat::kNpz;
  if (IsIdx(head)) return FileFormat::kIdx;
  if (IsSvmlight(head)) return FileFormat::kSvmlight;
  return FileFormat::kCsv;
}

absl::Status CheckFormatKnown(absl::string_view head) {
  Foreign found = {};
  for (const Foreign& foreign : kForeign) {
    if (absl::StartsWith(head, foreign.magic)) found = foreign;
  }
  const bool is_tar = head.size() > kTarMagicAt && head[0] != '\0' &&
                      absl::StartsWith(head.substr(kTarMagicAt), kTarMagic);
  if (is_tar) found = {kTarMagic, "a tar archive", "unpack it and upload the table in it"};
  if (found.name.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("this is ", found.name, ", which is not read here"),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = std::string(found.hint),
                    .in_force = "CSV, NPY, NPZ, IDX and svmlight, each plain, gzip or zstd"});
}

}  // namespace trainyard
