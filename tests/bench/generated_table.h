// GeneratedTable is a large CSV file that is made while it is sent: columns of random numbers in
// [0, 1) with six digits, columns of random texts, and a label that depends on the first number.
// The same for the same options.
//
//   GeneratedTable table({.size_bytes = int64_t{4} << 30});
//   for (absl::string_view bytes = table.Next(); !bytes.empty(); bytes = table.Next()) …
//
// Thread-safety: none. Lifetime: bytes are valid until the next call.
#ifndef TRAINYARD_TESTS_BENCH_GENERATED_TABLE_H_
#define TRAINYARD_TESTS_BENCH_GENERATED_TABLE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/rng.h"

namespace trainyard::bench {

class GeneratedTable {
 public:
  struct Options {
    int64_t size_bytes = 0;  // whole rows that fit into it
    int number_columns = 100;
    int text_columns = 0;
    int64_t text_count = 1;  // different texts of a column, in its first rows one after the other
    int text_bytes = 32;     // of each
    uint64_t seed = 7;
  };
  static constexpr absl::string_view kLabel = "label";

  explicit GeneratedTable(const Options& options);

  // At most 1 MiB of whole rows, the header before the first; empty at the end.
  absl::string_view Next();

  int64_t size_bytes() const { return size_bytes_; }  // so far
  int64_t rows() const { return rows_; }

 private:
  void AppendHeader();
  void AppendRow();

  const Options options_;
  Rng rng_;
  size_t row_bytes_ = 0;  // at most
  std::string bytes_;
  int64_t size_bytes_ = 0;
  int64_t rows_ = 0;
};

}  // namespace trainyard::bench

#endif  // TRAINYARD_TESTS_BENCH_GENERATED_TABLE_H_
