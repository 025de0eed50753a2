// A job's history as text for programs: CSV for spreadsheets and data frames, JSON lines for
// everything else.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_HISTORY_TEXT_H_
#define TRAINYARD_CLIENT_HISTORY_TEXT_H_

#include <string>
#include <vector>

#include "trainyard/v1/job.pb.h"

namespace trainyard {

// A header line, then one line per event that has numbers; a test result has one more line per
// seed or fold. The columns are sequence, time (RFC 3339, UTC), kind ("step", "epoch",
// "evaluation", "test"), run (from 0; empty: of the job as a whole), step (steps done), and the
// tags of job_history.h in the order in which they first appear. Numbers have all digits, "nan" and
// "inf" among them; what an event does not have is empty.
std::string HistoryCsv(const std::vector<v1::JobEvent>& history);

// Every event as protobuf JSON on a line, with the field names of the contract.
std::string HistoryJsonLines(const std::vector<v1::JobEvent>& history);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_HISTORY_TEXT_H_
