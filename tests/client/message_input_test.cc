// Rosters and marks as teachers have them: tables out of spreadsheets.
#include "client/message_input.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/proto_csv.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
void ExpectMessage(const absl::StatusOr<T>& actual, const char* expected) {
  ASSERT_TRUE(actual.ok()) << actual.status();
  T message;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(expected, &message));
  EXPECT_EQ(actual->DebugString(), message.DebugString());
}

// "field: description" of every fault.
template <typename T>
std::vector<std::string> Faults(const absl::StatusOr<T>& result) {
  EXPECT_TRUE(IsUsageError(result.status())) << result.status();
  std::vector<std::string> faults;
  const ErrorInfo info = *GetErrorInfo(result.status());
  for (const FieldViolation& violation : info.violations) {
    faults.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  return faults;
}

std::string File(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(RosterCsvTest, AsASpreadsheetOfExcelWritesIt) {
  ExpectMessage(ParseRosterCsv("\xEF\xBB\xBFUser;Role;Full_Name;github_login;email\r\n"
                               "ann;student;\"Иванова; Анна \"\"Аня\"\"\";ann-gh;a@b.ru\r\n"
                               " bob ;INSTRUCTOR;;;\r\n"),
                R"(enrolments { user: "ann" role: COURSE_ROLE_STUDENT
                                full_name: "Иванова; Анна \"Аня\""
                                external { github_login: "ann-gh" email: "a@b.ru" } }
                   enrolments { user: "bob" role: COURSE_ROLE_INSTRUCTOR })");
}

TEST(RosterCsvTest, CommasTabsAndMissingCellsAtTheEnd) {
  const char* const expected = R"(enrolments { user: "ann" role: COURSE_ROLE_STUDENT group: "g1" }
                                  enrolments { user: "bob" role: COURSE_ROLE_VIEWER })";
  ExpectMessage(ParseRosterCsv("user,role,group\nann,student,g1\nbob,viewer\n"), expected);
  ExpectMessage(ParseRosterCsv("user\trole\tgroup\nann\tstudent\tg1\n\nbob\tviewer"), expected);
}

TEST(RosterCsvTest, EveryFaultComesAtOnceWithItsLine) {
  const auto faults = Faults(
      ParseRosterCsv("user,role,full_name,rol\nann,pupil,A\n,student,B\nbob,student,C,x,y\n"));
  EXPECT_THAT(faults,
              ElementsAre(HasSubstr("line 1, column \"rol\": unknown (did you mean \"role\"?)"),
                          HasSubstr("line 2, column \"role\": expected one of instructor, grader, "
                                    "student, viewer, found \"pupil\""),
                          HasSubstr("line 3, column \"user\": empty"),
                          HasSubstr("line 4: 5 cells, but the header has 4")));
}

TEST(RosterCsvTest, AHeaderWithoutWhatIsRequiredIsOneFaultNotOneARow) {
  EXPECT_THAT(Faults(ParseRosterCsv("user,user,group\nann,ann,1\nbob,bob,2\n")),
              ElementsAre("line 1, column \"user\": given twice",
                          "line 1, column \"role\": the header does not have it"));
}

TEST(RosterCsvTest, FaultsAreCountedAndEmptyTablesRefused) {
  std::string text = "user,role\n";
  for (size_t i = 0; i < 2 * kCsvFaultsMax; ++i) absl::StrAppend(&text, "ann,pupil\n");
  const auto faults = Faults(ParseRosterCsv(text));
  EXPECT_EQ(faults.size(), kCsvFaultsMax + 1);
  EXPECT_THAT(faults.back(), HasSubstr("and more faults"));
  for (const char* nothing : {"", "user,role\n", "\n\n"}) {
    EXPECT_THAT(ParseRosterCsv(nothing).status().message(), HasSubstr("no rows")) << nothing;
  }
  EXPECT_TRUE(IsUsageError(ParseRosterCsv("user,role\nann,\"student\n").status()));
}

TEST(RosterFileTest, YamlByItsNameAndErrorsWithThePath) {
  ExpectMessage(ReadRosterFile(File("roster.YAML", "enrolments: [{user: ann, role: grader}]\n")),
                R"(enrolments { user: "ann" role: COURSE_ROLE_GRADER })");
  const std::string path = File("roster.csv", "user,role\nann,pupil\n");
  EXPECT_THAT(ReadRosterFile(path).status().message(), HasSubstr(absl::StrCat(path, ": line 2")));
}

