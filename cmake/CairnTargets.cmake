# SPDX-License-Identifier: Apache-2.0
# What every directory's CMakeLists.txt uses: dependencies, warnings, and one function per kind of
# target, so that a directory lists its sources and what it needs, and nothing else.

find_package(PkgConfig REQUIRED)
foreach(dep libuv libprotobuf-c lmdb openssl lua5.4 yaml-0.1 libpcre2-8 jansson zlib cmocka
    simdjson libcurl htslib libdeflate libxml-2.0)
  string(MAKE_C_IDENTIFIER ${dep} id)
  pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${dep})
  add_library(dep::${dep} ALIAS PkgConfig::${id})
endforeach()
find_package(nng REQUIRED)
find_package(Threads REQUIRED)

add_library(cairn_flags INTERFACE)
target_compile_options(cairn_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wshadow -Wconversion -Werror -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings>
  -fstack-protector-strong -fno-strict-aliasing)
target_compile_definitions(cairn_flags INTERFACE _GNU_SOURCE)
target_include_directories(cairn_flags INTERFACE ${CMAKE_SOURCE_DIR}/sdk/include
  ${CMAKE_SOURCE_DIR}/sdk)
if(CAIRN_SANITIZE)
  add_compile_options(-fsanitize=${CAIRN_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CAIRN_SANITIZE})
else()
  add_compile_definitions($<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
endif()

if(CAIRN_FUZZ)
  # Everything is instrumented for coverage; only the fuzz targets get libFuzzer's main().
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# cairn_library(NAME SOURCES a.c ... LIBS x ...): a static library.
function(cairn_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC cairn_flags ${ARG_LIBS})
endfunction()

# cairn_program(NAME SOURCES a.c ... LIBS x ...): an executable in bin/.
function(cairn_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_flags ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# cairn_plugin(NAME SOURCES a.c ... LIBS x ...): the target plugin_NAME, a shared object
# lib/cairn/plugins/NAME.so that exports one symbol.
function(cairn_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(plugin_${name} MODULE ${ARG_SOURCES})
  target_link_libraries(plugin_${name} PRIVATE cairn_flags ${ARG_LIBS})
  target_link_options(plugin_${name} PRIVATE
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/plugin.map)
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/cairn/plugins)
endfunction()

# cairn_test(NAME SOURCES a.c ... LIBS x ...): a cmocka program run by ctest.
function(cairn_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_flags cairn_test_base dep::cmocka ${ARG_LIBS})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# cairn_fuzz(NAME SOURCES a.c LIBS x ... CORPUS dir): a libFuzzer target, and a test that runs it
# over its corpus and then for a short while (only with -DCAIRN_FUZZ=ON).
function(cairn_fuzz name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LIBS" ${ARGN})
  if(NOT CAIRN_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_flags ${ARG_LIBS})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/fuzz/run $<TARGET_FILE:${name}>
    ${CMAKE_SOURCE_DIR}/${ARG_CORPUS})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
endfunction()

# What find_package(Cairn) gives an integrator, here, for plugins that are built either way
# (plugins/hl7v2).
function(cairn_add_plugin name)
  cairn_plugin(${name} ${ARGN})
endfunction()

function(cairn_add_plugin_test name)
  cairn_test(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE cairn_testing dep::libuv)
endfunction()

function(cairn_messages name)
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE cairn_proto)
endfunction()
