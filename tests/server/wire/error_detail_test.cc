#include "server/wire/error_detail.h"

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/support/status_matchers.h"
#include "trainyard/v1/common.pb.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

absl::Status FullError() {
  return MakeError(absl::StatusCode::kResourceExhausted, "the queue is full",
                   {.reason = ErrorReason::kQueueFull,
                    .hint = "try again later",
                    .in_force = "at most 10 jobs",
                    .violations = {{"spec.layers[2].units", "is 0; give 1 or more"}},
                    .metadata = {{"queue", "default"}, {kRetryAfterKey, "2.5"}}});
}

TEST(ErrorDetailTest, ReasonsOfCoreAndProtoAreTheSame) {
  const auto* descriptor = v1::ErrorReason_descriptor();
  for (int i = 0; i < descriptor->value_count(); ++i) {
    const auto* value = descriptor->value(i);
    EXPECT_EQ(
        value->name(),
        absl::StrCat("ERROR_REASON_", ErrorReasonName(static_cast<ErrorReason>(value->number()))));
  }
  EXPECT_EQ(descriptor->value_count(), static_cast<int>(kErrorReasonLast) + 1);
}

TEST(ErrorDetailTest, DecodeGivesBackWhatEncodeTook) {
  const absl::Status status = FullError();
  const absl::Status back = DecodeError(EncodeError(status));
  EXPECT_EQ(back.code(), status.code());
  EXPECT_EQ(back.message(), status.message());
  EXPECT_EQ(*GetErrorInfo(back), *GetErrorInfo(status));
}

TEST(ErrorDetailTest, TheMessageAloneHasAllThreeParts) {
  EXPECT_EQ(EncodeError(FullError()).message,
            "the queue is full; try again later (in force: at most 10 jobs)");
}

TEST(ErrorDetailTest, DetailsAreThePublicMessages) {
  google::rpc::Status proto;
  ASSERT_TRUE(proto.ParseFromString(EncodeError(FullError()).details));
  EXPECT_EQ(proto.code(), 8);
  ASSERT_EQ(proto.details_size(), 3);
  EXPECT_EQ(proto.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "QUEUE_FULL");
  EXPECT_EQ(info.domain(), "trainyard");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(proto.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(proto.details(2).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "spec.layers[2].units");
}

TEST(ErrorDetailTest, AStatusWithoutInfoGetsTheReasonOfItsCode) {
  EXPECT_THAT(DecodeError(EncodeError(absl::InternalError("oops"))),
              HasReason(ErrorReason::kInternal));
  EXPECT_THAT(DecodeError(EncodeError(absl::CancelledError(""))),
              HasReason(ErrorReason::kCancelled));
}

TEST(ErrorDetailTest, AHundredUsualBadCellsFitIntoOneAnswer) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 100; ++i) {
    violations.push_back(
        {absl::StrCat("line ", 41 + i, ", column \"age\""), "expected a number, found \"n/a\""});
  }
  const WireError wire =
      EncodeError(MakeViolationsError(ErrorReason::kDatasetRejected, violations));
  EXPECT_EQ(GetErrorInfo(DecodeError(wire))->violations, violations);
  EXPECT_LE(wire.message.size() + wire.details.size(), kWireErrorBytesMax);
}

TEST(ErrorDetailTest, WhatDoesNotFitIsCountedAndTheTrailerStaysSmall) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 1'000; ++i)
    violations.push_back({absl::StrCat("f", i), std::string(5'000, 'x')});
  absl::Status status = MakeViolationsError(ErrorReason::kInvalidSpec, violations);
  const WireError wire = EncodeError(status);
  EXPECT_LE(wire.message.size() + wire.details.size(), kWireErrorBytesMax);
  const auto info = GetErrorInfo(DecodeError(wire));
  const size_t shown = info->violations.size() - 1;
  EXPECT_GT(shown, 5u);
  EXPECT_EQ(info->violations.back().description,
            absl::StrCat("and ", 1'000 - shown, " more that do not fit into one answer"));
}

TEST(ErrorDetailTest, ShorteningKeepsUtf8Whole) {
  std::string message;
  for (int i = 0; i < 1'000; ++i) message += "ä";
  google::rpc::Status proto;
  const WireError wire = EncodeError(absl::InternalError(message));
  EXPECT_THAT(wire.message, HasSubstr("ä..."));
  EXPECT_TRUE(proto.ParseFromString(wire.details));  // proto3 strings must be UTF-8
}

TEST(ErrorDetailTest, ForeignOrBrokenDetailsAreDropped) {
  WireError wire{
      .code = absl::StatusCode::kNotFound, .message = "gone; really", .details = "\xff\xff"};
  EXPECT_EQ(DecodeError(wire), absl::NotFoundError("gone; really"));
  google::rpc::ErrorInfo info;
  info.set_domain("elsewhere.example");
  google::rpc::Status proto;
  proto.add_details()->PackFrom(info);
  wire.details = proto.SerializeAsString();
  EXPECT_EQ(DecodeError(wire), absl::NotFoundError("gone; really"));
}

}  // namespace
}  // namespace trainyard
