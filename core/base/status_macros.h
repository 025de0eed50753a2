// Macros that pass a Status up. Same shape as Abseil's later ABSL_… macros, so that a switch is mechanical.
//
//   absl::StatusOr<Table> Load() {
//     TY_RETURN_IF_ERROR(CheckMagic(bytes));
//     TY_ASSIGN_OR_RETURN(Header header, ReadHeader(bytes));
//     ...
//   }
#ifndef TRAINYARD_CORE_BASE_STATUS_MACROS_H_
#define TRAINYARD_CORE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TY_CONCAT_INNER_(a, b) a##b
#define TY_CONCAT_(a, b) TY_CONCAT_INNER_(a, b)

#define TY_RETURN_IF_ERROR(expr)                       \
  do {                                                 \
    absl::Status ty_status_ = (expr);                  \
    if (!ty_status_.ok()) return ty_status_;           \
  } while (false)

#define TY_ASSIGN_OR_RETURN(lhs, expr) \
  TY_ASSIGN_OR_RETURN_IMPL_(TY_CONCAT_(ty_or_, __LINE__), lhs, expr)

#define TY_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return std::move(tmp).status();  \
  lhs = *std::move(tmp)

#endif  // TRAINYARD_CORE_BASE_STATUS_MACROS_H_
