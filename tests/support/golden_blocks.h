// Golden files of blocks: lines `key values...`, each block ended by an empty line, `#` before a
// comment. Written by tests/golden/make_losses.py.
//
//   for (const GoldenBlock& block : ReadGoldenBlocks("losses.txt")) block.Numbers("gradient");
#ifndef TRAINYARD_TESTS_SUPPORT_GOLDEN_BLOCKS_H_
#define TRAINYARD_TESTS_SUPPORT_GOLDEN_BLOCKS_H_

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace trainyard {

struct GoldenBlock {
  std::map<std::string, std::string> lines;

  const std::string& Text(const std::string& key) const {
    const auto it = lines.find(key);
    TY_CHECK(it != lines.end());
    return it->second;
  }
  // Empty when there is no such line.
  template <typename T = double>
  std::vector<T> Numbers(const std::string& key) const {
    std::vector<T> numbers;
    const auto it = lines.find(key);
    if (it == lines.end()) return numbers;
    std::istringstream stream(it->second);
    for (double number = 0; stream >> number;) numbers.push_back(static_cast<T>(number));
    TY_CHECK(stream.eof());
    return numbers;
  }
  std::vector<std::string> Words(const std::string& key) const {
    std::istringstream stream(Text(key));
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
  }
  double Number(const std::string& key) const {
    TY_CHECK(Numbers(key).size() == 1);
    return Numbers(key)[0];
  }
};

// The blocks of tests/golden/`name`; at least one.
inline std::vector<GoldenBlock> ReadGoldenBlocks(const std::string& name) {
  std::ifstream file(std::string(TY_SOURCE_DIR) + "/tests/golden/" + name);
  TY_CHECK(file.good());
  std::vector<GoldenBlock> blocks(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) blocks.emplace_back();
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.find(' ');
    TY_CHECK(space != std::string::npos);
    blocks.back().lines[line.substr(0, space)] = line.substr(space + 1);
  }
  if (blocks.back().lines.empty()) blocks.pop_back();
  TY_CHECK(!blocks.empty());
  return blocks;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_GOLDEN_BLOCKS_H_
