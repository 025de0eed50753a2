#include "server/grading/gradebook_facts.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "server/grading/adjustments.h"
#include "server/grading/gradebook_limits.h"

namespace trainyard {
namespace {

using Kind = BookWarning::Kind;
using Index = absl::flat_hash_map<absl::string_view, size_t>;

constexpr size_t kFaultsMax = 100;  // of ids; mend these first
constexpr absl::civil_year_t kYearMin = 1970;
constexpr absl::civil_year_t kYearMax = 9999;

// Text of others in a message, cut between characters.
std::string Quoted(absl::string_view text) {
  constexpr size_t kShownBytesMax = 80;
  size_t end = std::min(text.size(), kShownBytesMax);
  const auto continues = [&] { return (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80; };
  while (end > 0 && end < text.size() && continues()) --end;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, end)), "\"");
}

bool IsInRange(int64_t value, int64_t min, int64_t max) { return value >= min && value <= max; }

template <typename Item>
Index IndexOf(const std::vector<Item>& items) {
  Index index;
  for (size_t i = 0; i < items.size(); ++i) index.emplace(items[i].id, i);
  return index;
}

template <typename Item>
void CheckIds(const std::vector<Item>& items, absl::string_view list,
              std::vector<FieldViolation>* faults) {
  Index seen;
  for (size_t i = 0; i < items.size() && faults->size() < kFaultsMax; ++i) {
    const std::string path = absl::StrCat(list, "[", i, "].id");
    if (items[i].id.empty()) faults->push_back({path, "is empty; give each an id"});
    const auto [first, is_new] = seen.emplace(items[i].id, i);
    if (is_new) continue;
    faults->push_back({path, absl::StrCat(Quoted(items[i].id), " is that of ", list, "[",
                                          first->second, "] too; each id once")});
  }
}

void CheckAssignment(const AssignmentInput& assignment, const std::string& path,
                     std::vector<FieldViolation>* faults) {
  if (!IsInRange(assignment.max_points, 0, limits::kPointsMax)) {
    faults->push_back(
        {path + ".max_points",
         absl::StrCat("is ", assignment.max_points, ", must be from 0 to ", limits::kPointsMax)});
  }
  if (assignment.public_noise < 0) {
    faults->push_back({path + ".public_noise", "is negative, must be at least 0"});
  }
  const bool due_is_far =
      assignment.due.has_value() && !IsInRange(assignment.due->year(), kYearMin, kYearMax);
  if (due_is_far) {
    faults->push_back({path + ".due", absl::StrCat("is in the year ", assignment.due->year(),
                                                   ", must be from ", kYearMin, " to ", kYearMax)});
  }
}

// What there is too much of, or OK.
absl::Status CheckSizes(const GradebookInput& input) {
  const auto lines = static_cast<int64_t>(input.assignments.size() * input.students.size());
  struct Size {
    const char* what;
    int64_t count;
    int64_t max;
  };
  const Size sizes[] = {
      {"assignments", static_cast<int64_t>(input.assignments.size()), limits::kAssignmentsMax},
      {"students", static_cast<int64_t>(input.students.size()), limits::kStudentsMax},
      {"students times assignments", lines, limits::kGradebookLinesMax},
      {"results", static_cast<int64_t>(input.results.size()), limits::kResultsMax},
      {"adjustments", static_cast<int64_t>(input.adjustments.size()), limits::kAdjustmentsMax},
      {"exam results", static_cast<int64_t>(input.exam_results.size()), limits::kExamResultsMax},
      {"quizzes", static_cast<int64_t>(input.quizzes.size()), limits::kQuizzesMax},
      {"quiz results", static_cast<int64_t>(input.quiz_results.size()), limits::kResultsMax}};
  for (const Size& size : sizes) {
    if (size.count <= size.max) continue;
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("the gradebook has ", size.count, " ", size.what),
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "divide the course into several",
                      .in_force = absl::StrCat("at most ", size.max, " ", size.what)});
  }
  return absl::OkStatus();
}

// Puts each row of the input where it belongs.
class Sorter {
 public:
  Sorter(const GradebookInput& input, const v1::ExamsPolicy& exams, BookWarnings* warnings)
      : input_(input),
        exams_(exams),
        warnings_(*warnings),
        students_(IndexOf(input.students)),
        assignments_(IndexOf(input.assignments)),
        quizzes_(IndexOf(input.quizzes)),
        facts_(input.students.size()) {}

