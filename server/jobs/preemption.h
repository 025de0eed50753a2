// Which running BATCH jobs should yield their slots to an INTERACTIVE job that waits: a pure
// function. The caller knows the time, decides when it has waited long enough (JobManager), and
// asks the chosen workers to checkpoint and stop; the jobs then go back on the queue
// (Scheduler::PutBack).
//
//   std::vector<int64_t> jobs = ChooseToYield({.slots_missing = 1}, running);
//
// Policy, in this order:
// 1. Only BATCH jobs, and none that has run for less than the quantum since it was last taken. So a
//    job that is put back again and again still gets a quantum of work for each checkpoint: the
//    cost of preemption is at most checkpoint time / quantum of batch throughput.
// 2. As few slots as possible: no other choice that is enough frees fewer, so none of the chosen
//    could have gone on.
// 3. As few jobs as possible: each writes a checkpoint.
// 4. Those that were taken last. With exact resume no choice loses work. The others are nearer to
//    their end and free their slots for good, and few jobs are half done at a time. Rejected: those
//    that have run longest (in the end all are half done); the largest remaining estimate (a wrong
//    one would pick the same job for ever).
//
// Thread-safety: pure. Cost: O(running · (slots_missing + widest)) steps and as many small copies.
#ifndef TRAINYARD_SERVER_JOBS_PREEMPTION_H_
#define TRAINYARD_SERVER_JOBS_PREEMPTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "trainyard/v1/job.pb.h"

namespace trainyard {

struct RunningJob {
  int64_t job = 0;
  v1::JobPriority priority = v1::JOB_PRIORITY_NORMAL;
  int slots = 1;
  double seconds_run = 0;  // in this attempt
};

struct YieldQuery {
  // Slots that the waiting job needs beyond those that are free, and beyond those of jobs that were
  // asked to yield before and have not stopped yet.
  int slots_missing = 1;
  // Larger: less time goes into checkpoints; smaller: a slot is found sooner.
  double quantum_seconds = 10;
};

// The jobs that should yield, those taken last first; empty when nothing is missing, or when those
// that may yield do not have enough slots together.
std::vector<int64_t> ChooseToYield(const YieldQuery& query, std::span<const RunningJob> running);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_PREEMPTION_H_
