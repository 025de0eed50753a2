#include "client/proto_yaml.h"

#include "client/spec_yaml.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;
using testing::Not;

template <typename T>
T Text(const char* text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

template <typename T>
void ExpectRoundTrip(const T& message) {
  const std::string yaml = ToYaml(message);
  T read;
  const absl::Status status = ParseYaml(yaml, &read);
  ASSERT_TRUE(status.ok()) << status << "\n" << yaml;
  EXPECT_TRUE(MessageDifferencer::Equals(message, read)) << yaml << read.DebugString();
}

TEST(ProtoYamlTest, IsWhatAPersonWouldWrite) {
  EXPECT_EQ(ToYaml(Text<v1::GradingPolicy>(R"(
      preset: "hse" time { tz: "Europe/Moscow" grace { seconds: 21901 } }
      late { percent_per_unit: 0 first_day_counts: true }
      select { by: SELECT_BY_POINTS_AFTER_PENALTY }
      exams { items { id: "exam3" max: 10 } items { id: "exam4" } }
      admission { exam: "exam3" by: "03-29 23:59" })")),
            "preset: hse\n"
            "time:\n"
            "  tz: Europe/Moscow\n"
            "  grace: 6h5m1s\n"
            "late:\n"
            "  first_day_counts: true\n"
            "  percent_per_unit: 0\n"
            "select:\n"
            "  by: points_after_penalty\n"
            "exams:\n"
            "  items:\n"
            "    - id: exam3\n"
            "      max: 10\n"
            "    - id: exam4\n"
            "admission:\n"
            "  - exam: exam3\n"
            "    by: \"03-29 23:59\"\n");
}

TEST(ProtoYamlTest, ReadsBackIntoTheSameMessage) {
  ExpectRoundTrip(Text<v1::Assignment>(R"(
      name: "courses/dl/assignments/hw1" max_points: 100 training_dataset: "datasets/a"
      title: "Крутое: \"задание\" # 1\n\t- \\x"
      base_spec { target_column: "- y" epochs: 3 optimizer { learning_rate: 0.1 } layers { units: 8 } layers {} }
      spec_rules { path: "epochs" min: 1 max: 0.30000000000000004 }
      spec_rules { path: "layers[].activation" values: "relu" values: "null" values: "~" values: "" }
      budget {} attempts { refill_period { seconds: 14400 nanos: 5000000 } }
      publish_time { seconds: 1800000000 nanos: 123456789 }
      score_rule { steps { threshold: 1e-300 points: 9223372036854775807 } }
      replay_fraction: 0.02)"));
  ExpectRoundTrip(Text<v1::ExportGradebookRequest>(
      R"(course: "courses/dl" canvas_assignment_ids { key: "hw: 1" value: -5 }
         canvas_assignment_ids { key: "true" value: 48213 })"));
  ExpectRoundTrip(Text<v1::MarksRecorded>(
      R"(quizzes { student: "ann" quiz: "q1" module: 3 correct_at { seconds: 1 } })"));
}

TEST(ProtoYamlTest, NothingMovesTheCursor) {
  v1::Assignment assignment;
  assignment.set_title("a\x1b[2J\xC2\x9B\x7F");
  EXPECT_EQ(ToYaml(assignment), "title: \"a\\x1B[2J\\x9B\\x7F\"\n");
  ExpectRoundTrip(assignment);
}

}  // namespace
}  // namespace trainyard
