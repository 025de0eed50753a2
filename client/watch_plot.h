// Jobs watched as curves: train and validation loss in the terminal while they happen, one panel
// per job, all of one scale.
//
// Thread-safety: none; used from the thread that runs the command.
#ifndef TRAINYARD_CLIENT_WATCH_PLOT_H_
#define TRAINYARD_CLIENT_WATCH_PLOT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/chart.h"
#include "client/exit_code.h"
#include "client/progress.h"
#include "client/remote.h"
#include "client/render.h"
#include "client/screen.h"

namespace trainyard {

// At most so many jobs in one picture.
inline constexpr size_t kPlottedJobsMax = 12;

// What is drawn of one job.
struct PlottedJob {
  std::string title;                  // its id, and its name for people
  std::vector<v1::JobEvent> history;  // without what rewinds made void
  ProgressTracker tracker;
};
// Adds the job's next event.
void AddEvent(const v1::JobEvent& event, PlottedJob* job);

struct PlotPictureOptions {
  size_t width = 80;                       // kPanelWidthMin at least
  size_t height = 24;                      // lines in all; frames have kPlotFrameLinesMin at least
  size_t warning_width = kWidthUnlimited;  // columns, of which a warning may take more than others
  bool logarithmic = false;
  bool color = false;
};
inline constexpr size_t kPlotFrameLinesMin = 4;

// The panels, a line of progress for each job, and the newest warnings.
std::string PlotPicture(const std::vector<PlottedJob>& jobs, const PlotPictureOptions& options);

// Draws the jobs until all have ended, on a terminal a few times a second in place; the last
// picture stays. Without a terminal that is all there is. The exit code is that of the first job
// which did not succeed. REQUIRES: 1 to kPlottedJobsMax names. Errors: the server's; CANCELLED when
// interrupted, or by the key q (the jobs go on).
absl::StatusOr<ExitCode> WatchPlot(Remote& remote, Screen& screen,
                                   const std::vector<std::string>& names, bool logarithmic);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_WATCH_PLOT_H_
