#include "client/unknown_words.h"

#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/proto_text.h"
#include "client/render.h"

namespace trainyard {
namespace {

using Texts = std::vector<std::string>;

// The command that was recognised last.
const CLI::App& Innermost(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return commands.empty() ? app : Innermost(*commands.front());
}

Texts Commands(const CLI::App& app) {
  Texts names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// Of `app` and of what it is a command of.
Texts Flags(const CLI::App& app) {
  Texts names;
  for (const CLI::App* owner = &app; owner != nullptr; owner = owner->get_parent()) {
    for (const CLI::Option* option : owner->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::string Unknown(const char* what, const std::string& word, const Texts& candidates) {
  return absl::StrCat("unknown ", what, " \"", Printable(word), "\"", DidYouMean(word, candidates),
                      "\n");
}

}  // namespace

std::string DescribeUnknownWords(const CLI::App& app) {
  const CLI::App& command = Innermost(app);
  const Texts commands = Commands(command);
  std::string flags, words;
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (absl::StartsWith(word, "-")) {
      flags += Unknown("flag", word.substr(0, word.find('=')), Flags(command));
    } else {
      words += Unknown(commands.empty() ? "argument" : "command", word, commands);
    }
  }
  // Words after an unknown flag were meant as its value.
  return flags.empty() ? words : flags;
}

}  // namespace trainyard
