#include "io/signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"

/* From inside the program; always blocked, so a late one does nothing. */
#define WAKE_SIGNAL SIGUSR1

static void requests_to_end(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

void io_signals_block(void)
{
	sigset_t set;

	requests_to_end(&set);
	sigaddset(&set, WAKE_SIGNAL);
	sigaddset(&set, SIGPIPE);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

int io_signals_wait(void)
{
	sigset_t set;
	int number;

	requests_to_end(&set);
	sigaddset(&set, WAKE_SIGNAL);
	CHECK(sigwait(&set, &number) == 0);
	/* From here on the default action applies again: the next one kills. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigdelset(&set, WAKE_SIGNAL);
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	return number;
}

void io_signals_wake(void)
{
	CHECK(kill(getpid(), WAKE_SIGNAL) == 0);
}
