// Pages of a list that is ordered by `number`, newest first. A page token is the number of the last
// row shown, as decimal text: rows that are made or deleted in between neither repeat nor hide
// others.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_STORAGE_PAGING_H_
#define TRAINYARD_SERVER_STORAGE_PAGING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct PageQuery {
  int64_t size = 0;           // rows, 1 to limits::kPageSizeMax
  int64_t before_number = 0;  // only rows with a smaller number
};

// Defaults filled in: size 0 means limits::kPageSizeDefault, larger ones are cut to the maximum
// (AIP-158); an empty token starts at the newest. INVALID_ARGUMENT/INVALID_REQUEST with every
// fault.
absl::StatusOr<PageQuery> ParsePage(int32_t page_size, absl::string_view page_token);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_PAGING_H_
