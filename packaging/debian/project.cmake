# SPDX-License-Identifier: Apache-2.0
# Read by CPack before it makes a package.
if(NOT CPACK_PACKAGING_INSTALL_PREFIX STREQUAL "/usr")
    message(FATAL_ERROR "Configure with -DCMAKE_INSTALL_PREFIX=/usr to make a Debian package")
endif()

# The same sources give the same bytes: all times in the package are that of the changelog.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(COMMAND dpkg-parsechangelog -l ${CMAKE_CURRENT_LIST_DIR}/changelog -S Timestamp
                    OUTPUT_VARIABLE timestamp OUTPUT_STRIP_TRAILING_WHITESPACE
                    COMMAND_ERROR_IS_FATAL ANY)
    set(ENV{SOURCE_DATE_EPOCH} ${timestamp})
endif()
