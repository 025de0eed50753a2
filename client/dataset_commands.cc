#include "client/command.h"
#include "client/csv_flags.h"
#include "client/describe.h"
#include "client/upload.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::DatasetService::Stub;

constexpr char kCollection[] = "datasets";

struct PreviewOptions {
  std::string name;
  int32_t rows = 10;
};

ExitOr RunUpload(Session& session, const UploadOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, Upload(session.remote, session.screen, options));
  session.screen.Show(dataset, DescribeDataset(dataset));
  return ExitCode::kOk;
}

ExitOr RunGet(Session& session, const NameOptions& options) {
  v1::GetDatasetRequest request;
  request.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                      session.remote.Call(session.remote.datasets(), &Stub::GetDataset, request));
  session.screen.Show(dataset, DescribeDataset(dataset));
  return ExitCode::kOk;
}

ExitOr RunList(Session& session, const ListOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::ListDatasetsResponse list,
                      ListAll(session.remote, session.remote.datasets(), &Stub::ListDatasets,
                              v1::ListDatasetsRequest(),
                              &v1::ListDatasetsResponse::mutable_datasets, options.limit));
  session.screen.Show(list, DescribeDatasets(list));
  return ExitCode::kOk;
}

ExitOr RunPreview(Session& session, const PreviewOptions& options) {
  v1::PreviewDatasetRequest request;
  request.set_name(FullName(kCollection, options.name));
  request.set_row_count(options.rows);
  TY_ASSIGN_OR_RETURN(
      const v1::PreviewDatasetResponse preview,
      session.remote.Call(session.remote.datasets(), &Stub::PreviewDataset, request));
  session.screen.Show(preview, DescribePreview(preview));
  return ExitCode::kOk;
}

ExitOr RunDelete(Session& session, const NameOptions& options) {
  v1::DeleteDatasetRequest request;
  request.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(
      const google::protobuf::Empty empty,
      session.remote.Call(session.remote.datasets(), &Stub::DeleteDataset, request));
  session.screen.Show(empty, "deleted " + request.name() + "\n");
  return ExitCode::kOk;
}

void AddUpload(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<UploadOptions>();
  CLI::App* command = AddCommand(group, "upload", "Upload a CSV file and show what is in it",
                                 options, &RunUpload, chosen);
  command->add_option("FILE", options->path, "The CSV file")->required();
  command->add_option("--name", options->display_name, "Name for people (default the file's name)");
  command->add_option("--request-id", options->request_id,
                      "UUID: the same upload given twice is made once");
  AddCsvFlags(command, &options->csv);
  AddBadRowsFlag(command, &options->csv);
}

}  // namespace

void AddDatasetCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "dataset", "Tables to train on");
  AddUpload(group, chosen);
  auto got = std::make_shared<NameOptions>();
  AddCommand(group, "get", "Show a dataset and its columns", got, &RunGet, chosen)
      ->add_option("DATASET", got->name, "datasets/ID or ID")
      ->required();
  auto list = std::make_shared<ListOptions>();
  AddLimit(AddCommand(group, "list", "List datasets", list, &RunList, chosen), list.get());
  auto preview = std::make_shared<PreviewOptions>();
  CLI::App* command =
      AddCommand(group, "preview", "Show the first rows", preview, &RunPreview, chosen);
  command->add_option("DATASET", preview->name, "datasets/ID or ID")->required();
  command->add_option("--rows", preview->rows, "How many, at most 1000")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  auto gone = std::make_shared<NameOptions>();
  AddCommand(group, "delete", "Delete a dataset; models trained on it stay", gone, &RunDelete,
             chosen)
      ->add_option("DATASET", gone->name, "datasets/ID or ID")
      ->required();
}

}  // namespace trainyard
