// What a command line has that no command understands, with the nearest thing that one would: a
// mistyped flag or subcommand.
//
// Thread-safety: pure function.
#ifndef TRAINYARD_CLIENT_UNKNOWN_WORDS_H_
#define TRAINYARD_CLIENT_UNKNOWN_WORDS_H_

#include <string>

namespace CLI {
class App;
}

namespace trainyard {

// Lines such as `unknown flag "--epoch" (did you mean "--epochs"?)`; empty when nothing was left
// over. REQUIRES: `app` has parsed, in vain or not.
std::string DescribeUnknownWords(const CLI::App& app);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_UNKNOWN_WORDS_H_
