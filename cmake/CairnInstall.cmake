# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` installs, and the same shape in the build tree, so that an integrator can
# build against either:
#
#   bin/                    cairn, cairnd, cairn-host, cairn-synth
#   lib/cairn/plugins/      the plugins of this project
#   lib/cairn/conformance.so  what `cairn plugin test` puts before a plugin
#   lib/libcairn-testing.a  the fake kernel; libcairn-hl7.a  HL7 v2
#   lib/pkgconfig/          cairn.pc, cairn-testing.pc
#   lib/cmake/Cairn/        find_package(Cairn)
#   include/cairn/          the headers
#   share/cairn/            policies/, templates/, proto/
#   share/man/              manual pages
#   lib/systemd/system/     cairn.service, with the prefix's cairnd
#
# `lib` whatever the machine: programs find their parts from where they lie, and so do the .pc and
# .cmake files, so that a tree may be moved.

set(CAIRN_TESTING_FLAGS "")
if(CAIRN_SANITIZE)
  set(CAIRN_TESTING_FLAGS "-fsanitize=${CAIRN_SANITIZE}")
endif()

foreach(package cairn cairn-testing)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${package}.pc.in
    ${CMAKE_BINARY_DIR}/lib/pkgconfig/${package}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/lib/pkgconfig/${package}.pc DESTINATION lib/pkgconfig)
endforeach()
set(cmake_package ${CMAKE_BINARY_DIR}/lib/cmake/Cairn)
configure_file(${CMAKE_CURRENT_LIST_DIR}/CairnConfig.cmake.in ${cmake_package}/CairnConfig.cmake
  @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/plugin.map ${cmake_package}/plugin.map COPYONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${cmake_package}/CairnConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${cmake_package}/CairnConfig.cmake ${cmake_package}/CairnConfigVersion.cmake
  ${cmake_package}/plugin.map DESTINATION lib/cmake/Cairn)

# Links, so that a header or template that is changed is so in the build tree at once.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include ${CMAKE_BINARY_DIR}/share/cairn)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/sdk/include/cairn ${CMAKE_BINARY_DIR}/include/cairn SYMBOLIC)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/sdk/templates ${CMAKE_BINARY_DIR}/share/cairn/templates
  SYMBOLIC)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/proto ${CMAKE_BINARY_DIR}/share/cairn/proto SYMBOLIC)

install(TARGETS cairn cairnd cairn-host cairn-synth RUNTIME DESTINATION bin)
foreach(interpreter cairn-lua cairn-sh) # of plugins in other languages
  if(TARGET ${interpreter})
    install(TARGETS ${interpreter} RUNTIME DESTINATION bin)
  endif()
endforeach()
install(TARGETS plugin_cohort plugin_dicom plugin_fhir plugin_hello plugin_hl7v2 plugin_table
  LIBRARY DESTINATION lib/cairn/plugins)
install(TARGETS cairn_conformance LIBRARY DESTINATION lib/cairn)
install(TARGETS cairn_testing cairn_hl7 ARCHIVE DESTINATION lib)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/sdk/include/cairn DESTINATION include)
install(DIRECTORY ${CMAKE_BINARY_DIR}/share/cairn DESTINATION share USE_SOURCE_PERMISSIONS
  PATTERN templates EXCLUDE PATTERN proto EXCLUDE PATTERN __pycache__ EXCLUDE)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/sdk/templates DESTINATION share/cairn USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/proto/cairn DESTINATION share/cairn/proto
  FILES_MATCHING PATTERN "*.proto")

# The prefix is known when it is installed.
install(CODE "
  file(READ \"${CMAKE_SOURCE_DIR}/packaging/systemd/cairn.service\" unit)
  string(REPLACE /usr/bin/cairnd \"\${CMAKE_INSTALL_PREFIX}/bin/cairnd\" unit \"\${unit}\")
  set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  file(MAKE_DIRECTORY \"\${folder}\")
  file(WRITE \"\${folder}/cairn.service\" \"\${unit}\")
  message(STATUS \"Installing: \${folder}/cairn.service\")
")
