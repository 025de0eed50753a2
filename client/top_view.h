// The screen of `trainyard top`: the server, the jobs on workers and the queue, as one page of
// text.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_TOP_VIEW_H_
#define TRAINYARD_CLIENT_TOP_VIEW_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "client/render.h"
#include "trainyard/v1/admin.pb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// What the server said, at one time.
struct TopPage {
  v1::ServerInfo info;
  v1::ListTrainingJobsResponse running;  // RUNNING and CANCELLING, in any order
  v1::ListTrainingJobsResponse pending;  // in any order; perhaps not all
  absl::Time now;
};

struct TopStyle {
  size_t width = kWidthUnlimited;  // of tables; see TextTable
  size_t height = 24;              // lines in all; each table has kTopRowsMin rows at least
};
inline constexpr size_t kTopRowsMin = 3;

// Running jobs by who has run longest, then the queue from its front, as far as the page has it.
// Jobs for which there is no room are counted.
std::string TopText(const TopPage& page, const TopStyle& style);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_TOP_VIEW_H_
