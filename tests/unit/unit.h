/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmocka with what it needs; its macro fail() would hide base/error.h's function. And its fail_msg() is made of that
 * macro: without it, the function would be called, with no arguments.
 */
#ifndef KSMSCOPE_TESTS_UNIT_H
#define KSMSCOPE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail
#undef fail_msg
#define fail_msg(msg, ...) do {						\
	print_error("ERROR: " msg "\n", ##__VA_ARGS__);			\
	_fail(__FILE__, __LINE__);					\
} while (0)

#endif
