// The source, tested: include edges, one library one file, function length, banners, comments of
// the contract. First each check is shown bad text, so that it is known to bite; then it runs over
// the tree.
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/tidy_checks.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TidyChecksTest, IncludesPointOneWay) {
  struct Case {
    const char* path;
    const char* include;
    bool allowed;
  };
  const Case cases[] = {
      {"core/tensor/a.cc", "core/base/check.h", true},
      {"core/base/a.cc", "core/tensor/matrix.h", false},
      {"core/data/a.cc", "core/nn/mlp.h", false},
      {"core/train/a.cc", "core/model/bundle.h", false},
      {"core/base/a.cc", "server/base/log.h", false},
      {"server/jobs/a.cc", "server/storage/database.h", true},
      {"server/storage/a.cc", "server/jobs/job.h", false},
      {"server/services/a.cc", "core/model/predictor.h", true},
      {"server/services/a.cc", "server/server.h", false},
      {"server/worker/a.cc", "server/wire/convert.h", true},
      {"server/worker/a.cc", "server/storage/blob_store.h", false},
      {"server/main.cc", "server/services/job_service.h", true},
      {"client/a.cc", "server/wire/error_detail.h", true},
      {"client/a.cc", "server/wire/convert.h", false},
      {"client/a.cc", "core/data/byte_source.h", true},
      {"client/a.cc", "core/model/npz_weights.h", true},
      {"client/a.cc", "core/model/bundle.h", false},
      {"client/a.cc", "core/nn/mlp.h", false},
      {"server/rpc/a.cc", "client/remote.h", false},
      {"server/rpc/a.cc", "tests/support/fake_clock.h", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.path, " includes ", c.include));
    const SourceFile file{c.path, absl::StrCat("#include \"", c.include, "\"\n")};
    EXPECT_EQ(CheckIncludeEdges(file).empty(), c.allowed);
  }
}

TEST(TidyChecksTest, ALibraryBelongsToItsOwner) {
  EXPECT_THAT(CheckLibraryOwners({"server/storage/database.cc", "#include <sqlite3.h>\n"}),
              IsEmpty());
  EXPECT_THAT(CheckLibraryOwners({"server/jobs/job.cc", "\n#include <sqlite3.h>\n"}),
              ElementsAre(HasSubstr(
                  "server/jobs/job.cc:2: <sqlite3.h> belongs to server/storage/database.cc")));
  EXPECT_THAT(CheckLibraryOwners({"server/metrics/text.h", "#include \"prometheus/counter.h\"\n"}),
              IsEmpty());
  EXPECT_THAT(CheckLibraryOwners({"core/nn/mlp.cc", "#include <dnnl.hpp>\n"}),
              ElementsAre(HasSubstr("dnnl_kernels.cc")));
}

TEST(TidyChecksTest, CoreIsQuietAndALeaf) {
  EXPECT_THAT(CheckCoreIsQuiet({"core/nn/a.cc", "  std::cout << 1;\n  snprintf(b, 1, \"\");\n"}),
              ElementsAre(HasSubstr("core/nn/a.cc:1: core/ must not use cout")));
  EXPECT_THAT(CheckCoreIsQuiet({"core/nn/a.cc", "// printf is not used here\n"}), IsEmpty());
  EXPECT_THAT(CheckCoreIsQuiet({"core/nn/a.cc", "#include \"trainyard/v1/job.pb.h\"\n"}),
              ElementsAre(HasSubstr("must not include trainyard/v1/job.pb.h")));
  EXPECT_THAT(CheckCoreIsQuiet({"server/a.cc", "  std::cout << 1;\n"}), IsEmpty());
}

// A function of `lines` lines, signature and closing brace included.
std::string FunctionOf(int lines) {
  std::string text = "int F(int a,\n      int b) {\n";
  for (int i = 0; i < lines - 3; ++i) absl::StrAppend(&text, "  G();\n");
  return text + "}\n";
}

TEST(TidyChecksTest, AFunctionOf71LinesIsTooLong) {
  EXPECT_THAT(CheckFunctionLength({"core/a.cc", FunctionOf(70)}), IsEmpty());
  EXPECT_THAT(CheckFunctionLength({"core/a.cc", "\n" + FunctionOf(71)}),
              ElementsAre(HasSubstr("core/a.cc:2: function of 71 lines; the limit is 70")));
}

TEST(TidyChecksTest, OnlyFunctionsAreMeasured) {
  const std::string many(80, '\n');
  EXPECT_THAT(CheckFunctionLength({"a.cc", absl::StrCat("namespace a {", many, "}\n")}), IsEmpty());
  EXPECT_THAT(
      CheckFunctionLength({"a.cc", absl::StrCat("const char* k = R\"(", many, "}\n)\";\n")}),
      IsEmpty());
  EXPECT_THAT(
      CheckFunctionLength({"a.cc", absl::StrCat("struct A {\n  void F() {", many, "  }\n};\n")}),
      ElementsAre(HasSubstr("a.cc:2: function of 81 lines")));
}

TEST(TidyChecksTest, AHeaderStartsWithItsBanner) {
  EXPECT_THAT(CheckHeaderBanner({"a.h", "// What it is.\n"}), IsEmpty());
  EXPECT_THAT(CheckHeaderBanner({"a.h", "#ifndef A_H_\n"}), ElementsAre(HasSubstr("a.h:1:")));
}

