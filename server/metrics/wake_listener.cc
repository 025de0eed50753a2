#include "server/metrics/wake_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace trainyard {

void WakeListener(absl::string_view address, int port) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<uint16_t>(port));
  const std::string host(address.substr(0, address.rfind(':')));
  if (inet_pton(AF_INET, host.c_str(), &target.sin_addr) != 1) return;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  // That it cannot be finished at once, or is refused, makes no difference: the attempt is what
  // wakes.
  connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target);
  close(fd);
}

}  // namespace trainyard
