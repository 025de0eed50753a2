// TempDir is an empty directory that lives as long as a test.
//
//   TempDir dir;  Database::Open(dir.path() + "/trainyard.db");
#ifndef TRAINYARD_TESTS_SUPPORT_TEMP_DIR_H_
#define TRAINYARD_TESTS_SUPPORT_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "core/base/check.h"

namespace trainyard {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "trainyard_test_XXXXXX").string()) {
    TY_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;  // a test that has passed does not fail over its leftovers
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_TEMP_DIR_H_
