#include "server/storage/finalize_options.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// Whether what `given` asks for is what `used` has; what is detected depends on the bytes alone, so that a choice left open
// is as good as the one that was found.
bool SameCsv(const v1::CsvOptions& given, const v1::CsvOptions& used) {
  const bool same_markers =
      given.missing_markers_size() > 0
          ? std::equal(given.missing_markers().begin(), given.missing_markers().end(),
                       used.missing_markers().begin(), used.missing_markers().end())
          : given.no_missing_markers() == used.no_missing_markers();
  return same_markers && (given.delimiter().empty() || given.delimiter() == used.delimiter()) &&
         (given.header() == v1::CsvOptions::HEADER_UNSPECIFIED ||
          given.header() == used.header()) &&
         (given.decimal_mark() == v1::CsvOptions::DECIMAL_MARK_UNSPECIFIED ||
          given.decimal_mark() == used.decimal_mark()) &&
         (given.quote() == v1::CsvOptions::QUOTE_UNSPECIFIED || given.quote() == used.quote()) &&
         (given.comment().empty() || given.comment() == used.comment()) &&
         given.bad_rows_max() == used.bad_rows_max();
}

}  // namespace

absl::StatusOr<IngestOptions> CheckFinalize(const v1::FinalizeDatasetRequest& request) {
  std::vector<FieldViolation> violations;
  IngestOptions options = IngestOptionsFromProto(request, &violations);
  if (!request.expected_digest().empty() && !IsDigest(request.expected_digest())) {
    violations.push_back({"expected_digest", "is not `sha256:` and 64 lower-case hex digits"});
  }
  const std::string& labels = request.labels_dataset();
  if (!labels.empty() && (labels == request.name() || !ParseName(kDatasets, labels).ok())) {
    violations.push_back({"labels_dataset", absl::StrCat("\"", labels.substr(0, 100),
                                                         "\" is no other dataset; give "
                                                         "datasets/{id} of a READY one")});
  }
  if (violations.empty()) return options;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

bool SameOptions(const v1::FinalizeDatasetRequest& request, const v1::Dataset& dataset) {
  const auto same_override = [](const v1::ColumnOverride& a, const v1::ColumnOverride& b) {
    return a.SerializeAsString() == b.SerializeAsString();
  };
  const bool csv = dataset.format() == v1::FILE_FORMAT_CSV;
  return (!csv || SameCsv(request.csv(), dataset.csv())) &&
         (request.format() == v1::FILE_FORMAT_UNSPECIFIED ||
          request.format() == dataset.format()) &&
         request.labels_dataset().empty() == dataset.labels_digest().empty() &&
         std::equal(request.npz_arrays().begin(), request.npz_arrays().end(),
                    dataset.npz_arrays().begin(), dataset.npz_arrays().end()) &&
         std::equal(request.column_overrides().begin(), request.column_overrides().end(),
                    dataset.column_overrides().begin(), dataset.column_overrides().end(),
                    same_override);
}

}  // namespace trainyard
