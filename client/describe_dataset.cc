#include "client/describe_dataset.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/describe.h"
#include "client/proto_text.h"
#include "core/base/limits.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;

constexpr size_t kBarWidth = 16;
constexpr size_t kValueWidthMax = 32;
constexpr double kProbabilityTolerance = 1e-9;

template <typename Enum>
std::string Word(const google::protobuf::EnumDescriptor* type, Enum value) {
  return value == 0 ? "" : EnumWord(*type, value);
}

// "numeric"; "category (given)" where the user said so.
std::string KindText(const v1::Column& column) {
  // A dataset from before kinds has none.
  if (column.kind() == v1::COLUMN_KIND_UNSPECIFIED) {
    return EnumWord(*v1::ColumnType_descriptor(), column.type());
  }
  return absl::StrCat(EnumWord(*v1::ColumnKind_descriptor(), column.kind()),
                      column.kind_given() ? " (given)" : "");
}

bool IsNumeric(const v1::Column& column) { return column.type() == v1::COLUMN_TYPE_NUMERIC; }

// Whether its values are names, so that counting them says more than their mean.
bool IsNamed(const v1::Column& column) {
  return column.kind() == v1::COLUMN_KIND_CATEGORY || column.kind() == v1::COLUMN_KIND_BOOLEAN;
}

bool IsInNumbers(const v1::Column& column) { return IsNumeric(column) && !IsNamed(column); }

bool IsInCategories(const v1::Column& column) {
  return !IsInNumbers(column) || column.kind() == v1::COLUMN_KIND_INTEGER_CATEGORY;
}

double Share(int64_t count, int64_t rows) {
  return rows == 0 ? 0 : static_cast<double>(count) / static_cast<double>(rows);
}

// "0", "2,799 (5.7%)".
std::string MissingText(const v1::Dataset& dataset, const v1::Column& column) {
  const int64_t missing = column.missing_count();
  if (missing == 0) return "0";
  return absl::StrCat(FormatCount(missing), " (", PercentText(Share(missing, dataset.row_count())),
                      ")");
}

std::string DistinctText(const v1::Column& column) { return FormatCount(column.distinct_count()); }

std::string QuantileText(const v1::Column& column, double probability) {
  for (const v1::Quantile& quantile : column.quantiles()) {
    const bool is_it = std::abs(quantile.probability() - probability) < kProbabilityTolerance;
    if (is_it) return FormatNumber(quantile.value());
  }
  return "-";
}

// Statistics exist only of cells that are there.
bool HasCells(const v1::Dataset& dataset, const v1::Column& column) {
  return column.missing_count() < dataset.row_count();
}

std::vector<std::string> NumbersRow(const v1::Dataset& dataset, int index) {
  const v1::Column& column = dataset.columns(index);
  const bool has_cells = HasCells(dataset, column);
  const auto number = [&](double value) {
    return has_cells ? FormatNumber(value) : std::string("-");
  };
  return {absl::StrCat(index),        column.name(),
          KindText(column),           MissingText(dataset, column),
          DistinctText(column),       number(column.min()),
          QuantileText(column, 0.05), QuantileText(column, 0.5),
          QuantileText(column, 0.95), number(column.max()),
          number(column.mean()),      number(column.standard_deviation())};
}

// Of the first `shown` columns.
std::string NumbersTable(const v1::Dataset& dataset, int shown, size_t width) {
  TextTable table({{"#", Align::kRight},
                   {"COLUMN"},
                   {"KIND"},
                   {"MISSING", Align::kRight},
                   {"DISTINCT", Align::kRight, 2},
                   {"MIN", Align::kRight},
                   {"5%", Align::kRight, 4},
                   {"MEDIAN", Align::kRight, 1},
                   {"95%", Align::kRight, 4},
                   {"MAX", Align::kRight},
                   {"MEAN", Align::kRight},
                   {"STDDEV", Align::kRight, 3}});
  bool any = false;
  for (int i = 0; i < shown; ++i) {
    if (!IsInNumbers(dataset.columns(i))) continue;
    table.AddRow(NumbersRow(dataset, i));
    any = true;
  }
  return any ? table.Render(width) : "";
}

struct ValueRow {
  std::string value;
  std::string rows;
  std::string share;
  std::string bar;
};

