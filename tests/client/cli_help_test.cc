// The help texts as golden files: what a user reads changes on purpose or not at all.
#include <fstream>
#include <sstream>

#include "absl/strings/str_join.h"
#include "client/cli.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using Words = std::vector<std::string>;

struct Case {
  const char* name;  // of tests/golden/cli/{name}.txt
  Words command;
};

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
  EXPECT_EQ(out.str(), golden.str())
      << "if this change is meant: trainyard " << absl::StrJoin(arguments, " ") << " > " << path;
}

INSTANTIATE_TEST_SUITE_P(
    All, CliHelpTest,
    testing::Values(Case{"help", {}}, Case{"dataset", {"dataset"}},
                    Case{"dataset_upload", {"dataset", "upload"}}, Case{"train", {"train"}},
                    Case{"job", {"job"}}, Case{"job_watch", {"job", "watch"}},
                    Case{"job_list", {"job", "list"}}, Case{"model", {"model"}},
                    Case{"model_predict", {"model", "predict"}},
                    Case{"model_export", {"model", "export"}}, Case{"analyze", {"analyze"}},
                    Case{"analyze_landscape", {"analyze", "landscape"}},
                    Case{"server", {"server"}}),
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

}  // namespace
}  // namespace trainyard
