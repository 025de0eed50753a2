// Gradebook files, byte for byte against those that golden/make_gradebook.py wrote of the same
// course. gradebook_files_test.py reads the golden files by the rules of those who import them.
#include "server/grading/export_gradebook.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

absl::Time Time(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%S", text, absl::UTCTimeZone(), &time, &error));
  return time;
}

ExportHomework Homework(int64_t centipoints, int64_t penalty, int64_t late,
                        const std::string& submission = "", const std::string& receipt = "",
                        const std::string& accepted = "") {
  return {.centipoints = centipoints,
          .penalty_centipoints = penalty,
          .late_units = late,
          .submission = submission,
          .receipt = receipt,
          .accepted_at = accepted.empty() ? absl::InfinitePast() : Time(accepted)};
}

v1::ExternalIds Ids(const std::vector<std::string>& ids) {
  v1::ExternalIds external;
  external.set_github_login(ids[0]);
  external.set_email(ids[1]);
  external.set_canvas_id(ids[2]);
  external.set_sis_user_id(ids[3]);
  external.set_sis_login_id(ids[4]);
  external.set_section(ids[5]);
  external.set_lti_user_id(ids[6]);
  return external;
}

// ROWS of make_gradebook.py.
ExportBook Book() {
  ExportHomework exempt;
  exempt.exempt = true;
  ExportBook book{.course = "dl", .policy_version = 3, .as_of_sequence = 77, .digest = "sha256:00"};
  book.assignments = {{"hw-mlp", "MLP, training", 100, Time("2027-02-10 20:59:59")},
                      {"hw-opt", "", 150}};
  book.rows = {
      {"u1",
       "Орлова Мария Петровна",
       "ФТиАД",
       "1",
       Ids({"m-orlova", "m.orlova@edu.example", "77120", "st20261", "m.orlova", "DL-1", "5323497"}),
       {Homework(8600, 0, 0, "s1", "ab12", "2027-02-10 18:42:07"),
        Homework(630, 70, 1, "s2", "cd34", "2027-03-01 00:00:00")},
       9230,
       800,
       200,
       1000},
      {"u2",
       "=HYPERLINK(\"http://evil\")",
       "",
       "2",
       Ids({"a-first", "-x@y", "77121", "st20262", "@login", "DL;1", ""}),
       {exempt, Homework(0, 0, 0)},
       0,
       0,
       0,
       0},
      {"u3",
       "Петров, \"Иван\"",
       "-dash",
       "",
       Ids({"p2", "", "", "", "", "", ""}),
       {Homework(10005, 4288, 3, "s3", "ef56", "2027-02-14 10:00:00"), Homework(0, 0, 0)},
       10005,
       300,
       35,
       335},
      {"u4",
       "  ",
       "X",
       "",
       Ids({"z", "z@edu.example", "", "", "", "", ""}),
       {Homework(0, 0, 0), Homework(0, 0, 0)},
       0,
       0,
       0,
       0},
      {"u5",
       "",
       "",
       "",
       Ids({"", "", "", "st5", "", "", ""}),
       {Homework(1, 0, 0), Homework(-150, 0, 0)},
       -149,
       750,
       5,
       755}};
  return book;
}

std::string Golden(const std::string& name) {
  std::ifstream file(TY_SOURCE_DIR "/tests/server/grading/golden/gradebook/" + name,
                     std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

TEST(ExportGradebookTest, HseIsTheCoursesPageByteForByte) {
  ASSERT_OK_AND_ASSIGN(const ExportedFile file,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_HSE_CSV}));
  EXPECT_EQ(file.document, Golden("hse.csv"));
  EXPECT_EQ(file.file_name, "dl-hse.csv");
  EXPECT_THAT(file.warnings, ElementsAre(HasSubstr("u4"), HasSubstr("u5")));
}

TEST(ExportGradebookTest, MoodleWithADecimalComma) {
  ASSERT_OK_AND_ASSIGN(
      const ExportedFile file,
      ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_MOODLE_CSV, .decimal_mark = ","}));
  EXPECT_EQ(file.document, Golden("moodle.csv"));
  EXPECT_THAT(file.warnings, ElementsAre(HasSubstr("u3"), HasSubstr("u5")));
  ASSERT_OK_AND_ASSIGN(const ExportedFile point,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_MOODLE_CSV}));
  EXPECT_THAT(point.document, HasSubstr("m.orlova,m.orlova@edu.example,86.00,receipt ab12,6.30,"));
}

