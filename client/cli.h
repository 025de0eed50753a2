// The command line as a function: parses, runs one command, returns the exit code. main() gives it
// the process's world, a test another one.
//
// Thread-safety: one call at a time per Streams.
#ifndef TRAINYARD_CLIENT_CLI_H_
#define TRAINYARD_CLIENT_CLI_H_

#include <string>
#include <vector>

#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/remote.h"
#include "client/screen.h"

namespace trainyard {

// `arguments` are those after the program's name. `*interrupt` must remain live during the call.
ExitCode RunCli(std::vector<std::string> arguments, const Streams& streams, Interrupt* interrupt,
                const RetryPolicy& retry);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CLI_H_
