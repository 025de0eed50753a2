// The help texts as golden files: what a user reads changes on purpose or not at all.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using Words = std::vector<std::string>;

struct Case {
  const char* name;  // of tests/golden/cli/{name}.txt
  Words command;
};

// CLI11 lists what an option excludes in the order of addresses: the words of such a line, sorted.
std::string InOneOrder(const std::string& help) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    Words words = absl::StrSplit(line, ' ');
    const auto excluded = std::find(words.begin(), words.end(), "Excludes:");
    if (excluded != words.end()) std::sort(excluded + 1, words.end());
    absl::StrAppend(&text, absl::StrJoin(words, " "), "\n");
  }
  return text;
}

class CliHelpTest : public testing::TestWithParam<Case> {};

TEST_P(CliHelpTest, EqualsTheGoldenFile) {
  Words arguments = GetParam().command;
  arguments.push_back("--help");
  std::ostringstream out, err;
  Interrupt interrupt;
  ASSERT_EQ(RunCli(arguments, {out, err}, &interrupt, {}), ExitCode::kOk) << err.str();
  const std::string path =
      std::string(TY_SOURCE_DIR "/tests/golden/cli/") + GetParam().name + ".txt";
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(InOneOrder(out.str()), InOneOrder(golden.str()))
      << "if this change is meant: trainyard " << absl::StrJoin(arguments, " ") << " > " << path;
}

INSTANTIATE_TEST_SUITE_P(
    All, CliHelpTest,
    testing::Values(
        Case{"help", {}}, Case{"dataset", {"dataset"}},
        Case{"dataset_upload", {"dataset", "upload"}},
        Case{"dataset_rejects", {"dataset", "rejects"}}, Case{"train", {"train"}},
        Case{"job", {"job"}}, Case{"job_watch", {"job", "watch"}},
        Case{"job_list", {"job", "list"}}, Case{"job_history", {"job", "history"}},
        Case{"job_export_tensorboard", {"job", "export-tensorboard"}},
        Case{"job_plot", {"job", "plot"}}, Case{"top", {"top"}}, Case{"verify", {"verify"}},
        Case{"model", {"model"}}, Case{"model_predict", {"model", "predict"}},
        Case{"model_export", {"model", "export"}}, Case{"model_import", {"model", "import"}},
        Case{"analyze", {"analyze"}}, Case{"analyze_landscape", {"analyze", "landscape"}},
        Case{"server", {"server"}}, Case{"course", {"course"}},
        Case{"course_enrol", {"course", "enrol"}}, Case{"assignment", {"assignment"}},
        Case{"submission", {"submission"}}, Case{"submission_receipt", {"submission", "receipt"}},
        Case{"grade", {"grade"}}, Case{"submit", {"submit"}}, Case{"regrade", {"regrade"}},
        Case{"gradebook", {"gradebook"}}, Case{"gradebook_export", {"gradebook", "export"}},
        Case{"adjustment", {"adjustment"}}, Case{"adjustment_create", {"adjustment", "create"}},
        Case{"marks", {"marks"}}, Case{"delivery", {"delivery"}},
        Case{"delivery_set", {"delivery", "set"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(CliUsageTest, WrongUsageIsExitCode2AndSaysSoOnStderr) {
  for (const Words& arguments :
       {Words{}, Words{"frobnicate"}, Words{"train"}, Words{"job", "watch"},
        Words{"train", "--dataset", "datasets/a", "--no-such-flag"},
        Words{"-o", "xml", "job", "list"}, Words{"--timeout", "soon", "job", "list"},
        Words{"--timeout", "-1s", "job", "list"}}) {
    SCOPED_TRACE(absl::StrJoin(arguments, " "));
    std::ostringstream out, err;
    Interrupt interrupt;
    EXPECT_EQ(RunCli(arguments, {out, err}, &interrupt, {}), ExitCode::kUsage);
    EXPECT_EQ(out.str(), "");
    EXPECT_NE(err.str(), "");
  }
}

TEST(CliUsageTest, UnknownFlagsAndCommandsNameTheNearest) {
  const struct {
    Words arguments;
    const char* line;
  } cases[] = {
      {{"analyze", "landscpe"}, "unknown command \"landscpe\" (did you mean \"landscape\"?)\n"},
      {{"trian"}, "unknown command \"trian\" (did you mean \"train\"?)\n"},
      {{"train", "--dataset", "datasets/a", "--learning-rat", "0.1"},
       "unknown flag \"--learning-rat\" (did you mean \"--learning-rate\"?)\n"},
      {{"train", "--epoch=3"}, "unknown flag \"--epoch\" (did you mean \"--epochs\"?)\n"},
      {{"analyze", "hessian", "--bath-size", "8"},
       "unknown flag \"--bath-size\" (did you mean \"--batch-size\"?)\n"},
      {{"job", "list", "--sever", "x"}, "unknown flag \"--sever\" (did you mean \"--server\"?)\n"},
      {{"job", "get", "j1", "j2"}, "unknown argument \"j2\"\n"},
      {{"job", "frobnicate"}, "unknown command \"frobnicate\"\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(absl::StrJoin(c.arguments, " "));
    std::ostringstream out, err;
    Interrupt interrupt;
    EXPECT_EQ(RunCli(c.arguments, {out, err}, &interrupt, {}), ExitCode::kUsage);
    EXPECT_EQ(err.str().substr(0, err.str().find('\n') + 1), c.line);
  }
}

}  // namespace
}  // namespace trainyard