  std::vector<StudentFacts> Sort();

 private:
  StudentFacts* FactsOf(const std::string& student);
  void AddResult(const ResultInput& result);
  void AddAdjustment(const AdjustmentInput& adjustment);
  void AddExamResult(const ExamResultInput& result);
  void AddQuizResult(const QuizResultInput& result);
  std::optional<size_t> ExamIndex(const std::string& exam) const;

  const GradebookInput& input_;
  const v1::ExamsPolicy& exams_;
  BookWarnings& warnings_;
  const Index students_;
  const Index assignments_;
  const Index quizzes_;
  std::vector<StudentFacts> facts_;
};

StudentFacts* Sorter::FactsOf(const std::string& student) {
  const auto found = students_.find(student);
  return found == students_.end() ? nullptr : &facts_[found->second];
}

void Sorter::AddResult(const ResultInput& result) {
  if (result.status != ResultStatus::kOk) return;
  const auto assignment = assignments_.find(result.assignment);
  StudentFacts* const facts = FactsOf(result.student);
  const std::string name = absl::StrCat("run ", Quoted(result.submission));
  if (facts == nullptr || assignment == assignments_.end()) {
    return warnings_.Add(
        Kind::kOrphanResult,
        absl::StrCat(name, " counts for nobody: ",
                     facts == nullptr
                         ? absl::StrCat("student ", Quoted(result.student), " is not on the roster")
                         : absl::StrCat("there is no assignment ", Quoted(result.assignment))));
  }
  const bool valid = IsInRange(result.points, 0, limits::kPointsMax) &&
                     IsInRange(result.max_points, 0, limits::kPointsMax);
  if (!valid) {
    return warnings_.Add(
        Kind::kBadValue,
        absl::StrCat(name, " is set aside: ", result.points, " of ", result.max_points,
                     " points; both must be from 0 to ", limits::kPointsMax));
  }
  facts->runs.push_back({assignment->second, &result});
}

// What is wrong with an adjustment in itself; empty when nothing is.
std::string AdjustmentFault(const AdjustmentInput& adjustment) {
  int64_t min = 0;
  int64_t max = 0;
  bool needs_assignment = false;
  switch (adjustment.kind) {
    case AdjustmentKind::kAdd:
      min = -limits::kPointsMax;
      max = limits::kPointsMax;
      break;
    case AdjustmentKind::kSet:
      max = limits::kPointsMax;
      needs_assignment = true;
      break;
    case AdjustmentKind::kLateDays:
      max = limits::kLateUnitsMax;
      break;
    case AdjustmentKind::kExtend:
      max = limits::kExtensionSecondsMax;
      break;
    case AdjustmentKind::kFinal:
      max = limits::kFinalHundredthsMax;
      break;
    default:
      return "";
  }
  if (needs_assignment && adjustment.assignment.empty()) return "it names no assignment";
  if (IsInRange(adjustment.value, min, max)) return "";
  return absl::StrCat("its value is ", adjustment.value, ", must be from ", min, " to ", max);
}

void Sorter::AddAdjustment(const AdjustmentInput& adjustment) {
  if (!InForce(adjustment, input_.as_of)) return;
  StudentFacts* const facts = FactsOf(adjustment.student);
  const std::string name = absl::StrCat("adjustment ", Quoted(adjustment.id));
  const bool known = adjustment.assignment.empty() || assignments_.contains(adjustment.assignment);
  if (facts == nullptr || !known) {
    return warnings_.Add(
        Kind::kOrphanAdjustment,
        absl::StrCat(
            name, " is set aside: ",
            facts == nullptr
                ? absl::StrCat("student ", Quoted(adjustment.student), " is not on the roster")
                : absl::StrCat("there is no assignment ", Quoted(adjustment.assignment)),
            "; mend or revoke it"),
        /*blocks_publication=*/true);
  }
  const std::string fault = AdjustmentFault(adjustment);
  if (!fault.empty()) {
    return warnings_.Add(Kind::kBadValue,
                         absl::StrCat(name, " is set aside: ", fault, "; revoke it"),
                         /*blocks_publication=*/true);
  }
  facts->adjustments.push_back(&adjustment);
}

