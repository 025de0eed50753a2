// The input of a gradebook by student, checked: what makes no sense is set aside with a warning.
//
// Thread-safety: pure functions. Facts hold pointers into the input, which must outlive them.
#ifndef TRAINYARD_SERVER_GRADING_GRADEBOOK_FACTS_H_
#define TRAINYARD_SERVER_GRADING_GRADEBOOK_FACTS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/grading/gradebook.h"

namespace trainyard {

// The warnings of a book: at most limits::kGradebookWarningsMax, the last of which counts the rest.
class BookWarnings {
 public:
  void Add(BookWarning::Kind kind, std::string text, bool blocks_publication = false);
  bool blocks_publication() const { return blocks_publication_; }
  std::vector<BookWarning> Take();

 private:
  std::vector<BookWarning> warnings_;
  size_t left_out_count_ = 0;
  bool blocks_publication_ = false;
};

struct Run {
  size_t assignment_index;
  const ResultInput* result;
};

struct StudentFacts {
  std::vector<Run> runs;                                       // graded ones, by assignment
  std::vector<const AdjustmentInput*> adjustments;             // in force
  std::vector<std::optional<int64_t>> exam_points_hundredths;  // by exam of the policy
  std::vector<const QuizResultInput*> quiz_results;
};

// Ids and sizes: without them nothing can be computed. See ComputeGradebook for errors.
absl::Status CheckGradebookInput(const GradebookInput& input);

// One for each student of `input`, in its order. REQUIRES: CheckGradebookInput is OK.
std::vector<StudentFacts> SortFacts(const GradebookInput& input, const v1::ExamsPolicy& exams,
                                    BookWarnings* warnings);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GRADEBOOK_FACTS_H_
