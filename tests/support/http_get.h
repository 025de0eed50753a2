// HttpGet fetches a page of a server in this process over a plain socket, as a scraper does.
//
//   const std::string page = HttpGet(port, "/metrics");
#ifndef TRAINYARD_TESTS_SUPPORT_HTTP_GET_H_
#define TRAINYARD_TESTS_SUPPORT_HTTP_GET_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// The body of the answer when its status is 200; otherwise a text that starts with "failed".
inline std::string HttpGet(int port, absl::string_view path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    std::array<char, 65536> buffer;
    ssize_t got = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    while (got > 0) {
      got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got > 0) answer.append(buffer.data(), static_cast<size_t>(got));
    }
  }
  close(fd);
  const size_t body = answer.find("\r\n\r\n");
  if (answer.rfind("HTTP/1.1 200", 0) != 0 || body == std::string::npos) {
    return absl::StrCat("failed: ", answer.substr(0, 100));
  }
  return answer.substr(body + 4);
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_HTTP_GET_H_