ValueRow RowOf(std::string value, int64_t count, int64_t rows) {
  const double share = Share(count, rows);
  return {std::move(value), FormatCount(count), PercentText(share), ShareBar(share, kBarWidth)};
}

// The most frequent values, then how many there are besides, in all at most `shown_max` + 1 rows.
std::vector<ValueRow> ValueRows(const v1::Dataset& dataset, const v1::Column& column,
                                int shown_max) {
  std::vector<ValueRow> rows;
  int64_t rest = dataset.row_count() - column.missing_count();
  // One value more takes no more room than saying so.
  const int listed = column.top_values_size();
  const bool complete = listed == column.distinct_count() && listed <= shown_max + 1;
  const int shown = complete ? listed : std::min(listed, shown_max);
  for (int i = 0; i < shown; ++i) {
    const v1::ValueCount& top = column.top_values(i);
    rows.push_back(
        RowOf(Ellipsize(Printable(top.value()), kValueWidthMax), top.count(), dataset.row_count()));
    rest -= top.count();
  }
  if (complete || rest <= 0) return rows;
  const std::string more = FormatCount(column.distinct_count() - shown);
  rows.push_back(RowOf(absl::StrCat("and ", more, " more"), rest, dataset.row_count()));
  return rows;
}

// A column of text of which every value occurs once says nothing by its values.
bool ValuesMatter(const v1::Column& column) {
  return !column.top_values().empty() &&
         (column.top_values(0).count() > 1 || column.distinct_count() <= kTopValuesShownMax);
}

void AddCategories(const v1::Dataset& dataset, int index, TextTable* table) {
  const v1::Column& column = dataset.columns(index);
  std::vector<ValueRow> values;
  if (ValuesMatter(column)) values = ValueRows(dataset, column, kTopValuesShownMax);
  if (values.empty()) values.push_back({"-", "", "", ""});
  bool first = true;
  for (const ValueRow& value : values) {
    table->AddRow({first ? absl::StrCat(index) : "", first ? column.name() : "",
                   first ? KindText(column) : "", first ? MissingText(dataset, column) : "",
                   first ? DistinctText(column) : "", value.value, value.rows, value.share,
                   value.bar});
    first = false;
  }
}

std::string CategoriesTable(const v1::Dataset& dataset, int shown, size_t width) {
  TextTable table({{"#", Align::kRight},
                   {"COLUMN"},
                   {"KIND"},
                   {"MISSING", Align::kRight},
                   {"DISTINCT", Align::kRight, 2},
                   {"VALUE"},
                   {"ROWS", Align::kRight},
                   {"SHARE", Align::kRight, 1},
                   {"", Align::kLeft, 3}});
  bool any = false;
  for (int i = 0; i < shown; ++i) {
    if (!IsInCategories(dataset.columns(i))) continue;
    AddCategories(dataset, i, &table);
    any = true;
  }
  return any ? table.Render(width) : "";
}

std::string ColumnTables(const v1::Dataset& dataset, const DatasetView& view) {
  const int shown =
      view.all ? dataset.columns_size() : std::min(dataset.columns_size(), kColumnsShownMax);
  const std::string numbers = NumbersTable(dataset, shown, view.width);
  const std::string categories = CategoriesTable(dataset, shown, view.width);
  std::string text =
      absl::StrCat(numbers, numbers.empty() || categories.empty() ? "" : "\n", categories);
  if (shown < dataset.columns_size()) {
    absl::StrAppend(&text, "and ", FormatCount(dataset.columns_size() - shown),
                    " more columns: trainyard dataset show ", Printable(dataset.name()),
                    " --all, or --column NAME\n");
  }
  return text;
}

std::string RejectTable(const v1::Dataset& dataset) {
  if (dataset.rejected_cells().empty()) return "";
  TextTable table({{"LINE", Align::kRight}, {"COLUMN"}, {"EXPECTED"}, {"ACTUAL"}});
  const int shown = std::min(dataset.rejected_cells_size(), kRejectsShownMax);
  for (int i = 0; i < shown; ++i) {
    const v1::RejectedCell& cell = dataset.rejected_cells(i);
    table.AddRow({absl::StrCat(cell.line()), cell.column(), cell.expected(), cell.actual()});
  }
  return absl::StrCat("dropped rows:\n", table.Render(), "all of them: trainyard dataset rejects ",
                      Printable(dataset.name()), "\n");
}

