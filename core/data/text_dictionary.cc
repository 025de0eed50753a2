#include "core/data/text_dictionary.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/hash/hash.h"

namespace trainyard {
namespace {

constexpr size_t kSlotsMin = 16;
constexpr size_t kBlockBytesMin = 1024;
constexpr size_t kBlockBytesMax = size_t{1} << 20;

}  // namespace

TextDictionary::TextDictionary() : slots_(kSlotsMin) {}

int32_t TextDictionary::CodeOf(absl::string_view text) {
  const uint64_t hash = absl::Hash<absl::string_view>()(text);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t place = hash & mask;; place = (place + 1) & mask) {
    const Slot& slot = slots_[place];
    if (slot.code == kNone) return Insert(text, place, tag);
    if (slot.hash == tag && texts_[slot.code] == text) return slot.code;
  }
}

int32_t TextDictionary::Insert(absl::string_view text, size_t place, uint32_t hash) {
  const auto code = static_cast<int32_t>(texts_.size());
  texts_.push_back(Keep(text));
  slots_[place] = {hash, code};
  if (texts_.size() * 2 > slots_.size()) Grow();
  size_bytes_ += static_cast<int64_t>(text.size() + sizeof text + 3 * sizeof(Slot));
  return code;
}

absl::string_view TextDictionary::Keep(absl::string_view text) {
  if (text.size() > room_bytes_) {
    // Blocks grow with what is there already, so that a column of few texts stays small.
    const size_t grown =
        std::clamp(static_cast<size_t>(size_bytes_), kBlockBytesMin, kBlockBytesMax);
    room_bytes_ = std::max(grown, text.size());
    next_ = blocks_.emplace_back(std::make_unique<char[]>(room_bytes_)).get();
  }
  char* const begin = next_;
  if (!text.empty()) std::memcpy(begin, text.data(), text.size());
  next_ += text.size();
  room_bytes_ -= text.size();
  return {begin, text.size()};
}

void TextDictionary::Grow() {
  std::vector<Slot> slots(slots_.size() * 2);
  const size_t mask = slots.size() - 1;
  for (size_t code = 0; code < texts_.size(); ++code) {
    const uint64_t hash = absl::Hash<absl::string_view>()(texts_[code]);
    size_t place = hash & mask;
    while (slots[place].code != kNone) place = (place + 1) & mask;
    slots[place] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(code)};
  }
  slots_ = std::move(slots);
}

}  // namespace trainyard
