#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using Stub = v1::DatasetService::Stub;

class DatasetServiceTest : public testing::Test {
 protected:
  absl::StatusOr<v1::Dataset> Finalize(const std::string& name) {
    v1::FinalizeDatasetRequest request;
    request.set_name(name);
    return CallWith(server_.datasets(), &Stub::FinalizeDataset, request);
  }

  int64_t Committed(const std::string& name) {
    v1::GetUploadStatusRequest request;
    request.set_name(name);
    return CallWith(server_.datasets(), &Stub::GetUploadStatus, request)->committed_size_bytes();
  }

  // Sends `messages` and returns how the stream ended.
  absl::Status WriteAll(const std::vector<v1::WriteDatasetRequest>& messages) {
    grpc::ClientContext context;
    v1::WriteDatasetResponse response;
    const auto writer = server_.datasets().WriteDataset(&context, &response);
    for (const auto& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return FromGrpcStatus(writer->Finish());
  }

  TestServer server_{{.dataset_bytes_max = int64_t{8} << 20}};
};

TEST_F(DatasetServiceTest, AnUploadBecomesATable) {
  const std::string name = server_.Upload(ReadTestData("wdbc.csv"));
  v1::GetDatasetRequest request;
  request.set_name(name);
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset,
                       CallWith(server_.datasets(), &Stub::GetDataset, request));
  EXPECT_EQ(dataset.state(), v1::Dataset::READY);
  EXPECT_EQ(dataset.row_count(), 569);
  EXPECT_EQ(dataset.columns_size(), 31);
  EXPECT_EQ(dataset.owner(), "local");
}

TEST_F(DatasetServiceTest, ALargeUploadArrivesWholeWhateverItsChunks) {
  std::string csv = "a,y\n";
  while (csv.size() < (size_t{5} << 20))
    absl::StrAppend(&csv, csv.size(), ",", csv.size() % 2 == 0 ? "no" : "yes", "\n");
  const std::string name = server_.NewUpload();
  const size_t third = csv.size() / 3;
  ASSERT_OK_AND_ASSIGN(int64_t committed, server_.Write(name, csv.substr(0, third)));
  EXPECT_EQ(committed, static_cast<int64_t>(third));
  ASSERT_OK_AND_ASSIGN(committed, server_.Write(name, csv.substr(third), committed));
  EXPECT_EQ(committed, static_cast<int64_t>(csv.size()));
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, Finalize(name));
  EXPECT_EQ(dataset.size_bytes(), static_cast<int64_t>(csv.size()));
}

TEST_F(DatasetServiceTest, ABrokenStreamKeepsWhatWasValidAndResumes) {
  const std::string name = server_.NewUpload();
  {
    grpc::ClientContext context;
    v1::WriteDatasetResponse response;
    const auto writer = server_.datasets().WriteDataset(&context, &response);
    ASSERT_TRUE(writer->Write(Chunk(name, 0, "a,y\n1,no\n")));
    ASSERT_TRUE(writer->Write(Chunk(name, 9, "2,yes\n")));
    context.TryCancel();
    writer->Finish();
  }
  // The server hears of the cancel when it hears of it; what it has then may be less than what was
  // sent, but never half a message.
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  absl::StatusOr<int64_t> rest;
  int64_t committed = 0;
  do {
    committed = Committed(name);
    rest = server_.Write(
        name, std::string("a,y\n1,no\n2,yes\n3,no\n").substr(static_cast<size_t>(committed)),
        committed);
  } while (!rest.ok() && absl::Now() < give_up);
  EXPECT_TRUE(committed == 0 || committed == 9 || committed == 15) << committed;
  ASSERT_THAT(rest, IsOk());
  EXPECT_EQ(*rest, 20);
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, Finalize(name));
  EXPECT_EQ(dataset.row_count(), 3);
}

TEST_F(DatasetServiceTest, AWrongOffsetIsAbortedWithTheCommittedSizeAndKeepsWhatCameBefore) {
  const std::string name = server_.NewUpload();
  const absl::Status status = WriteAll({Chunk(name, 0, "12345"), Chunk(name, 6, "x")});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("stands at 5")));
  EXPECT_THAT(status, HasReason(ErrorReason::kOffsetMismatch));
  EXPECT_EQ(GetErrorInfo(status)->metadata.front().second, "5");
  EXPECT_EQ(Committed(name), 5);
}

TEST_F(DatasetServiceTest, AWrongChecksumIsRefusedAndKeepsWhatCameBefore) {
  const std::string name = server_.NewUpload();
  v1::WriteDatasetRequest bad = Chunk(name, 5, "x");
  bad.set_crc32c(bad.crc32c() ^ 1);
  EXPECT_THAT(WriteAll({Chunk(name, 0, "12345"), bad}), HasReason(ErrorReason::kDigestMismatch));
  EXPECT_EQ(Committed(name), 5);
}

