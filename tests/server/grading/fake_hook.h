// FakeHook runs fake_hook.py, a receiver of check runs and scores written from what the course's
// does.
//
//   FakeHook hook("secret", {"503", "hang"});     // then it behaves
//   target.set_url(hook.url("/hook"));
//   HttpGet(hook.port(), "/log");
#ifndef TRAINYARD_TESTS_SERVER_GRADING_FAKE_HOOK_H_
#define TRAINYARD_TESTS_SERVER_GRADING_FAKE_HOOK_H_

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "tests/support/temp_dir.h"

namespace trainyard {

class FakeHook {
 public:
  enum class Tls { kNone, kSelfSigned };

  explicit FakeHook(const std::string& secret, const std::vector<std::string>& behaviours = {},
                    Tls tls = Tls::kNone) {
    const std::string port_file = folder_.path() + "/port";
    const std::string command =
        absl::StrCat(tls == Tls::kSelfSigned ? CertificateCommand() : "",
                     "/usr/bin/python3 -B " TY_SOURCE_DIR "/tests/server/grading/fake_hook.py ",
                     port_file, " ", secret, " ", absl::StrJoin(behaviours, " "));
    process_ = popen(command.c_str(), "w");
    TY_CHECK(process_ != nullptr);
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (port_ == 0) {
      TY_CHECK(absl::Now() < deadline);
      std::ifstream(port_file) >> port_;
      absl::SleepFor(absl::Milliseconds(5));
    }
  }
  ~FakeHook() { pclose(process_); }  // closes its stdin, which ends it
  FakeHook(const FakeHook&) = delete;
  FakeHook& operator=(const FakeHook&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& path) const {
    return absl::StrCat("http://127.0.0.1:", port_, path);
  }

 private:
  // Makes a key and its certificate, and tells the script of them.
  std::string CertificateCommand() const {
    const std::string pem = folder_.path() + "/hook.pem";
    return absl::StrCat(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout ", pem,
        " -out ", pem, ".cert 2>/dev/null && cat ", pem, ".cert >> ", pem, " && HOOK_PEM=", pem,
        " ");
  }

  TempDir folder_;
  FILE* process_ = nullptr;
  int port_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_GRADING_FAKE_HOOK_H_
