# Every outside library, found once. See the dependency table of README.md.
find_program(TY_CCACHE ccache)
if(TY_CCACHE)
  # The two sloppiness settings are what ccache's manual asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${TY_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED CONFIG)
# protobuf 3.21 in Debian has no CMake config of its own: module mode.
find_package(Protobuf REQUIRED)
find_package(gRPC REQUIRED CONFIG)
find_package(SQLite3 REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(yaml-cpp REQUIRED CONFIG)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)

# Debian's libsodium has no CMake config.
find_path(TY_SODIUM_INCLUDE sodium.h REQUIRED)
find_library(TY_SODIUM_LIBRARY sodium REQUIRED)
add_library(ty_sodium INTERFACE IMPORTED)
target_include_directories(ty_sodium SYSTEM INTERFACE ${TY_SODIUM_INCLUDE})
target_link_libraries(ty_sodium INTERFACE ${TY_SODIUM_LIBRARY})

# Debian's libzstd has no CMake config.
find_path(TY_ZSTD_INCLUDE zstd.h REQUIRED)
find_library(TY_ZSTD_LIBRARY zstd REQUIRED)
add_library(ty_zstd INTERFACE IMPORTED)
target_include_directories(ty_zstd SYSTEM INTERFACE ${TY_ZSTD_INCLUDE})
target_link_libraries(ty_zstd INTERFACE ${TY_ZSTD_LIBRARY})

# oneDNN 2.6.3's own config asks for OpenCL headers, which nothing here needs.
find_path(TY_DNNL_INCLUDE dnnl.hpp REQUIRED)
find_library(TY_DNNL_LIBRARY dnnl REQUIRED)
add_library(ty_dnnl INTERFACE IMPORTED)
target_include_directories(ty_dnnl SYSTEM INTERFACE ${TY_DNNL_INCLUDE})
target_link_libraries(ty_dnnl INTERFACE ${TY_DNNL_LIBRARY})
