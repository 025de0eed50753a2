#include "server/storage/paging.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"

namespace trainyard {

absl::StatusOr<PageQuery> ParsePage(int32_t page_size, absl::string_view page_token) {
  PageQuery page = {.size = page_size == 0 ? limits::kPageSizeDefault
                                           : std::min<int64_t>(page_size, limits::kPageSizeMax),
                    .before_number = std::numeric_limits<int64_t>::max()};
  std::vector<FieldViolation> violations;
  if (page_size < 0) {
    violations.push_back(
        {"page_size", absl::StrCat("is ", page_size, "; give 0 (for ", limits::kPageSizeDefault,
                                   ") to ", limits::kPageSizeMax)});
  }
  const bool token_ok = page_token.empty() || (absl::SimpleAtoi(page_token, &page.before_number) &&
                                               page.before_number > 0);
  if (!token_ok) {
    violations.push_back({"page_token", absl::StrCat("\"", page_token.substr(0, 40),
                                                     "\" is not a next_page_token of this list")});
  }
  if (violations.empty()) return page;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

}  // namespace trainyard
