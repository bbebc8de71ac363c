# SPDX-License-Identifier: Apache-2.0
# Read by CPack when the package is made. CPack's archive tells the umask of who built it: dpkg packs the
# same contents anew.
cmake_policy(VERSION 3.18)
foreach(package ${CPACK_PACKAGE_FILES})
    set(contents ${CPACK_TOPLEVEL_DIRECTORY}/contents)
    file(REMOVE_RECURSE ${contents})
    foreach(command "dpkg-deb;--raw-extract;${package};${contents}"
                    "chmod;0755;${contents};${contents}/DEBIAN"
                    "dpkg-deb;--root-owner-group;--threads-max=1;--build;${contents};${package}")
        execute_process(COMMAND ${command} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
endforeach()
