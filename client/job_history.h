// The course of a training as its event log tells it: the log read in pages, what rewinds made void
// taken out, and its numbers by name. What exports and pictures of curves are made of.
//
//   EventCursor cursor(remote, "trainingJobs/abc");
//   TY_ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events, cursor.Next());
//   const std::vector<v1::JobEvent> history = WithoutVoid(events);
//   for (const Scalar& scalar : ScalarsOf(history[0])) ...
//
// Steps are counted as steps done: the first step's own numbers stand at 1, an epoch's at the steps
// done at its end. So a rewind to step N makes void what stands above N.
//
// Thread-safety: EventCursor: none, one thread. The functions are pure.
#ifndef TRAINYARD_CLIENT_JOB_HISTORY_H_
#define TRAINYARD_CLIENT_JOB_HISTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/remote.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// `trainingJobs/{id}` as it is now. Errors: the server's.
absl::StatusOr<v1::TrainingJob> GetJob(Remote& remote, const std::string& name);

// Reads a log from its start, as far as it goes by now, and from there when asked again. `remote`
// must outlive it.
class EventCursor {
 public:
  EventCursor(Remote& remote, std::string name) : remote_(remote), name_(std::move(name)) {}

  // Every event that is stored and was not given before, in order; none when nothing is new.
  // Errors: the server's.
  absl::StatusOr<std::vector<v1::JobEvent>> Next();
  // Whether the job has ended: Next has given the last event.
  bool ended() const { return ended_; }

 private:
  Remote& remote_;
  const std::string name_;
  int64_t next_ = 1;  // sequence that is due
  bool ended_ = false;
};

// The whole log as it is by now.
absl::StatusOr<std::vector<v1::JobEvent>> ReadLog(Remote& remote, const std::string& name);

// Steps done when the event's numbers were taken; nullopt for events that are of no step.
std::optional<int64_t> StepsDone(const v1::JobEvent& event);

// Adds the next event of a log. A rewind takes out the events that it makes void, and is not
// added itself.
void AddToHistory(v1::JobEvent event, std::vector<v1::JobEvent>* history);
std::vector<v1::JobEvent> WithoutVoid(std::vector<v1::JobEvent> log);

// One number of an event.
struct Scalar {
  std::string tag;             // "loss/train", "accuracy/validation", "layers[0]/weight_norm", …
  double value = 0;            // may be no finite number
  std::optional<int32_t> run;  // seed or fold from 0; nullopt: of the job as a whole
};
// In the order of the contract, those of one run next to each other. A step's loss, which is that
// of its batch, is "loss/batch"; an epoch's mean of them "loss/train".
std::vector<Scalar> ScalarsOf(const v1::JobEvent& event);

// How many seeds or folds a job trains with; 1 without either.
int32_t RunCount(const v1::TrainingJob& job);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_JOB_HISTORY_H_
