// What an analysis found as text for people: a picture where there is one, a table otherwise, and
// what it means in a sentence. For programs there is the message itself as JSON.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_
#define TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_

#include <string>
#include <vector>

#include "client/chart.h"
#include "trainyard/v1/analysis.pb.h"

namespace trainyard {

// What a result does not say itself.
struct AnalysisContext {
  v1::Task task = v1::TASK_UNSPECIFIED;
  std::string x_feature = "x";  // of a decision boundary
  std::string y_feature = "y";
};
AnalysisContext ContextOf(const v1::TrainingJob& job);

// Several lines, ending with a line end. Malformed results (a grid without its numbers) are told as
// such, never a crash: they come from a server.
std::string DescribeAnalysis(const v1::AnalysisResult& result, const AnalysisContext& context,
                             const ChartStyle& style);

// Which numbers of a result do not fit each other, e.g. "axis and losses"; empty when all is well.
std::string Misfit(const v1::AnalysisResult& result);

// What the class indices of a decision boundary count, in their order: the classes, "not a" and "a"
// for several labels of which "a" is the first; none for a regression.
std::vector<std::string> BoundaryClasses(const v1::DecisionBoundaryResult& result, v1::Task task);

// Whether losses of such different sizes are better shown by their logarithm: all are above 0 and
// the greatest is many times the least.
bool WantsLogarithm(const google::protobuf::RepeatedField<double>& losses);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_ANALYSIS_PICTURE_H_
