#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include "io/signal.h"

Test(signal, ends_by_request)
{
	io_signals_block();
	kill(getpid(), SIGTERM);
	cr_expect_eq(io_signals_wait(), SIGTERM);
}

Test(signal, ignores_an_interruption_while_winding_down)
{
	io_signals_block();
	io_signals_wake();
	cr_expect_neq(io_signals_wait(), SIGTERM);
	io_signals_wake(); /* nobody waits any more: nothing happens */
}

Test(signal, ends_at_once_by_a_second_request, .signal = SIGTERM)
{
	io_signals_block();
	kill(getpid(), SIGTERM);
	cr_expect_eq(io_signals_wait(), SIGTERM);
	kill(getpid(), SIGTERM);
}