TEST_F(DatasetServiceTest, MessagesThatBreakTheContractAreRefused) {
  const std::string name = server_.NewUpload();
  EXPECT_THAT(WriteAll({}), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(WriteAll({Chunk("", 0, "x")}), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(WriteAll({Chunk("datasets/nowhere", 0, "x")}), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(WriteAll({Chunk(name, 0, std::string(limits::kChunkBytesMax + 1, 'x'))}),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(WriteAll({Chunk(name, 0, "x"), Chunk(server_.NewUpload(), 1, "y")}),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(Committed(name), 1);
}

TEST_F(DatasetServiceTest, AMessageOverTheReceiveLimitIsTooLargeAndTheServerGoesOn) {
  const std::string name = server_.NewUpload();
  EXPECT_THAT(WriteAll({Chunk(name, 0, std::string(limits::kMessageBytesMax + 1, 'x'))}),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_EQ(Committed(name), 0);
}

TEST_F(DatasetServiceTest, BeyondTheDatasetLimitIsTooLarge) {
  const std::string name = server_.NewUpload();
  EXPECT_THAT(server_.Write(name, std::string((size_t{8} << 20) + 1, 'x')),
              HasReason(ErrorReason::kTooLarge));
  v1::CreateDatasetRequest request;
  request.set_declared_size_bytes(int64_t{1} << 40);
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::CreateDataset, request),
              HasReason(ErrorReason::kTooLarge));
}

TEST_F(DatasetServiceTest, WhatIsNoTableIsRejectedAndKeepsItsBytes) {
  const struct {
    const char* csv;
    const char* message;
  } cases[] = {
      {"a,b\n1,2\n3\n4,5\n", "line 3"},
      {"a,b\n1,\"2\n", "line 2"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.csv);
    const std::string name = server_.NewUpload();
    ASSERT_THAT(server_.Write(name, c.csv), IsOk());
    const auto dataset = Finalize(name);
    EXPECT_THAT(dataset, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(dataset, HasReason(ErrorReason::kDatasetRejected));
    EXPECT_EQ(Committed(name), static_cast<int64_t>(std::string(c.csv).size()));
  }
  EXPECT_THAT(Finalize(server_.NewUpload()), HasReason(ErrorReason::kInvalidState));
  const std::string binary = server_.NewUpload();
  ASSERT_THAT(server_.Write(binary, std::string("\0\1\2\0PNG", 7)), IsOk());
  EXPECT_THAT(Finalize(binary), HasReason(ErrorReason::kDatasetRejected));
}

TEST_F(DatasetServiceTest, TheSameRequestIdGivesTheSameDatasetAndAnotherBodyIsRefused) {
  v1::CreateDatasetRequest request;
  request.set_request_id("01234567-89ab-cdef-0123-456789abcdef");
  request.mutable_dataset()->set_display_name("one");
  ASSERT_OK_AND_ASSIGN(const v1::Dataset first,
                       CallWith(server_.datasets(), &Stub::CreateDataset, request));
  ASSERT_OK_AND_ASSIGN(const v1::Dataset again,
                       CallWith(server_.datasets(), &Stub::CreateDataset, request));
  EXPECT_EQ(first.name(), again.name());
  request.mutable_dataset()->set_display_name("two");
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::CreateDataset, request),
              HasReason(ErrorReason::kRequestIdReused));
  request.set_request_id("not-a-uuid");
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::CreateDataset, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(DatasetServiceTest, PreviewShowsTheFirstGoodRowsAsTheyWereRead) {
  const std::string name = server_.NewUpload();
  std::string csv = "a,y\n1.50,no\nbad,yes\n\"2\",\"x, y\"\n";
  for (int i = 0; i < 30; ++i) absl::StrAppend(&csv, i, ",no\n");
  ASSERT_THAT(server_.Write(name, csv), IsOk());
  v1::FinalizeDatasetRequest finalize;
  finalize.set_name(name);
  finalize.mutable_csv()->set_bad_rows_max(1);
  ASSERT_THAT(CallWith(server_.datasets(), &Stub::FinalizeDataset, finalize), IsOk());
  v1::PreviewDatasetRequest request;
  request.set_name(name);
  request.set_row_count(3);
  ASSERT_OK_AND_ASSIGN(const auto preview,
                       CallWith(server_.datasets(), &Stub::PreviewDataset, request));
  EXPECT_THAT(preview.columns(), testing::ElementsAre("a", "y"));
  ASSERT_EQ(preview.rows_size(), 3);
  EXPECT_THAT(preview.rows(0).cells(), testing::ElementsAre("1.5", "no"));
  EXPECT_THAT(preview.rows(1).cells(), testing::ElementsAre("2", "x, y"));
  EXPECT_THAT(preview.rows(2).cells(), testing::ElementsAre("0", "no"));
  request.set_row_count(0);
  EXPECT_EQ(CallWith(server_.datasets(), &Stub::PreviewDataset, request)->rows_size(), 10);
  request.set_row_count(1'001);
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::PreviewDataset, request),
              HasReason(ErrorReason::kInvalidRequest));
  request.set_name(server_.NewUpload());
  request.set_row_count(0);
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::PreviewDataset, request),
              HasReason(ErrorReason::kInvalidState));
}

TEST_F(DatasetServiceTest, ADatasetInUseIsNotDeleted) {
  const std::string name = server_.Upload(ReadTestData("iris.csv"));
  const v1::TrainingJob job = server_.Submit(name, "species");  // no workers: it stays PENDING
  v1::DeleteDatasetRequest request;
  request.set_name(name);
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::DeleteDataset, request),
              HasReason(ErrorReason::kInvalidState));
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name(job.name());
  ASSERT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::CancelTrainingJob, cancel), IsOk());
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::DeleteDataset, request), IsOk());
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::DeleteDataset, request),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(DatasetServiceTest, ListsPageByPageNewestFirst) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(server_.NewUpload());
  std::vector<std::string> listed;
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  do {
    ASSERT_OK_AND_ASSIGN(const auto page,
                         CallWith(server_.datasets(), &Stub::ListDatasets, request));
    for (const v1::Dataset& dataset : page.datasets()) listed.push_back(dataset.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, std::vector<std::string>(names.rbegin(), names.rend()));
  request.set_page_token("xyz");
  EXPECT_THAT(CallWith(server_.datasets(), &Stub::ListDatasets, request),
              HasReason(ErrorReason::kInvalidRequest));
}

}  // namespace
}  // namespace trainyard
