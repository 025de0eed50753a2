# ty_flags: what every target of ours is compiled with (generated code is not).
add_library(ty_flags INTERFACE)
target_include_directories(ty_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(ty_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers)  # designated initializers leave fields at their defaults on purpose
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(ty_flags INTERFACE -Wthread-safety)
endif()
if(TY_WERROR)
  target_compile_options(ty_flags INTERFACE -Werror)
endif()

# Any x86-64-v2 machine runs the binaries; hot loops are multiversioned (core/README.md).
add_compile_options(-march=x86-64-v2)
if(TY_SANITIZE)
  add_compile_options(-fsanitize=${TY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TY_SANITIZE})
endif()
if(TY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# ty_program(NAME SOURCES a.cc DEPS x): an executable of ours. In the tsan preset each carries the object that tells TSan of
# absl::Mutex, exported so that gRPC's calls come to it too.
if(TY_SANITIZE MATCHES "thread")
  add_library(ty_tsan OBJECT tests/support/tsan_absl.cc)
  target_link_libraries(ty_tsan PRIVATE absl::synchronization)
  add_link_options(-rdynamic)
endif()
function(ty_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ty_flags ${arg_DEPS})
  if(TARGET ty_tsan)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:ty_tsan>)
  endif()
endfunction()

# ty_library(NAME SOURCES a.cc b.cc DEPS x y [PRIVATE_DEPS z])
#   One static library per folder; DEPS are public, so an include edge that is not listed does not link.
function(ty_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE ty_flags ${arg_PRIVATE_DEPS})
endfunction()

# ty_test(NAME SIZE small|medium|large SOURCES a_test.cc DEPS x [TIMEOUT seconds])
#   One gtest binary; its ctest label is its size. small: no disk, no threads. medium: disk, threads, in-process
#   server. large: processes.
function(ty_test name)
  cmake_parse_arguments(arg "" "SIZE;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  ty_program(${name} SOURCES ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE TY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TY_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_SIZE} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp")
endfunction()

# ty_fuzz(NAME SOURCES foo_fuzz.cc DEPS x CORPUS dir)
#   In every build: an ordinary test that replays the corpus. With -DTY_FUZZ=ON: a libFuzzer binary as well.
function(ty_fuzz name)
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  if(TY_FUZZ)
    ty_program(${name} SOURCES ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -runs=20000 -max_total_time=30 ${arg_CORPUS})
  else()
    ty_program(${name} SOURCES ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/main.cc)
    add_test(NAME ${name} COMMAND ${name} ${arg_CORPUS})
  endif()
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  set_tests_properties(${name} PROPERTIES LABELS "small;fuzz" TIMEOUT 300)
endfunction()
