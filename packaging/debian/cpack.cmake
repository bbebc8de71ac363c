# SPDX-License-Identifier: Apache-2.0
# How CPack makes the Debian package. Configure with -DCMAKE_INSTALL_PREFIX=/usr, then build the target
# `package`; the rest of what debhelper would do is in stage.cmake and the maintainer scripts.
set(debian ${PROJECT_SOURCE_DIR}/packaging/debian)

file(STRINGS ${debian}/changelog first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^nsaddrd \\(([0-9.]+)-([0-9a-z.+~]+)\\) ")
    message(FATAL_ERROR "packaging/debian/changelog does not start with: nsaddrd (VERSION-RELEASE)")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_2})
if(NOT CMAKE_MATCH_1 VERSION_EQUAL PROJECT_VERSION)
    message(FATAL_ERROR "packaging/debian/changelog is of ${CMAKE_MATCH_1}, this is ${PROJECT_VERSION}")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nsaddrd)
set(CPACK_PACKAGE_VENDOR nsaddrd)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE ${debian}/project.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/stage.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${debian}/repack.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "nsaddrd maintainers <maintainers@nsaddrd.invalid>" CACHE STRING
    "Who answers for the Debian package")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52), procps, libcurl4 (>= 7.85)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "consul")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm
                                       ${debian}/postrm)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"RocketMQ clients, brokers and tools can ask a URL for the NameServers of
their cluster instead of having a list in their settings. This daemon
answers them from memory, for all clusters at once: it watches the services
in Consul that NameServers register, and registers itself there so that
fabio routes to it.")
include(CPack)
