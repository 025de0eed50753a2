#include "server/grading/policy_check.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/grading/gradebook_limits.h"
#include "server/grading/policy.h"
#include "server/grading/policy_time.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int64_t kDay = 86'400;
constexpr int64_t kGraceSecondsMax = 366 * kDay;
constexpr int64_t kUnitSecondsMax = 366 * kDay;
constexpr int64_t kHardCloseSecondsMax = 3'660 * kDay;
constexpr int64_t kGradePointsMax = 1'000;
constexpr int64_t kWeightPercentMax = 10'000;
constexpr size_t kIdBytesMax = 63;
constexpr size_t kModuleBytesMax = 200;

class Checker {
 public:
  Checker(const v1::GradingPolicy& policy, bool is_new) : policy_(policy), is_new_(is_new) {}

  std::vector<FieldViolation> Check();

 private:
  void Add(absl::string_view path, absl::string_view what);
  // `value` of the field `path`, from `min` to `max`.
  void CheckRange(absl::string_view path, int64_t value, int64_t min, int64_t max);
  void CheckSeconds(absl::string_view path, const google::protobuf::Duration& duration, int64_t min,
                    int64_t max);
  void CheckGiven(const Message& message, const std::string& path);
  void CheckFieldGiven(const Message& message, const FieldDescriptor& field,
                       const std::string& path);
  void CheckTime();
  void CheckLate();
  void CheckHomework();
  void CheckExam(const v1::ExamPolicy& exam, const std::string& path);
  void CheckExams();
  void CheckExamSum();
  void CheckModule(const std::string& module, const std::string& path);
  void CheckAdmission(const v1::AdmissionPolicy& admission, const std::string& path);
  void CheckAdmissions();
  void CheckCourseArithmetic();
  void CheckSizes();

  const v1::GradingPolicy& policy_;
  const bool is_new_;
  std::set<std::string> exam_ids_;
  std::set<std::pair<std::string, std::string>> admissions_;  // exam and module
  std::vector<FieldViolation> faults_;
};

void Checker::Add(absl::string_view path, absl::string_view what) {
  faults_.push_back({absl::StrCat("policy.", path), std::string(what)});
}

void Checker::CheckRange(absl::string_view path, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return;
  Add(path, absl::StrCat("is ", value, ", must be from ", min, " to ", max));
}

void Checker::CheckSeconds(absl::string_view path, const google::protobuf::Duration& duration,
                           int64_t min, int64_t max) {
  const std::optional<int64_t> seconds = WholeSeconds(duration);
  if (seconds.has_value() && *seconds >= min && *seconds <= max) return;
  const std::string found =
      seconds.has_value() ? absl::StrCat(*seconds, " s")
                          : absl::StrCat(duration.seconds(), " s and ", duration.nanos(), " ns");
  Add(path, absl::StrCat("is ", found, ", must be whole seconds from ", min, " to ", max));
}

// Fields without which a resolved policy is complete.
bool IsOptional(const FieldDescriptor& field) {
  return field.is_repeated() || field.name() == "preset" || field.name() == "hard_close_after" ||
         field.name() == "quizzes_min";
}

bool IsGiven(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (!reflection.HasField(message, &field)) return false;
  return field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
         reflection.GetEnumValue(message, &field) != 0;
}

void Checker::CheckFieldGiven(const Message& message, const FieldDescriptor& field,
                              const std::string& path) {
  if (!IsOptional(field) && !IsGiven(message, field)) {
    Add(path, absl::StrCat("is not given; give it, or name a preset that does (",
                           absl::StrJoin(PolicyPresets(), ", "), ")"));
    return;
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
  const Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) return CheckGiven(reflection.GetMessage(message, &field), path);
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    CheckGiven(reflection.GetRepeatedMessage(message, &field, i), absl::StrCat(path, "[", i, "]"));
  }
}

void Checker::CheckGiven(const Message& message, const std::string& path) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Duration") return;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::string field_path = absl::StrCat(path, path.empty() ? "" : ".", field.name());
    CheckFieldGiven(message, field, field_path);
  }
}

void Checker::CheckTime() {
  const v1::TimePolicy& time = policy_.time();
  if (time.has_tz() && !LoadPolicyZone(time.tz()).has_value()) {
    Add("time.tz", absl::StrCat("\"", absl::CEscape(time.tz().substr(0, kIdBytesMax)),
                                "\" is no time zone of this server; write an IANA name such as "
                                "\"Europe/Moscow\""));
  }
  if (time.has_grace()) CheckSeconds("time.grace", time.grace(), 0, kGraceSecondsMax);
}

