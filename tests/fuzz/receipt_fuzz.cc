// Any bytes as a receipt: an error that says why, or a receipt; what is JSON of the subset has one
// canonical form, which reads back the same.
#include <cstdint>
#include <cstdlib>

#include "core/base/error_info.h"
#include "server/wire/canonical_json.h"
#include "server/wire/receipt.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Receipt> receipt = ParseReceipt(text);
  if (!receipt.ok()) Require(GetErrorInfo(receipt.status()).has_value());
  // Nobody signs with the key of zeros.
  Require(!VerifyReceipt(text, std::string(64, '0')).ok());
  const absl::StatusOr<Json> json = ParseJson(text, {.numbers_as_text = true});
  if (!json.ok()) return 0;
  const std::string canonical = CanonicalJson(*json);
  const absl::StatusOr<Json> again = ParseJson(canonical);
  // Escapes may make it longer than the limit.
  if (static_cast<int64_t>(canonical.size()) > kJsonBytesMax) return 0;
  Require(again.ok() && *again == *json && CanonicalJson(*again) == canonical);
  return 0;
}
