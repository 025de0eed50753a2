#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/command.h"
#include "client/csv_flags.h"
#include "client/describe.h"
#include "client/model_files.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::ModelService::Stub;

constexpr char kCollection[] = "models";

struct PredictOptions {
  std::string name;
  std::string table_path;
  std::vector<std::string> rows;
  v1::CsvOptions csv;
  std::string target_path;
  int32_t hidden_layer = 0;
};

struct EvaluateOptions {
  std::string name;
  std::string dataset;
};

struct ExportOptions {
  std::string name;
  std::string format = "native";
  std::string target_path;
};

absl::StatusOr<v1::Model> GetModel(Session& session, const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(FullName(kCollection, name));
  return session.remote.Call(session.remote.models(), &Stub::GetModel, request);
}

ExitOr RunGet(Session& session, const NameOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, GetModel(session, options.name));
  session.screen.Show(model, DescribeModel(model));
  return ExitCode::kOk;
}

ExitOr RunList(Session& session, const ListOptions& options) {
  TY_ASSIGN_OR_RETURN(
      const v1::ListModelsResponse list,
      ListAll(session.remote, session.remote.models(), &Stub::ListModels, v1::ListModelsRequest(),
              &v1::ListModelsResponse::mutable_models, options.limit));
  session.screen.Show(list, DescribeModels(list));
  return ExitCode::kOk;
}

ExitOr RunDelete(Session& session, const NameOptions& options) {
  v1::DeleteModelRequest request;
  request.set_name(FullName(kCollection, options.name));
  TY_ASSIGN_OR_RETURN(const google::protobuf::Empty empty,
                      session.remote.Call(session.remote.models(), &Stub::DeleteModel, request));
  session.screen.Show(empty, absl::StrCat("deleted ", request.name(), "\n"));
  return ExitCode::kOk;
}

// "1, 2.5,3" as one row; all faulty cells at once.
void ParseRow(const std::string& text, size_t index, v1::PredictRequest* request,
              std::vector<FieldViolation>* faults) {
  v1::PredictRequest::Row* row = request->add_rows();
  const std::vector<std::string> cells = absl::StrSplit(text, ',');
  for (size_t i = 0; i < cells.size(); ++i) {
    double value = 0;
    if (!absl::SimpleAtod(cells[i], &value)) {
      faults->push_back({absl::StrCat("--row ", index + 1),
                         absl::StrCat("value ", i + 1, ": expected a number, found \"",
                                      Printable(cells[i]), "\"")});
    }
    row->add_values(value);
  }
}

ExitOr PredictRows(Session& session, const PredictOptions& options) {
  v1::PredictRequest request;
  request.set_name(FullName(kCollection, options.name));
  std::vector<FieldViolation> faults;
  for (size_t i = 0; i < options.rows.size(); ++i) ParseRow(options.rows[i], i, &request, &faults);
  if (!faults.empty()) {
    return AsUsageError(MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults)));
  }
  TY_ASSIGN_OR_RETURN(const v1::Model model, GetModel(session, options.name));
  TY_ASSIGN_OR_RETURN(const v1::PredictResponse response,
                      session.remote.Call(session.remote.models(), &Stub::Predict, request));
  session.screen.Show(response, DescribePredictions(response, model));
  return ExitCode::kOk;
}

ExitOr RunPredict(Session& session, const PredictOptions& options) {
  if (options.table_path.empty() == options.rows.empty()) {
    return UsageError(
        "model predict: give either a TABLE or --row, not both",
        {.hint = "e.g. --row \"5.1,3.5,1.4,0.2\", the features in the model's order"});
  }
  if (!options.rows.empty() && options.hidden_layer != 0) {
    return UsageError("model predict: --hidden-layer goes with a TABLE, not with --row",
                      {.hint = "give the rows as a CSV file"});
  }
  if (!options.rows.empty()) return PredictRows(session, options);
  const PredictFile job{.model = FullName(kCollection, options.name),
                        .table_path = options.table_path,
                        .csv = options.csv,
                        .target_path = options.target_path,
                        .hidden_layer = options.hidden_layer};
  TY_ASSIGN_OR_RETURN(const int64_t rows, PredictTable(session.remote, session.screen, job));
  if (!options.target_path.empty()) {
    session.screen.Note(absl::StrCat(FormatCount(rows), " rows to ", options.target_path));
  }
  return ExitCode::kOk;
}

