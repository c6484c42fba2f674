#!/bin/bash
# Plants one bug at a time into a copy of the sources and runs on it what should find
# it. Run by `make check-mutants` in a build directory; speaks TAP. Each row must be
# killed; what killed it is told in a line, and all of them as a table in docs/CONSENSUS.md.
#
#   test      the unit tests of src/consensus (test/consensus/test_*.c), for rows of
#             src/chain those of src/chain, too
#   harness   tap_consensus: machines in virtual time, WEFT_SEEDS seeds
#   twins     tap_twins: histories of a divided set, enumerated
#   sim       weft-sim: whole nodes, WEFT_SIM_SEEDS seeds
#
# The first three run on every row, the simulator on the rows that name it, which is those of
# the issue that asked for it and some more: it must find these alone.
#
# A row: file | sed expression | what it breaks | sim or nothing. A row whose expression
# changes nothing fails: the code has moved. test/consensus/mutants.list holds them.
#
#   mutants.sh               all rows
#   mutants.sh NUMBER...     only these
#
#   srcdir, builddir   the trees
#   WEFT_SEEDS         seeds of the harness that a mutant may survive (default 3000)
#   WEFT_SIM_SEEDS     seeds of weft-sim (default 2000)
#   WEFT_MUTANT_JOBS   how many at a time (default: processors)
#   WEFT_MUTANT_TABLE  a file for the table, if it is wanted
set -u
: "${srcdir:?}" "${builddir:?}" "${WEFT_SEEDS:=3000}" "${WEFT_SIM_SEEDS:=2000}"
: "${WEFT_MUTANT_JOBS:=$(nproc)}" "${CC:=gcc}"
rows=$srcdir/test/consensus/mutants.list
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

failing='^# (seed|scenario) |^seed .*: (safety|liveness|crash|stopped)|^not ok|FAIL|check failed'

# killed PROGRAM SECONDS ARGUMENT...: runs it until it says what failed; true, with that in
# $said, if it does, or ends badly.
killed() {
	local out=$dir/$1.out pid
	mkfifo "$out.pipe"
	(exec timeout "$2" "$dir/$1" "${@:3}" >"$out.pipe" 2>&1) &
	pid=$!
	sed -u -E "/$failing/q" <"$out.pipe" >"$out"
	said=$(grep -m 1 -E "$failing" "$out" | sed 's/^# *//' | cut -c 1-160)
	if [ -n "$said" ]; then
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
		return 0
	fi
	wait "$pid" 2>/dev/null
	said="status $?"
	[ "$said" != "status 0" ] && [ "$said" != "status 124" ] # slow is not dead
}

link() {
	$CC $MUTANT_FLAGS -w -o "$dir/$1" "$dir/mutant.o" "${@:2}" $MUTANT_LDFLAGS 2>"$dir/err"
}

# one NUMBER: prints the row's line; its dots or crosses to a file of its own.
one() {
	local number=$1 line file edit what sim rest dir=$work/$1 said found="" t=. h=. w=. s=.
	line=$(sed -n "${number}p" "$work/rows")
	IFS='|' read -r file rest <<<"$line"
	file=${file% }
	# The expression may have bars of its own: the two last fields have none.
	sim=${rest##*|} rest=${rest%|*}
	what=${rest##*| } edit=${rest%|*}
	what=${what% } edit=${edit% } edit=${edit# } sim=${sim# }
	mkdir "$dir"
	if ! sed "$edit" "$work/src/$file" >"$dir/mutant.c" || cmp -s "$dir/mutant.c" "$work/src/$file"; then
		echo "not ok $number - $what # the expression changes nothing" >"$dir/result"
		return
	fi
	if ! $CC -I"$work/src" $MUTANT_CFLAGS -w -c "$dir/mutant.c" -o "$dir/mutant.o" 2>"$dir/err"; then
		echo "not ok $number - $what # does not compile: $(head -n 1 "$dir/err")" | tee "$dir/result" >&3
		return
	fi
	case $file in
	consensus/* | chain/*)
		if [ -n "$MUTANT_TEST" ] && link test $MUTANT_TEST $MUTANT_TEST_LIBS && killed test 60 --jobs 1; then
			t=x found="$found; test: $(sed 's/.*FAIL[^a-z]*\([a-z_]*::[a-z_0-9]*\).*/\1/' <<<"$said")"
		fi
		if [[ $file = chain/* && -n "$MUTANT_CHAIN" ]] && link chain $MUTANT_CHAIN $MUTANT_TEST_LIBS &&
			killed chain 60 --jobs 1; then
			t=x found="$found; test: $(sed 's/.*FAIL[^a-z]*\([a-z_]*::[a-z_0-9]*\).*/\1/' <<<"$said")"
		fi
		if link harness $MUTANT_HARNESS $MUTANT_LIBS && killed harness 40; then
			h=x found="$found; harness: $said"
		fi
		if link twins $MUTANT_TWINS $MUTANT_TWINS_LIBS && killed twins 40; then
			w=x found="$found; twins: $said"
		fi
		;;
	esac
	if [ -n "$sim" ]; then
		s=-
		if link sim $MUTANT_SIM $MUTANT_SIM_LIBS && killed sim 400 --seeds "$WEFT_SIM_SEEDS" --stop --quiet; then
			s=x found="$found; sim: $said"
		fi
	fi
	if [ -s "$dir/err" ]; then
		echo "not ok $number - $what # does not link: $(head -n 1 "$dir/err")"
	elif [ "$s" = - ]; then
		echo "not ok $number - $what # weft-sim lets it live for $WEFT_SIM_SEEDS seeds"
	elif [ -z "$found" ]; then
		echo "not ok $number - $what # survives"
	else
		echo "ok $number - $what${found:+ # ${found#; }}"
	fi | tee "$dir/result" >&3
	echo "| $number | $what | ${t/./} | ${h/./} | ${w/./} | ${s/[.-]/} | ${found#; } |" >"$dir/table"
	rm -f "$dir"/test "$dir"/chain "$dir"/harness "$dir"/twins "$dir"/sim "$dir"/mutant.*
}

cd "$builddir" && cp -r "$srcdir/src" "$work/src" || exit 99 # as it was built
sed '/^#/d;/^$/d' "$rows" >"$work/rows"
exec 3>&1
count=$(wc -l <"$work/rows")
wanted=${*:-$(seq "$count")}
export WEFT_SEEDS
echo "1..$(wc -w <<<"$wanted")"
for number in $wanted; do
	while [ "$(jobs -rp | wc -l)" -ge "$WEFT_MUTANT_JOBS" ]; do
		wait -n
	done
	one "$number" 2>/dev/null & # without the shell's word on a crash
done
wait
[ -z "${WEFT_MUTANT_TABLE:-}" ] || for number in $wanted; do
	cat "$work/$number/table"
done >"$WEFT_MUTANT_TABLE"
! cat "$work"/*/result | grep -q '^not ok'
