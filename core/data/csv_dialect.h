// What csv_dialect finds out about a file that its user has not said: delimiter, quote, decimal
// mark, comment character, header. It looks at the start of the file only, so that the rest can be
// read in one go.
//
//   TY_ASSIGN_OR_RETURN(CsvOptions used, DetectCsvOptions(head, /*is_whole=*/false, options));
//   CsvReader reader(used);
//
// How it chooses, in this order. What is said explicitly stays and narrows the rest.
// - Comment: one of # % ; / * ! that the first line starts with, when the lines at the start that
//   begin with it have other numbers of fields than the record after them. (A first line of as many
//   fields is a header that begins with such a character.) In a file of one column: two or more
//   lines of # or %.
// - Delimiter: the file is split by each of , ; tab | space. A delimiter is in question when it
//   splits the first record, or more than half of the records; spaces only when nine in ten records
//   then have the same number of fields and a column of numbers. Of those, the one with the highest
//   (share of records with the most frequent number of fields) x (mean worth of a cell), where a
//   number is worth 1, text 1/2, and text with another delimiter in it 1/4. Ties go to the first in
//   the list. None in question: the file has one column.
// - Quote: single quotes when the file can be read with them and either at least half of the cells
//   of a column have them or they make the score higher; none when double quotes do not work out:
//   more cells open a quote that is not closed than have both, two of them at least; else double.
// - Decimal mark: a comma when it is not the delimiter, and more numbers have a comma than a point.
// - Header: present when no cell of the first record is a number, all are different and not empty,
//   and, where no column has numbers, none comes again in its column.
//
// Thread-safety: pure functions; none in DetectingCsvReader.
#ifndef TRAINYARD_CORE_DATA_CSV_DIALECT_H_
#define TRAINYARD_CORE_DATA_CSV_DIALECT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/csv_reader.h"

namespace trainyard {

// Bytes at the start of a file that are looked at.
inline constexpr size_t kCsvHeadBytes = size_t{1} << 20;

// `options` with every "detect" filled in. `head` is the start of the file, of kCsvHeadBytes unless
// it is all of it (`is_whole`). The header is left to HasHeader when there is no whole record in
// it. Errors: those of CheckCsvOptions; INVALID_ARGUMENT/DATASET_REJECTED when an explicit
// delimiter gives one column and another one more, or lines end with CR alone. What is wrong with
// the bytes is left to the reader.
absl::StatusOr<CsvOptions> DetectCsvOptions(absl::string_view head, bool is_whole,
                                            const CsvOptions& options);

// CsvReader for a stream whose options have something to detect: the first kCsvHeadBytes, or all
// that comes before FinishInput, are held back until it has looked at them. Otherwise as CsvReader.
class DetectingCsvReader {
 public:
  explicit DetectingCsvReader(const CsvOptions& options) : options_(options) {}

  void Append(absl::string_view bytes);
  void FinishInput();
  absl::StatusOr<bool> Next(CsvRecord* record);

  // As detected; as given before the first record.
  const CsvOptions& options() const { return options_; }

 private:
  CsvOptions options_;
  std::string head_;  // until there is a reader
  bool finished_ = false;
  std::optional<CsvReader> reader_;
  absl::Status status_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_DIALECT_H_
