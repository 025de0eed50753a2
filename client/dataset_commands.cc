#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/csv_flags.h"
#include "client/describe.h"
#include "client/describe_dataset.h"
#include "client/download.h"
#include "client/local_file.h"
#include "client/proto_text.h"
#include "client/render.h"
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

struct ShowOptions {
  std::string name;
  bool all = false;
  std::string column;
  std::string target;
};

struct FinalizeOptions {
  std::string name;
  v1::FinalizeDatasetRequest reading;
  std::string labels;
};

struct RejectsOptions {
  std::string name;
  std::string target_path;
};

void ShowDataset(Session& session, const v1::Dataset& dataset, bool all = false) {
  session.screen.Show(
      dataset, DescribeDataset(dataset, {.width = session.screen.table_width(), .all = all}));
}

ExitOr RunUpload(Session& session, const UploadOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, Upload(session.remote, session.screen, options));
  ShowDataset(session, dataset);
  return ExitCode::kOk;
}

ExitOr RunFinalize(Session& session, const FinalizeOptions& options) {
  v1::FinalizeDatasetRequest reading = options.reading;
  reading.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                      FinalizeUpload(session.remote, session.screen, reading, options.labels));
  ShowDataset(session, dataset);
  return ExitCode::kOk;
}

absl::StatusOr<v1::Column> FindColumn(const v1::Dataset& dataset, const std::string& name) {
  std::vector<std::string> names;
  for (const v1::Column& column : dataset.columns()) {
    if (column.name() == name) return column;
    names.push_back(column.name());
  }
  return MakeError(
      absl::StatusCode::kNotFound,
      absl::StrCat(dataset.name(), " has no column \"", name, "\"", DidYouMean(name, names)),
      {.reason = ErrorReason::kNotFound,
       .hint = absl::StrCat("see its columns with: trainyard dataset show ", dataset.name(),
                            " --all")});
}

ExitOr RunShow(Session& session, const ShowOptions& options) {
  v1::GetDatasetRequest request;
  request.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                      session.remote.Call(session.remote.datasets(), &Stub::GetDataset, request));
  if (!options.column.empty()) {
    TY_ASSIGN_OR_RETURN(const v1::Column column, FindColumn(dataset, options.column));
    session.screen.Show(column, DescribeColumn(dataset, column));
  } else if (!options.target.empty()) {
    TY_ASSIGN_OR_RETURN(const v1::Column column, FindColumn(dataset, options.target));
    session.screen.Show(column, DescribeClassBalance(dataset, column));
  } else {
    ShowDataset(session, dataset, options.all);
  }
  return ExitCode::kOk;
}

// The same in either form of output: a CSV file.
ExitOr RunRejects(Session& session, const RejectsOptions& options) {
  v1::DownloadRejectReportRequest request;
  request.set_name(FullName(kCollection, options.name));
  std::unique_ptr<TargetFile> target;
  if (!options.target_path.empty()) {
    TY_ASSIGN_OR_RETURN(target, TargetFile::Create(options.target_path));
  }
  const auto take = [&](const v1::DownloadRejectReportResponse& response) {
    if (target != nullptr) return target->Append(response.data());
    session.screen.Print(response.data());
    return absl::OkStatus();
  };
  const std::unique_ptr<CallContext> call = session.remote.NewCall(Span::kLong);
  const auto stream = session.remote.datasets().DownloadRejectReport(call->grpc(), request);
  TY_ASSIGN_OR_RETURN(const int64_t bytes,
                      Download<v1::DownloadRejectReportResponse>(session.remote, *call, *stream,
                                                                 request.name(), take));
  if (target == nullptr) return ExitCode::kOk;
  TY_RETURN_IF_ERROR(target->Commit());
  session.screen.Note(absl::StrCat(FormatBytes(bytes), " to ", options.target_path));
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

ExitOr RunSeal(Session& session, const NameOptions& options) {
  v1::SealDatasetRequest request;
  request.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                      session.remote.Call(session.remote.datasets(), &Stub::SealDataset, request));
  session.screen.Show(dataset, absl::StrCat("sealed ", Printable(dataset.name()),
                                            " for good: only grading uses it, and nothing tells "
                                            "its cells or statistics any more\n"));
  return ExitCode::kOk;
}

