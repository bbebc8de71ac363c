# SPDX-License-Identifier: Apache-2.0
# Read by CPack when everything is installed to ${CPACK_TEMPORARY_INSTALL_DIRECTORY}: what is of the
# Debian package alone.
cmake_policy(VERSION 3.18)
set(stage ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(debian ${CMAKE_CURRENT_LIST_DIR})
set(doc ${stage}/usr/share/doc/nsaddrd)

# run COMMAND...: one that must succeed.
function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(install -D -m 644 ${debian}/copyright ${doc}/copyright)
run(install -D -m 644 ${debian}/changelog ${doc}/changelog.Debian)
run(install -D -m 644 ${debian}/nsaddrd.lintian-overrides ${stage}/usr/share/lintian/overrides/nsaddrd)
file(GLOB pages ${stage}/usr/share/man/man[1-8]/*.[1-8])
# Without name and time, or the bytes differ.
run(gzip -9nf ${doc}/changelog.Debian ${pages})

# The units give it a folder for its state and a socket, and what is installed must not take clients by
# itself. The config says so, and is for nobody else to read.
set(config ${stage}/etc/nsaddrd/nsaddrd.conf)
file(READ ${config} text)
set(changed "${text}")
string(REPLACE "#dir = \"\";" "dir = \"/var/lib/nsaddrd\";" changed "${changed}")
string(REPLACE "\n#listen = \"" "
# While nsaddrd.socket is enabled, as it is by default, that unit says where, and this does not count.
#listen = \"" changed "${changed}")
string(REPLACE "\n    #address = \"http" "
    # One that is neither here nor in a private network must be allowed, too: see nsaddrd.service.
    #address = \"http" changed "${changed}")
string(REPLACE "\n    #mode = \"per-cluster\";" "
    # The package comes with \"off\": fabio sends nobody here before you say so. Take \"per-cluster\" or
    # \"single\", then: systemctl restart nsaddrd
    mode = \"off\";" changed "${changed}")
if(NOT changed MATCHES "\n    dir = " OR NOT changed MATCHES "nsaddrd.socket"
   OR NOT changed MATCHES "nsaddrd.service" OR NOT changed MATCHES "\n    mode = \"off\"")
    message(FATAL_ERROR "conf/nsaddrd.conf has no line for state.dir, listen, consul.address or register.mode to change")
endif()
file(WRITE ${config} "${changed}")
file(CHMOD ${config} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)

# Not what the umask of who builds it makes of them.
run(find ${stage} -type d -exec chmod 0755 {} +)
