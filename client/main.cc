// The command line of Trainyard, binary `trainyard`. See README.md, or `trainyard --help`.
#include <string>
#include <vector>

#include "client/cli.h"

int main(int argc, char** argv) {
  trainyard::Interrupt interrupt;
  trainyard::SignalThread signals(&interrupt);  // before gRPC starts its threads
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(
      trainyard::RunCli(arguments, trainyard::StandardStreams(), &interrupt, {}));
}
