#!/bin/sh
# weft-sim: its options, that a seed repeats, every seed that ever failed, and a row of others.
# The same ones each time, so that a change is judged by itself; fresh ones are a long run's
# business (weft-sim --state).
#
#   WEFT_SIM_SEEDS  how many (default 500; 30 in a build with sanitizers)
#   WEFT_SIM_FROM   the first of them (default 100001)
sim=${builddir:-.}/weft-sim
seeds=${srcdir:-.}/test/sim/seeds
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=0
failed=0

result() { # status name [file]
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
		[ -n "$3" ] && sed 's/^/# /' "$3"
	fi
}

expect_code() { # code name arguments...
	want=$1
	name=$2
	shift 2
	"$sim" "$@" > "$work/out" 2>&1
	got=$?
	[ "$got" -eq "$want" ]
	result $? "$name" "$work/out"
}

many=${WEFT_SIM_SEEDS:-}
if [ -z "$many" ]; then
	many=500
	grep -q '^HARDEN_CFLAGS = .*-fsanitize=' "${builddir:-.}/Makefile" && many=30
fi
from=${WEFT_SIM_FROM:-100001}

expect_code 0 "help" --help
expect_code 0 "list of faults" --list-faults
expect_code 2 "an unknown option" --nothing
expect_code 2 "an unknown fault" --faults delay,nothing
expect_code 2 "seeds that are none" --seeds 5-1
expect_code 2 "too many validators" --validators 11
expect_code 2 "an argument too many" 17

"$sim" --replay 99 > "$work/a" 2>&1 && "$sim" --replay 99 > "$work/b" 2>&1 && cmp -s "$work/a" "$work/b"
result $? "a seed repeats to the byte" "$work/a"

"$sim" --seeds 2 --quiet --state "$work/state" > "$work/out" && "$sim" --seeds 3 --quiet --state "$work/state" > "$work/out" &&
	grep -q '^seeds 5:' "$work/out" && grep -q '^next 6$' "$work/state"
result $? "a state adds up" "$work/out"

expect_code 0 "nothing goes wrong without faults" --seeds 20 --faults none --quiet

bad=0
sed 's/#.*//' "$seeds" | while read -r seed arguments; do
	[ -n "$seed" ] || continue
	# shellcheck disable=SC2086
	"$sim" $arguments --quiet > "$work/one" 2>&1 || { echo "$arguments"; cat "$work/one"; }
done > "$work/out"
[ ! -s "$work/out" ] || bad=1
result $bad "seeds that failed once" "$work/out"

"$sim" --seeds "$from-$((from + many - 1))" --jobs 2 --quiet > "$work/out" 2>&1
result $? "$many seeds from $from on" "$work/out"
sed 's/^/# /' "$work/out"

if [ "$many" -ge 500 ]; then
	! grep '^fired:' "$work/out" | grep -E ' 0( |$)' > "$work/zero"
	result $? "every fault has fired" "$work/zero"
fi

echo "1..$count"
exit $failed
