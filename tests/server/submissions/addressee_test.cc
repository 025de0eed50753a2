#include "server/submissions/addressee.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/log.h"
#include "server/storage/database.h"
#include "tests/server/grading/course_events.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class AddresseeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::Open(folder_.path() + "/db");
    ASSERT_THAT(database, IsOk());
    database_ = *std::move(database);
  }

  // What is logged while `login` is told of 7 of 10 points.
  std::string LogOfDelivery(const std::string& login) {
    Addressee addressee;
    addressee.targets.push_back(FromText<v1::DeliveryTarget>(
        R"(kind: CHECK_RUN url: "https://hook.example/x" repository_prefix: "dl-")"));
    addressee.enrolment.mutable_external()->set_github_login(login);
    const auto record = FromText<v1::Submission>(
        R"(name: "courses/dl/assignments/hw/submissions/s1" student: "ann"
           accepted_at { seconds: 1800000000 } result { points: 7 max_points: 10 })");
    Log::SetLevel("warning");
    testing::internal::CaptureStderr();
    EXPECT_THAT(database_->Write([&](Connection& connection) {
      return Deliver(connection, addressee, record, /*is_new=*/true);
    }),
                IsOk());
    Log::Flush();
    Log::SetLevel("error");
    return testing::internal::GetCapturedStderr();
  }

  TempDir folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(AddresseeTest, WhatAReceiverMayMisreadIsLogged) {
  EXPECT_THAT(LogOfDelivery("ann"), IsEmpty());
  EXPECT_THAT(LogOfDelivery("ivan-2004"),
              AllOf(HasSubstr("delivery_doubtful"), HasSubstr("submissions/s1"),
                    HasSubstr("CHECK_RUN"), HasSubstr("ends with a number")));
}

TEST_F(AddresseeTest, WhoCannotBeToldOfHoldsUpNothing) {
  EXPECT_THAT(LogOfDelivery("no login"),
              AllOf(HasSubstr("delivery_impossible"), HasSubstr("submissions/s1")));
}

}  // namespace
}  // namespace trainyard
