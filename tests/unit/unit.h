/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka with what it needs; its macro fail() would hide base/error.h's function. */
#ifndef KSMSCOPE_TESTS_UNIT_H
#define KSMSCOPE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#endif
