/*
 * signal - the requests to end: SIGTERM and SIGINT.
 */
#ifndef WEFT_IO_SIGNAL_H
#define WEFT_IO_SIGNAL_H

/* Blocks SIGTERM, SIGINT, SIGUSR1 and SIGPIPE in this and all threads started later: call
 * first in main. */
void io_signals_block(void);

/* Waits for SIGTERM or SIGINT and returns its number. A second one while the
 * program winds down ends it at once. */
int io_signals_wait(void);

/* Ends io_signals_wait() from inside, from any thread. Harmless when it has ended
 * already: that is no second request. */
void io_signals_wake(void);

#endif
