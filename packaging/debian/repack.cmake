# SPDX-License-Identifier: Apache-2.0
# Read by CPack when the package is made. CPack's archive tells the umask of who built it: dpkg packs the
# same contents anew. dpkg-shlibdeps asks for an older libcurl beside the one that we ask for: ours stays.
cmake_policy(VERSION 3.18)

# run COMMAND...: one that must succeed.
function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(package ${CPACK_PACKAGE_FILES})
    set(contents ${CPACK_TOPLEVEL_DIRECTORY}/contents)
    file(REMOVE_RECURSE ${contents})
    run(dpkg-deb --raw-extract ${package} ${contents})
    file(READ ${contents}/DEBIAN/control control)
    string(REGEX REPLACE "(libcurl4 [^,]*,.*)libcurl4 [^,\n]*, " "\\1" control "${control}")
    file(WRITE ${contents}/DEBIAN/control "${control}")
    run(chmod 0755 ${contents} ${contents}/DEBIAN)
    run(dpkg-deb --root-owner-group --threads-max=1 --build ${contents} ${package})
endforeach()