TEST(MarksCsvTest, ExamsByPointsOrHundredths) {
  const char* const expected =
      R"(exams { student: "ann" exam: "exam3" hundredths: 750 examiner: "eve" }
         exams { student: "bob" exam: "exam3" hundredths: 1000 })";
  ExpectMessage(ParseMarksCsv("student,exam,points,examiner\nann,exam3,7.5,eve\nbob,exam3,10,\n"),
                expected);
  ExpectMessage(
      ParseMarksCsv("student,exam,hundredths,examiner\nann,exam3,750,eve\nbob,exam3,1000,\n"),
      expected);
  EXPECT_THAT(Faults(ParseMarksCsv("student,exam,points\nann,exam3,7.555\nbob,exam3,\n")),
              ElementsAre(HasSubstr("line 2, column \"points\": expected a number of at most two "
                                    "decimals, found \"7.555\""),
                          "line 3, column \"points\": empty"));
}

TEST(MarksCsvTest, QuizzesByTheirColumn) {
  ExpectMessage(ParseMarksCsv("student,quiz,module,correct_at,attempts\n"
                              "ann,q-1,3,2027-03-29T23:59:00+03:00,2\nbob,q-1,3,,7\n"),
                R"(quizzes { student: "ann" quiz: "q-1" module: 3
                             correct_at { seconds: 1806353940 } attempts: 2 }
                   quizzes { student: "bob" quiz: "q-1" module: 3 attempts: 7 })");
}

// Who removes gives the file again that was recorded by mistake, or one without points.
TEST(MarksFileTest, OfWhatIsRemovedOnlyTheNameIsRead) {
  const char* const exams = R"(exams { student: "ann" exam: "exam3" removed: true })";
  const char* const quizzes = R"(quizzes { student: "bob" quiz: "q-1" removed: true })";
  ExpectMessage(ReadRemovedMarksFile(File("m1.csv", "student,exam\nann,exam3\n")), exams);
  ExpectMessage(ReadRemovedMarksFile(
                    File("m2.csv", "student,exam,points,examiner\nann,exam3,7.5,eve\n")),
                exams);
  ExpectMessage(ReadRemovedMarksFile(File("m3.csv", "student,quiz\nbob,q-1\n")), quizzes);
  ExpectMessage(ReadRemovedMarksFile(File("m4.csv", "student,quiz,module,attempts\nbob,q-1,3,2\n")),
                quizzes);
  ExpectMessage(ReadRemovedMarksFile(
                    File("m5.yaml", "exams: [{student: ann, exam: exam3, hundredths: 750}]\n")),
                exams);
  EXPECT_THAT(Faults(ReadRemovedMarksFile(File("m6.csv", "student,exam\nann,\n"))),
              ElementsAre("line 2, column \"exam\": empty"));
}

// A column like every other.
TEST(MarksCsvTest, ARowMayBeARemoval) {
  ExpectMessage(ParseMarksCsv("student,quiz,module,attempts,removed\n"
                              "ann,q-1,3,2,\nbob,q-1,3,,true\n"),
                R"(quizzes { student: "ann" quiz: "q-1" module: 3 attempts: 2 }
                   quizzes { student: "bob" quiz: "q-1" module: 3 removed: true })");
}

TEST(MarksCsvTest, ATimeNeedsItsZone) {
  EXPECT_THAT(Faults(ParseMarksCsv("student,quiz,module,correct_at\nann,q-1,3,2027-03-29 23:59\n")),
              ElementsAre(HasSubstr("line 2, column \"correct_at\": expected a time such as")));
}

TEST(ParseHundredthsTest, OnlyWhatIsExact) {
  const struct {
    const char* text;
    std::optional<int64_t> hundredths;
  } cases[] = {{"7.5", 750},
               {"10", 1000},
               {"0.05", 5},
               {"-0.05", -5},
               {"-3", -300},
               {"7.", {}},
               {".5", {}},
               {"7.555", {}},
               {"7,5", {}},
               {"1e2", {}},
               {"", {}},
               {"-", {}},
               {"+1", {}},
               {"- 1", {}},
               {"1.-5", {}},
               {"--1", {}},
               {"nan", {}},
               {"1 ", {}},
               {"999999999999", 99999999999900},
               {"1000000000000", {}}};
  for (const auto& c : cases) EXPECT_EQ(ParseHundredths(c.text), c.hundredths) << c.text;
}

TEST(SecretFileTest, IsOneLine) {
  EXPECT_EQ(*ReadSecretFile(File("secret", "s3cret\n")), "s3cret");
  EXPECT_TRUE(IsUsageError(ReadSecretFile(File("secret", "\n \n")).status()));
  EXPECT_TRUE(IsUsageError(ReadSecretFile(File("secret", "a\nb\n")).status()));
}

}  // namespace
}  // namespace trainyard