std::string WarningText(const v1::DatasetWarning& warning) {
  // Messages usually name their column themselves.
  const bool named =
      warning.column().empty() || absl::StrContains(warning.message(), warning.column());
  const std::string where = named ? "" : absl::StrCat("column \"", warning.column(), "\": ");
  return absl::StrCat("warning: ", Printable(where), Printable(warning.message()), "\n");
}

std::string WarningLines(const v1::Dataset& dataset) {
  std::string lines;
  for (const v1::DatasetWarning& warning : dataset.warnings()) lines += WarningText(warning);
  return lines;
}

std::string CharacterText(absl::string_view character) {
  if (character == "\t") return "tab";
  if (character == " ") return "space";
  return absl::StrCat("\"", character, "\"");
}

// `delimiter ";", header present, decimal mark comma, quote double`: what is not known is left out.
std::string CsvText(const v1::CsvOptions& csv) {
  std::vector<std::string> parts;
  const auto add = [&](absl::string_view what, const std::string& value) {
    if (!value.empty()) parts.push_back(absl::StrCat(what, " ", value));
  };
  add("delimiter", csv.delimiter().empty() ? "" : CharacterText(csv.delimiter()));
  add("header", Word(v1::CsvOptions::Header_descriptor(), csv.header()));
  add("decimal mark", Word(v1::CsvOptions::DecimalMark_descriptor(), csv.decimal_mark()));
  add("quote", Word(v1::CsvOptions::Quote_descriptor(), csv.quote()));
  add("comment", csv.comment().empty() ? "" : CharacterText(csv.comment()));
  return absl::StrJoin(parts, ", ");
}

// "csv, gzip; delimiter …".
std::string ReadText(const v1::Dataset& dataset) {
  std::vector<std::string> parts;
  parts.push_back(Word(v1::FileFormat_descriptor(), dataset.format()));
  if (dataset.compression() > v1::COMPRESSION_NONE) {
    parts.push_back(Word(v1::Compression_descriptor(), dataset.compression()));
  }
  const bool is_csv =
      dataset.format() == v1::FILE_FORMAT_CSV || dataset.format() == v1::FILE_FORMAT_UNSPECIFIED;
  if (is_csv) parts.push_back(CsvText(dataset.csv()));
  if (!dataset.npz_arrays().empty()) {
    parts.push_back(absl::StrCat("arrays ", absl::StrJoin(dataset.npz_arrays(), " ")));
  }
  parts.erase(std::remove(parts.begin(), parts.end(), ""), parts.end());
  return absl::StrJoin(parts, ", ");
}

std::string MarkersText(const v1::Dataset& dataset) {
  if (dataset.csv().no_missing_markers()) return "empty";
  if (dataset.csv().missing_markers().empty()) return "";
  return absl::StrCat("empty, ", absl::StrJoin(dataset.csv().missing_markers(), ", "));
}

std::string RowsText(const v1::Dataset& dataset) {
  return absl::StrCat(FormatCount(dataset.row_count()), " (",
                      FormatCount(dataset.rejected_row_count()), " dropped as bad)");
}

std::string ColumnCounts(const v1::Dataset& dataset) {
  std::vector<std::string> parts;
  const auto& kinds = *v1::ColumnKind_descriptor();
  for (int i = 1; i < kinds.value_count(); ++i) {
    const int number = kinds.value(i)->number();
    const auto count = std::count_if(dataset.columns().begin(), dataset.columns().end(),
                                     [&](const v1::Column& c) { return c.kind() == number; });
    if (count > 0) parts.push_back(absl::StrCat(count, " ", EnumWord(kinds, number)));
  }
  if (parts.empty()) return FormatCount(dataset.columns_size());
  return absl::StrCat(FormatCount(dataset.columns_size()), ": ", absl::StrJoin(parts, ", "));
}

