/*
 * listen - what the two servers of this folder, HTTP and peers, begin with.
 */
#ifndef WEFT_IO_LISTEN_H
#define WEFT_IO_LISTEN_H

#include <event2/event.h>
#include <stdint.h>

#include "base/err.h"

/* A TCP socket that listens on an IP address, non-blocking; `port` 0: any free one. `whom`
 * stands in the message after "can't listen", as in " for peers". IO_E_ADDRESS, IO_E_LISTEN;
 * both name the remedy. */
int listen_on(int *out, const char *address, uint16_t port, const char *whom, struct err *err);

/* The port that `fd` has. */
uint16_t listen_port(int fd);

/* For one thread alone. */
struct event_base *listen_base_new(void);

#endif
