#include "client/csv_flags.h"

#include <map>
#include <string>

namespace trainyard {

void AddCsvFlags(CLI::App* command, v1::CsvOptions* csv) {
  command
      ->add_option_function<std::string>(
          "--delimiter",
          [csv](const std::string& text) {
            // A tab is hard to type in a shell.
            const bool tab = text == "tab" || text == "\\t";
            csv->set_delimiter(tab ? "\t" : text);
          },
          "Between fields: , ; | or tab (default ,)")
      ->type_name("CHAR");
  const std::map<std::string, v1::CsvOptions::Header> headers = {
      {"detect", v1::CsvOptions::HEADER_UNSPECIFIED},
      {"present", v1::CsvOptions::PRESENT},
      {"absent", v1::CsvOptions::ABSENT}};
  command
      ->add_option_function<std::string>(
          "--header",
          [csv, headers](const std::string& word) { csv->set_header(headers.at(word)); },
          "Whether the first record names the columns: detect, present or absent (default detect)")
      ->check(CLI::IsMember({"detect", "present", "absent"}))
      ->type_name("WORD");
}

void AddBadRowsFlag(CLI::App* command, v1::CsvOptions* csv) {
  command
      ->add_option_function<int64_t>(
          "--bad-rows-max", [csv](const int64_t& count) { csv->set_bad_rows_max(count); },
          "Drop up to this many rows with bad cells instead of refusing the file (default 0)")
      ->type_name("N");
}

}  // namespace trainyard