std::string NumbersText(const v1::Dataset& dataset, const v1::Column& column) {
  if (!IsNumeric(column) || !HasCells(dataset, column)) return "";
  TextTable table({{"  "}, {"", Align::kRight}});
  const auto add = [&](absl::string_view what, std::string value) {
    table.AddRow({absl::StrCat("  ", what), std::move(value)});
  };
  add("min", FormatNumber(column.min()));
  for (const v1::Quantile& quantile : column.quantiles()) {
    add(absl::StrCat(quantile.probability() * 100, "%"), FormatNumber(quantile.value()));
  }
  add("max", FormatNumber(column.max()));
  add("mean", FormatNumber(column.mean()));
  add("standard deviation", FormatNumber(column.standard_deviation()));
  const std::string text = table.Render();
  return text.substr(text.find('\n') + 1);  // without titles
}

// All top values, under the title `what`.
std::string ValuesTable(const v1::Dataset& dataset, const v1::Column& column,
                        const std::string& what) {
  if (column.top_values().empty()) return "";
  TextTable table({{what}, {"ROWS", Align::kRight}, {"SHARE", Align::kRight}, {""}});
  for (ValueRow& row : ValueRows(dataset, column, column.top_values_size())) {
    table.AddRow(
        {std::move(row.value), std::move(row.rows), std::move(row.share), std::move(row.bar)});
  }
  if (column.missing_count() > 0) {
    ValueRow row = RowOf("missing", column.missing_count(), dataset.row_count());
    table.AddRow(
        {std::move(row.value), std::move(row.rows), std::move(row.share), std::move(row.bar)});
  }
  return table.Render();
}

// "the rarest class has 212 rows, 1 for 1.7 of the most frequent".
std::string RarestText(const v1::Column& column) {
  if (column.top_values_size() < 2 || column.top_values_size() < column.distinct_count()) return "";
  const int64_t rarest = column.top_values(column.top_values_size() - 1).count();
  if (rarest == 0) return "";
  const double ratio = Share(column.top_values(0).count(), rarest);
  return absl::StrCat("the rarest class has ", FormatCount(rarest), rarest == 1 ? " row" : " rows",
                      "; the most frequent has ", FormatNumber(ratio), " times as many\n");
}

}  // namespace

std::string DescribeDataset(const v1::Dataset& dataset, const DatasetView& view) {
  const bool ready = dataset.state() == v1::Dataset::READY;
  const std::string state = EnumWord(*v1::Dataset::State_descriptor(), dataset.state());
  return absl::StrCat(dataset.name(), "  ", absl::AsciiStrToUpper(state), "\n",
                      KeyValueLines({{"name", dataset.display_name()},
                                     {"owner", dataset.owner()},
                                     {"rows", ready ? RowsText(dataset) : ""},
                                     {"columns", ready ? ColumnCounts(dataset) : ""},
                                     {"read as", ready ? ReadText(dataset) : ""},
                                     {"missing cells", ready ? MarkersText(dataset) : ""},
                                     {"size", FormatBytes(dataset.size_bytes())},
                                     {"digest", dataset.digest()},
                                     {"labels", dataset.labels_digest()},
                                     {"created", TimeText(ToTime(dataset.create_time()))}}),
                      ColumnTables(dataset, view), RejectTable(dataset), WarningLines(dataset));
}

std::string DescribeColumn(const v1::Dataset& dataset, const v1::Column& column) {
  std::string text = absl::StrCat(Printable(column.name()), "  ", KindText(column), "\n");
  absl::StrAppend(&text,
                  KeyValueLines({{"type", EnumWord(*v1::ColumnType_descriptor(), column.type())},
                                 {"rows", FormatCount(dataset.row_count())},
                                 {"missing", MissingText(dataset, column)},
                                 {"distinct", DistinctText(column)},
                                 {"whole numbers", column.integers() ? "yes" : ""}}),
                  NumbersText(dataset, column), ValuesTable(dataset, column, "VALUE"));
  for (const v1::DatasetWarning& warning : dataset.warnings()) {
    if (warning.column() == column.name()) text += WarningText(warning);
  }
  return text;
}

std::string DescribeClassBalance(const v1::Dataset& dataset, const v1::Column& column) {
  const std::string head = absl::StrCat("\"", Printable(column.name()), "\" in ",
                                        FormatCount(dataset.row_count()), " rows");
  if (column.top_values().empty()) {
    return absl::StrCat(head, ": a quantity of ", DistinctText(column), " different values\n",
                        NumbersText(dataset, column));
  }
  return absl::StrCat(head, ":\n", ValuesTable(dataset, column, "CLASS"), RarestText(column));
}

}  // namespace trainyard
