// TY_CHECK guards invariants of our own code, in release builds too; one condition per check. It never sees user
// input: that gets a Status.
//
//   TY_CHECK(rows == labels.size());
#ifndef TRAINYARD_CORE_BASE_CHECK_H_
#define TRAINYARD_CORE_BASE_CHECK_H_

namespace trainyard {

// Writes one line to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace trainyard

#define TY_CHECK(condition)                                              \
  do {                                                                   \
    if (!(condition)) ::trainyard::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

#endif  // TRAINYARD_CORE_BASE_CHECK_H_