ExitOr RunEvaluate(Session& session, const EvaluateOptions& options) {
  v1::EvaluateModelRequest request;
  request.set_name(FullName(kCollection, options.name));
  request.set_dataset(FullName("datasets", options.dataset));
  TY_ASSIGN_OR_RETURN(
      const v1::EvaluateModelResponse response,
      session.remote.Call(session.remote.models(), &Stub::EvaluateModel, request, Span::kLong));
  session.screen.Show(response, absl::StrCat(FormatCount(response.row_count()),
                                             " rows: ", DescribeMetrics(response.metrics()), "\n",
                                             DescribeConfusion(response.confusion())));
  return ExitCode::kOk;
}

ExitOr RunExport(Session& session, const ExportOptions& options) {
  v1::ExportModelRequest request;
  request.set_name(FullName(kCollection, options.name));
  v1::ModelFormat format = v1::MODEL_FORMAT_UNSPECIFIED;
  v1::ModelFormat_Parse(absl::StrCat("MODEL_FORMAT_", absl::AsciiStrToUpper(options.format)),
                        &format);
  request.set_format(format);
  TY_ASSIGN_OR_RETURN(const int64_t bytes,
                      ExportModel(session.remote, request, options.target_path));
  session.screen.Note(absl::StrCat(FormatBytes(bytes), " to ", options.target_path));
  return ExitCode::kOk;
}

void AddPredict(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = AddCommand(group, "predict", "Predict a CSV file of any size, or a few rows",
                                 options, &RunPredict, chosen);
  command->add_option("MODEL", options->name, "models/ID or ID")->required();
  command->add_option("TABLE", options->table_path, "CSV file; columns are found by name");
  command
      ->add_option("--row", options->rows,
                   "Features in the model's order, e.g. \"1,2.5,3\"; may be repeated")
      ->type_name("NUMBERS")
      ->allow_extra_args(false);
  command
      ->add_option("-f,--file", options->target_path, "Where the CSV answer goes (default stdout)")
      ->type_name("FILE");
  command
      ->add_option("--hidden-layer", options->hidden_layer,
                   "Answer with the outputs of this hidden layer, 1 for the first")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  AddCsvFlags(command, &options->csv);
}

void AddExport(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      AddCommand(group, "export", "Write a model to a file", options, &RunExport, chosen);
  command->add_option("MODEL", options->name, "models/ID or ID")->required();
  command->add_option("--format", options->format, "native, onnx or json")
      ->check(CLI::IsMember({"native", "onnx", "json"}))
      ->capture_default_str();
  command->add_option("-f,--file", options->target_path, "Where it goes")
      ->type_name("FILE")
      ->required();
}

}  // namespace

void AddModelCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "model", "Trained models");
  auto got = std::make_shared<NameOptions>();
  AddCommand(group, "get", "Show a model", got, &RunGet, chosen)
      ->add_option("MODEL", got->name, "models/ID or ID")
      ->required();
  auto list = std::make_shared<ListOptions>();
  AddLimit(AddCommand(group, "list", "List models", list, &RunList, chosen), list.get());
  auto gone = std::make_shared<NameOptions>();
  AddCommand(group, "delete", "Delete a model; its job stays", gone, &RunDelete, chosen)
      ->add_option("MODEL", gone->name, "models/ID or ID")
      ->required();
  AddPredict(group, chosen);
  auto measured = std::make_shared<EvaluateOptions>();
  CLI::App* evaluate =
      AddCommand(group, "evaluate", "Measure a model on a dataset", measured, &RunEvaluate, chosen);
  evaluate->add_option("MODEL", measured->name, "models/ID or ID")->required();
  evaluate->add_option("--dataset", measured->dataset, "datasets/ID or ID")->required();
  AddExport(group, chosen);
}

}  // namespace trainyard
