#include "core/data/text_dictionary.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/hash/hash.h"

namespace trainyard {
namespace {

constexpr size_t kSlotsMin = 16;
// Texts up to it, as most are, are hashed and compared as two words.
constexpr size_t kShortBytes = 16;
constexpr size_t kBlockBytesMin = 1024;
constexpr size_t kBlockBytesMax = size_t{1} << 20;

template <typename Word>
uint64_t Load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// All bytes of a text of at most kShortBytes, which are the text together with its size: the words
// at its start and at its end, which may overlap.
struct ShortText {
  uint64_t first = 0;
  uint64_t last = 0;
  bool operator==(const ShortText&) const = default;
};

ShortText ShortOf(const char* text, size_t size) {
  if (size >= 8) return {Load<uint64_t>(text), Load<uint64_t>(text + size - 8)};
  if (size >= 4) return {Load<uint32_t>(text), Load<uint32_t>(text + size - 4)};
  if (size == 0) return {};
  return {Load<uint8_t>(text) | Load<uint8_t>(text + size / 2) << 8,
          Load<uint8_t>(text + size - 1)};
}

// Differs from process to process, as Abseil's: nobody can make a file whose texts all meet.
uint64_t Seed() {
  static constexpr char kPlace = 0;
  return reinterpret_cast<uintptr_t>(&kPlace) * 0x9E3779B97F4A7C15u;  // 2^64 by the golden ratio
}

// A folded product, as wyhash's.
uint64_t HashOfShort(const ShortText& text, size_t size) {
  __extension__ using Product = unsigned __int128;
  const uint64_t seed = Seed();
  const Product product = Product{text.first ^ seed} * (text.last ^ ~seed ^ (size << 56));
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t HashOf(absl::string_view text) {
  if (text.size() <= kShortBytes)
    return HashOfShort(ShortOf(text.data(), text.size()), text.size());
  return absl::Hash<absl::string_view>()(text);
}

bool AreEqual(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() > kShortBytes) return std::memcmp(a.data(), b.data(), a.size()) == 0;
  return ShortOf(a.data(), a.size()) == ShortOf(b.data(), b.size());
}

}  // namespace

TextDictionary::TextDictionary() : slots_(kSlotsMin) {}

int32_t TextDictionary::CodeOf(absl::string_view text) {
  const uint64_t hash = HashOf(text);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t place = hash & mask;; place = (place + 1) & mask) {
    const Slot& slot = slots_[place];
    if (slot.code == kNone) return Insert(text, place, tag);
    if (slot.hash == tag && AreEqual(texts_[slot.code], text)) return slot.code;
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
    const uint64_t hash = HashOf(texts_[code]);
    size_t place = hash & mask;
    while (slots[place].code != kNone) place = (place + 1) & mask;
    slots[place] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(code)};
  }
  slots_ = std::move(slots);
}

}  // namespace trainyard