TEST(TidyChecksTest, ATodoHasAnOwner) {
  const std::string marker = absl::StrCat("// TO", "DO");
  EXPECT_THAT(CheckTodoOwners({"a.cc", marker + "(ann): when gRPC 1.60 is packaged\n"}), IsEmpty());
  EXPECT_THAT(CheckTodoOwners({"a.cc", "\n" + marker + ": later\n"}),
              ElementsAre(HasSubstr("a.cc:2:")));
  EXPECT_THAT(CheckTodoOwners({"a.cc", marker + "(): later\n"}), ElementsAre(HasSubstr("a.cc:1:")));
}

TEST(TidyChecksTest, ProtoDeclarationsAreCommented) {
  EXPECT_THAT(
      CheckProtoComments({"a.proto", "// A.\nmessage A {\n  // Optional. B.\n  int32 b = 1;\n}\n"}),
      IsEmpty());
  EXPECT_THAT(CheckProtoComments({"a.proto", "// A.\nmessage A {\n  int32 b = 1;\n}\n"}),
              ElementsAre(HasSubstr("a.proto:3: int32 b = 1;: has no comment")));
  EXPECT_THAT(CheckProtoComments({"a.proto", "// A.\nmessage A {\n  // B.\n  int32 b = 1;\n}\n"}),
              ElementsAre(HasSubstr("\"Optional.\"")));
  EXPECT_THAT(
      CheckProtoComments({"a.proto", "// E.\nenum E {\n  // Zero.\n  Z = 0;\n  Y = 1;\n}\n"}),
      ElementsAre(HasSubstr("a.proto:5: Y = 1;")));
  EXPECT_THAT(CheckProtoComments({"a.proto", "// S.\nservice S {\n  rpc A(B) returns (C);\n}\n"}),
              ElementsAre(HasSubstr("a.proto:3: rpc A")));
}

TEST(TidyChecksTest, ATestIsRegisteredInItsFolderOrAbove) {
  const SourceFile here{"tests/core/nn/CMakeLists.txt", "ty_test(nn_test SOURCES mlp_test.cc)"};
  const SourceFile above{"tests/core/CMakeLists.txt", "ty_test(nn_test SOURCES nn/mlp_test.cc)"};
  const SourceFile test{"tests/core/nn/mlp_test.cc", ""};
  EXPECT_THAT(CheckTestsRegistered({here, test}), IsEmpty());
  EXPECT_THAT(CheckTestsRegistered({above, test}), IsEmpty());
  EXPECT_THAT(CheckTestsRegistered({here, {"tests/core/nn/loss_test.cc", ""}}),
              ElementsAre(HasSubstr("tests/core/nn/loss_test.cc:1:")));
}

// The files of the repository that a check may look at.
class TreeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* folder : {"core", "server", "client", "proto", "tests"}) AddFolder(folder);
  }
  static void TearDownTestSuite() { files().clear(); }

  static std::vector<SourceFile>& files() {
    static auto* files = new std::vector<SourceFile>;
    return *files;
  }

  static void ExpectClean(const std::function<std::vector<std::string>(const SourceFile&)>& check) {
    for (const SourceFile& file : files()) {
      const std::vector<std::string> findings = check(file);
      EXPECT_THAT(findings, IsEmpty()) << absl::StrJoin(findings, "\n");
    }
    ASSERT_GT(files().size(), 50) << "too few files found below " << TY_SOURCE_DIR;
  }

 private:
  static bool IsSource(const std::filesystem::path& path) {
    const std::string extension = path.extension().string();
    return extension == ".h" || extension == ".cc" || extension == ".proto" ||
           path.filename() == "CMakeLists.txt";
  }

  static void AddFolder(const char* folder) {
    const std::filesystem::path root(TY_SOURCE_DIR);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string path = entry.path().lexically_relative(root).string();
      if (!entry.is_regular_file() || !IsSource(entry.path()) ||
          absl::StrContains(path, "node_modules"))
        continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files().push_back({path, text.str()});
    }
  }
};

TEST_F(TreeTest, IncludesPointOneWay) { ExpectClean(CheckIncludeEdges); }
TEST_F(TreeTest, OneLibraryOneFile) { ExpectClean(CheckLibraryOwners); }
TEST_F(TreeTest, CoreIsQuietAndALeaf) { ExpectClean(CheckCoreIsQuiet); }
TEST_F(TreeTest, FunctionsFitOnAScreen) { ExpectClean(CheckFunctionLength); }
TEST_F(TreeTest, HeadersHaveBanners) { ExpectClean(CheckHeaderBanner); }
TEST_F(TreeTest, TodosHaveOwners) { ExpectClean(CheckTodoOwners); }
TEST_F(TreeTest, TheContractIsCommented) { ExpectClean(CheckProtoComments); }
TEST_F(TreeTest, EveryTestRuns) {
  const std::vector<std::string> findings = CheckTestsRegistered(files());
  EXPECT_THAT(findings, IsEmpty()) << absl::StrJoin(findings, "\n");
}

}  // namespace
}  // namespace trainyard
