# SPDX-License-Identifier: Apache-2.0
# exportctl's manual pages and its completion for bash, written by a program of the build from the table of subcommands.
# Not where what is built cannot be run or is slow to run.
if(CMAKE_CROSSCOMPILING OR UEX_SANITIZE)
    return()
endif()
add_executable(exportctl_manual src/ctl/manual/main.c)
set_target_properties(exportctl_manual PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/manual)
target_include_directories(exportctl_manual PRIVATE ${CMAKE_BINARY_DIR}/headers/ctl/own)
target_link_libraries(exportctl_manual PRIVATE uex_ctl)
add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/manual/bash-completion
    COMMAND exportctl_manual ${CMAKE_BINARY_DIR}/manual
    DEPENDS exportctl_manual
    COMMENT "Writing the manual pages and the shell completion of exportctl")
add_custom_target(manual ALL DEPENDS ${CMAKE_BINARY_DIR}/manual/bash-completion)
install(DIRECTORY ${CMAKE_BINARY_DIR}/manual/man1 DESTINATION share/man OPTIONAL)
install(FILES ${CMAKE_BINARY_DIR}/manual/bash-completion DESTINATION share/bash-completion/completions
        RENAME exportctl OPTIONAL)
