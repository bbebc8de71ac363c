/*
 * attrs.h - promises about functions that the compiler can hold us to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_ATTRS_H
#define BASE_ATTRS_H

/* The result says whether the call worked: ignoring it is a bug. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Argument `fmt` is a printf format, its values start at argument `first`. */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#endif
