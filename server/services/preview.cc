#include "server/services/preview.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/csv_reader.h"
#include "core/data/number.h"
#include "server/services/request_checks.h"
#include "server/storage/file_source.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

constexpr int64_t kRowsDefault = 10;
constexpr int64_t kRowsMax = 1'000;
constexpr size_t kPreviewBytesMax = static_cast<size_t>(limits::kAnswerBytesMax) - 65'536;

// Ingest drops rows with another number of fields, and those with text in a numeric column.
bool IsBad(const CsvRecord& record, const v1::Dataset& dataset) {
  if (static_cast<int>(record.fields.size()) != dataset.columns_size()) return true;
  for (int i = 0; i < dataset.columns_size(); ++i) {
    if (dataset.columns(i).type() != v1::COLUMN_TYPE_NUMERIC) continue;
    const absl::string_view cell = TrimCell(record.fields[static_cast<size_t>(i)]);
    if (!cell.empty() && !ParseNumber(cell).has_value()) return true;
  }
  return false;
}

// Collects rows until there are enough.
class RowCollector {
 public:
  RowCollector(const v1::Dataset& dataset, int64_t rows_max)
      : dataset_(dataset), rows_max_(rows_max) {
    header_pending_ = dataset.csv().header() == v1::CsvOptions::PRESENT;
    for (const v1::Column& column : dataset.columns()) response_.add_columns(column.name());
    bytes_ = response_.ByteSizeLong();
  }

  // False once there are enough.
  bool Add(const CsvRecord& record) {
    if (header_pending_) {
      header_pending_ = false;
      return true;
    }
    if (IsBad(record, dataset_)) return true;
    v1::PreviewDatasetResponse::Row row;
    for (const absl::string_view field : record.fields) row.add_cells(std::string(field));
    bytes_ += row.ByteSizeLong() + 8;
    if (bytes_ > kPreviewBytesMax) return false;
    *response_.add_rows() = std::move(row);
    return response_.rows_size() < rows_max_;
  }

  v1::PreviewDatasetResponse Take() { return std::move(response_); }

 private:
  const v1::Dataset& dataset_;
  const int64_t rows_max_;
  bool header_pending_ = false;
  size_t bytes_ = 0;
  v1::PreviewDatasetResponse response_;
};

// Gives records to `rows` until it has enough or the input ends.
absl::Status ReadRows(ByteSource& source, const CsvOptions& options, RowCollector* rows) {
  CsvReader reader(options);
  CsvRecord record;
  bool finished = false;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool more, reader.Next(&record));
    if (more && !rows->Add(record)) return absl::OkStatus();
    if (more) continue;
    if (finished) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, source.Next());
    finished = bytes.empty();
    finished ? reader.FinishInput() : reader.Append(bytes);
  }
}

}  // namespace

absl::StatusOr<v1::PreviewDatasetResponse> Preview(const v1::Dataset& dataset, int64_t row_count,
                                                   const BlobStore& blobs, FileSystem& files) {
  if (row_count < 0 || row_count > kRowsMax) {
    return InvalidRequest("row_count", absl::StrCat("is ", row_count, "; give 1 to ", kRowsMax,
                                                    ", or 0 for ", kRowsDefault));
  }
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  TY_ASSIGN_OR_RETURN(const std::string path, blobs.Path(dataset.digest()));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, files.OpenRead(path));
  FileSource source(std::move(file));
  std::vector<FieldViolation> none;  // stored options have no faults
  const CsvOptions options = CsvOptionsFromProto(dataset.csv(), &none);
  RowCollector rows(dataset, row_count == 0 ? kRowsDefault : row_count);
  TY_RETURN_IF_ERROR(ReadRows(source, options, &rows));
  return rows.Take();
}

}  // namespace trainyard
