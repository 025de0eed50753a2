// TextDictionary gives each different text a code: 0, 1, … in the order in which they come.
//
//   TextDictionary dictionary;
//   const int32_t code = dictionary.CodeOf("nurse");
//   dictionary.texts()[code]                         // "nurse"
//
// Thread-safety: none. Lifetime: texts are copies, which live as long as the dictionary and do not
// move.
#ifndef TRAINYARD_CORE_DATA_TEXT_DICTIONARY_H_
#define TRAINYARD_CORE_DATA_TEXT_DICTIONARY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

class TextDictionary {
 public:
  TextDictionary();

  // The code of `text`, a new one if it has none.
  int32_t CodeOf(absl::string_view text);

  // By code.
  const std::vector<absl::string_view>& texts() const { return texts_; }
  // Of memory taken.
  int64_t size_bytes() const { return size_bytes_; }

 private:
  // Half of a hash beside the code: almost all texts that differ are told apart without a look at
  // them.
  struct Slot {
    uint32_t hash = 0;
    int32_t code = kNone;
  };
  static constexpr int32_t kNone = -1;

  int32_t Insert(absl::string_view text, size_t place, uint32_t hash);
  absl::string_view Keep(absl::string_view text);
  void Grow();

  std::vector<Slot> slots_;  // a power of two; at most half of them taken
  std::vector<absl::string_view> texts_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t room_bytes_ = 0;  // in the last block
  char* next_ = nullptr;
  int64_t size_bytes_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TEXT_DICTIONARY_H_
