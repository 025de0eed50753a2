#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/csv_flags.h"
#include "client/describe.h"
#include "client/model_files.h"
#include "client/render.h"
#include "client/upload.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_reader.h"

namespace trainyard {
namespace {

using Stub = v1::ModelService::Stub;
using Texts = std::vector<std::string>;

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
  std::string verify_dataset;
  std::optional<double> tolerance;
};

struct ImportOptions {
  std::string path;
  std::string display_name;
  std::string request_id;
};

// The cells of `5.1,"a, b",` as of a CSV file.
absl::StatusOr<Texts> SplitRow(const std::string& text) {
  CsvOptions csv;
  csv.delimiter = ',';
  csv.quote = CsvOptions::Quote::kDouble;
  csv.comment = CsvOptions::kNoComment;
  CsvReader reader(csv);
  reader.Append(text);
  reader.FinishInput();
  CsvRecord record;
  const absl::StatusOr<bool> read = reader.Next(&record);
  if (!read.ok()) return AsUsageError(Annotate(read.status(), absl::StrCat("--row ", text)));
  if (!*read) return Texts{""};
  Texts cells;
  for (const absl::string_view field : record.fields) {
    cells.emplace_back(absl::StripAsciiWhitespace(field));
  }
  return cells;
}

absl::StatusOr<v1::Model> GetModel(Session& session, const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(FullName(kCollection, name));
  return session.remote.Call(session.remote.models(), &Stub::GetModel, request);
}

ExitOr RunShow(Session& session, const NameOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, GetModel(session, options.name));
  session.screen.Show(model, DescribeModel(model, session.screen.table_width()));
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

// Whether rows must be given as text: a category or a missing cell is no number.
bool TakesText(const v1::Model& model, const std::vector<Texts>& rows) {
  for (const v1::ModelFeature& feature : model.features()) {
    if (feature.encoding() != v1::ENCODING_NUMBER) return true;
  }
  return std::any_of(rows.begin(), rows.end(), [](const Texts& cells) {
    return std::find(cells.begin(), cells.end(), "") != cells.end();
  });
}

// A row of numbers; all faulty cells at once.
void AddValues(const Texts& cells, size_t index, v1::PredictRequest* request,
               std::vector<FieldViolation>* faults) {
  v1::PredictRequest::Row* row = request->add_rows();
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

absl::StatusOr<v1::PredictRequest> MakeRequest(const v1::Model& model,
                                               const std::vector<Texts>& rows) {
  v1::PredictRequest request;
  request.set_name(model.name());
  const bool text = TakesText(model, rows);
  std::vector<FieldViolation> faults;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (text) {
      request.add_rows()->mutable_cells()->Assign(rows[i].begin(), rows[i].end());
    } else {
      AddValues(rows[i], i, &request, &faults);
    }
  }
  if (faults.empty()) return request;
  return AsUsageError(MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults)));
}

ExitOr PredictRows(Session& session, const PredictOptions& options) {
  std::vector<Texts> rows;
  for (const std::string& text : options.rows) {
    TY_ASSIGN_OR_RETURN(rows.emplace_back(), SplitRow(text));
  }
  TY_ASSIGN_OR_RETURN(const v1::Model model, GetModel(session, options.name));
  TY_ASSIGN_OR_RETURN(const v1::PredictRequest request, MakeRequest(model, rows));
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
  TY_ASSIGN_OR_RETURN(const v1::Model model, GetModel(session, options.name));
  const PredictFile job{.model = model,
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

// "largest difference to the server 3.1e-07 on 569 rows"; empty when nothing was compared.
std::string DifferenceText(const ExportedFile& file) {
  if (!file.largest_difference.has_value()) return "";
  return absl::StrCat(", differs from the server's predictions by at most ",
                      FormatNumber(*file.largest_difference), " on ",
                      FormatCount(file.rows_compared), " rows");
}

ExitOr RunExport(Session& session, const ExportOptions& options) {
  const bool verifies = !options.verify_dataset.empty() || options.tolerance.has_value();
  if (verifies && options.format != "onnx") {
    return UsageError("model export: --verify and --tolerance go with --format onnx",
                      {.hint = "the other formats hold the model bit for bit"});
  }
  v1::ExportModelRequest request;
  request.set_name(FullName(kCollection, options.name));
  v1::ModelFormat format = v1::MODEL_FORMAT_UNSPECIFIED;
  v1::ModelFormat_Parse(absl::StrCat("MODEL_FORMAT_", absl::AsciiStrToUpper(options.format)),
                        &format);
  request.set_format(format);
  if (!options.verify_dataset.empty()) {
    request.set_verify_dataset(FullName("datasets", options.verify_dataset));
  }
  if (options.tolerance.has_value()) request.set_tolerance(*options.tolerance);
  TY_ASSIGN_OR_RETURN(const ExportedFile file,
                      ExportModel(session.remote, request, options.target_path));
  session.screen.Note(absl::StrCat(FormatBytes(file.size_bytes), " to ", options.target_path,
                                   DifferenceText(file)));
  return ExitCode::kOk;
}

std::string BaseName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

ExitOr RunImport(Session& session, const ImportOptions& options) {
  v1::ImportModelRequest::Options request;
  request.set_display_name(options.display_name.empty() ? BaseName(options.path)
                                                        : options.display_name);
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  TY_ASSIGN_OR_RETURN(const v1::Model model, ImportModel(session.remote, options.path, request));
  session.screen.Show(model, DescribeModel(model, session.screen.table_width()));
  return ExitCode::kOk;
}

void AddPredict(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = AddCommand(group, "predict", "Predict a table of any size, or a few rows",
                                 options, &RunPredict, chosen);
  command->add_option("MODEL", options->name, "models/ID or ID")->required();
  command->add_option("TABLE", options->table_path,
                      "CSV file, plain or gzip or zstd; columns are found by name");
  command
      ->add_option("--row", options->rows,
                   "Cells of the features in the model's order, as in a CSV file, e.g. "
                   "\"1,2.5,red\"; may be repeated")
      ->type_name("CELLS")
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
  command
      ->add_option("--verify", options->verify_dataset,
                   "With onnx: the dataset whose first rows are predicted by the file too (default "
                   "the one it was trained on)")
      ->type_name("DATASET");
  command
      ->add_option("--tolerance", options->tolerance,
                   "With onnx: refuse a file that differs more (default 1e-4)")
      ->type_name("RATIO")
      ->check(CLI::NonNegativeNumber);
}

void AddImport(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = AddCommand(group, "import", "Store a model that was exported as native",
                                 options, &RunImport, chosen);
  command->add_option("FILE", options->path, "What model export wrote, in native format")
      ->required();
  command->add_option("--name", options->display_name, "Name for people (default the file's name)");
  command->add_option("--request-id", options->request_id,
                      "UUID: the same import given twice is made once");
}

}  // namespace

void AddModelCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "model", "Trained models");
  auto shown = std::make_shared<NameOptions>();
  AddCommand(group, "show", "Show a model and what it does to each feature", shown, &RunShow,
             chosen)
      ->alias("get")
      ->add_option("MODEL", shown->name, "models/ID or ID")
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
  AddImport(group, chosen);
}

}  // namespace trainyard
