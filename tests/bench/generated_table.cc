#include "tests/bench/generated_table.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace trainyard::bench {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr uint64_t kThousand = 1000;
constexpr size_t kNumberBytes = 9;  // "0.123456,"
constexpr size_t kLabelBytes = 4;   // "yes\n"
constexpr size_t kIndexDigits = 10;

// `number` below a thousand, three digits.
void AppendDigits(uint64_t number, std::string* bytes) {
  const char digits[3] = {static_cast<char>('0' + number / 100),
                          static_cast<char>('0' + number / 10 % 10),
                          static_cast<char>('0' + number % 10)};
  bytes->append(digits, sizeof digits);
}

// "text0000000042" and x up to `size` bytes.
void AppendText(int64_t index, size_t size, std::string* bytes) {
  const std::string digits = absl::StrCat(index);
  bytes->append("text").append(kIndexDigits - digits.size(), '0').append(digits);
  const size_t written = 4 + kIndexDigits;
  bytes->append(size > written ? size - written : 0, 'x');
}

}  // namespace

GeneratedTable::GeneratedTable(const Options& options)
    : options_(options), rng_(options.seed, RngStream::kInit) {
  const size_t text_bytes = std::max<size_t>(options_.text_bytes, 4 + kIndexDigits) + 1;
  row_bytes_ =
      options_.number_columns * kNumberBytes + options_.text_columns * text_bytes + kLabelBytes;
  bytes_.reserve(kChunkBytes);
}

absl::string_view GeneratedTable::Next() {
  bytes_.clear();
  if (size_bytes_ == 0) AppendHeader();
  const int64_t room = options_.size_bytes - size_bytes_;
  const size_t end = std::min<size_t>(kChunkBytes, static_cast<size_t>(std::max<int64_t>(room, 0)));
  while (bytes_.size() + row_bytes_ <= end) AppendRow();
  size_bytes_ += static_cast<int64_t>(bytes_.size());
  return bytes_;
}

void GeneratedTable::AppendHeader() {
  for (int i = 0; i < options_.number_columns; ++i) absl::StrAppend(&bytes_, "x", i, ",");
  for (int i = 0; i < options_.text_columns; ++i) absl::StrAppend(&bytes_, "t", i, ",");
  absl::StrAppend(&bytes_, kLabel, "\n");
}

void GeneratedTable::AppendRow() {
  bool first_is_large = false;
  for (int i = 0; i < options_.number_columns; ++i) {
    const uint64_t bits = rng_.Next64();
    const uint64_t high = (bits & 0xffffffff) * kThousand >> 32;
    if (i == 0) first_is_large = high >= kThousand / 2;
    bytes_.append("0.");
    AppendDigits(high, &bytes_);
    AppendDigits((bits >> 32) * kThousand >> 32, &bytes_);
    bytes_.push_back(',');
  }
  for (int i = 0; i < options_.text_columns; ++i) {
    AppendText(rows_ % options_.text_count, options_.text_bytes, &bytes_);
    bytes_.push_back(',');
  }
  bytes_.append(first_is_large ? "yes\n" : "no\n");
  ++rows_;
}

}  // namespace trainyard::bench
