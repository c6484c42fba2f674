#!/bin/bash
# Plants one bug at a time into a copy of the sources and runs on it what should find
# it. Run by `make check-mutants` in a build directory; speaks TAP. Each row must be
# killed; what killed it is told in a line, and all of them as a table in docs/CONSENSUS.md.
#
#   test      the unit tests of src/consensus (test/consensus/test_*.c)
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

# word FILE PATTERN: the first line of a program's output that says what failed.
word() {
	grep -h -m 1 -E "$2" "$1" | head -n 1 | sed 's/^# *//' | cut -c 1-110
}

# killed PROGRAM SECONDS ARGUMENT...: runs it; true, with why in $said, if it fails.
killed() {
	local out=$dir/$1.out status
	# In a shell of its own, whose word on a crash is not of interest.
	sh -c 'exec timeout "$@"' sh "$2" "$dir/$1" "${@:3}" >"$out" 2>&1
	status=$?
	said=
	if [ $status -eq 0 ] && ! grep -q '^not ok' "$out"; then
		return 1
	fi
	said=$(word "$out" '^# seed|^# scenario|^not ok|^seed|FAIL|check failed')
	[ -n "$said" ] || said="status $status"
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
	if ! sed "$edit" "$srcdir/src/$file" >"$dir/mutant.c" || cmp -s "$dir/mutant.c" "$srcdir/src/$file"; then
		echo "not ok $number - $what # the expression changes nothing" >"$dir/result"
		return
	fi
	if ! $CC $MUTANT_CFLAGS -w -iquote "$srcdir/src/${file%/*}" -c "$dir/mutant.c" -o "$dir/mutant.o" 2>"$dir/err"; then
		echo "not ok $number - $what # does not compile: $(head -n 1 "$dir/err")" >"$dir/result"
		return
	fi
	case $file in
	consensus/* | chain/*)
		if [ -n "$MUTANT_TEST" ] && link test $MUTANT_TEST $MUTANT_TEST_LIBS && killed test 60 --jobs 1; then
			t=x found="$found; test: $(sed 's/.*FAIL[^a-z]*\([a-z_]*::[a-z_0-9]*\).*/\1/' <<<"$said")"
		fi
		if link harness $MUTANT_HARNESS $MUTANT_LIBS && killed harness 120; then
			h=x found="$found; harness: $said"
		fi
		if link twins $MUTANT_TWINS $MUTANT_TWINS_LIBS && killed twins 120; then
			w=x found="$found; twins: $said"
		fi
		;;
	esac
	if [ -n "$sim" ]; then
		s=-
		if link sim $MUTANT_SIM $MUTANT_SIM_LIBS && killed sim 300 $MUTANT_SIM_ARGUMENTS; then
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
	fi >"$dir/result"
	echo "| $number | $what | ${t/./} | ${h/./} | ${w/./} | ${s/[.-]/} | ${found#; } |" >"$dir/table"
	rm -f "$dir"/test "$dir"/harness "$dir"/twins "$dir"/sim "$dir"/mutant.*
}

cd "$builddir" || exit 99
sed '/^#/d;/^$/d' "$rows" >"$work/rows"
count=$(wc -l <"$work/rows")
wanted=${*:-$(seq "$count")}
export WEFT_SEEDS
echo "1..$(wc -w <<<"$wanted")"
for number in $wanted; do
	while [ "$(jobs -rp | wc -l)" -ge "$WEFT_MUTANT_JOBS" ]; do
		wait -n
	done
	one "$number" &
done
wait
for number in $wanted; do
	cat "$work/$number/result"
done
[ -z "${WEFT_MUTANT_TABLE:-}" ] || for number in $wanted; do
	cat "$work/$number/table"
done >"$WEFT_MUTANT_TABLE"
! cat "$work"/*/result | grep -q '^not ok'