std::optional<size_t> Sorter::ExamIndex(const std::string& exam) const {
  for (int i = 0; i < exams_.items_size(); ++i) {
    if (exams_.items(i).id() == exam) return static_cast<size_t>(i);
  }
  return std::nullopt;
}

void Sorter::AddExamResult(const ExamResultInput& result) {
  StudentFacts* const facts = FactsOf(result.student);
  const std::optional<size_t> exam = ExamIndex(result.exam);
  const std::string name =
      absl::StrCat("result of ", Quoted(result.student.empty() ? result.name : result.student),
                   " in exam ", Quoted(result.exam));
  if (facts == nullptr || !exam.has_value()) {
    return warnings_.Add(Kind::kOrphanExam,
                         absl::StrCat(name, " counts for nobody: ",
                                      facts == nullptr ? "there is no such student on the roster; "
                                                         "resolve the name, or remove the row"
                                                       : "the policy has no such exam"),
                         /*blocks_publication=*/true);
  }
  if (!IsInRange(result.points_hundredths, 0, limits::kPointsMax)) {
    return warnings_.Add(
        Kind::kBadValue,
        absl::StrCat(name, " is set aside: ", result.points_hundredths,
                     " hundredths of points, must be from 0 to ", limits::kPointsMax),
        /*blocks_publication=*/true);
  }
  std::optional<int64_t>& points = facts->exam_points_hundredths[*exam];
  if (points.has_value()) {
    warnings_.Add(Kind::kDuplicate, absl::StrCat(name, " is given twice; the later one counts"));
  }
  points = result.points_hundredths;
}

void Sorter::AddQuizResult(const QuizResultInput& result) {
  StudentFacts* const facts = FactsOf(result.student);
  if (facts == nullptr || !quizzes_.contains(result.quiz)) {
    return warnings_.Add(Kind::kOrphanQuiz,
                         absl::StrCat("answer of ", Quoted(result.student), " to quiz ",
                                      Quoted(result.quiz), " counts for nobody: one is unknown"));
  }
  facts->quiz_results.push_back(&result);
}

std::vector<StudentFacts> Sorter::Sort() {
  for (StudentFacts& facts : facts_) {
    facts.exam_points_hundredths.resize(static_cast<size_t>(exams_.items_size()));
  }
  for (const ResultInput& result : input_.results) AddResult(result);
  for (const AdjustmentInput& adjustment : input_.adjustments) AddAdjustment(adjustment);
  for (const ExamResultInput& result : input_.exam_results) AddExamResult(result);
  for (const QuizResultInput& result : input_.quiz_results) AddQuizResult(result);
  for (StudentFacts& facts : facts_) {
    std::sort(facts.runs.begin(), facts.runs.end(),
              [](const Run& a, const Run& b) { return a.assignment_index < b.assignment_index; });
  }
  return std::move(facts_);
}

}  // namespace

void BookWarnings::Add(Kind kind, std::string text, bool blocks_publication) {
  blocks_publication_ = blocks_publication_ || blocks_publication;
  if (warnings_.size() + 1 >= limits::kGradebookWarningsMax) {
    ++left_out_count_;
    return;
  }
  warnings_.push_back({kind, std::move(text), blocks_publication});
}

std::vector<BookWarning> BookWarnings::Take() {
  if (left_out_count_ > 0) {
    warnings_.push_back({Kind::kMore, absl::StrCat("and ", left_out_count_, " more warnings"),
                         blocks_publication_});
  }
  return std::move(warnings_);
}

absl::Status CheckGradebookInput(const GradebookInput& input) {
  absl::Status sizes = CheckSizes(input);
  if (!sizes.ok()) return sizes;
  std::vector<FieldViolation> faults;
  CheckIds(input.assignments, "assignments", &faults);
  CheckIds(input.students, "students", &faults);
  CheckIds(input.quizzes, "quizzes", &faults);
  for (size_t i = 0; i < input.assignments.size(); ++i) {
    CheckAssignment(input.assignments[i], absl::StrCat("assignments[", i, "]"), &faults);
  }
  if (faults.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
}

std::vector<StudentFacts> SortFacts(const GradebookInput& input, const v1::ExamsPolicy& exams,
                                    BookWarnings* warnings) {
  return Sorter(input, exams, warnings).Sort();
}

}  // namespace trainyard
