#include "client/command.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace trainyard {

CLI::App* AddGroup(CLI::App* app, const char* name, const char* help) {
  CLI::App* group = app->add_subcommand(name, help);
  group->require_subcommand(1);
  return group;
}

CLI::Option* AddPriority(CLI::App* command, const char* name, v1::JobPriority* priority) {
  static const std::map<std::string, v1::JobPriority> words = {
      {"interactive", v1::JOB_PRIORITY_INTERACTIVE},
      {"normal", v1::JOB_PRIORITY_NORMAL},
      {"batch", v1::JOB_PRIORITY_BATCH}};
  return command
      ->add_option_function<std::string>(
          name, [priority](const std::string& word) { *priority = words.at(word); },
          "Who goes first: interactive (somebody waits), normal (default) or batch (may wait)")
      ->check(CLI::IsMember({"interactive", "normal", "batch"}));
}

void AddLimit(CLI::App* command, ListOptions* options) {
  command->add_option("--limit", options->limit, "At most this many, newest first")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
}

std::string FullName(absl::string_view collection, absl::string_view name) {
  // Another collection's name stays as it is: the server says what it expected.
  if (absl::StrContains(name, '/')) return std::string(name);
  return absl::StrCat(collection, "/", name);
}

}  // namespace trainyard