void Checker::CheckLate() {
  const v1::LatePolicy& late = policy_.late();
  if (late.has_unit()) CheckSeconds("late.unit", late.unit(), 1, kUnitSecondsMax);
  CheckRange("late.percent_per_unit", late.percent_per_unit(), 0, 100);
  CheckRange("late.max_percent", late.max_percent(), 0, 100);
  if (late.has_max_percent() && late.percent_per_unit() > late.max_percent()) {
    Add("late.percent_per_unit",
        absl::StrCat("is ", late.percent_per_unit(), ", more than max_percent, ",
                     late.max_percent(), "; lower it, or raise max_percent"));
  }
  const bool closes = late.hard_close() == v1::HARD_CLOSE_AFTER;
  if (late.has_hard_close_after() && closes) {
    CheckSeconds("late.hard_close_after", late.hard_close_after(), 0, kHardCloseSecondsMax);
  }
  if (late.has_hard_close_after() != closes) {
    Add("late.hard_close_after", closes ? "is not given, but hard_close is after; give it"
                                        : "is given, but hard_close is not after; take out one");
  }
}

void Checker::CheckHomework() {
  const v1::HomeworkPolicy& homework = policy_.homework();
  const v1::FinalPolicy& final = policy_.final();
  if (homework.has_scale()) CheckRange("homework.scale", homework.scale(), 1, kGradePointsMax);
  if (final.has_cap()) CheckRange("final.cap", final.cap(), 1, kGradePointsMax);
  if (final.has_cap() && homework.scale() > final.cap()) {
    Add("homework.scale", absl::StrCat("is ", homework.scale(), ", more than final.cap, ",
                                       final.cap(), "; lower it, or raise final.cap"));
  }
  if (homework.denominator() == v1::HOMEWORK_DENOMINATOR_ALL_MAX &&
      homework.bonus() == v1::BONUS_RULE_NONE) {
    Add("homework.bonus",
        "is none, but denominator all_max counts the maxima of bonus assignments; choose "
        "numerator, or denominator non_bonus_max");
  }
}

bool IsIdCharacter(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

void Checker::CheckExam(const v1::ExamPolicy& exam, const std::string& path) {
  const bool named = exam.id().size() <= kIdBytesMax &&
                     std::all_of(exam.id().begin(), exam.id().end(), IsIdCharacter);
  if (!named) {
    Add(path + ".id", absl::StrCat("must be 1 to ", kIdBytesMax, " of a-z, 0-9, - and _"));
  }
  if (!exam.id().empty() && !exam_ids_.insert(exam.id()).second) {
    Add(path + ".id", "is that of an exam before; each exam once");
  }
  if (exam.has_max()) CheckRange(path + ".max", exam.max(), 1, kGradePointsMax);
  CheckRange(path + ".weight_percent", exam.weight_percent(), 0, kWeightPercentMax);
}

void Checker::CheckExams() {
  const v1::ExamsPolicy& exams = policy_.exams();
  CheckRange("exams.cap", exams.cap(), 0, kGradePointsMax);
  for (int i = 0; i < exams.items_size(); ++i) {
    CheckExam(exams.items(i), absl::StrCat("exams.items[", i, "]"));
  }
  if (exams.has_cap()) CheckExamSum();
}

void Checker::CheckExamSum() {
  int64_t sum = 0;  // hundredths of grade points
  for (const v1::ExamPolicy& exam : policy_.exams().items()) {
    sum += int64_t{exam.max()} * exam.weight_percent();
  }
  if (sum <= int64_t{policy_.exams().cap()} * 100) return;
  Add("exams.items", absl::StrCat("together give up to ", sum / 100, ".", sum % 100 / 10, sum % 10,
                                  " points, more than exams.cap, ", policy_.exams().cap(),
                                  "; lower weight_percent, or raise cap"));
}

// A module as assignments and quizzes have it. Written in another way it is that of none.
bool IsModule(const std::string& text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) && number >= 1 && number <= limits::kModuleMax &&
         absl::StrCat(number) == text;
}

void Checker::CheckModule(const std::string& module, const std::string& path) {
  if (module.size() > kModuleBytesMax) {
    Add(path, absl::StrCat("must have at most ", kModuleBytesMax, " bytes"));
    return;
  }
  if (!is_new_ || module.empty() || IsModule(module)) return;
  Add(path, absl::StrCat("is \"", absl::CEscape(module.substr(0, kIdBytesMax)),
                         "\", which no quiz can have; write the number of a module, \"1\" to \"",
                         limits::kModuleMax, "\""));
}

