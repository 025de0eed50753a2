#include "server/options.h"

#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

// CANCELLED when help or the version was printed instead.
absl::StatusOr<ServerOptions> Parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "trainyard-server");
  absl::StatusOr<std::optional<ServerOptions>> options =
      ParseOptions(static_cast<int>(flags.size()), flags.data());
  if (!options.ok()) return options.status();
  if (!options->has_value()) return absl::CancelledError("printed");
  return **std::move(options);
}

TEST(OptionsTest, DefaultsAreValid) {
  ASSERT_OK_AND_ASSIGN(const auto options, Parse({}));
  EXPECT_EQ(options.listen, std::vector<std::string>{"127.0.0.1:7070"});
  EXPECT_EQ(options.metrics_listen, "127.0.0.1:9400");
  EXPECT_GE(options.workers, 1);
}

TEST(OptionsTest, VersionIsPrintedAndNothingStarts) {
  testing::internal::CaptureStdout();
  EXPECT_THAT(Parse({"--version"}), StatusIs(absl::StatusCode::kCancelled, testing::_));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("0.1.0"));
}

TEST(OptionsTest, HelpSaysThatMetricsAreForEveryone) {
  testing::internal::CaptureStdout();
  EXPECT_THAT(Parse({"--help"}), StatusIs(absl::StatusCode::kCancelled, testing::_));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("Whoever reaches it"));
}

TEST(OptionsTest, FlagsAreRead) {
  ASSERT_OK_AND_ASSIGN(const auto options,
                       Parse({"--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--metrics-listen",
                              "", "--workers", "0", "--drain-timeout", "2m", "--heartbeat-interval",
                              "200ms", "--log-level", "warning"}));
  EXPECT_EQ(options.listen.size(), 2u);
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.workers, 0);
  EXPECT_EQ(options.drain_timeout, absl::Minutes(2));
  EXPECT_EQ(options.heartbeat_interval, absl::Milliseconds(200));
}

