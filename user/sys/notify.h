/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service manager wants to hear: sd_notify(3) without the library. A
 * datagram to the socket that $NOTIFY_SOCKET names (a path, or an abstract
 * name after "@"). Where nobody asked, nothing is sent.
 */
#ifndef KSMSCOPE_SYS_NOTIFY_H
#define KSMSCOPE_SYS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* "READY=1", "WATCHDOG=1", several separated by newlines. False where it could not be sent, or nobody listens. */
bool notify_send(const char *state);

/* How often the service manager wants to hear WATCHDOG=1, $WATCHDOG_USEC of this very process; 0: never. */
uint64_t notify_watchdog_us(void);

#endif
