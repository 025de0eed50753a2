#include "core/base/mapped_file.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

std::string FileOf(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(MappedFileTest, HasTheFilesBytesEvenWhenItsNameIsGone) {
  const std::string path = FileOf("mapped", "abc");
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(path));
  std::filesystem::remove(path);
  EXPECT_EQ(file->bytes(), "abc");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->bytes().data()) % 4096, 0u);
}

TEST(MappedFileTest, AnEmptyFileHasNoBytes) {
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(FileOf("empty", "")));
  EXPECT_EQ(file->bytes(), "");
}

TEST(MappedFileTest, StandsForBytesThatAreNoFile) {
  EXPECT_EQ(MappedFile::Of("abc")->bytes(), "abc");
}

TEST(MappedFileTest, WhatCannotBeMapped) {
  EXPECT_THAT(MappedFile::Open("/nowhere/file").status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"/nowhere/file\"")));
  EXPECT_THAT(MappedFile::Open(testing::TempDir()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no ordinary file")));
}

}  // namespace
}  // namespace trainyard