TEST(OptionsTest, WhatIsShownOfJobsIsChosen) {
  ASSERT_OK_AND_ASSIGN(const auto usual, Parse({}));
  EXPECT_EQ(usual.metrics_job_level, JobSeriesLevel::kId);
  EXPECT_EQ(usual.metrics_max_job_series_jobs, 200u);
  EXPECT_EQ(usual.metrics_job_series_ttl, absl::Minutes(5));
  ASSERT_OK_AND_ASSIGN(const auto full,
                       Parse({"--metrics-job-level", "full", "--metrics-max-job-series-jobs", "7",
                              "--metrics-job-series-ttl", "30s"}));
  EXPECT_EQ(full.metrics_job_level, JobSeriesLevel::kFull);
  EXPECT_EQ(full.metrics_max_job_series_jobs, 7u);
  EXPECT_EQ(full.metrics_job_series_ttl, absl::Seconds(30));
  EXPECT_THAT(Parse({"--metrics-job-level", "some"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("metrics-job-level")));
  EXPECT_THAT(Parse({"--metrics-max-job-series-jobs", "2001"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2000")));
}

TEST(OptionsTest, AConfigFileHasTheSameNamesAndFlagsWin) {
  TempDir directory;
  const std::string path = directory.path() + "/trainyard.toml";
  std::ofstream(path) << "listen = \"127.0.0.1:1234\"\nworkers = 3\njob-runtime-max = \"10m\"\n";
  ASSERT_OK_AND_ASSIGN(const auto options, Parse({"--config", path.c_str(), "--workers", "2"}));
  EXPECT_EQ(options.listen, std::vector<std::string>{"127.0.0.1:1234"});
  EXPECT_EQ(options.workers, 2);
  EXPECT_EQ(options.job_runtime_max, absl::Minutes(10));
}

TEST(OptionsTest, AnUnknownKeyOfTheFileIsAnError) {
  TempDir directory;
  const std::string path = directory.path() + "/trainyard.toml";
  std::ofstream(path) << "worker = 3\n";
  EXPECT_THAT(Parse({"--config", path.c_str()}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("worker")));
}

TEST(OptionsTest, EveryFaultIsListed) {
  const auto options =
      Parse({"--listen", "nowhere", "--workers", "-1", "--owner-jobs-max", "0", "--data-dir", "",
             "--job-runtime-max", "2h", "--heartbeat-interval", "1ms"});
  ASSERT_FALSE(options.ok());
  EXPECT_THAT(ViolatedFields(options.status()),
              testing::IsSupersetOf({"listen", "workers", "owner-jobs-max", "data-dir",
                                     "job-runtime-max", "heartbeat-interval"}));
}

TEST(OptionsTest, OtherMachinesOnlyWithInsecure) {
  for (const char* address : {"0.0.0.0:7070", "192.0.2.1:7070", "[::]:7070", "example.com:7070"}) {
    SCOPED_TRACE(address);
    EXPECT_THAT(Parse({"--listen", address}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--insecure")));
    EXPECT_THAT(Parse({"--listen", address, "--insecure"}), IsOk());
  }
  for (const char* address : {"localhost:7070", "127.0.0.2:7070", "[::1]:0", "unix:/tmp/s"}) {
    EXPECT_THAT(Parse({"--listen", address}), IsOk()) << address;
  }
  EXPECT_THAT(Parse({"--listen", "127.example.org:7070"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--insecure")));
}

TEST(OptionsTest, OtherMachinesWithTls) {
  ASSERT_OK_AND_ASSIGN(const auto options,
                       Parse({"--listen", "0.0.0.0:7070", "--tls-cert", "c.pem", "--tls-key",
                              "k.pem", "--tls-client-ca", "a.pem"}));
  EXPECT_EQ(options.tls.certificate, "c.pem");
  EXPECT_EQ(options.tls.key, "k.pem");
  EXPECT_EQ(options.tls.client_ca, "a.pem");
  EXPECT_THAT(ViolatedFields(Parse({"--tls-cert", "c.pem"}).status()),
              testing::ElementsAre("tls-key"));
  EXPECT_THAT(ViolatedFields(Parse({"--tls-client-ca", "a.pem"}).status()),
              testing::ElementsAre("tls-client-ca"));
}

TEST(OptionsTest, RateAndAuditHaveBounds) {
  ASSERT_OK_AND_ASSIGN(const auto usual, Parse({}));
  EXPECT_EQ(usual.rate_limit, 200);
  EXPECT_EQ(usual.audit_max_entries, 10'000'000);
  EXPECT_THAT(ViolatedFields(Parse({"--rate-limit", "-1", "--audit-max-entries", "10"}).status()),
              testing::UnorderedElementsAre("rate-limit", "audit-max-entries"));
  EXPECT_THAT(Parse({"--rate-limit", "nan"}), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Parse({"--rate-limit", "0"}), IsOk());
}

TEST(OptionsTest, AddAdminNamesAUser) {
  ASSERT_OK_AND_ASSIGN(const auto options, Parse({"add-admin", "ann", "--data-dir", "d"}));
  EXPECT_EQ(options.command, ServerOptions::Command::kAddAdmin);
  EXPECT_EQ(options.admin_id, "ann");
  EXPECT_EQ(options.data_dir, "d");
  EXPECT_FALSE(Parse({"add-admin"}).ok());
}

TEST(OptionsTest, UnknownFlagsAndUnreadableValuesAreErrors) {
  EXPECT_THAT(Parse({"--colour", "red"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--colour")));
  EXPECT_THAT(Parse({"--workers", "many"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("many")));
  EXPECT_THAT(Parse({"--drain-timeout", "soon"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("soon")));
  EXPECT_THAT(Parse({"--log-level", "loud"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("loud")));
}

}  // namespace
}  // namespace trainyard
