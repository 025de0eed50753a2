#include "server/services/preview.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

constexpr int64_t kRowsDefault = 10;
constexpr int64_t kRowsMax = 1'000;
constexpr size_t kPreviewBytesMax = static_cast<size_t>(limits::kAnswerBytesMax) - 65'536;

v1::PreviewDatasetResponse::Row RowOf(const Table& table, int64_t row) {
  v1::PreviewDatasetResponse::Row proto;
  const auto columns = static_cast<int64_t>(table.columns.size());
  for (int64_t c = 0; c < columns; ++c) proto.add_cells(table.CellText(row, c));
  return proto;
}

}  // namespace

absl::StatusOr<v1::PreviewDatasetResponse> Preview(const v1::Dataset& dataset, int64_t row_count,
                                                   DatasetStore& datasets) {
  if (row_count < 0 || row_count > kRowsMax) {
    return InvalidRequest("row_count", absl::StrCat("is ", row_count, "; give 1 to ", kRowsMax,
                                                    ", or 0 for ", kRowsDefault));
  }
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  // Of all cells only these are looked at: reading the file to its end for its checksums would cost more.
  TY_ASSIGN_OR_RETURN(const Table table, datasets.LoadTable(dataset, /*check_cells=*/false));
  v1::PreviewDatasetResponse response;
  for (const Column& column : table.columns) response.add_columns(column.name);
  size_t bytes = response.ByteSizeLong();
  const int64_t rows = std::min(row_count == 0 ? kRowsDefault : row_count, table.rows);
  for (int64_t r = 0; r < rows; ++r) {
    v1::PreviewDatasetResponse::Row row = RowOf(table, r);
    bytes += row.ByteSizeLong() + 8;
    if (bytes > kPreviewBytesMax) break;
    *response.add_rows() = std::move(row);
  }
  return response;
}

}  // namespace trainyard