// How a file is read, wherever its bytes come from.
void AddReadingFlags(CLI::App* command, v1::FinalizeDatasetRequest* reading, std::string* labels) {
  command
      ->add_option("--labels", *labels,
                   "More columns for the same rows: a file (e.g. the labels of an IDX pair, or of "
                   "two NPY files), or datasets/ID")
      ->type_name("FILE");
  AddTableFlags(command, reading);
  AddCsvFlags(command, reading->mutable_csv());
}

void AddUpload(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<UploadOptions>();
  options->keep_rejected = true;
  CLI::App* command = AddCommand(group, "upload", "Upload a table and show what is in it", options,
                                 &RunUpload, chosen);
  command
      ->add_option("FILE", options->path,
                   "CSV, NPY, NPZ, IDX or svmlight, plain or compressed by gzip or zstd")
      ->required();
  command->add_option("--name", options->display_name, "Name for people (default the file's name)");
  command->add_option("--request-id", options->request_id,
                      "UUID: the same upload given twice is made once");
  AddReadingFlags(command, &options->reading, &options->labels);
}

void AddShow(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command =
      AddCommand(group, "show", "Show a dataset and its columns", options, &RunShow, chosen);
  command->alias("get");
  command->add_option("DATASET", options->name, "datasets/ID or ID")->required();
  CLI::Option* const all = command->add_flag(
      "--all", options->all, absl::StrCat("Every column, not only the first ", kColumnsShownMax));
  CLI::Option* const column =
      command->add_option("--column", options->column, "Everything of one column");
  CLI::Option* const target =
      command->add_option("--target", options->target, "How many rows each class of a column has");
  column->type_name("NAME")->excludes(all);
  target->type_name("NAME")->excludes(all)->excludes(column);
}

void AddFinalize(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<FinalizeOptions>();
  CLI::App* command =
      AddCommand(group, "finalize", "Read a rejected upload again, with other options", options,
                 &RunFinalize, chosen);
  command->add_option("DATASET", options->name, "datasets/ID or ID")->required();
  AddReadingFlags(command, &options->reading, &options->labels);
}

void AddRejects(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<RejectsOptions>();
  CLI::App* command =
      AddCommand(group, "rejects", "Write every bad cell as CSV, of a dataset or a rejected upload",
                 options, &RunRejects, chosen);
  command->add_option("DATASET", options->name, "datasets/ID or ID")->required();
  command->add_option("-f,--file", options->target_path, "Where it goes (default stdout)")
      ->type_name("FILE");
}

void AddPreview(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<PreviewOptions>();
  CLI::App* command =
      AddCommand(group, "preview", "Show the first rows", options, &RunPreview, chosen);
  command->add_option("DATASET", options->name, "datasets/ID or ID")->required();
  command->add_option("--rows", options->rows, "How many, at most 1000")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace

void AddDatasetCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "dataset", "Tables to train on");
  AddUpload(group, chosen);
  AddShow(group, chosen);
  auto list = std::make_shared<ListOptions>();
  AddLimit(AddCommand(group, "list", "List datasets", list, &RunList, chosen), list.get());
  AddPreview(group, chosen);
  AddRejects(group, chosen);
  AddFinalize(group, chosen);
  auto sealed = std::make_shared<NameOptions>();
  AddCommand(group, "seal", "Seal a dataset for grading, for good: nobody can look at it any more",
             sealed, &RunSeal, chosen)
      ->add_option("DATASET", sealed->name, "datasets/ID or ID")
      ->required();
  auto gone = std::make_shared<NameOptions>();
  AddCommand(group, "delete", "Delete a dataset or an unfinished upload; models stay", gone,
             &RunDelete, chosen)
      ->add_option("DATASET", gone->name, "datasets/ID or ID")
      ->required();
}

}  // namespace trainyard
