# SPDX-License-Identifier: Apache-2.0
# The manual pages of the three programs and of the file of settings, and exportctl's completions, written by programs of
# the build from the tables that they read themselves. Not where what is built cannot be run or is slow to run.
if(CMAKE_CROSSCOMPILING OR UEX_SANITIZE)
    return()
endif()
set(manual ${CMAKE_BINARY_DIR}/manual)
add_executable(exportctl_manual src/ctl/manual/main.c)
set_target_properties(exportctl_manual PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${manual})
target_include_directories(exportctl_manual PRIVATE ${CMAKE_BINARY_DIR}/headers/ctl/own)
target_link_libraries(exportctl_manual PRIVATE uex_ctl)
add_custom_command(
    OUTPUT ${manual}/completion.bash ${manual}/completion.zsh ${manual}/completion.fish
    COMMAND exportctl_manual ${manual}
    DEPENDS exportctl_manual
    COMMENT "Writing the manual pages and the shell completions of exportctl")
foreach(program export-worker export-scheduler)
    add_custom_command(
        OUTPUT ${manual}/man8/${program}.8
        COMMAND ${CMAKE_COMMAND} -E make_directory ${manual}/man8
        COMMAND ${program} --help=man > ${manual}/man8/${program}.8
        DEPENDS ${program}
        VERBATIM
        COMMENT "Writing the manual page of ${program}")
endforeach()
add_custom_target(manual ALL DEPENDS ${manual}/completion.bash ${manual}/man8/export-worker.8
                                     ${manual}/man8/export-scheduler.8)
install(DIRECTORY ${manual}/man1 ${manual}/man5 ${manual}/man8 DESTINATION share/man OPTIONAL)
install(FILES ${manual}/completion.bash DESTINATION share/bash-completion/completions RENAME exportctl OPTIONAL)
install(FILES ${manual}/completion.zsh DESTINATION share/zsh/site-functions RENAME _exportctl OPTIONAL)
install(FILES ${manual}/completion.fish DESTINATION share/fish/vendor_completions.d RENAME exportctl.fish OPTIONAL)
