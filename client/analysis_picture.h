// What an analysis found as text for people: a picture where there is one, a table otherwise, and
// what it means in a sentence. For programs there is the message itself as JSON.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_
#define TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_

#include <string>

#include "client/chart.h"
#include "trainyard/v1/analysis.pb.h"

namespace trainyard {

// Several lines, ending with a line end. Malformed results (a grid without its numbers) are told as
// such, never a crash: they come from a server.
std::string DescribeAnalysis(const v1::AnalysisResult& result, const ChartStyle& style);

// Whether losses of such different sizes are better shown by their logarithm: all are above 0 and
// the greatest is many times the least.
bool WantsLogarithm(const google::protobuf::RepeatedField<double>& losses);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_