TEST(ExportGradebookTest, Canvas) {
  ASSERT_OK_AND_ASSIGN(const ExportedFile file,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_CANVAS_CSV,
                                                .canvas_assignment_ids = {{"hw-mlp", 48213}}}));
  EXPECT_EQ(file.document, Golden("canvas.csv"));
  EXPECT_THAT(file.warnings,
              ElementsAre(HasSubstr("hw-opt has no Canvas id"), HasSubstr("u3"), HasSubstr("u4")));
}

TEST(ExportGradebookTest, Nbgrader) {
  ASSERT_OK_AND_ASSIGN(const ExportedFile file,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_NBGRADER_CSV}));
  EXPECT_EQ(file.document, Golden("nbgrader.csv"));
  EXPECT_THAT(file.warnings, IsEmpty());
}

TEST(ExportGradebookTest, JsonHasEverything) {
  ASSERT_OK_AND_ASSIGN(const ExportedFile file,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_JSON}));
  EXPECT_EQ(file.document, Golden("gradebook.json"));
}

constexpr char kMark[] = "\xEF\xBB\xBF";

TEST(ExportGradebookTest, AByteOrderMarkIsNoneOrOneWhereItIsAskedFor) {
  for (const v1::GradebookFormat format :
       {v1::GRADEBOOK_FORMAT_HSE_CSV, v1::GRADEBOOK_FORMAT_MOODLE_CSV,
        v1::GRADEBOOK_FORMAT_CANVAS_CSV}) {
    SCOPED_TRACE(format);
    ASSERT_OK_AND_ASSIGN(const ExportedFile with,
                         ExportGradebook(Book(), {.format = format, .csv_bom = true}));
    ASSERT_OK_AND_ASSIGN(const ExportedFile without,
                         ExportGradebook(Book(), {.format = format, .csv_bom = false}));
    EXPECT_THAT(without.document, Not(StartsWith(kMark)));
    EXPECT_EQ(with.document, kMark + without.document);
  }
  // What programs read has none.
  for (const v1::GradebookFormat format :
       {v1::GRADEBOOK_FORMAT_NBGRADER_CSV, v1::GRADEBOOK_FORMAT_JSON}) {
    SCOPED_TRACE(format);
    EXPECT_THAT(ExportGradebook(Book(), {.format = format, .csv_bom = true})->document,
                Not(StartsWith(kMark)));
  }
}

TEST(ExportGradebookTest, StudentsWithoutANameHaveARowWhereItIsAskedFor) {
  ASSERT_OK_AND_ASSIGN(const ExportedFile hse,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_HSE_CSV,
                                                .include_without_name = true}));
  EXPECT_THAT(hse.document, HasSubstr("\r\nu5,-,7.5,0.05,7.55\r\n"));
  EXPECT_THAT(hse.document, HasSubstr("\r\nu4,X,0,0.00,0.00"));
  EXPECT_THAT(hse.warnings, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const ExportedFile moodle,
                       ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_MOODLE_CSV,
                                                .include_without_name = false}));
  EXPECT_THAT(moodle.document, Not(HasSubstr("z@edu.example")));
  EXPECT_THAT(moodle.warnings, ElementsAre(HasSubstr("u4 has no name"), HasSubstr("u5 has no name"),
                                           HasSubstr("u3")));
  ASSERT_OK_AND_ASSIGN(
      const ExportedFile canvas,
      ExportGradebook(Book(), {.format = v1::GRADEBOOK_FORMAT_CANVAS_CSV,
                               .canvas_assignment_ids = {{"hw-mlp", 1}, {"hw-opt", 2}},
                               .include_without_name = false}));
  EXPECT_THAT(canvas.document, Not(HasSubstr("st5")));
}

TEST(ExportGradebookTest, EveryFaultIsNamed) {
  ExportBook book = Book();
  book.rows[0].full_name = "\xFF";
  book.rows[2].external.set_section("\xC3");
  EXPECT_THAT(ViolatedFields(ExportGradebook(book, {.format = v1::GRADEBOOK_FORMAT_HSE_CSV,
                                                    .decimal_mark = ";"})
                                 .status()),
              ElementsAre("rows[0].full_name", "rows[2].external.section", "decimal_mark"));
  EXPECT_THAT(ViolatedFields(ExportGradebook(Book(), {}).status()), ElementsAre("format"));
}

TEST(ExportGradebookTest, TooLargeIsSaid) {
  ExportBook book = Book();
  book.rows.resize(6'000, book.rows[0]);
  EXPECT_THAT(ExportGradebook(book, {.format = v1::GRADEBOOK_FORMAT_JSON}),
              HasReason(ErrorReason::kTooLarge));
}

}  // namespace
}  // namespace trainyard