void Checker::CheckAdmission(const v1::AdmissionPolicy& admission, const std::string& path) {
  if (!admission.exam().empty() && exam_ids_.count(admission.exam()) == 0) {
    Add(path + ".exam", absl::StrCat("exams.items has no such exam; it has ",
                                     exam_ids_.empty() ? "none" : absl::StrJoin(exam_ids_, ", ")));
  }
  CheckModule(admission.module(), path + ".module");
  if (!admissions_.emplace(admission.exam(), admission.module()).second) {
    Add(path, "the same exam and module stand in an admission before; each pair once");
  }
  if (!admission.by().empty() && !PolicyDate::Parse(admission.by()).has_value()) {
    Add(path + ".by", "is no date; write \"2027-03-29 23:59\", or \"03-29 23:59\" for any year");
  }
  if (admission.has_quizzes_min()) {
    CheckRange(path + ".quizzes_min", admission.quizzes_min(), 1, limits::kQuizzesMax);
  }
}

void Checker::CheckAdmissions() {
  for (int i = 0; i < policy_.admission_size(); ++i) {
    CheckAdmission(policy_.admission(i), absl::StrCat("admission[", i, "]"));
  }
}

// The course's code makes some choices by itself.
void Checker::CheckCourseArithmetic() {
  if (policy_.arithmetic() != v1::GRADE_ARITHMETIC_HSE_2026_DOUBLE) return;
  struct Choice {
    const char* path;
    bool made;
    const char* needed;
  };
  const Choice choices[] = {
      {"late.apply_to", policy_.late().apply_to() == v1::LATE_BASE_POINTS, "points"},
      {"late.hard_close", policy_.late().hard_close() == v1::HARD_CLOSE_NEVER, "never"},
      {"select.rule", policy_.select().rule() == v1::SELECT_RULE_BEST, "best"},
      {"select.by", policy_.select().by() == v1::SELECT_BY_POINTS_AFTER_PENALTY,
       "points_after_penalty"},
      {"select.tie", policy_.select().tie() == v1::SELECT_TIE_LATEST, "latest"},
      {"points.rescale_on_max_change", !policy_.points().rescale_on_max_change(), "false"},
      {"homework.denominator",
       policy_.homework().denominator() == v1::HOMEWORK_DENOMINATOR_NON_BONUS_MAX, "non_bonus_max"},
      {"homework.bonus", policy_.homework().bonus() == v1::BONUS_RULE_NUMERATOR, "numerator"},
      {"homework.rounding",
       policy_.homework().rounding() == v1::HOMEWORK_ROUNDING_HUNDREDTHS_THEN_INTEGER,
       "hundredths_then_integer"},
      {"exams.cap", policy_.exams().cap() >= 1, "at least 1"},
      {"exams.bonus_may_cover", !policy_.exams().bonus_may_cover(), "false"},
      {"final.rounding", policy_.final().rounding() == v1::FINAL_ROUNDING_HUNDREDTHS,
       "hundredths"}};
  for (const Choice& choice : choices) {
    if (choice.made) continue;
    Add(choice.path, absl::StrCat("must be ", choice.needed,
                                  " with arithmetic hse_2026_double; change it, or choose exact"));
  }
}

void Checker::CheckSizes() {
  CheckRange("exams.items", policy_.exams().items_size(), 0, limits::kExamsMax);
  CheckRange("admission", policy_.admission_size(), 0, limits::kAdmissionsMax);
}

std::vector<FieldViolation> Checker::Check() {
  CheckSizes();
  if (!faults_.empty()) return std::move(faults_);  // there may be millions of them
  AddUnknowns(policy_, "policy", &faults_);
  CheckGiven(policy_, "");
  CheckTime();
  CheckLate();
  CheckHomework();
  CheckExams();
  CheckAdmissions();
  CheckCourseArithmetic();
  return std::move(faults_);
}

}  // namespace

std::vector<FieldViolation> PolicyFaults(const v1::GradingPolicy& policy) {
  return Checker(policy, /*is_new=*/false).Check();
}

std::vector<FieldViolation> NewPolicyFaults(const v1::GradingPolicy& policy) {
  return Checker(policy, /*is_new=*/true).Check();
}

}  // namespace trainyard
