// Cells is a column's numbers or codes: an array of its own, or a view of memory that somebody else keeps (a mapped
// table file), which it then keeps alive. Read-only either way.
//
//   column.numbers = std::vector<double>{1, 2, 3};
//   column.numbers = Cells<double>::View(span, mapped_file);
//
// Thread-safety: as a const std::vector. Lifetime: a view holds `owner` as long as any copy lives.
#ifndef TRAINYARD_CORE_DATA_CELLS_H_
#define TRAINYARD_CORE_DATA_CELLS_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

template <typename T>
class Cells {
 public:
  Cells() = default;
  Cells(std::vector<T> values) {  // NOLINT: a vector is a column's cells
    auto owned = std::make_shared<const std::vector<T>>(std::move(values));
    cells_ = *owned;
    owner_ = std::move(owned);
    is_view_ = false;
  }
  Cells(std::initializer_list<T> values) : Cells(std::vector<T>(values)) {}
  static Cells View(std::span<const T> cells, std::shared_ptr<const void> owner) {
    Cells view = InMemory(cells, std::move(owner));
    view.is_view_ = true;
    return view;
  }
  // An array of its own that was not made as a vector: `memory` is given away.
  static Cells InMemory(std::span<const T> cells, std::shared_ptr<const void> memory) {
    Cells owned;
    owned.cells_ = cells;
    owned.owner_ = std::move(memory);
    return owned;
  }

  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(data()), size() * sizeof(T)};
  }
  size_t size() const { return cells_.size(); }
  bool empty() const { return cells_.empty(); }
  const T* data() const { return cells_.data(); }
  auto begin() const { return cells_.begin(); }
  auto end() const { return cells_.end(); }
  const T& operator[](size_t i) const { return cells_[i]; }
  const T& front() const { return cells_.front(); }
  const T& back() const { return cells_.back(); }
  operator std::span<const T>() const { return cells_; }  // NOLINT: it is one
  // Bytes of memory of its own: 0 for a view, whose pages the system shares and takes back.
  int64_t owned_bytes() const {
    return is_view_ ? 0 : static_cast<int64_t>(cells_.size() * sizeof(T));
  }

  friend bool operator==(const Cells& a, const Cells& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::span<const T> cells_;
  std::shared_ptr<const void> owner_;
  bool is_view_ = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CELLS_H_
